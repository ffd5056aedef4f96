//! How the triage of an `up` gets on: by its progress, not by the life of its process.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;
use walkaround_local::{UpLock, UpReport};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Clock, PhotoSource};
use walkaround_server::Concerns;

/// Between two reports, at most.
const REPORT_EVERY_MAX: Duration = Duration::from_secs(5);

/// Why nothing is taken from the drop folder; none while it is watched.
#[derive(Debug, Clone, Default)]
pub(crate) struct DropFolderState(Arc<Mutex<Option<String>>>);

impl DropFolderState {
    pub(crate) fn set(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Judges the triage of this process.
#[derive(Clone)]
pub(crate) struct Health {
    pub progress: Arc<Progress>,
    pub clock: Arc<dyn Clock>,
    pub stalled_after: Duration,
    /// Where triage fetches photos from.
    pub source: Arc<dyn PhotoSource>,
    pub drop_folder: DropFolderState,
}

impl Health {
    /// What triage and the drop folder cannot get at now.
    pub(crate) fn concerns(&self) -> Concerns {
        Concerns {
            drop_folder: self.drop_folder.get(),
            unresponsive_hosts: self.source.unresponsive_hosts(),
        }
    }

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
        let concerns = self.concerns();
        UpReport {
            at: now,
            progressed_at: now - self.without_progress(),
            stalled_after: self.stalled_after,
            in_flight: self.progress.in_flight.load(Ordering::Relaxed),
            drop_folder: concerns.drop_folder,
            unresponsive_hosts: concerns.unresponsive_hosts,
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
