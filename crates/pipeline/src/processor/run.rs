//! The run of one attempt: its start, announced after crashes, and its end before that of the invocation or process.

use super::{Attempt, Permit, ProcessingError, RequestProcessor, Stage};
use crate::inspector::Answering;
use crate::invocation::InvocationDeadline;
use crate::shutdown::ShutdownSignal;
use crate::store::{InspectionStoreError, VersionedInspection};
use std::time::Duration;
use tracing::warn;
use walkaround_domain::{AttemptHistory, Event, FailureCode, InspectionRequest, StartPlan};

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
        answering: &Answering,
    ) -> Result<(VersionedInspection, Permit), ProcessingError> {
        if attempt.is_announced() {
            // A canary failed on the photo: this is still the same start.
            return Ok((entry, self.isolation.shared().await));
        }
        // A canary's start leaves a trace, so that whoever gets the photo next knows that it ended the process.
        let watched = attempt.delivery.receive_count > 1 || answering.is_canary();
        let history = &entry.inspection.history;
        match StartPlan::of(history, watched) {
            StartPlan::Plain => Ok((entry, self.isolation.shared().await)),
            StartPlan::Announced => {
                let permit = self.isolation.shared().await;
                Ok((self.announce(entry, attempt, false).await?, permit))
            }
            StartPlan::Alone => {
                let permit = self.isolation.alone().await;
                // The failure of an engine that is unhealthy already says nothing about this photo.
                answering.inspector.probe().await?;
                warn!(inspection = %entry.inspection.request.id, starts = history.unfinished_starts,
                    "earlier attempts crashed their process: the photo is processed alone");
                Ok((self.announce(entry, attempt, true).await?, permit))
            }
            StartPlan::GiveUp => Err(self.give_up(&entry).await?),
        }
    }

    /// Why an inspection is given up whose every start alone was the end of its process. A start of the same photo in this
    /// process, under another message, has not died: its end is waited for, and the record read again.
    async fn give_up(&self, entry: &VersionedInspection) -> Result<ProcessingError, ProcessingError> {
        let _alone = self.isolation.alone().await;
        let current = self.settler.store.read(&entry.inspection.request.id).await?;
        let history = current.map_or_else(AttemptHistory::default, |entry| entry.inspection.history);
        if StartPlan::of(&history, true) != StartPlan::GiveUp {
            return Ok(ProcessingError::RecordChanged);
        }
        let starts = history.unfinished_starts_alone;
        let detail =
            format!("{starts} processes died or lost their device while they worked on this photo alone");
        Ok(ProcessingError::permanent(FailureCode::ProcessDied, detail))
    }

    async fn announce(
        &self,
        entry: VersionedInspection,
        attempt: &Attempt<'_>,
        alone: bool,
    ) -> Result<VersionedInspection, ProcessingError> {
        let now = self.settler.clock.now();
        let start = Event::Start { alone };
        // Before the write: it may be there though its answer never comes, or comes after this attempt was dropped.
        attempt.set_announced();
        Ok(self.settler.store.advance(entry, &start, now).await?.entry)
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
