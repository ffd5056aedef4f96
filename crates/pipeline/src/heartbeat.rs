//! Heartbeats: every 15 s a record (and whatever else the binary does with it, such as a file).

use crate::consumer::Progress;
use crate::inspector::ActiveInspector;
use crate::shutdown::ShutdownSignal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::warn;
use walkaround_domain::Timestamp;
use walkaround_domain::scaling::RateWindow;
use walkaround_messages::{HeartbeatDocument, WorkerState, heartbeat_body};
use walkaround_ports::{Clock, Heartbeat, Records};

/// Which worker, and where it runs.
#[derive(Debug, Clone)]
pub struct WorkerIdentity {
    /// Name of the worker; the Batch job id or the capacity's id where there is one.
    pub worker: String,
    /// Where it runs.
    pub host: String,
    /// `cpu` or `cuda`.
    pub device: String,
}

impl WorkerIdentity {
    /// Name and device, as records name who processed a photo.
    pub fn signature(&self) -> String {
        format!("{} ({})", self.worker, self.device)
    }
}

/// Stores heartbeats of a consumer.
pub struct HeartbeatReporter {
    /// Which worker.
    pub identity: WorkerIdentity,
    /// Its counts.
    pub progress: Arc<Progress>,
    /// Its networks, for name and version of the bundle.
    pub inspector: Arc<ActiveInspector>,
    /// Where heartbeats go.
    pub records: Arc<dyn Records>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Time between two of them.
    pub every: Duration,
    /// What else is done with each document; errors are the callee's to log.
    pub also: Box<dyn Fn(&str) + Send + Sync>,
    /// Bytes of memory in use, as the binary measures them.
    pub memory: fn() -> u64,
}

/// Storing a heartbeat may take as long as there is until the next one, and this long at least.
const BEAT_MIN: Duration = Duration::from_secs(2);

impl HeartbeatReporter {
    /// Stores a heartbeat at every interval until shutdown, and one more at the end.
    pub async fn run(self, mut stop: ShutdownSignal) {
        let started = self.clock.now();
        let mut window = RateWindow::default();
        loop {
            let state = self.state(&stop);
            self.beat(state, started, &mut window).await;
            if stop.is_set() {
                return;
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = self.clock.sleep(self.every) => {}
            }
        }
    }

    fn state(&self, stop: &ShutdownSignal) -> WorkerState {
        match self.progress.in_flight.load(Ordering::Relaxed) {
            _ if stop.is_set() => WorkerState::Draining,
            0 => WorkerState::Idle,
            _ => WorkerState::Working,
        }
    }

    async fn beat(&self, state: WorkerState, started: Timestamp, window: &mut RateWindow) {
        let now = self.clock.now();
        let done = self.progress.settled.load(Ordering::Relaxed);
        let inspector = self.inspector.get();
        let document = HeartbeatDocument {
            worker: self.identity.worker.clone(),
            at: now,
            started_at: started,
            host: self.identity.host.clone(),
            device: self.identity.device.clone(),
            bundle: inspector.bundle().id.clone(),
            photos_done: count(done),
            photos_failed: count(self.progress.failed.load(Ordering::Relaxed)),
            photos_per_second: window.heartbeat(self.clock.ticks(), done),
            memory_bytes: (self.memory)(),
            in_flight: count(self.progress.in_flight.load(Ordering::Relaxed)),
            progressed_at: Some(now - self.clock.ticks().saturating_sub(self.progress.last_progress())),
            state,
        };
        let body = heartbeat_body(&document);
        (self.also)(&body);
        let beat = Heartbeat {
            worker: self.identity.worker.clone(),
            at: now,
            body,
        };
        // Bounded: a call that hangs must not make a healthy worker look unresponsive until it returns.
        tokio::select! {
            biased;
            stored = self.records.put_heartbeat(&beat) => {
                if let Err(error) = stored {
                    warn!(%error, "the heartbeat could not be stored");
                }
            }
            () = self.clock.sleep(self.every.max(BEAT_MIN)) => warn!("storing the heartbeat takes too long"),
        }
    }
}

fn count(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
