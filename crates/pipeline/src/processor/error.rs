//! Why a photo is not settled yet, and what becomes of its message.
//!
//! What counts as an attempt at the photo is decided here and nowhere else. Only failures of the photo itself do: its host
//! failed, or the networks failed on it alone. Everything else (a store out of reach, an unhealthy engine, a shutdown)
//! returns the message to the queue and leaves the record as it is.

use super::{Attempt, RequestProcessor};
use crate::consumer::Disposition;
use crate::store::{InspectionStoreError, VersionedInspection};
use crate::telemetry::PipelineEvent;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::identity::{Difference, Part, Purpose};
use walkaround_domain::{Event, FailureCode, InspectionId, InspectionRequest};
use walkaround_messages::{has_base_id, own_id};
use walkaround_ports::{Delivery, FetchError, PortError, PortErrorKind};

/// After this a photo that its host does not give for comparison is taken for the one that was looked at: six attempts at a
/// fresh photo take about five hours.
const COMPARE_AGE_MAX: Duration = Duration::from_secs(6 * 3600);

/// Why a photo failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoFailure {
    /// Why, for machines.
    pub code: FailureCode,
    /// Why, for people.
    pub detail: String,
}

/// Why a photo is not settled yet.
#[derive(Debug)]
pub enum ProcessingError {
    /// An attempt at the photo failed; a later one may succeed. Becomes the recorded failure when the attempts are used up.
    Retryable(PhotoFailure),
    /// It never will succeed.
    Permanent(PhotoFailure),
    /// A store (records, results, queue, topic) is out of reach or refuses for now. No attempt: the message comes back
    /// until the store is there again.
    StoreUnavailable(String),
    /// The message means something else than the inspection of its id.
    IdConflict(Difference),
    /// The engine fails on its self-test image as well. No attempt: another process may succeed.
    EngineUnhealthy(String),
    /// This process is to stop, or its invocation is about to end.
    ShuttingDown,
    /// This process ends with the photo in the networks. Its announced start is kept, in case this photo hangs them.
    Interrupted,
}

impl ProcessingError {
    /// An attempt that failed.
    pub(crate) fn retryable(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::Retryable(PhotoFailure { code, detail })
    }

    /// A failure that no later attempt can change.
    pub(crate) fn permanent(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::Permanent(PhotoFailure { code, detail })
    }
}

impl From<InspectionStoreError> for ProcessingError {
    fn from(error: InspectionStoreError) -> Self {
        store_error(error)
    }
}

/// Why a message is parked whose id stands for something else.
fn conflict(id: &InspectionId, difference: &Difference) -> String {
    format!("inspection {id} {difference}")
}

impl From<PortError> for ProcessingError {
    fn from(error: PortError) -> Self {
        Self::StoreUnavailable(error.to_string())
    }
}

/// Messages that are older than this when a store is out of reach are parked, with the reason, before their queue drops
/// them: it keeps them for four days (`MessageRetentionPeriod` of infra/storage.yaml).
const MESSAGE_AGE_MAX: Duration = Duration::from_secs(84 * 3600);

