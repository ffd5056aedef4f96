//! Records and heartbeats in one DynamoDB table.
//!
//! The table is described in [`table`]. A write is one conditional `PutItem` on the record's version; when the
//! condition fails, the answer holds what stands there (`ALL_OLD`), so that the loser of a race needs no second
//! call. Reads by id are consistent.
//!
//! **Indexes hold keys only.** With all attributes, each write would be paid for once more an index, by the size
//! of the body; with keys only, a change of the body touches no index, and a change of the phase touches one.
//! Listings are rare and pay instead: they read the records by key, consistently, so a listed record is never an
//! old one. Which records are listed follows the index, which lags behind by well under a second as a rule.
//!
//! **Days are spread** over eight partitions of the indexes by day and by outcome (verdict, else phase), by a hash
//! of the id: all writes of a day would else go to one partition, which takes 1,000 a second, and adaptive
//! capacity splits it only after it has throttled. Listings and counts visit all eight.
//!
//! **Items** stay under the 400 KB of DynamoDB: long bodies are gzipped, and what is still too long is `Invalid`.
//! **Heartbeats** share one partition, sorted by the hour in which they were sent: whoever asks for those of the last
//! minutes reads the items of one or two hours, however many workers there were before. TTL removes old items, but takes
//! days.
//! **TTL**: heartbeats go after a day, records when their configured time is over, or never.

pub(crate) mod item;
mod listing;
pub(crate) mod stored;
pub(crate) mod table;

use crate::fault::port_error;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use item::{Item, expiry, key, nonce, number, number_of, text, text_of};
use std::collections::BTreeSet;
use std::time::Duration;
use stored::{from_item, record_key, result_key, to_item};
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{
    Heartbeat, Page, PortCall, PortError, PortErrorKind, Precondition, RECORDS_PAGE_MAX, RecordQuery,
    Records, ResultKey, StoredRecord, WriteOutcome,
};

/// Partition of all heartbeats.
const WORKERS: &str = "W";
/// Heartbeats of one worker within this time replace each other; each such time has a sort key of its own.
const HEARTBEAT_SLOT: Duration = Duration::from_secs(60 * 60);
/// How long a heartbeat is kept after it was sent.
const HEARTBEAT_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest heartbeat, in bytes.
const HEARTBEAT_BYTES_MAX: usize = 64 * 1024;
/// Most heartbeats of one answer.
const HEARTBEATS_MAX: usize = 1000;
/// Most pages (1 MB each) of heartbeats that are looked through.
const HEARTBEAT_PAGES_MAX: usize = 64;

/// Records in a DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoRecords {
    client: Client,
    table: String,
    keep_for: Option<Duration>,
}

impl DynamoRecords {
    /// Records in `table`, kept for ever.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
            keep_for: None,
        }
    }

    /// The same, where each record goes this long after it was last written (DynamoDB takes up to two days more).
    #[must_use]
    pub fn keep_for(mut self, keep_for: Option<Duration>) -> Self {
        self.keep_for = keep_for;
        self
    }

    fn what(&self) -> String {
        format!("table {}", self.table)
    }

    fn corrupt(&self, at: PortCall, why: &str) -> PortError {
        at.error(PortErrorKind::Corrupt, format!("{}: {why}", self.what()))
    }
}

