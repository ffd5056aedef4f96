//! Whether an idle worker may exit: the configured minimum of workers keeps running.
//!
//! Each worker decides for itself, from the heartbeats of all ([`stays`]). A worker that exits marks its last heartbeat as
//! draining and is not counted from then on. One that was killed counts until its heartbeat expires: at worst another one
//! exits meanwhile, and the scaler, which reconciles by level, starts a new one.

use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::Timestamp;
use walkaround_domain::scaling::{RunningWorker, stays};
use walkaround_messages::{HeartbeatDocument, WorkerState, parse_heartbeat};
use walkaround_ports::{Clock, Records};

/// Reading the heartbeats may take this long.
const READ_MAX: Duration = Duration::from_secs(10);

/// The minimum number of workers of a lane, checked by one of them.
pub struct FewestWorkers {
    /// Where the heartbeats are stored.
    pub records: Arc<dyn Records>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// This worker's name.
    pub worker: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Workers that keep running without work.
    pub workers_min: u32,
    /// A worker whose last heartbeat is older counts as gone.
    pub beat_max_age: Duration,
}

impl FewestWorkers {
    /// Whether this worker may exit. One that cannot read the heartbeats stays, and asks again after another idle time.
    pub async fn may_leave(&self) -> bool {
        if self.workers_min == 0 {
            return true;
        }
        let Some(there) = self.others().await else {
            return false;
        };
        let running: Vec<RunningWorker<'_>> = there
            .iter()
            .filter(|beat| beat.state != WorkerState::Draining)
            .map(|beat| RunningWorker {
                started_at: beat.started_at,
                name: &beat.worker,
            })
            .collect();
        let me = RunningWorker {
            started_at: self.started_at,
            name: &self.worker,
        };
        let stays = stays(me, &running, self.workers_min);
        if stays {
            info!(
                worker = self.worker,
                workers_min = self.workers_min,
                "idle, but kept: one of the minimum number of workers"
            );
        }
        !stays
    }

    async fn others(&self) -> Option<Vec<HeartbeatDocument>> {
        let since = self.clock.now() - self.beat_max_age;
        let read = tokio::select! {
            biased;
            read = self.records.heartbeats(since) => read,
            () = self.clock.sleep(READ_MAX) => {
                warn!("reading the heartbeats takes too long, the worker stays");
                return None;
            }
        };
        match read {
            // What cannot be read is of another version: it counts as gone.
            Ok(beats) => Some(
                beats
                    .iter()
                    .filter_map(|b| parse_heartbeat(&b.body).ok())
                    .collect(),
            ),
            Err(error) => {
                warn!(%error, "the heartbeats cannot be read, the worker stays");
                None
            }
        }
    }
}
