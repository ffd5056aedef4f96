//! What triage and the segmentation worker share: loading or creating an inspection, fetching and decoding its photo,
//! settling it, and what becomes of its message when that fails ([`ProcessingError`]).

mod attempt;
mod canary;
mod disposition;
mod error;
mod identity;
mod photo;
mod run;

use crate::consumer::{Disposition, Progress};
use crate::inspector::{ActiveInspector, Answering, EncodedResult, FileDigest, Inspector};
use crate::report::timings_ms;
use crate::retry::{Jitter, RetryPolicy};
use crate::settle::Settler;
use crate::shadow::ShadowFeed;
use crate::store::VersionedInspection;
use crate::telemetry::{PipelineEvent, Settled, Telemetry};
pub use attempt::{Attempt, Isolation, Permit, Stage};
use error::store_error;
pub use error::{PhotoFailure, ProcessingError, encode_error};
pub use identity::PhotoRequest;
pub use photo::{DecodeOutcome, OpenPhoto, proceed};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::BundleId;
use walkaround_ports::{
    ATTRIBUTES_MAX, BODY_BYTES_MAX, Delivery, OutMessage, PARKED_FROM, PARKED_REASON, PhotoSource, Queue,
    ResultKey,
};

/// Everything that processing a message's photo needs.
pub struct RequestProcessor {
    /// Where photos are fetched from.
    pub source: Arc<dyn PhotoSource>,
    /// The networks in use.
    pub inspector: Arc<ActiveInspector>,
    /// Stores and publishes results.
    pub settler: Settler,
    /// Dead-letter queue, for messages that have no id.
    pub dead: Arc<dyn Queue>,
    /// Bounds of retrying.
    pub retry: RetryPolicy,
    /// Randomness of the delays.
    pub jitter: Arc<Jitter>,
    /// Largest photo, in bytes.
    pub photo_bytes_max: u64,
    /// Runs photos that crashed a process with nothing else in flight.
    pub isolation: Isolation,
    /// Counts for heartbeats.
    pub progress: Arc<Progress>,
    /// Counts events, for metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Longest time from a shutdown signal to the end of the process.
    pub drain_budget: Duration,
    /// Name of the consumed queue, for parked messages.
    pub queue_name: &'static str,
    /// Where settled photos are named for a shadow.
    pub shadow: Option<ShadowFeed>,
}

/// Longest reason on a parked message, in bytes.
const REASON_BYTES_MAX: usize = 500;

impl RequestProcessor {
    /// Settles an inspection with the result that another one of the same bytes and bundle has; false when there is
    /// none, and the photo has to be inspected.
    ///
    /// # Errors
    /// [`ProcessingError`] when it could not be stored.
    pub async fn reuse(
        &self,
        inspector: &Inspector,
        entry: &VersionedInspection,
        file: FileDigest,
        attempt: &Attempt<'_>,
    ) -> Result<bool, ProcessingError> {
        attempt.reached(Stage::Storing);
        let key = result_key(&file, &inspector.bundle().id);
        let total = self.settler.clock.ticks().saturating_sub(attempt.begin);
        let reused = self.settler.reuse(entry, &key, inspector, total).await;
        let Some(reused) = reused.map_err(store_error)? else {
            return Ok(false);
        };
        self.telemetry.record(PipelineEvent::Settled(&Settled {
            verdict: reused.verdict,
            reasons: reused.reasons,
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: key.bundle,
            timings_ms: reused.timings_ms,
            photo_bytes: file.bytes,
        }));
        Ok(true)
    }

    /// Stores the result of an attempt and publishes it. Behind everything that the photo needs, it is named to the shadow, and what
    /// is seen of a canary is noted. A result that was [reused](Self::reuse) is not: the networks saw these bytes before.
    ///
    /// # Errors
    /// [`ProcessingError`] when it could not be stored.
    pub async fn settle(
        &self,
        entry: VersionedInspection,
        finished: EncodedResult,
        at: &PhotoRequest<'_>,
        answering: &Answering,
    ) -> Result<(), ProcessingError> {
        let attempt = at.attempt;
        attempt.reached(Stage::Storing);
        let total = self.settler.clock.ticks().saturating_sub(attempt.begin);
        let id = entry.inspection.request.id.clone();
        let key = result_key(&finished.photo, &finished.bundle);
        let settled = Settled {
            verdict: finished.result.verdict,
            reasons: finished.result.reasons.iter().map(|reason| reason.code).collect(),
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: finished.bundle.clone(),
            timings_ms: timings_ms(&finished.result.timings, total),
            photo_bytes: finished.photo.bytes,
        };
        self.settler
            .done(entry, finished, total)
            .await
            .map_err(store_error)?;
        self.settler.keep_result(&key, &id).await;
        info!(inspection = %id, verdict = %settled.verdict, "settled");
        self.telemetry.record(PipelineEvent::Settled(&settled));
        answering.succeeded();
        self.settler.observations().note(&id, &settled, answering).await;
        if let Some(shadow) = &self.shadow {
            shadow.offer(&at.request);
        }
        Ok(())
    }

    /// Parks a message with its reason; it is acknowledged only once it is safely parked.
    pub async fn park(&self, delivery: &Delivery, reason: &str) -> Disposition {
        // A queue bounds attributes and body: the sender's attributes make room for these two, and the end of the body for
        // all attributes.
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
                self.telemetry.record(PipelineEvent::Parked);
                Disposition::Ack
            }
            Ok(Some(Err(error))) | Err(error) => {
                warn!(%error, "parking failed, trying again later");
                self.give_back(self.retry.delay(delivery.receive_count, &self.jitter))
            }
            Ok(None) => self.give_back(self.retry.delay(delivery.receive_count, &self.jitter)),
        }
    }
}

fn result_key(file: &FileDigest, bundle: &BundleId) -> ResultKey {
    ResultKey {
        photo_sha256: file.sha256,
        bundle: bundle.clone(),
    }
}
