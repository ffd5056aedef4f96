//! Why a photo is not settled yet, and what becomes of its message.
//!
//! What counts as an attempt at the photo is decided here and nowhere else. Only trouble of the photo itself does: its
//! host failed, or the networks failed on it alone. Everything else (a store that is away, a sick engine, a stop) gives
//! the message back and leaves the record as it is.

use super::{Desk, PhotoTask};
use crate::consumer::Handled;
use crate::ledger::{Entry, LedgerError};
use crate::telemetry::Happened;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::identity::{Difference, Part, Purpose};
use walkaround_domain::{Event, FailureCode, InspectionId, InspectionRequest, UsedBundle};
use walkaround_messages::{has_base_id, own_id};
use walkaround_ports::{Delivery, FetchError, PortError, PortErrorKind};

/// Why a photo is not settled yet.
#[derive(Debug)]
pub enum Trouble {
    /// An attempt at the photo failed; a later one may succeed.
    Again {
        /// Becomes the recorded failure when the attempts are used up.
        code: FailureCode,
        /// In words.
        detail: String,
    },
    /// It never will.
    Final(FailureCode, String),
    /// A store (records, results, queue, topic) is out of reach or refuses for now. No attempt: the message comes back
    /// until the store is there again.
    Unrecordable(String),
    /// The message means something else than the inspection of its id.
    Differs(Difference),
    /// The engine fails on its own picture as well. No attempt: another process may do better.
    EngineSick(String),
    /// This process is to stop, or its invocation is about to end.
    Draining,
    /// This process ends with the photo in the networks. Its announced start stands: should it be what they hang at, that
    /// counts.
    CutOff,
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        store_trouble(error)
    }
}

/// Why a message is parked whose id stands for something else.
fn conflict(id: &InspectionId, difference: &Difference) -> String {
    format!("inspection {id} {difference}")
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Self::Unrecordable(error.to_string())
    }
}

/// Messages that are older than this when a store is away are parked, with the reason, before their queue drops them:
/// it keeps them for four days (`MessageRetentionPeriod` of infra/storage.yaml).
const MESSAGE_AGE_MAX: Duration = Duration::from_secs(84 * 3600);

impl Desk {
    /// What becomes of a message in trouble: recorded, or back to the queue.
    pub async fn handle_trouble(
        &self,
        trouble: Trouble,
        request: InspectionRequest,
        task: &PhotoTask<'_>,
    ) -> Handled {
        let (id, delivery) = (request.id.clone(), task.delivery);
        let id_is_made = has_base_id(&request);
        if matches!(trouble, Trouble::Draining | Trouble::Unrecordable(_)) {
            self.take_back(&request, task).await;
        }
        let outcome = match trouble {
            Trouble::Draining | Trouble::CutOff => return Handled::Again(Duration::ZERO),
            Trouble::EngineSick(detail) => {
                // An announced start stands: should it be this photo that ruins engines, its starts are counted.
                warn!(inspection = %id, detail, "the engine is sick, the photo goes back");
                return self.give_back(self.retry.delay(1, &self.dice));
            }
            Trouble::Differs(difference) => return self.park(delivery, &conflict(&id, &difference)).await,
            Trouble::Unrecordable(detail) => Err(Trouble::Unrecordable(detail)),
            Trouble::Again { code, detail } => self.attempt_failed(request, delivery, (code, detail)).await,
            Trouble::Final(code, detail) => self.fail(request, delivery, (code, detail)).await,
        };
        match outcome {
            Ok(handled) => handled,
            // Another request was first while this one's failure was written: looked at anew, it finds its own inspection.
            Err(Trouble::Differs(Difference::Purpose { .. } | Difference::Bytes)) if id_is_made => {
                self.give_back(self.retry.delay(1, &self.dice))
            }
            Err(Trouble::Differs(difference)) => self.park(delivery, &conflict(&id, &difference)).await,
            Err(trouble) => {
                let detail = trouble.detail();
                if self.settler.clock.now().since(delivery.sent_at) > MESSAGE_AGE_MAX {
                    let reason = format!("not done before its queue would have dropped it: {detail}");
                    return self.park(delivery, &reason).await;
                }
                let deliveries = delivery.receive_count;
                warn!(inspection = %id, deliveries, detail, "a store is out of reach, trying again later");
                self.give_back(self.retry.delay(deliveries, &self.dice))
            }
        }
    }

