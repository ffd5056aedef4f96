//! Records, blobs, the topic and the clock, in memory. Every effect is reported to the facts.

use crate::context::Context;
use crate::facts::Checked;
use crate::trace::CoverageEvent;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{
    BlobAddress, BlobMeta, Blobs, Clock, Heartbeat, OutEvent, Page, PortCall, PortError, PortErrorKind,
    Precondition, Publisher, PutOutcome, RECORDS_PAGE_MAX, RecordQuery, Records, ResultKey, STATE_BYTES_MAX,
    StateStore, StoredRecord, WriteOutcome,
};

fn check(context: &Context, checked: Checked) {
    if let Err((invariant, detail)) = checked {
        context.violate(invariant, detail);
    }
}

/// Records.
pub(crate) struct SimRecords {
    context: Arc<Context>,
    state: Mutex<RecordsState>,
}

#[derive(Default)]
struct RecordsState {
    records: BTreeMap<InspectionId, StoredRecord>,
    beats: BTreeMap<String, Heartbeat>,
    results: BTreeMap<ResultKey, InspectionId>,
}

impl SimRecords {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, RecordsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Records for SimRecords {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        Ok(self.state().records.get(id).cloned())
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        let mut state = self.state();
        let current = state.records.get(&next.id);
        let holds = match (expect, current) {
            (Precondition::Absent, None) => true,
            (Precondition::Version(wanted), Some(current)) => current.version == wanted,
            _ => false,
        };
        if !holds {
            self.context.count(CoverageEvent::RecordConflict);
            return Ok(WriteOutcome::Conflict(current.cloned()));
        }
        let version = current.map_or(0, |c| c.version) + 1;
        let mut stored = next.clone();
        stored.version = version;
        let checked = self.context.facts().wrote(&stored);
        check(&self.context, checked);
        state.records.insert(next.id.clone(), stored);
        Ok(WriteOutcome::Committed(version))
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        let after = after
            .map(|token| token.strip_prefix(AFTER).ok_or(token))
            .transpose();
        let invalid = |what| PortError::new(PortCall::new("records", "list"), PortErrorKind::Invalid, what);
        let after = after.map_err(|_| invalid("no token of this listing"))?;
        if !(1..=RECORDS_PAGE_MAX).contains(&max) {
            return Err(invalid("a page of that size"));
        }
        let state = self.state();
        let mut found = state
            .records
            .values()
            .filter(|record| after.is_none_or(|after| record.id.as_str() > after))
            .filter(|record| matches(query, record));
        let records: Vec<StoredRecord> = found.by_ref().take(max).cloned().collect();
        let more = found.next().is_some();
        let next = records
            .last()
            .filter(|_| more)
            .map(|record| format!("{AFTER}{}", record.id));
        Ok(Page { records, next })
    }

    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        let found = self.state().results.get(key).cloned();
        if found.is_some() {
            self.context.count(CoverageEvent::ResultFound);
        }
        Ok(found)
    }

    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        self.state().results.insert(key.clone(), id.clone());
        Ok(())
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        let worker = heartbeat.worker.clone();
        let ticks = self.context.ticks();
        self.context.facts().heard(&worker, ticks);
        self.state().beats.insert(worker, heartbeat.clone());
        Ok(())
    }

    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        let state = self.state();
        Ok(state.beats.values().filter(|b| b.at >= since).cloned().collect())
    }
}

/// Begins the token of a page.
const AFTER: &str = "after ";

fn matches(query: &RecordQuery, record: &StoredRecord) -> bool {
    let keys = &record.keys;
    match query {
        RecordQuery::Vehicle(id) => keys.vehicle_id.as_ref() == Some(id),
        RecordQuery::Reservation(id) => keys.reservation_id.as_ref() == Some(id),
        RecordQuery::VerdictOnDay { verdict, day } => {
            keys.verdict.as_ref() == Some(verdict) && keys.day == *day
        }
        RecordQuery::FailedOnDay(day) => keys.phase == "failed" && keys.day == *day,
        RecordQuery::Day(day) => keys.day == *day,
    }
}

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// Most keys of one page.
const KEYS_PAGE_MAX: usize = 1000;

/// Blobs; their bytes are kept with the facts.
pub(crate) struct SimBlobs(pub(crate) Arc<Context>);

fn no_blob(operation: &'static str, at: &BlobAddress) -> PortError {
    PortError::new(
        PortCall::new("blobs", operation),
        PortErrorKind::NotFound,
        format!("no blob {at}"),
    )
}

