//! Use cases over ports.
//!
//! The way of a photo: [`triage`] (intake queue: quality, gate, lane) → [`segmentation`] (the segmenters) →
//! [`settle`] (blobs, record, event, then acknowledge). Both are handlers of a [`consumer`], which keeps
//! leases, gathers acknowledgements and stops in order; both look through an [`inspector`], which gathers photos
//! into batches for the networks. Where a service hands out batches by itself, an [`invocation`] takes the
//! consumer's place. [`scaler`] keeps the number of workers at what the backlog asks for.
//! [`reopen`] opens failed inspections for another round. [`inspection`] is the inspection of one photo itself; `walkaround inspect` uses it directly.
//!
//! ```
//! use walkaround_pipeline::retry::{Jitter, RetryPolicy};
//!
//! let (policy, jitter) = (RetryPolicy::default(), Jitter::seeded(1));
//! let (first, fifth) = (policy.delay(1, &jitter), policy.delay(5, &jitter));
//! assert!(fifth > first, "each failure waits longer than the one before");
//! ```

pub mod consumer;
pub mod heartbeat;
pub mod idle;
pub mod inspection;
pub mod inspector;
pub mod invocation;
pub mod lane_monitor;
pub mod memory;
pub mod processor;
pub mod reopen;
pub mod report;
pub mod retry;
pub mod scaler;
pub mod segmentation;
pub mod settle;
pub mod shutdown;
pub mod store;
pub mod take_back;
pub mod telemetry;
pub mod triage;