    /// Counts an attempt on the record, or records the failure when it was the last one.
    async fn attempt_failed(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        (code, detail): (FailureCode, String),
    ) -> Result<Handled, Trouble> {
        let entry = match self.resume(&request, delivery).await {
            Err(Trouble::Differs(Difference::Purpose { .. })) if has_base_id(&request) => {
                return Err(Trouble::Unrecordable(detail));
            }
            resumed => resumed?,
        };
        if entry.inspection.phase.is_final() {
            // It was to be compared with what was looked at before. That stands; this message waits for its photo.
            return Err(Trouble::Unrecordable(detail));
        }
        let attempt = entry.inspection.attempts.saturating_add(1);
        if self.retry.exhausted(attempt) {
            let detail = format!("{detail} (after {attempt} attempts)");
            return self.record_failure(entry, (code, detail)).await;
        }
        let id = entry.inspection.request.id.clone();
        warn!(inspection = %id, attempt, code = code.as_str(), detail, "an attempt failed, trying again later");
        let failed = Event::AttemptFailed { code, detail };
        let now = self.settler.clock.now();
        self.settler.ledger.apply(entry, (&failed, now), &|_| {}).await?;
        Ok(self.give_back(match code {
            FailureCode::PhotoUnreachable => self.retry.host_delay(attempt, &self.dice),
            _ => self.retry.delay(attempt, &self.dice),
        }))
    }

    async fn fail(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        failure: (FailureCode, String),
    ) -> Result<Handled, Trouble> {
        let entry = match self.resume(&request, delivery).await {
            Err(Trouble::Differs(Difference::Purpose { .. })) if has_base_id(&request) => {
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
            info!(inspection = %entry.inspection.request.id, "its photo cannot be compared any more: what was found stands");
            let entry = self.join(entry, &request, Some(delivery.sent_at)).await?;
            self.settler.publish(entry).await?;
            return Ok(Handled::Settled);
        }
        self.record_failure(entry, failure).await
    }

    async fn record_failure(
        &self,
        entry: Entry,
        (code, detail): (FailureCode, String),
    ) -> Result<Handled, Trouble> {
        info!(inspection = %entry.inspection.request.id, code = code.as_str(), detail, "failed");
        let looker = self.looker.get();
        let bundle = UsedBundle {
            name: looker.bundle().name.clone(),
            version: looker.bundle().version.clone(),
        };
        self.settler.failed(entry, (code, detail), bundle).await?;
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        self.telemetry.tell(Happened::Failed(code));
        Ok(Handled::Settled)
    }

    pub(super) fn give_back(&self, delay: Duration) -> Handled {
        self.telemetry.tell(Happened::Returned);
        Handled::Again(delay)
    }
}

impl Trouble {
    fn detail(&self) -> &str {
        match self {
            Self::Again { detail, .. }
            | Self::Final(_, detail)
            | Self::Unrecordable(detail)
            | Self::EngineSick(detail) => detail,
            Self::Differs(_) => "the id stands for something else",
            Self::Draining | Self::CutOff => "this process is to stop",
        }
    }
}

/// What a failing encoder means.
pub fn encode_trouble(detail: String) -> Trouble {
    Trouble::Again {
        code: FailureCode::EngineFailed,
        detail,
    }
}

/// What a failing store means: only what it will never take is final. A refusal of any other kind may be a setting, a
/// right or a bucket that somebody puts right.
pub(super) fn store_trouble(error: LedgerError) -> Trouble {
    match error {
        LedgerError::Differs(difference) => Trouble::Differs(difference),
        LedgerError::Port(e) if e.port == "blobs" && e.kind == PortErrorKind::TooLarge => {
            Trouble::Final(FailureCode::StoreFailed, e.to_string())
        }
        other => Trouble::Unrecordable(other.to_string()),
    }
}

pub(super) fn fetch_trouble(error: FetchError) -> Trouble {
    match error {
        FetchError::NotFound(detail) => Trouble::Final(FailureCode::PhotoNotFound, detail),
        FetchError::Forbidden(detail) => Trouble::Final(FailureCode::PhotoForbidden, detail),
        FetchError::TooLarge(detail) => Trouble::Final(FailureCode::PhotoTooLarge, detail),
        FetchError::Unreachable(detail) => Trouble::Again {
            code: FailureCode::PhotoUnreachable,
            detail,
        },
        FetchError::Port(error) => match error.kind {
            PortErrorKind::NotFound => Trouble::Final(FailureCode::PhotoNotFound, error.to_string()),
            PortErrorKind::Denied => Trouble::Final(FailureCode::PhotoForbidden, error.to_string()),
            PortErrorKind::TooLarge => Trouble::Final(FailureCode::PhotoTooLarge, error.to_string()),
            PortErrorKind::Invalid
            | PortErrorKind::Unavailable
            | PortErrorKind::Throttled
            | PortErrorKind::Corrupt => Trouble::Again {
                code: FailureCode::PhotoUnreachable,
                detail: error.to_string(),
            },
        },
    }
}
