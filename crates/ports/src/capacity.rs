//! GPU workers that can be started and ended: AWS Batch jobs, or processes of this machine.

use crate::error::PortError;
use async_trait::async_trait;
use walkaround_domain::Timestamp;

/// Where a worker job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerJobState {
    /// Asked for, not yet running: queued, waiting for a machine, pulling its image.
    Starting,
    /// Running.
    Running,
    /// Over, with its exit code where there is one.
    Ended {
        /// Exit code of the process.
        exit: Option<i32>,
    },
}

/// One worker job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerJob {
    /// For `end`; also the name in its heartbeats.
    pub id: String,
    /// Where it stands.
    pub state: WorkerJobState,
    /// Since when it is in this state, as far as that is known, else since when it is in an earlier one: a running worker
    /// from the start of its process, a waiting one from when it was asked for or its last attempt ended.
    pub since: Timestamp,
    /// Why it waits or ended, in words, where known.
    pub reason: Option<String>,
}

/// The means to run workers.
///
/// A caller may assume: a job that `start` reported appears in `fleet` until it has ended, and for a while
/// after; `end` of a job that is over changes nothing. Starting is not idempotent: reconcile by level
/// (desired minus live), under a lock of the caller's.
#[async_trait]
pub trait GpuCapacity: Send + Sync {
    /// All live jobs, and some that ended lately.
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError>;

    /// Starts `count` workers (1 to 100); the ids of those that were accepted.
    async fn start(&self, count: u32) -> Result<Vec<String>, PortError>;

    /// Asks a worker to end (SIGTERM, then SIGKILL after its budget).
    async fn end(&self, id: &str, reason: &str) -> Result<(), PortError>;
}