impl RequestProcessor {
    /// What becomes of a message whose photo is not settled: recorded, parked, or returned to the queue.
    pub async fn handle_error(
        &self,
        error: ProcessingError,
        request: InspectionRequest,
        attempt: &Attempt<'_>,
    ) -> Disposition {
        let (id, delivery) = (request.id.clone(), attempt.delivery);
        let id_is_made = has_base_id(&request);
        if matches!(
            error,
            ProcessingError::ShuttingDown | ProcessingError::StoreUnavailable(_)
        ) {
            self.take_back(&request, attempt).await;
        }
        let outcome = match error {
            ProcessingError::ShuttingDown | ProcessingError::Interrupted => {
                return Disposition::Retry(Duration::ZERO);
            }
            ProcessingError::EngineUnhealthy(detail) => {
                // An announced start is kept: if this photo breaks engines, its starts are counted.
                warn!(inspection = %id, detail, "the engine is unhealthy, the message is returned");
                return self.give_back(self.retry.delay(1, &self.jitter));
            }
            ProcessingError::IdConflict(difference) => {
                return self.park(delivery, &conflict(&id, &difference)).await;
            }
            ProcessingError::StoreUnavailable(detail) => Err(ProcessingError::StoreUnavailable(detail)),
            ProcessingError::Retryable(failure) => self.attempt_failed(request, delivery, failure).await,
            ProcessingError::Permanent(failure) => self.fail(request, delivery, failure).await,
        };
        match outcome {
            Ok(handled) => handled,
            // Another request was stored while this failure was written: the next delivery gets its own inspection.
            Err(ProcessingError::IdConflict(Difference::Purpose { .. } | Difference::Bytes))
                if id_is_made =>
            {
                self.give_back(self.retry.delay(1, &self.jitter))
            }
            Err(ProcessingError::IdConflict(difference)) => {
                self.park(delivery, &conflict(&id, &difference)).await
            }
            Err(error) => {
                let detail = error.detail();
                if self.settler.clock.now().since(delivery.sent_at) > MESSAGE_AGE_MAX {
                    let reason = format!("not done before its queue would have dropped it: {detail}");
                    return self.park(delivery, &reason).await;
                }
                let deliveries = delivery.receive_count;
                warn!(inspection = %id, deliveries, detail, "a store or a host is out of reach, trying again later");
                self.give_back(self.retry.delay(deliveries, &self.jitter))
            }
        }
    }

    /// Counts an attempt on the record, or records the failure when it was the last one.
    async fn attempt_failed(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        failure: PhotoFailure,
    ) -> Result<Disposition, ProcessingError> {
        let PhotoFailure { code, detail } = failure;
        let entry = match self.resume(&request, delivery).await {
            Err(ProcessingError::IdConflict(Difference::Purpose { .. })) if has_base_id(&request) => {
                return self.not_compared(request, delivery, code, detail).await;
            }
            resumed => resumed?,
        };
        if entry.inspection.phase.is_final() {
            return self.not_compared(request, delivery, code, detail).await;
        }
        let attempt = entry.inspection.attempts.saturating_add(1);
        if self.retry.exhausted(attempt) {
            let detail = format!("{detail} (after {attempt} attempts)");
            return self.record_failure(entry, PhotoFailure { code, detail }).await;
        }
        let id = entry.inspection.request.id.clone();
        warn!(inspection = %id, attempt, code = code.as_str(), detail, "an attempt failed, trying again later");
        let failed = Event::AttemptFailed { code, detail };
        let now = self.settler.clock.now();
        self.settler.store.advance(entry, &failed, now).await?;
        Ok(self.give_back(self.attempt_delay(code, attempt)))
    }

    fn attempt_delay(&self, code: FailureCode, attempt: u32) -> Duration {
        match code {
            FailureCode::PhotoUnreachable => self.retry.host_delay(attempt, &self.jitter),
            _ => self.retry.delay(attempt, &self.jitter),
        }
    }

    /// Of a photo that was to be compared with what was looked at before. That is final and counts no attempts, and
    /// deliveries say nothing about them, so time decides: about as long as a fresh photo's attempts take.
    async fn not_compared(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        code: FailureCode,
        detail: String,
    ) -> Result<Disposition, ProcessingError> {
        let deliveries = delivery.receive_count;
        let id = &request.id;
        if self.settler.clock.now().since(delivery.sent_at) >= COMPARE_AGE_MAX {
            warn!(inspection = %id, deliveries, code = code.as_str(), detail, "its photo could not be compared with what was found before");
            return self.fail(request, delivery, PhotoFailure { code, detail }).await;
        }
        warn!(inspection = %id, deliveries, code = code.as_str(), detail, "its photo cannot be compared with what was found before, trying again later");
        Ok(self.give_back(self.attempt_delay(code, deliveries)))
    }

