//! One list of named cases a port, run on every adapter of it (dev only).
//!
//! A suite is given a closure that makes a fresh, empty port for each case, and the adapter's
//! [`Capabilities`]: which cases it cannot run, and why. A case that fails, a skip without a case of that name,
//! or a skip without a reason fails the suite. Cases that wait do so through a [`TimeDriver`], so that an
//! adapter with a settable clock runs in no time and a real service runs in real time.
//!
//! ```text
//! queue_suite(|| async { QueueUnderTest { .. } }, &Capabilities::all()).await.require();
//! ```

mod blobs;
mod capacity;
mod operations;
mod publisher;
mod queue;
mod records;
mod reviews;
mod state;
mod suite;
mod time;

pub use blobs::{BlobsUnderTest, blobs_suite};
pub use capacity::{CapacityUnderTest, capacity_suite};
pub use operations::{OperationsUnderTest, operations_suite};
pub use publisher::{Observe, PublisherUnderTest, publisher_suite};
pub use queue::{QueueUnderTest, RECEIVES_MAX, queue_suite};
pub use records::{RecordsUnderTest, records_suite};
pub use reviews::{MemoryReviews, ReviewsUnderTest, reviews_suite};
pub use state::{StateUnderTest, state_suite};
pub use suite::{Broken, Capabilities, Keep, Report};
pub use time::{ManualClock, ManualTime, RealTime, TimeDriver};
