//! Two bundles on the same photos: what each says of one photo ([`ComparedPhoto`]), and of many ([`Comparison`]).
//!
//! No truth is needed: a difference is a difference. Where people have reviewed the photos, it is also known who was right.

mod figures;
mod matching;
mod photo;
mod replay;
mod reviewed;
mod worst;

pub use figures::{
    ClassComparison, Comparison, ComparisonBuilder, GateComparison, TimeComparison, VerdictPair,
};
pub use matching::ComparedFinding;
pub use photo::{BundleResult, ComparedPhoto, Inspected, Outline, PhotoLabel};
pub use replay::{AskedTime, LeftOut, REPLAY_SCHEMA, ReplayHeader, ReplayLine};
pub use reviewed::{ReviewedPhoto, RightShare, WhoWasRight};
pub use worst::{WORST_MAX, Worst};
