//! How the triage of an `up` gets on: by its progress, not by the life of its process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::warn;
use walkaround_local::{UpLock, UpReport};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::Clock;

/// Between two reports, at most.
const REPORT_EVERY_MAX: Duration = Duration::from_secs(5);

/// Judges the triage of this process.
#[derive(Clone)]
pub(crate) struct Health {
    pub progress: Arc<Progress>,
    pub clock: Arc<dyn Clock>,
    pub stalled_after: Duration,
}

impl Health {
    /// For how long there has been no progress, where that is too long.
    pub(crate) fn stalled_for(&self) -> Option<Duration> {
        let without = self.without_progress();
        (without > self.stalled_after).then_some(without)
    }

    fn without_progress(&self) -> Duration {
        self.clock.ticks().saturating_sub(self.progress.last_progress())
    }

    fn report(&self) -> UpReport {
        let now = self.clock.now();
        UpReport {
            at: now,
            progressed_at: now - self.without_progress(),
            stalled_after: self.stalled_after,
            in_flight: self.progress.in_flight.load(Ordering::Relaxed),
        }
    }

    /// Reports for other processes until asked to stop.
    pub(crate) async fn report_until(self, lock: Arc<UpLock>, every: Duration, mut stop: ShutdownSignal) {
        while !stop.is_set() {
            if let Err(error) = lock.report(&self.report()) {
                warn!(%error, "the progress of triage cannot be stored");
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = self.clock.sleep(every.min(REPORT_EVERY_MAX)) => {}
            }
        }
    }
}