#[async_trait]
impl Blobs for SimBlobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        Ok(self.0.facts().blob(at).map(|bytes| BlobMeta {
            bytes: bytes.len() as u64,
            sha256: Some(Sha256::digest(bytes).into()),
            etag: None,
            version: None,
        }))
    }

    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        let facts = self.0.facts();
        let bytes = facts.blob(at).ok_or_else(|| no_blob("get", at))?;
        if bytes.len() as u64 > bytes_max {
            let detail = format!("{at} has more than {bytes_max} bytes");
            return Err(PortError::new(
                PortCall::new("blobs", "get"),
                PortErrorKind::TooLarge,
                detail,
            ));
        }
        Ok(bytes.to_vec())
    }

    /// There is one version of each: blobs are written once.
    async fn get_version(&self, at: &BlobAddress, _: &str, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.get(at, bytes_max).await
    }

    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        if !(1..=KEY_BYTES_MAX).contains(&at.key.len()) {
            let detail = "a key of 1 to 1,024 bytes is expected";
            return Err(PortError::new(
                PortCall::new("blobs", "put_if_absent"),
                PortErrorKind::Invalid,
                detail,
            ));
        }
        let mut facts = self.0.facts();
        let there = facts.blob(at).map(|there| there == bytes);
        match there {
            Some(true) => {
                self.0.count(CoverageEvent::BlobSame);
                Ok(PutOutcome::Identical)
            }
            Some(false) => {
                self.0.count(CoverageEvent::BlobOther);
                Ok(PutOutcome::Conflict)
            }
            None => {
                facts.store_blob(at, bytes, content_type);
                Ok(PutOutcome::Created)
            }
        }
    }

    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError> {
        let bytes = self.get(at, u64::MAX).await?;
        let fails = |kind, detail: String| PortError::new(PortCall::new("blobs", "download"), kind, detail);
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != *expect_sha256 {
            return Err(fails(PortErrorKind::Corrupt, format!("{at} has another digest")));
        }
        std::fs::write(into, bytes).map_err(|e| fails(PortErrorKind::Unavailable, e.to_string()))
    }

    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        if !(1..=KEYS_PAGE_MAX).contains(&max) {
            let detail = "a page of that size";
            return Err(PortError::new(
                PortCall::new("blobs", "list"),
                PortErrorKind::Invalid,
                detail,
            ));
        }
        let facts = self.0.facts();
        Ok(facts
            .blobs_from(prefix)
            .take_while(|at| at.bucket == prefix.bucket && at.key.starts_with(&prefix.key))
            .filter(|at| after.is_none_or(|after| at.key.as_str() > after))
            .take(max)
            .map(|at| at.key.clone())
            .collect())
    }
}

/// Small documents.
pub(crate) struct SimState {
    context: Arc<Context>,
    documents: Mutex<BTreeMap<String, (String, Duration)>>,
}

impl SimState {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            documents: Mutex::default(),
        }
    }
}

#[async_trait]
impl StateStore for SimState {
    async fn read(&self, name: &str) -> Result<Option<String>, PortError> {
        let documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let document = documents.get(name);
        let lives = document.filter(|(_, until)| *until > self.context.ticks());
        Ok(lives.map(|(body, _)| body.clone()))
    }

    async fn write(&self, name: &str, body: &str, keep_for: Duration) -> Result<(), PortError> {
        if body.len() > STATE_BYTES_MAX {
            let at = PortCall::new("state", "write");
            return Err(PortError::new(at, PortErrorKind::Invalid, "too long"));
        }
        let document = (body.to_owned(), self.context.ticks() + keep_for);
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        documents.insert(name.to_owned(), document);
        Ok(())
    }
}

/// The topic, with everything that was published, in order.
pub(crate) struct SimPublisher {
    context: Arc<Context>,
    pub(crate) seen: Mutex<Vec<OutEvent>>,
}

impl SimPublisher {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            seen: Mutex::default(),
        }
    }
}

#[async_trait]
impl Publisher for SimPublisher {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        let published = self.context.facts().published(event);
        match published {
            Ok(true) => self.context.count(CoverageEvent::EventRepeated),
            Ok(false) => {}
            Err((invariant, detail)) => self.context.violate(invariant, detail),
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(event.clone());
        Ok(())
    }
}

/// The clock of one process: simulated time, off by some seconds, and jumping now and then.
pub(crate) struct SimClock {
    context: Arc<Context>,
    /// Milliseconds that `now` is off by.
    skew: Mutex<i64>,
}

impl SimClock {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            skew: Mutex::new(draw_skew(context)),
        }
    }
}

fn draw_skew(context: &Context) -> i64 {
    let most = i64::try_from(context.plan.skew_max.as_millis()).unwrap_or(0);
    if most == 0 {
        0
    } else {
        context.rng().i64(-most..=most)
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let mut skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.context.plan.skew_max.is_zero() && self.context.chance(0.02) {
            self.context.count(CoverageEvent::ClockJumped);
            *skew = draw_skew(&self.context);
        }
        Timestamp(self.context.process_now().0.saturating_add_signed(*skew))
    }

    fn ticks(&self) -> Duration {
        self.context.ticks()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
