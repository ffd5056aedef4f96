//! What triage and the segmentation worker share: loading or creating an inspection, fetching and decoding its photo,
//! settling it, and what becomes of its message when that fails ([`ProcessingError`]).

mod attempt;
mod canary;
mod disposition;
mod error;
mod identity;
mod photo;
mod run;
mod settling;

use crate::consumer::{Disposition, Progress};
use crate::inspector::ActiveInspector;
use crate::retry::{Jitter, RetryPolicy};
use crate::settle::Settler;
use crate::shadow::ShadowFeed;
use crate::telemetry::{PipelineEvent, Telemetry};
pub use attempt::{Attempt, Isolation, Permit, Stage};
pub use error::{PhotoFailure, ProcessingError, encode_error};
pub use identity::PhotoRequest;
pub use photo::{DecodeOutcome, OpenPhoto, proceed};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;
use walkaround_ports::{
    ATTRIBUTES_MAX, BODY_BYTES_MAX, Delivery, OutMessage, PARKED_FROM, PARKED_REASON, PhotoSource, Queue,
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
