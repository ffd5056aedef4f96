//! What triage and the segmentation worker share: taking a request up, fetching and preparing its photo,
//! and what becomes of trouble.

use crate::consumer::{Handled, Progress};
use crate::ledger::{Entry, LedgerError};
use crate::looker::{CurrentLooker, Finished, InHand, Looker};
use crate::report::timings_ms;
use crate::retry::{Dice, RetryPolicy};
use crate::settle::{Looking, Settler};
use crate::telemetry::{Happened, Settled, Telemetry};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::{FailureCode, Inspection, InspectionRequest, PhotoRef};
use walkaround_ports::{
    BODY_BYTES_MAX, Delivery, FetchError, OutMessage, PhotoSource, PortError, PortErrorKind, Queue,
};

/// Everything that looking at a message's photo needs.
pub struct Desk {
    /// Photos.
    pub source: Arc<dyn PhotoSource>,
    /// Networks.
    pub looker: Arc<CurrentLooker>,
    /// Results.
    pub settler: Settler,
    /// Where messages are parked that cannot even be tied to an id.
    pub dead: Arc<dyn Queue>,
    /// Bounds of retrying.
    pub retry: RetryPolicy,
    /// Chance for the jitter.
    pub dice: Arc<Dice>,
    /// Largest photo, in bytes.
    pub photo_bytes_max: u64,
    /// Counts for heartbeats.
    pub progress: Arc<Progress>,
    /// Who is told what happens, for metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Name of the queue that is worked off, for parked messages.
    pub queue_name: &'static str,
}

/// Why a photo is not settled yet.
pub enum Trouble {
    /// It may work later.
    Again {
        /// Becomes the recorded failure when the attempts are used up.
        code: FailureCode,
        /// In words.
        detail: String,
    },
    /// It never will.
    Final(FailureCode, String),
    /// The records cannot be written: nothing can be recorded, so the message comes back until its queue
    /// parks it.
    Unrecordable(String),
    /// The message means another photo than the inspection of its id.
    OtherPhoto(String),
    /// This process is to stop.
    Draining,
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Unrecordable(error.to_string())
    }
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Self::Unrecordable(error.to_string())
    }
}

/// Attribute of a parked message: why it was parked.
pub const PARKED_REASON: &str = "parked_reason";
/// Attribute of a parked message: the queue it came from.
pub const PARKED_FROM: &str = "parked_from";

/// Longest reason on a parked message, in bytes.
const REASON_BYTES_MAX: usize = 500;
/// Most attributes of a message (SQS).
const ATTRIBUTES_MAX: usize = 10;

impl Desk {
    /// The inspection of a request: as stored, or fresh. It was accepted when its message became durable.
    ///
    /// # Errors
    /// When the records cannot be read, or what is stored under the id is another photo's.
    pub async fn take_up(&self, request: InspectionRequest, delivery: &Delivery) -> Result<Entry, Trouble> {
        let stored = self.settler.ledger.read(&request.id).await?;
        if let Some(entry) = &stored
            && entry.inspection.request.photo != request.photo.without_query()
        {
            let first = &entry.inspection.request.photo;
            return Err(Trouble::OtherPhoto(format!(
                "inspection {} is of {first}, not of {}: another photo needs another id",
                request.id, request.photo
            )));
        }
        Ok(stored.unwrap_or_else(|| Entry {
            inspection: Inspection::accepted(request, delivery.sent_at),
            version: 0,
        }))
    }

    /// The decoded photo, or the finished result when there is nothing to decode. `photo` is the message's: the
    /// record's URL has lost its query.
    ///
    /// # Errors
    /// [`Trouble`] when the photo cannot be had.
    pub async fn prepare(
        &self,
        looker: &Looker,
        photo: &PhotoRef,
    ) -> Result<Result<InHand, Finished>, Trouble> {
        let bytes = self
            .source
            .fetch(photo, self.photo_bytes_max)
            .await
            .map_err(fetch_trouble)?;
        match looker.prepare(bytes).await {
            Ok(in_hand) => Ok(Ok(in_hand)),
            Err((reason, file)) => {
                let name = photo.to_string();
                let finished = looker.refused(reason, file, &name);
                Ok(Err(finished.map_err(encode_trouble)?))
            }
        }
    }

