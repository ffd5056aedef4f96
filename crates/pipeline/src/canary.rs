//! The canary of a stack: what is seen of it, noted by the processes that answer, and the judge that acts on it.
//!
//! Each photo of the two groups leaves a small blob behind everything that the photo needs, whose **name** says all that is
//! compared: a listing is the evidence, and nothing has to be kept between two passes of the judge. A blob that is not
//! written, because a store is away or a process ends, is an observation less and nothing else.

mod judge;
mod observations;
mod reader;

pub use judge::{Activation, CanaryJudge, CanaryPass};
pub use observations::{OBSERVATIONS_MAX, Observations};
pub use reader::EvidenceReader;