    async fn fail(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        failure: PhotoFailure,
    ) -> Result<Disposition, ProcessingError> {
        let entry = match self.resume(&request, delivery).await {
            Err(ProcessingError::IdConflict(Difference::Purpose { .. })) if has_base_id(&request) => {
                let id = own_id(&request.id, &Part::Purpose(Purpose::of(&request)));
                let own = InspectionRequest {
                    id,
                    ..request.clone()
                };
                self.resume(&own, delivery).await?
            }
            resumed => resumed?,
        };
        if entry.inspection.phase.is_final() {
            info!(inspection = %entry.inspection.request.id, "its photo can no longer be compared: the stored result stands");
            let entry = self.join(entry, &request, Some(delivery.sent_at)).await?;
            self.settler.publish(entry).await?;
            return Ok(Disposition::Ack);
        }
        self.record_failure(entry, failure).await
    }

    async fn record_failure(
        &self,
        entry: VersionedInspection,
        failure: PhotoFailure,
    ) -> Result<Disposition, ProcessingError> {
        let PhotoFailure { code, detail } = &failure;
        let code = *code;
        info!(inspection = %entry.inspection.request.id, code = code.as_str(), detail, "failed");
        let bundle = self.inspector.get().bundle().id.clone();
        self.settler.failed(entry, failure, bundle).await?;
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        self.telemetry.record(PipelineEvent::Failed(code));
        Ok(Disposition::Ack)
    }

    pub(super) fn give_back(&self, delay: Duration) -> Disposition {
        self.telemetry.record(PipelineEvent::Returned);
        Disposition::Retry(delay)
    }
}

impl ProcessingError {
    fn detail(&self) -> &str {
        match self {
            Self::Retryable(failure) | Self::Permanent(failure) => &failure.detail,
            Self::StoreUnavailable(detail) | Self::EngineUnhealthy(detail) => detail,
            Self::IdConflict(_) => "the id stands for something else",
            Self::ShuttingDown | Self::Interrupted => "this process is to stop",
        }
    }
}

/// What a failing encoder means.
pub fn encode_error(detail: String) -> ProcessingError {
    ProcessingError::retryable(FailureCode::EngineFailed, detail)
}

/// What a failing store means: only an object that is too large is final. Any other refusal may be a setting, a permission
/// or a bucket that an operator can fix.
pub(super) fn store_error(error: InspectionStoreError) -> ProcessingError {
    match error {
        InspectionStoreError::Differs(difference) => ProcessingError::IdConflict(difference),
        InspectionStoreError::Port(e) if e.port == "blobs" && e.kind == PortErrorKind::TooLarge => {
            ProcessingError::permanent(FailureCode::StoreFailed, e.to_string())
        }
        other => ProcessingError::StoreUnavailable(other.to_string()),
    }
}

pub(super) fn fetch_error(error: FetchError) -> ProcessingError {
    match error {
        FetchError::NotFound(detail) => ProcessingError::permanent(FailureCode::PhotoNotFound, detail),
        FetchError::Forbidden(detail) => ProcessingError::permanent(FailureCode::PhotoForbidden, detail),
        FetchError::TooLarge(detail) => ProcessingError::permanent(FailureCode::PhotoTooLarge, detail),
        FetchError::Unreachable(detail) => ProcessingError::retryable(FailureCode::PhotoUnreachable, detail),
        // Nothing was tried for this photo, so nothing is counted against it.
        FetchError::HostBusy(detail) => ProcessingError::StoreUnavailable(detail),
        FetchError::Port(error) => match error.kind {
            PortErrorKind::NotFound => {
                ProcessingError::permanent(FailureCode::PhotoNotFound, error.to_string())
            }
            PortErrorKind::Denied => {
                ProcessingError::permanent(FailureCode::PhotoForbidden, error.to_string())
            }
            PortErrorKind::TooLarge => {
                ProcessingError::permanent(FailureCode::PhotoTooLarge, error.to_string())
            }
            PortErrorKind::Invalid
            | PortErrorKind::Unavailable
            | PortErrorKind::Throttled
            | PortErrorKind::Corrupt => {
                ProcessingError::retryable(FailureCode::PhotoUnreachable, error.to_string())
            }
        },
    }
}
