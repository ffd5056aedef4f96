//! One attempt at a delivered photo: its start after crashes, its stage, and its exclusive use of the process.

use super::{ProcessingError, RequestProcessor};
use crate::inspector::{Inspector, RunError};
use crate::invocation::InvocationDeadline;
use crate::shutdown::ShutdownSignal;
use crate::store::{InspectionStoreError, VersionedInspection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tracing::warn;
use walkaround_domain::{Event, FailureCode, InspectionRequest, StartPlan};
use walkaround_ports::Delivery;

/// The stage of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for its permit, or for the records.
    Waiting,
    /// Fetches the photo.
    Fetching,
    /// Decodes it, runs networks, renders.
    Looking,
    /// Stores the result.
    Storing,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Fetching, Self::Looking, Self::Storing];
}

/// An attempt at one delivered photo.
pub struct Attempt<'a> {
    /// Its message.
    pub delivery: &'a Delivery,
    /// When the work began, on the clock's ticks.
    pub begin: Duration,
    stage: AtomicU8,
    announced: AtomicBool,
}

impl<'a> Attempt<'a> {
    /// An attempt that begins at `begin`.
    pub fn new(delivery: &'a Delivery, begin: Duration) -> Self {
        Self {
            delivery,
            begin,
            stage: AtomicU8::new(Stage::Waiting as u8),
            announced: AtomicBool::new(false),
        }
    }

    /// Its stage.
    pub fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed)) % Stage::ALL.len()]
    }

    /// Enters a stage.
    pub fn reached(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Whether its start is on the record.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }
}

/// Runs photos that may crash the process with nothing else in flight.
#[derive(Debug, Clone, Default)]
pub struct Isolation(Arc<RwLock<()>>);

/// The right to process a photo, until it is dropped.
pub enum Permit {
    /// With other photos in flight.
    Shared(OwnedRwLockReadGuard<()>),
    /// With nothing else in flight.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Isolation {
    async fn shared(&self) -> Permit {
        Permit::Shared(Arc::clone(&self.0).read_owned().await)
    }

    async fn alone(&self) -> Permit {
        Permit::Alone(Arc::clone(&self.0).write_owned().await)
    }
}

impl RequestProcessor {
    /// Begins an attempt: announced on the record when the message was delivered before, and with nothing else in flight
    /// when earlier attempts crashed their process.
    ///
    /// # Errors
    /// [`ProcessingError`] when the start cannot be announced, the engine is unhealthy, or every attempt crashed.
    pub async fn begin(
        &self,
        entry: VersionedInspection,
        attempt: &Attempt<'_>,
        inspector: &Inspector,
    ) -> Result<(VersionedInspection, Permit), ProcessingError> {
        let redelivered = attempt.delivery.receive_count > 1;
        let history = &entry.inspection.history;
        match StartPlan::of(history, redelivered) {
            StartPlan::Plain => Ok((entry, self.isolation.shared().await)),
            StartPlan::Announced => {
                let permit = self.isolation.shared().await;
                Ok((self.announce(entry, attempt, false).await?, permit))
            }
            StartPlan::Alone => {
                let permit = self.isolation.alone().await;
                // The failure of an engine that is unhealthy already says nothing about this photo.
                inspector.probe().await?;
                warn!(inspection = %entry.inspection.request.id, starts = history.unfinished_starts,
                    "earlier attempts crashed their process: the photo is processed alone");
                Ok((self.announce(entry, attempt, true).await?, permit))
            }
            StartPlan::GiveUp => {
                let starts = history.unfinished_starts_alone;
                let detail =
                    format!("{starts} processes that worked on this photo alone died or lost their device");
                Err(ProcessingError::permanent(FailureCode::ProcessDied, detail))
            }
        }
    }

    async fn announce(
        &self,
        entry: VersionedInspection,
        attempt: &Attempt<'_>,
        alone: bool,
    ) -> Result<VersionedInspection, ProcessingError> {
        let now = self.settler.clock.now();
        let start = Event::Start { alone };
        let announced = self.settler.store.advance(entry, &start, now).await?;
        attempt.announced.store(true, Ordering::Relaxed);
        Ok(announced.entry)
    }

    /// Withdraws an announced start: this process returns the photo to the queue without a crash.
    pub(super) async fn take_back(&self, request: &InspectionRequest, attempt: &Attempt<'_>) {
        if !attempt.is_announced() {
            return;
        }
        let now = self.settler.clock.now();
        let withdrawn = async {
            if let Some(entry) = self.settler.store.read(&request.id).await? {
                self.settler.store.advance(entry, &Event::GiveBack, now).await?;
            }
            Ok::<(), InspectionStoreError>(())
        };
        // At worst the next process isolates the photo without need.
        if let Err(error) = withdrawn.await {
            warn!(inspection = %request.id, %error, "an announced start could not be withdrawn");
        }
    }
}

impl RequestProcessor {
    /// Runs an attempt to its end, or until shortly before the end of its invocation or process, so that there is time to
    /// store that it was interrupted.
    ///
    /// # Errors
    /// Those of the work, or why it was interrupted.
    pub async fn within(
        &self,
        end: &InvocationDeadline,
        stop: &ShutdownSignal,
        attempt: &Attempt<'_>,
        work: impl Future<Output = Result<(), ProcessingError>> + Send,
    ) -> Result<(), ProcessingError> {
        let clock = &self.settler.clock;
        let invocation_ends = async {
            match end.time_for_work(clock.ticks()) {
                Some(time) => clock.sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let process_ends = async {
            let mut stop = stop.clone();
            stop.wait().await;
            let spare = GIVE_BACK_TIME.min(self.drain_budget / 4);
            clock.sleep(self.drain_budget.saturating_sub(spare)).await;
        };
        tokio::select! {
            biased;
            ended = work => ended,
            () = invocation_ends => Err(outlasted(end, attempt)),
            () = process_ends => Err(match attempt.stage() {
                Stage::Looking => ProcessingError::Interrupted,
                Stage::Waiting | Stage::Fetching | Stage::Storing => ProcessingError::ShuttingDown,
            }),
        }
    }
}

/// Part of the drain budget that is reserved for returning the work in flight.
const GIVE_BACK_TIME: Duration = Duration::from_secs(2);

/// What a photo that outlasts its invocation means. An attempt that began late does not count against the photo.
fn outlasted(end: &InvocationDeadline, attempt: &Attempt<'_>) -> ProcessingError {
    let (code, what) = match attempt.stage() {
        Stage::Storing => {
            return ProcessingError::StoreUnavailable(
                "the stores did not answer before the invocation ended".to_owned(),
            );
        }
        Stage::Waiting => return ProcessingError::ShuttingDown,
        Stage::Fetching | Stage::Looking if !end.had_fair_time(attempt.begin) => {
            return ProcessingError::ShuttingDown;
        }
        Stage::Fetching => (FailureCode::PhotoUnreachable, "the photo did not arrive"),
        Stage::Looking => (FailureCode::EngineFailed, "the networks did not finish"),
    };
    let detail = format!("{what} before the invocation ended");
    ProcessingError::retryable(code, detail)
}

impl From<RunError> for ProcessingError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Photo(error) => Self::retryable(FailureCode::EngineFailed, error.to_string()),
            RunError::Engine(error) => Self::EngineUnhealthy(error.to_string()),
        }
    }
}
