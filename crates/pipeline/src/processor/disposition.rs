//! What becomes of a message whose photo is not settled: recorded, parked, or returned to the queue.

use super::{Attempt, PhotoFailure, ProcessingError, RequestProcessor};
use crate::consumer::Disposition;
use crate::store::VersionedInspection;
use crate::telemetry::PipelineEvent;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::identity::{Difference, Part, Purpose};
use walkaround_domain::{Event, FailureCode, InspectionId, InspectionRequest};
use walkaround_messages::{has_base_id, own_id};
use walkaround_ports::Delivery;

/// After this, a photo that its host does not return for comparison counts as the one that was inspected: six
/// attempts at a fresh photo take about five hours.
const COMPARE_AGE_MAX: Duration = Duration::from_secs(6 * 3600);

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
            ProcessingError::ShuttingDown | ProcessingError::Interrupted | ProcessingError::RecordChanged => {
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
                warn!(inspection = %id, deliveries, detail, "a store or a host cannot be reached, trying again \
                                                             later");
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
            FailureCode::PhotoUnreachable | FailureCode::PhotoForbidden | FailureCode::PhotoNotFound => {
                self.retry.host_delay(attempt, &self.jitter)
            }
            _ => self.retry.delay(attempt, &self.jitter),
        }
    }

    /// For a photo that was to be compared with an earlier inspection. That one is final and counts no attempts, and
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
            warn!(inspection = %id, deliveries, code = code.as_str(), detail, "its photo could not be compared with \
                                                                               the stored result");
            return self.fail(request, delivery, PhotoFailure { code, detail }).await;
        }
        warn!(inspection = %id, deliveries, code = code.as_str(), detail, "its photo cannot be compared with the \
                                                                           stored result, trying again later");
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
            info!(inspection = %entry.inspection.request.id, "its photo can no longer be compared: the stored \
                                                              result is kept");
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

/// Why a message is parked whose id stands for something else.
fn conflict(id: &InspectionId, difference: &Difference) -> String {
    format!("inspection {id} {difference}")
}
