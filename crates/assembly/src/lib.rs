//! What every program of the house puts together the same way: from settings and the ports of a stack to a looker,
//! a desk, a triage, a worker, a scaler; and how a program starts, logs, stops and fails.
//!
//! A program (`walkaround up`, `walkaround worker`, a Lambda function, the Batch worker) chooses the adapters and
//! calls [`Kit`]; what differs between programs stays in them.

pub mod blocked;
pub mod ending;
pub mod exit;
pub mod failure;
mod kit;
pub mod library;
pub mod process;
pub mod terminal;
mod worker;

pub use failure::Failure;
pub use kit::{BEATS_MISSED_MAX, Kit, TriageParts};
pub use library::Engines;
pub use worker::{WorkerParts, run_time, run_time_over, run_worker};
