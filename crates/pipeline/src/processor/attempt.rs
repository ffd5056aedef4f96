//! Work on one delivered photo: how it begins after crashes, how far it is, and what it held of the process.

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

/// How far the work on a photo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for its turn, or for the records.
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

/// Work on one delivered photo.
pub struct Attempt<'a> {
    /// Its message.
    pub delivery: &'a Delivery,
    /// When the work began, on the clock's ticks.
    pub begin: Duration,
    stage: AtomicU8,
    announced: AtomicBool,
}

impl<'a> Attempt<'a> {
    /// Work that begins now.
    pub fn new(delivery: &'a Delivery, begin: Duration) -> Self {
        Self {
            delivery,
            begin,
            stage: AtomicU8::new(Stage::Waiting as u8),
            announced: AtomicBool::new(false),
        }
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed)) % Stage::ALL.len()]
    }

    /// It is this far now.
    pub fn reached(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Whether its start stands on the record.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }
}

/// Keeps photos that may kill their process apart from all others: many work side by side, or one alone.
#[derive(Debug, Clone, Default)]
pub struct Isolation(Arc<RwLock<()>>);

/// The right to work on a photo, until it is dropped.
pub enum Permit {
    /// Beside others.
    Shared(OwnedRwLockReadGuard<()>),
    /// Alone.
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
    /// Begins the work on a photo: announced on its record when its message has come before, and with nothing else in
    /// flight when processes died at it.
    ///
    /// # Errors
    /// [`ProcessingError`] when the start cannot be announced, the engine is sick, or the photo kills every process.
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
                // An engine that is sick already says nothing about this photo.
                inspector.probe().await?;
                warn!(inspection = %entry.inspection.request.id, starts = history.unfinished_starts,
                    "processes died at this photo: it is processed alone");
                Ok((self.announce(entry, attempt, true).await?, permit))
            }
            StartPlan::GiveUp => {
                let starts = history.unfinished_starts_alone;
                let detail =
                    format!("{starts} processes that worked on this photo alone died or lost their device");
                Err(ProcessingError::Permanent(FailureCode::ProcessDied, detail))
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
        let (entry, _) = self.settler.store.apply(entry, (&start, now), &|_| {}).await?;
        attempt.announced.store(true, Ordering::Relaxed);
        Ok(entry)
    }

    /// Takes an announced start back: this process lives, and gives the photo back in good order.
    pub(super) async fn take_back(&self, request: &InspectionRequest, attempt: &Attempt<'_>) {
        if !attempt.is_announced() {
            return;
        }
        let now = self.settler.clock.now();
        let taken_back = async {
            if let Some(entry) = self.settler.store.read(&request.id).await? {
                let back = (&Event::GiveBack, now);
                self.settler.store.apply(entry, back, &|_| {}).await?;
            }
            Ok::<(), InspectionStoreError>(())
        };
        // At worst the next process takes care where it need not.
        if let Err(error) = taken_back.await {
            warn!(inspection = %request.id, %error, "an announced start could not be taken back");
        }
    }
}

impl RequestProcessor {
    /// Works on one photo to its end, or until shortly before its invocation's or its process's: what is not finished
    /// then is accounted for while there is time to.
    ///
    /// # Errors
    /// Those of the work, and what it means that it was cut off.
    pub async fn within(
        &self,
        (end, stop): (&InvocationDeadline, &ShutdownSignal),
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

/// Of the time that a stop leaves, what it takes to give the work in flight back.
const GIVE_BACK_TIME: Duration = Duration::from_secs(2);

/// What a photo that outlasts its invocation means. One that began late comes back without being blamed.
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
    ProcessingError::Retryable { code, detail }
}

impl From<RunError> for ProcessingError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Photo(error) => Self::Retryable {
                code: FailureCode::EngineFailed,
                detail: error.to_string(),
            },
            RunError::Engine(error) => Self::EngineUnhealthy(error.to_string()),
        }
    }
}
