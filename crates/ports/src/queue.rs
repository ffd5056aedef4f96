//! Queues with leases, as SQS has them: at least once, in no order.

use crate::error::PortError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::Timestamp;

/// Largest body with attributes, in bytes (SQS: 1 MiB).
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Attribute of a parked message: why it was parked, in words. Whoever parks a message by sending it sets it.
pub const PARKED_REASON: &str = "parked_reason";
/// Attribute of a parked message: the queue it came from.
pub const PARKED_FROM: &str = "parked_from";

/// Attribute of a message that was parked and sent back to its queue: it looks new, but may have been processed in
/// part.
pub const REDRIVEN: &str = "redriven";
/// Most attributes of a message (SQS).
pub const ATTRIBUTES_MAX: usize = 10;

/// The attributes of a parked message that goes back to its queue. One that has as many as it may have already loses the
/// mark, not the sender's attributes.
pub fn redriven(mut attributes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    attributes.retain(|name, _| ![PARKED_REASON, PARKED_FROM].contains(&name.as_str()));
    if attributes.len() < ATTRIBUTES_MAX {
        attributes.insert(REDRIVEN.into(), "true".into());
    }
    attributes
}

/// Attribute of a message with its X-Ray trace header. SQS carries it as the message system attribute of this
/// name, so it is not one of the ten; other queues carry it as they carry the rest.
/// See <https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html>.
pub const TRACE_ATTRIBUTE: &str = "AWSTraceHeader";

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutMessage {
    /// Text; binary forms are base64 with a content-type attribute.
    pub body: String,
    /// Attributes, at most [`ATTRIBUTES_MAX`].
    pub attributes: BTreeMap<String, String>,
    /// Not delivered before this has passed; at most 15 minutes.
    pub delay: Duration,
}

/// Names one delivery of one message. A new delivery has a new receipt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt(pub String);

/// One delivery of a message: the right to settle it until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// For `extend`, `release` and `ack`.
    pub receipt: Receipt,
    /// Stable over deliveries.
    pub message_id: String,
    /// As sent.
    pub body: String,
    /// As sent.
    pub attributes: BTreeMap<String, String>,
    /// How often it has been delivered, this time included: 1 the first time.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is ours until the new deadline.
    Held,
    /// It ended before: the message may be with someone else. Nothing was changed that matters.
    Lost,
}

/// What became of an acknowledgement. It is never used for correctness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// The message is gone.
    Gone,
    /// The receipt was stale; the message may be delivered again.
    Stale,
}

/// How full a queue is. Approximate on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Ready to be received.
    pub ready: u64,
    /// Leased.
    pub leased: u64,
    /// Delayed.
    pub delayed: u64,
    /// Age of the oldest message that is ready, where known.
    pub oldest_age: Option<Duration>,
}

/// A queue.
///
/// A caller may assume: what `send` accepted is delivered at least once; a delivered message is hidden until
/// its lease ends; a message that was delivered more often than the queue's limit moves to its dead-letter
/// queue by itself. It may not assume order, or that a message comes only once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends messages; the answer has one entry a message, in order. An outer error means that nothing is
    /// known about any of them.
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError>;

    /// Leases at most `max` messages (1 to 10). Returns as soon as there is one, and empty-handed when there
    /// was none for `wait` (0 to 20 s).
    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError>;

    /// Moves the end of a lease to `lease` from now (at most 12 h after the delivery).
    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError>;

    /// Gives a message back, to be delivered again after `delay`.
    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError>;

    /// Acknowledges messages; one answer a receipt, in order.
    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError>;

    /// How full the queue is.
    async fn depth(&self) -> Result<Depth, PortError>;
}
