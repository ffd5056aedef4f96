//! What every program of the workspace puts together the same way: from settings and the ports of a stack to an
//! inspector, triage, a worker, a scaler, a monitor; and how a program starts, logs, stops and fails.
//!
//! A program (`walkaround up`, `walkaround worker`, a Lambda function, the Batch worker) chooses the adapters and
//! calls [`PipelineBuilder`]; what differs between programs stays in them.

#[cfg(feature = "aws")]
pub mod aws;
pub mod blocked;
mod builder;
pub mod canary;
pub mod exit;
pub mod exit_diagnosis;
pub mod failure;
pub mod library;
mod monitor;
pub mod process;
pub mod shadow;
pub mod terminal;
mod worker;

pub use builder::{BEATS_MISSED_MAX, PipelineBuilder, TriageParts, photo_source, second_inspector};
pub use failure::Failure;
pub use library::Engines;
pub use monitor::{MonitorPorts, canary_judge, monitor};
pub use worker::{WorkerParts, run_time, run_time_over, run_worker};
