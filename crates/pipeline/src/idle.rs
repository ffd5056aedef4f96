//! Whether a worker without work may leave: the fewest workers that are wanted stay up.
//!
//! Each worker decides for itself, from the heartbeats of all ([`stays`]). A worker that leaves says so in its last
//! heartbeat and is not counted from then on. One that was killed counts until its heartbeat is old: at worst another one
//! leaves meanwhile, and the scaler, which goes by level, starts one.

use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::Timestamp;
use walkaround_domain::scaling::stays;
use walkaround_messages::{HeartbeatDocument, WorkerState, parse_heartbeat};
use walkaround_ports::{Clock, Records};

/// Reading the heartbeats may take this long.
const READ_MAX: Duration = Duration::from_secs(10);

/// The fewest workers of a lane, as one of them sees it.
pub struct FewestWorkers {
    /// Heartbeats.
    pub records: Arc<dyn Records>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This worker's name.
    pub worker: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Fewest workers.
    pub workers_min: u32,
    /// A worker whose last heartbeat is older is not there.
    pub beat_max_age: Duration,
}

impl FewestWorkers {
    /// Whether this worker may leave. One that cannot know stays, and asks again when it was idle for as long again.
    pub async fn may_leave(&self) -> bool {
        if self.workers_min == 0 {
            return true;
        }
        let Some(there) = self.others().await else {
            return false;
        };
        let there: Vec<(Timestamp, &str)> = there
            .iter()
            .filter(|beat| beat.state != WorkerState::Draining)
            .map(|beat| (beat.started_at, beat.worker.as_str()))
            .collect();
        let stays = stays((self.started_at, &self.worker), &there, self.workers_min);
        if stays {
            info!(
                worker = self.worker,
                workers_min = self.workers_min,
                "idle, and stays: one of the fewest workers"
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
            // What cannot be read is of another version: it counts as not there.
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