    /// Stores the result, publishes it.
    ///
    /// # Errors
    /// [`Trouble`] when it could not be stored.
    pub async fn settle(
        &self,
        entry: Entry,
        finished: Finished,
        since: (Duration, u32),
    ) -> Result<(), Trouble> {
        let how = Looking {
            total: self.settler.clock.ticks().saturating_sub(since.0),
            attempts: since.1,
        };
        let id = entry.inspection.request.id.clone();
        let settled = Settled {
            verdict: finished.looked.verdict,
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: finished.bundle.clone(),
            timings_ms: timings_ms(&finished.looked.timings, how.total),
            photo_bytes: finished.photo.bytes,
        };
        self.settler
            .done(entry, finished, &how)
            .await
            .map_err(|error| match error {
                LedgerError::Port(e) if e.port == "blobs" => Trouble::Again {
                    code: FailureCode::StoreFailed,
                    detail: e.to_string(),
                },
                other => other.into(),
            })?;
        info!(inspection = %id, verdict = %settled.verdict, "settled");
        self.telemetry.tell(Happened::Settled(&settled));
        Ok(())
    }

    /// What becomes of a message in trouble: recorded, or back to the queue.
    pub async fn handle_trouble(
        &self,
        trouble: Trouble,
        request: InspectionRequest,
        delivery: &Delivery,
    ) -> Handled {
        let attempt = delivery.receive_count;
        let (code, detail) = match trouble {
            Trouble::Draining => return Handled::Again(Duration::ZERO),
            Trouble::OtherPhoto(detail) => return self.park(delivery, &detail).await,
            Trouble::Unrecordable(detail) => {
                warn!(inspection = %request.id, attempt, detail, "records are out of reach, trying again later");
                return self.again(attempt);
            }
            Trouble::Again { code, detail } if !self.retry.exhausted(attempt) => {
                warn!(inspection = %request.id, attempt, code = code.as_str(), detail, "trying again later");
                return self.again(attempt);
            }
            Trouble::Again { code, detail } => (code, format!("{detail} (after {attempt} attempts)")),
            Trouble::Final(code, detail) => (code, detail),
        };
        info!(inspection = %request.id, attempt, code = code.as_str(), detail, "failed");
        let entry = match self.take_up(request, delivery).await {
            Ok(entry) => entry,
            Err(_) => return self.again(attempt),
        };
        match self.settler.failed(entry, (code, detail), attempt).await {
            Ok(()) => {
                self.progress.failed.fetch_add(1, Ordering::Relaxed);
                self.telemetry.tell(Happened::Failed(code));
                Handled::Settled
            }
            Err(error) => {
                warn!(%error, "the failure could not be recorded, trying again later");
                self.again(attempt)
            }
        }
    }

    /// Parks a message with its reason; it is acknowledged only once it is safely parked.
    pub async fn park(&self, delivery: &Delivery, reason: &str) -> Handled {
        // What no queue takes could never be parked: the sender's attributes make room for these two, and the
        // end of a body for all of them.
        let sent = delivery.attributes.clone().into_iter();
        let mut attributes: BTreeMap<String, String> = sent.take(ATTRIBUTES_MAX - 2).collect();
        let shown: String = reason.chars().take(REASON_BYTES_MAX / 4).collect();
        warn!(message = delivery.message_id, reason = shown, "parked");
        attributes.insert(PARKED_REASON.into(), shown);
        attributes.insert(PARKED_FROM.into(), self.queue_name.into());
        // SQS refuses empty bodies; a parked message has to be one that can be sent.
        let body = if delivery.body.is_empty() {
            " ".to_owned()
        } else {
            let taken: usize = attributes
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            let room = BODY_BYTES_MAX.saturating_sub(taken);
            delivery.body[..delivery.body.floor_char_boundary(room)].to_owned()
        };
        let message = OutMessage {
            body,
            attributes,
            delay: Duration::ZERO,
        };
        match self
            .dead
            .send(vec![message])
            .await
            .map(|mut answers| answers.pop())
        {
            Ok(Some(Ok(()))) => {
                self.telemetry.tell(Happened::Parked);
                Handled::Settled
            }
            Ok(Some(Err(error))) | Err(error) => {
                warn!(%error, "parking failed, trying again later");
                self.again(delivery.receive_count)
            }
            Ok(None) => self.again(delivery.receive_count),
        }
    }

    fn again(&self, attempt: u32) -> Handled {
        self.telemetry.tell(Happened::Returned);
        Handled::Again(self.retry.delay(attempt, &self.dice))
    }
}

/// What a failing network means.
pub fn engine_trouble(error: &walkaround_inference::EngineError) -> Trouble {
    Trouble::Again {
        code: FailureCode::EngineFailed,
        detail: error.to_string(),
    }
}

/// What a failing encoder means.
pub fn encode_trouble(detail: String) -> Trouble {
    Trouble::Again {
        code: FailureCode::EngineFailed,
        detail,
    }
}

fn fetch_trouble(error: FetchError) -> Trouble {
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
