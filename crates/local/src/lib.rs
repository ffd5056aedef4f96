//! Every port on SQLite, files and local processes: the whole system on one machine, without an account.
//!
//! One folder (the root) holds everything: `walkaround.db` (queues, records, reviews, events, heartbeats, jobs, digests
//! of blobs), `blobs/<bucket>/...`, `tmp/` and `logs/`. Any number of processes of one machine may open it at
//! once, and one of them as its `up` (`up.lock`, `up.json`): the database is in WAL mode, every write is one short
//! `BEGIN IMMEDIATE` transaction, and blobs are written beside and moved into place without replacing anything.
//!
//! What survives what is decided by [`Durability`]. All time comes from the [`Clock`](walkaround_ports::Clock)
//! that `open` is given; processes that share a root must share its notion of now.

mod blob_file;
mod blob_path;
mod blobs;
mod bucket_folder;
mod capacity;
mod db;
mod depth;
mod error;
mod events;
mod files;
mod filesystem;
mod hidden;
mod jobs;
mod migrations;
mod open;
mod operations;
mod options;
mod parked;
mod process;
mod prune;
mod queue;
mod records;
mod reviews;
mod rows;
mod schema;
mod state;
mod up_lock;
mod worker_process;

pub use capacity::{LocalCapacity, Orphans, WorkerOptions};
pub use error::OpenError;
pub use events::PublishedEvent;
pub use open::LocalStack;
pub use options::{
    DeadLetter, Durability, INTAKE, INTAKE_DEAD, Options, QueueOptions, SEGMENTATION, SEGMENTATION_DEAD,
};
pub use parked::{PARKED_PAGE_MAX, Parked, Redrive};
pub use prune::{HEARTBEAT_FILE_END, PrunePass, Pruned, Retention};
pub use records::FINISHES_KEPT;
pub use up_lock::{RunningUp, UpLock, UpReport};
pub use walkaround_ports::SystemClock;
