//! A stack as its clients see it.

use crate::args::QueueArg;
use crate::failure::Failure;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{BlobAddress, Blobs, Clock, Queue, Records, StateStore, StoredRecord, WorkerJob};
use walkaround_settings::Settings;

/// One parked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParkedMessage {
    /// For sending it back.
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
#[derive(Debug, Clone, Default)]
pub(crate) struct ParkedPage {
    pub messages: Vec<ParkedMessage>,
    /// Where the next page starts; none after the last.
    pub next: Option<String>,
    /// About how many more there are that cannot be looked at.
    pub unseen: u64,
}

/// Which parked messages to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redrive {
    All,
    Ids(Vec<String>),
}

/// What was sent back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Redriven {
    pub moved: u64,
    /// Ids that are not parked in this queue.
    pub missing: Vec<String>,
    /// Messages that their queue did not take, which are still parked.
    pub refused: Vec<Refusal>,
    /// A bound was reached before all were looked at.
    pub more: bool,
}

/// A message that was not sent back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub id: String,
    /// One line.
    pub why: String,
}

/// How many inspections stand where.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct InspectionCounts {
    /// The day of acceptance (UTC) that this is about; all time when none.
    pub day: Option<String>,
    /// Not final, by phase.
    pub pending: BTreeMap<String, u64>,
    /// Done, by verdict.
    pub verdicts: BTreeMap<String, u64>,
    pub failed: u64,
    /// What became final lately, where the stack knows.
    pub recent: Option<RecentThroughput>,
    /// Done of the day, by the minutes that it has.
    pub done_per_minute: Option<f64>,
}

/// What became final in the last minute and the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecentThroughput {
    pub done_minute: u64,
    pub done_hour: u64,
    pub failed_hour: u64,
}

/// How often a stack may be asked, and how far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollIntervals {
    /// Between two looks for results that found nothing new.
    pub results: Duration,
    /// Between two looks at parked messages.
    pub parked: Duration,
    /// Between two looks of `status --watch`.
    pub status: Duration,
    /// Most records that one listing reads.
    pub records_max: usize,
    /// How far the stack's clock may be behind this machine's.
    pub clock_slack: Duration,
}

/// A stack. What a command does not need is not asked for: a name that is not set is only missed where it is used.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// `local` or `aws`.
    fn name(&self) -> &'static str;

    fn settings(&self) -> &Settings;

    fn clock(&self) -> Arc<dyn Clock>;

    fn pace(&self) -> PollIntervals;

    fn queue(&self, queue: QueueArg) -> Result<Arc<dyn Queue>, Failure>;

    fn records(&self) -> Result<Arc<dyn Records>, Failure>;

    /// Small documents, the state of the GPU lane among them.
    fn state(&self) -> Result<Arc<dyn StateStore>, Failure>;

    fn blobs(&self) -> Arc<dyn Blobs>;

    /// A page of the messages parked from a queue.
    async fn parked(&self, queue: QueueArg, after: Option<&str>) -> Result<ParkedPage, Failure>;

    async fn parked_count(&self, queue: QueueArg) -> Result<u64, Failure>;

    /// Sends messages back to the queue they were parked from.
    async fn redrive(&self, queue: QueueArg, which: &Redrive) -> Result<Redriven, Failure>;

    /// Why nothing takes photos from the intake queue, as a clause; none where something does, or where it cannot be known.
    async fn nobody_takes(&self) -> Option<String>;

    async fn counts(&self) -> Result<InspectionCounts, Failure>;

    /// Worker jobs, those that ended lately too.
    async fn jobs(&self) -> Result<Vec<WorkerJob>, Failure>;

    /// The records accepted last, newest first.
    async fn latest(&self, max: usize) -> Result<Vec<StoredRecord>, Failure>;

    /// Where a person finds a blob: a path, an address, or with `link` on AWS a signed URL.
    async fn place(&self, at: &BlobAddress, link: bool) -> Result<String, Failure>;
}
