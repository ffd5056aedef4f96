//! Returns photos of a GPU lane that is closed or has no workers to the intake queue, to be routed again.
//!
//! Each message is sent to the intake queue first and acknowledged second: a crash between leaves it in both, which the
//! inspection's record makes harmless. An attribute says when it was taken back: triage may have to send it to the lane
//! again, as it has no segmenters or too little time, and then it stays there for a while.

use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::Timestamp;
use walkaround_domain::lane::{TAKE_BACK_AGAIN_AFTER, TAKE_BACK_MAX};
use walkaround_ports::{Clock, Delivery, OutMessage, PortError, Queue, Receipt};

/// Attribute of a message that was taken back: when, in milliseconds since 1970.
pub const TAKEN_BACK_ATTRIBUTE: &str = "walkaround-taken-back";

/// Longest time of one tick.
const TIME_MAX: Duration = Duration::from_secs(15);
/// Messages of one receive.
const BATCH: usize = 10;
/// Long enough to send and acknowledge a batch.
const LEASE: Duration = Duration::from_secs(60);

/// Moves messages from one queue to the other.
pub(crate) struct TakeBack<'a> {
    pub(crate) segmentation: &'a Arc<dyn Queue>,
    pub(crate) intake: &'a Arc<dyn Queue>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// Until triage has read the state of the lane.
    pub(crate) delay: Duration,
}

impl TakeBack<'_> {
    /// Moves the visible messages, within the bounds of a tick; the number of messages.
    pub(crate) async fn run(&self) -> Result<u32, PortError> {
        let until = self.clock.ticks() + TIME_MAX;
        let (mut taken, mut seen) = (0, 0);
        while seen < TAKE_BACK_MAX && self.clock.ticks() < until {
            let deliveries = self.segmentation.receive(BATCH, LEASE, Duration::ZERO).await?;
            if deliveries.is_empty() {
                break;
            }
            seen += deliveries.len();
            taken += self.batch(deliveries).await?;
        }
        if taken > 0 {
            info!(taken, "photos of the GPU lane are returned to be routed again");
        }
        Ok(taken)
    }

    async fn batch(&self, deliveries: Vec<Delivery>) -> Result<u32, PortError> {
        let now = self.clock.now();
        let (mut receipts, mut messages) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            match stays_for(&delivery, now) {
                Some(rest) => self.release(&delivery.receipt, rest).await,
                None => {
                    receipts.push(delivery.receipt.clone());
                    messages.push(self.message(delivery, now));
                }
            }
        }
        if messages.is_empty() {
            return Ok(0);
        }
        let answers = self.intake.send(messages).await?;
        let mut sent = Vec::new();
        for (receipt, answer) in receipts.into_iter().zip(answers) {
            match answer {
                Ok(()) => sent.push(receipt),
                Err(error) => {
                    warn!(%error, "a photo could not be taken back, the next tick tries again");
                    self.release(&receipt, Duration::ZERO).await;
                }
            }
        }
        if sent.is_empty() {
            return Ok(0);
        }
        // One that cannot be acknowledged is in both queues, and is taken back again later.
        for answer in self.segmentation.ack(&sent).await? {
            if let Err(error) = answer {
                warn!(%error, "a photo that was taken back could not be acknowledged");
            }
        }
        Ok(u32::try_from(sent.len()).unwrap_or(u32::MAX))
    }

    fn message(&self, delivery: Delivery, now: Timestamp) -> OutMessage {
        let mut attributes = delivery.attributes;
        attributes.insert(TAKEN_BACK_ATTRIBUTE.to_owned(), now.0.to_string());
        OutMessage {
            body: delivery.body,
            attributes,
            delay: self.delay,
        }
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) {
        if let Err(error) = self.segmentation.release(receipt, delay).await {
            warn!(%error, "a message could not be released; it is delivered again when its lease ends");
        }
    }
}

/// How long a message stays in the lane because it was taken back recently; none when it may be taken.
fn stays_for(delivery: &Delivery, now: Timestamp) -> Option<Duration> {
    let at = delivery.attributes.get(TAKEN_BACK_ATTRIBUTE)?.parse().ok()?;
    let since = now.since(Timestamp(at));
    (since < TAKE_BACK_AGAIN_AFTER).then(|| TAKE_BACK_AGAIN_AFTER - since)
}
