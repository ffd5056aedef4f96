//! What triage and the segmentation worker share: taking a request up, fetching and preparing its photo,
//! and what becomes of trouble ([`Trouble`]).

mod identity;
mod task;
mod trouble;

use crate::consumer::{Handled, Progress};
use crate::ledger::Entry;
use crate::looker::{CurrentLooker, FileMark, Finished, InHand, Looker};
use crate::report::timings_ms;
use crate::retry::{Dice, RetryPolicy};
use crate::settle::{Looking, Settler};
use crate::telemetry::{Happened, Settled, Telemetry};
pub use identity::PhotoRequest;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
pub use task::{Isolation, Permit, PhotoTask, Stage};
use tracing::{info, warn};
use trouble::store_trouble;
pub use trouble::{Trouble, encode_trouble};
use walkaround_ports::{
    ATTRIBUTES_MAX, BODY_BYTES_MAX, Delivery, OutMessage, PARKED_FROM, PARKED_REASON, PhotoSource, Queue,
    ResultKey,
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
    /// Keeps photos at which processes died apart from the others.
    pub isolation: Isolation,
    /// Counts for heartbeats.
    pub progress: Arc<Progress>,
    /// Who is told what happens, for metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time from a stop to the end of the process, at most.
    pub drain_budget: Duration,
    /// Name of the queue that is worked off, for parked messages.
    pub queue_name: &'static str,
}

/// Longest reason on a parked message, in bytes.
const REASON_BYTES_MAX: usize = 500;

impl Desk {
    /// The decoded photo, or the finished result when there is nothing to decode. The photo is the message's: the
    /// record's URL has lost its query.
    ///
    /// # Errors
    /// [`Trouble`] when the photo cannot be had.
    pub async fn prepare(
        &self,
        looker: &Looker,
        at: &mut PhotoRequest<'_>,
    ) -> Result<Result<InHand, Finished>, Trouble> {
        let (bytes, file) = self.take_file(looker, at).await?;
        at.task.reached(Stage::Looking);
        match looker.prepare(bytes, file).await {
            Ok(in_hand) => Ok(Ok(in_hand)),
            Err((reason, file)) => {
                let name = at.request.photo.to_string();
                let finished = looker.refused(reason, file, &name);
                Ok(Err(finished.map_err(encode_trouble)?))
            }
        }
    }

    /// Settles an inspection with the result that another one of the same bytes and bundle has; false when there is
    /// none, and the photo has to be looked at.
    ///
    /// # Errors
    /// [`Trouble`] when it could not be stored.
    pub async fn reuse(
        &self,
        looker: &Looker,
        entry: &Entry,
        (file, task): (FileMark, &PhotoTask<'_>),
    ) -> Result<bool, Trouble> {
        task.reached(Stage::Storing);
        let bundle = looker.bundle();
        let key = result_key(&file, (&bundle.name, &bundle.version));
        let how = Looking {
            total: self.settler.clock.ticks().saturating_sub(task.begin),
        };
        let wanted = (&key, looker.makes_overlays());
        let reused = self.settler.reuse(entry, wanted, &how).await;
        let Some(reused) = reused.map_err(store_trouble)? else {
            return Ok(false);
        };
        self.telemetry.tell(Happened::Settled(&Settled {
            verdict: reused.verdict,
            reasons: reused.reasons,
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: (key.bundle, key.version),
            timings_ms: reused.timings_ms,
            photo_bytes: file.bytes,
        }));
        Ok(true)
    }

    /// Stores the result of a task, publishes it.
    ///
    /// # Errors
    /// [`Trouble`] when it could not be stored.
    pub async fn settle(
        &self,
        entry: Entry,
        finished: Finished,
        task: &PhotoTask<'_>,
    ) -> Result<(), Trouble> {
        task.reached(Stage::Storing);
        let how = Looking {
            total: self.settler.clock.ticks().saturating_sub(task.begin),
        };
        let id = entry.inspection.request.id.clone();
        let key = result_key(&finished.photo, (&finished.bundle.0, &finished.bundle.1));
        let settled = Settled {
            verdict: finished.looked.verdict,
            reasons: finished.looked.reasons.iter().map(|reason| reason.code).collect(),
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: finished.bundle.clone(),
            timings_ms: timings_ms(&finished.looked.timings, how.total),
            photo_bytes: finished.photo.bytes,
        };
        self.settler
            .done(entry, finished, &how)
            .await
            .map_err(store_trouble)?;
        self.settler.keep_result(&key, &id).await;
        info!(inspection = %id, verdict = %settled.verdict, "settled");
        self.telemetry.tell(Happened::Settled(&settled));
        Ok(())
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
                self.give_back(self.retry.delay(delivery.receive_count, &self.dice))
            }
            Ok(None) => self.give_back(self.retry.delay(delivery.receive_count, &self.dice)),
        }
    }
}

fn result_key(file: &FileMark, (bundle, version): (&str, &str)) -> ResultKey {
    ResultKey {
        photo_sha256: file.sha256,
        bundle: bundle.to_owned(),
        version: version.to_owned(),
    }
}
