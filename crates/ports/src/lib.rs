//! What the use cases need of the world: ten small traits and one error type.
//!
//! A port is minimal and has no default methods. Expected outcomes are values; an error says what the
//! caller should do. One conformance suite holds every adapter to the words written here.
//!
//! ```
//! use walkaround_ports::{PARKED_REASON, REDRIVEN, redriven};
//!
//! let parked = [(PARKED_REASON, "not a request"), ("trace", "t-1")];
//! let parked = parked.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
//! let back = redriven(parked);
//! assert!(back.contains_key(REDRIVEN) && back.contains_key("trace") && !back.contains_key(PARKED_REASON));
//! ```

mod blobs;
mod capacity;
mod clock;
mod end_cause;
mod error;
mod operations;
mod photos;
mod publisher;
mod queue;
mod records;
mod reviews;
mod stack;
mod state;
#[cfg(feature = "system-clock")]
mod system_clock;

pub use blobs::{BlobAddress, BlobMeta, Blobs, PutOutcome};
pub use capacity::{GpuCapacity, WorkerJob, WorkerJobState};
pub use clock::Clock;
pub use end_cause::EndCause;
pub use error::{PortCall, PortError, PortErrorKind};
pub use operations::{
    AddressKind, InspectionCounts, Operations, ParkedMessage, ParkedPage, PhaseCount, QueueName, Redrive,
    Redriven, RefusedMessage, records_in,
};
pub use photos::{FetchError, KnownContent, PhotoSource};
pub use publisher::{OutEvent, Publisher};
pub use queue::{
    ATTRIBUTES_MAX, AckOutcome, BODY_BYTES_MAX, Delivery, Depth, LeaseOutcome, OutMessage, PARKED_FROM,
    PARKED_REASON, Queue, REDRIVEN, Receipt, TRACE_ATTRIBUTE, redriven,
};
pub use records::{
    Heartbeat, IndexKeys, Page, Precondition, RECORDS_PAGE_MAX, RecordQuery, Records, ResultKey,
    StoredRecord, WriteOutcome,
};
pub use reviews::{
    AppendOutcome, Reviews, StepOutcome, TASKS_COUNTED_MAX, TASKS_PAGE_MAX, TaskCount, TaskPage, TaskPut,
};
pub use stack::{QueuePair, StackPorts};
pub use state::{STATE_BYTES_MAX, StateStore};
#[cfg(feature = "system-clock")]
pub use system_clock::SystemClock;
