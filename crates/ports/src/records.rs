//! Durable records with conditional writes, and worker heartbeats.
//!
//! A record's body is a document that adapters do not read; what they index stands beside it.

use crate::error::PortError;
use async_trait::async_trait;
use walkaround_domain::{BundleId, InspectionId, Timestamp};

/// Most records of one page.
pub const RECORDS_PAGE_MAX: usize = 1000;

/// What records are found by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexKeys {
    /// `accepted`, `routed`, `done`, `failed`.
    pub phase: String,
    /// Verdict of a done inspection.
    pub verdict: Option<String>,
    /// UTC day of acceptance, `2026-11-22`.
    pub day: String,
    /// Vehicle.
    pub vehicle_id: Option<String>,
    /// Reservation.
    pub reservation_id: Option<String>,
}

/// A record with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Which inspection.
    pub id: InspectionId,
    /// 1 for the first write, one more for each later one. Set by `write`.
    pub version: u64,
    /// When it was last written, by the writer's clock.
    pub updated_at: Timestamp,
    /// What it is found by.
    pub keys: IndexKeys,
    /// The document.
    pub body: String,
}

/// What must be true for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// There is no such record.
    Absent,
    /// The record has this version.
    Version(u64),
}

/// The outcome of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It happened; the record now has this version.
    Committed(u64),
    /// It did not: this is what stands there instead (none when nothing does).
    Conflict(Option<StoredRecord>),
}

/// What to list, newest acceptance day and id order within it unspecified. One index at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordQuery {
    /// All photos of a vehicle.
    Vehicle(String),
    /// All photos of a reservation.
    Reservation(String),
    /// All photos of a day with a verdict.
    VerdictOnDay {
        /// `clean`, `damaged`, `unusable`.
        verdict: String,
        /// `2026-11-22`.
        day: String,
    },
    /// All photos accepted on a day.
    Day(String),
    /// All photos accepted on a day whose inspection failed.
    FailedOnDay(String),
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Records of this page.
    pub records: Vec<StoredRecord>,
    /// Hand it in for the next page; none when this was the last.
    pub next: Option<String>,
}

/// Heartbeat of one worker. A later one of the same worker replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Name of the worker (the Batch job id, or a name of its own).
    pub worker: String,
    /// When it was sent, by the worker's clock.
    pub at: Timestamp,
    /// The document (progress, device, memory, throughput).
    pub body: String,
}

/// What a result depends on: the photo's bytes, and the networks that ran on them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultKey {
    /// SHA-256 of the photo's bytes.
    pub photo_sha256: [u8; 32],
    /// The bundle of these networks.
    pub bundle: BundleId,
}

/// Durable records.
///
/// A caller may assume: of several writers that expect the same version, one commits and the others see
/// what it wrote; a committed write survives every crash; `read` sees every committed write.
#[async_trait]
pub trait Records: Send + Sync {
    /// The record, if there is one.
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError>;

    /// Writes `next` (its `version` is ignored) if `expect` holds.
    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError>;

    /// At most `max` records (1 to [`RECORDS_PAGE_MAX`]), from where `after` ended.
    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError>;

    /// The inspection that was named last as having the result of these bytes and networks. A hint: it may lag behind
    /// what was kept, and its record may be gone. It goes with its inspection's record, about.
    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError>;

    /// Names the inspection that has the result of these bytes and networks.
    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, now: Timestamp) -> Result<(), PortError>;

    /// Stores a heartbeat.
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError>;

    /// Heartbeats sent at or after `since`, one a worker, at most 1,000.
    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError>;
}
