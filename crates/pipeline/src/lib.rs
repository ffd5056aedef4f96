//! The use cases, over ports.
//!
//! A photo is processed by [`triage`] (intake queue: quality, gate, lane), by [`segmentation`] where it goes to the GPU
//! lane, and by [`settle`] (blobs, record, event, then acknowledge). The first two are handlers of a [`consumer`], which
//! extends leases, batches acknowledgements and drains on shutdown; both use an [`inspector`], which batches photos for the
//! networks. On Lambda, where the service receives the messages, an [`invocation`] replaces the consumer. The [`scaler`]
//! keeps the number of workers at what the backlog needs. [`reopen`] opens failed inspections for another round of
//! attempts. [`review`] is what people do about inspections. [`monitor`] says whether a bundle still sees what it saw.
//! [`inspection`] is the inspection of one photo; `walkaround inspect` uses it directly.
//!
//! ```
//! use walkaround_pipeline::retry::{Jitter, RetryPolicy};
//!
//! let (policy, jitter) = (RetryPolicy::default(), Jitter::seeded(1));
//! let (first, fifth) = (policy.delay(1, &jitter), policy.delay(5, &jitter));
//! assert!(fifth > first, "each failure waits longer than the one before");
//! ```

pub mod canary;
pub mod consumer;
pub mod heartbeat;
pub mod idle;
pub mod inspection;
pub mod inspector;
pub mod invocation;
pub mod lane_monitor;
pub mod memory;
pub mod monitor;
pub mod past;
pub mod processor;
pub mod reinspect;
pub mod reopen;
pub mod replay;
pub mod report;
pub mod retry;
pub mod review;
pub mod rollout;
pub mod scaler;
pub mod segmentation;
pub mod settle;
pub mod shadow;
pub mod shutdown;
pub mod store;
pub mod stored_report;
pub mod take_back;
pub mod telemetry;
pub mod triage;
