//! What people and their tools ask of a stack beside its queues and stores: parked messages, counts, jobs, addresses.

use crate::blobs::BlobAddress;
use crate::capacity::WorkerJob;
use crate::error::PortError;
use crate::records::StoredRecord;
use async_trait::async_trait;
use std::collections::BTreeMap;
use walkaround_domain::Timestamp;

/// A queue that photos wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Photos that triage screens.
    Intake,
    /// Photos of the GPU lane.
    Segmentation,
}

impl QueueName {
    /// All queues, in the order in which a photo passes them.
    pub const ALL: [Self; 2] = [Self::Intake, Self::Segmentation];

    /// `intake` or `segmentation`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Segmentation => "segmentation",
        }
    }
}

/// One parked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// For [`Redrive::Ids`].
    pub id: String,
    /// The queue it was parked from.
    pub queue: String,
    /// Why, where known.
    pub reason: Option<String>,
    /// When it was sent; on AWS, to the queue that it is in now, where triage or a worker parked it.
    pub sent_at: Timestamp,
    /// When it was parked, where known.
    pub parked_at: Option<Timestamp>,
    /// As sent.
    pub attributes: BTreeMap<String, String>,
    /// As sent.
    pub body: String,
}

/// Some parked messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedPage {
    /// Oldest first where the stack keeps an order.
    pub messages: Vec<ParkedMessage>,
    /// Where the next page starts; none after the last.
    pub next: Option<String>,
    /// Estimate of how many more messages there are that could not be read.
    pub unseen: u64,
}

/// Which parked messages to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redrive {
    /// All, up to the stack's bound for one call.
    All,
    /// Those with these ids.
    Ids(Vec<String>),
}

/// What a redrive did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Messages that are in the queue they were parked from again.
    pub moved: u64,
    /// Ids that are not parked in this queue.
    pub missing: Vec<String>,
    /// Messages that their queue did not take, which are still parked.
    pub refused: Vec<RefusedMessage>,
    /// A bound was reached before all were read.
    pub more: bool,
}

/// A message that was not sent back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedMessage {
    /// Its id.
    pub id: String,
    /// One line.
    pub why: String,
}

/// How many inspections are in one phase with one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseCount {
    /// `accepted`, `routed`, `done`, `failed`.
    pub phase: String,
    /// Verdict of done ones.
    pub verdict: Option<String>,
    /// How many.
    pub records: u64,
}

/// How many inspections there are by phase and verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InspectionCounts {
    /// The day of acceptance (UTC, `2026-11-22`) that this is about; all time when none.
    pub day: Option<String>,
    /// As they stand now.
    pub standing: Vec<PhaseCount>,
    /// What became final in the last 60 seconds, where the stack knows.
    pub last_minute: Option<Vec<PhaseCount>>,
    /// What became final in the last hour, where the stack knows.
    pub last_hour: Option<Vec<PhaseCount>>,
}

/// Records in a phase; of one verdict, or of any.
pub fn records_in(counts: &[PhaseCount], phase: &str, verdict: Option<&str>) -> u64 {
    let here = |c: &&PhaseCount| c.phase == phase && verdict.is_none_or(|v| c.verdict.as_deref() == Some(v));
    counts.iter().filter(here).map(|c| c.records).sum()
}

/// Which address of a blob is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Where it is: a path, or an `s3://` address.
    Location,
    /// What a browser opens: on AWS a signed URL that is valid for a quarter of an hour. A credential: never logged.
    Link,
}

/// The operator's side of a stack.
///
/// A caller may assume: nothing here changes an inspection; only `redrive` changes anything at all. What a call does not
/// need is not asked for, so that a name that is not set is missed only where it is used (`Invalid`, port `settings`).
#[async_trait]
pub trait Operations: Send + Sync {
    /// A page of the messages parked from a queue, after the one that `after` names. `Invalid` for a cursor that no page
    /// gave.
    async fn parked(&self, queue: QueueName, after: Option<&str>) -> Result<ParkedPage, PortError>;

    /// How many messages are parked from a queue. Counted, not received: nothing is hidden by it.
    async fn parked_count(&self, queue: QueueName) -> Result<u64, PortError>;

    /// Sends messages back to the queue they were parked from, marked as [`REDRIVEN`](crate::REDRIVEN). `Invalid` for an
    /// id that no message can have; nothing was moved then.
    async fn redrive(&self, queue: QueueName, which: &Redrive) -> Result<Redriven, PortError>;

    /// Inspections by phase and verdict.
    async fn inspection_counts(&self) -> Result<InspectionCounts, PortError>;

    /// Worker jobs, those that ended lately too.
    async fn jobs(&self) -> Result<Vec<WorkerJob>, PortError>;

    /// The records accepted last, newest first, at most `max`. A stack that has only an index by day reads the last
    /// week.
    async fn latest(&self, max: usize) -> Result<Vec<StoredRecord>, PortError>;

    /// Events published since the stack was made, where it counts them; one that was published twice counts twice.
    async fn events_published(&self) -> Result<Option<u64>, PortError>;

    /// Where a person finds a blob. It need not be there.
    async fn locate(&self, at: &BlobAddress, kind: AddressKind) -> Result<String, PortError>;

    /// Why blobs of a bucket cannot be read or written, for people; none where they can, as far as this process may
    /// know.
    async fn bucket_trouble(&self, bucket: &str) -> Result<Option<String>, PortError>;
}