#[async_trait]
impl Records for DynamoRecords {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        let at = PortCall::new("records", "read");
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(record_key(id.as_str())))
            .consistent_read(true);
        let answer = get.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
        let item = answer.item.filter(|item| !item.is_empty());
        let record = item.map(|item| from_item(&item)).transpose();
        record.map_err(|why| self.corrupt(at, &why))
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        let at = PortCall::new("records", "write");
        let version = match expect {
            Precondition::Absent => 1,
            Precondition::Version(version) => version.saturating_add(1),
        };
        let token = nonce();
        let item = to_item(next, version, &token, self.keep_for)
            .map_err(|why| at.error(PortErrorKind::Invalid, format!("{}: {why}", next.id)))?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match expect {
            Precondition::Absent => put.condition_expression("attribute_not_exists(pk)"),
            Precondition::Version(version) => put
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":expected", number(version)),
        };
        let standing = match put.send().await {
            Ok(_) => return Ok(WriteOutcome::Committed(version)),
            Err(error) => match refused(&error) {
                Some(standing) => standing,
                None => return Err(port_error(at, &self.what(), &error)),
            },
        };
        // The call was sent again after an answer that never came, and meets its own item.
        if text_of(&standing, "write_token") == Some(&token) {
            return Ok(WriteOutcome::Committed(version));
        }
        let current = (!standing.is_empty()).then(|| from_item(&standing)).transpose();
        current
            .map(WriteOutcome::Conflict)
            .map_err(|why| self.corrupt(at, &why))
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        if !(1..=RECORDS_PAGE_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {RECORDS_PAGE_MAX}");
            return Err(PortCall::new("records", "list").error(PortErrorKind::Invalid, detail));
        }
        self.page(query, after, max).await
    }

    /// An eventually consistent read of one small item: half a read unit.
    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        let at = PortCall::new("records", "result_of");
        let get = self.client.get_item().table_name(&self.table);
        let answer = get.set_key(Some(result_key(key))).send().await;
        let answer = answer.map_err(|e| port_error(at, &self.what(), &e))?;
        let Some(item) = answer.item.filter(|item| !item.is_empty()) else {
            return Ok(None);
        };
        let id = text_of(&item, "result").and_then(|id| InspectionId::new(id).ok());
        id.map(Some)
            .ok_or_else(|| self.corrupt(at, "a stored result that names no inspection"))
    }

    /// One write of a small item: one write unit, no index.
    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, now: Timestamp) -> Result<(), PortError> {
        let at = PortCall::new("records", "keep_result");
        let mut item = result_key(key);
        item.insert("result".to_owned(), text(id.as_str()));
        if let Some(keep_for) = self.keep_for {
            item.insert("expires_at".to_owned(), expiry(now, keep_for));
        }
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.map_err(|e| port_error(at, &self.what(), &e))?;
        Ok(())
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        let at = PortCall::new("records", "put_heartbeat");
        if heartbeat.body.len() > HEARTBEAT_BYTES_MAX {
            let detail = format!(
                "a heartbeat of {} bytes, at most {HEARTBEAT_BYTES_MAX}",
                heartbeat.body.len()
            );
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(WORKERS, slot_key(heartbeat))))
            .item("worker", text(&heartbeat.worker))
            .item("beat_at", number(heartbeat.at.0))
            .item("body", text(&heartbeat.body))
            .item("expires_at", expiry(heartbeat.at, HEARTBEAT_KEPT_FOR));
        put.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
        Ok(())
    }

    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        let at = PortCall::new("records", "heartbeats");
        let (mut beats, mut from) = (Vec::new(), None);
        for _ in 0..HEARTBEAT_PAGES_MAX {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :workers AND sk >= :slot")
                .filter_expression("#at >= :since")
                .expression_attribute_names("#at", "beat_at")
                .expression_attribute_values(":workers", text(WORKERS))
                .expression_attribute_values(":slot", text(slot(since)))
                .expression_attribute_values(":since", number(since.0))
                .consistent_read(true)
                .set_exclusive_start_key(from);
            let answer = query.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
            for item in answer.items() {
                let read = heartbeat(item);
                beats.push(read.ok_or_else(|| self.corrupt(at, "a heartbeat that cannot be read"))?);
            }
            from = answer.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        beats.sort_by(|a: &Heartbeat, b| b.at.cmp(&a.at).then_with(|| a.worker.cmp(&b.worker)));
        // A worker has one in each hour that it saw.
        let mut seen = BTreeSet::new();
        beats.retain(|beat| seen.insert(beat.worker.clone()));
        beats.truncate(HEARTBEATS_MAX);
        Ok(beats)
    }
}

/// The hour of a moment, as texts sort: its first millisecond.
fn slot(at: Timestamp) -> String {
    let slot_ms = HEARTBEAT_SLOT.as_millis() as u64;
    format!("{:013}", at.0 - at.0 % slot_ms)
}

fn slot_key(beat: &Heartbeat) -> String {
    format!("{}#{}", slot(beat.at), beat.worker)
}

fn heartbeat(item: &Item) -> Option<Heartbeat> {
    Some(Heartbeat {
        worker: text_of(item, "worker")?.to_owned(),
        at: Timestamp(number_of(item, "beat_at")?),
        body: text_of(item, "body")?.to_owned(),
    })
}

/// What stands where a conditional put failed its condition; an empty item when nothing does. None when it
/// failed for another reason.
pub(crate) fn refused(error: &SdkError<PutItemError, HttpResponse>) -> Option<Item> {
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(e) => Some(e.item().cloned().unwrap_or_default()),
        _ => None,
    }
}
