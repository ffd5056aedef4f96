//! A canary at work on a photo: what it fails on is answered by the bundle before.

use super::{Attempt, ProcessingError, RequestProcessor};
use crate::inspector::{Answering, RunError};
use crate::store::VersionedInspection;
use std::time::Duration;
use walkaround_domain::FailureCode;

/// Longest time that a canary has for one step of a photo.
const STEP_MAX: Duration = Duration::from_secs(60);

impl RequestProcessor {
    /// Lets the bundle before answer, where the canary's networks are what failed.
    ///
    /// # Errors
    /// The error itself, where they are not.
    pub fn fall_back(
        &self,
        error: ProcessingError,
        answering: &mut Answering,
    ) -> Result<(), ProcessingError> {
        let is_of_networks = match &error {
            ProcessingError::Retryable(failure) => failure.code == FailureCode::EngineFailed,
            ProcessingError::EngineUnhealthy(_) => true,
            _ => false,
        };
        match is_of_networks && answering.fall_back(error.detail()) {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Runs networks on a photo; a canary's have a minute for it.
    ///
    /// # Errors
    /// Those of the networks; that a canary's gave no answer in time.
    pub async fn within_canary<T>(
        &self,
        answering: &Answering,
        work: impl Future<Output = Result<T, RunError>>,
    ) -> Result<T, ProcessingError> {
        if !answering.is_canary() {
            return Ok(work.await?);
        }
        tokio::select! {
            biased;
            done = work => Ok(done?),
            () = self.settler.clock.sleep(STEP_MAX) => {
                let detail = format!("it gave no answer for {} s", STEP_MAX.as_secs());
                Err(ProcessingError::retryable(FailureCode::EngineFailed, detail))
            }
        }
    }
}

/// The error of a photo at which a process has ended that had its canary at work on it: that is a failure of the canary.
pub(super) fn not_ended_by(
    answering: &Answering,
    entry: &VersionedInspection,
    attempt: &Attempt<'_>,
) -> Result<(), ProcessingError> {
    let has_ended = entry.inspection.history.unfinished_starts > 0 && !attempt.is_announced();
    if answering.is_canary() && has_ended {
        let detail = "a process ended while it worked on this photo";
        return Err(ProcessingError::retryable(FailureCode::EngineFailed, detail));
    }
    Ok(())
}
