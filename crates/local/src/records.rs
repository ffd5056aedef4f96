//! Records and heartbeats as rows.

use crate::db::Db;
use crate::error::Fault;
use crate::open::LocalStack;
use crate::rows::{count, ms, timestamp};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::ids::InvalidInspectionId;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{
    Heartbeat, IndexKeys, Page, PhaseCount, PortCall, PortError, PortErrorKind, Precondition,
    RECORDS_PAGE_MAX, RecordQuery, Records, ResultKey, StoredRecord, WriteOutcome,
};

/// Columns of a [`StoredRecord`], in the order that [`stored`] reads them.
const COLUMNS: &str = "id, version, updated_at, phase, verdict, day, vehicle_id, reservation_id, body";

/// How long it is known when records became final.
pub const FINISHES_KEPT: Duration = Duration::from_secs(7200);

const HEARTBEATS_MAX: usize = 1000;
/// Latest records of one call: a page, and one more that says whether there is another page.
const RECENT_MAX: usize = RECORDS_PAGE_MAX + 1;

/// Records in the database.
pub(crate) struct LocalRecords {
    pub(crate) db: Arc<Db>,
}

#[async_trait]
impl Records for LocalRecords {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        let id = id.clone();
        self.db
            .read(PortCall::new("records", "read"), move |db| find(db, &id))
            .await
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        let next = next.clone();
        self.db
            .write(PortCall::new("records", "write"), move |tx| {
                write_if(tx, &next, expect)
            })
            .await
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        const AT: PortCall = PortCall::new("records", "list");
        if !(1..=RECORDS_PAGE_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {RECORDS_PAGE_MAX}");
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let after = after.map(|text| read_cursor(text, AT)).transpose()?;
        let query = query.clone();
        self.db
            .read(AT, move |db| read_page(db, &query, after, max))
            .await
    }

    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        let key = key.clone();
        let sql = "SELECT id FROM results WHERE photo_sha256 = ?1 AND bundle = ?2 AND version = ?3";
        self.db
            .read(PortCall::new("records", "result_of"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let sha256 = key.photo_sha256.as_slice();
                let found = statement
                    .query_row(params![sha256, key.bundle.name, key.bundle.version], |row| {
                        InspectionId::new(row.get::<_, String>(0)?).map_err(broken_id)
                    });
                Ok(found.optional()?)
            })
            .await
    }

    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        let (key, id) = (key.clone(), id.clone());
        let sql =
            "INSERT OR REPLACE INTO results (photo_sha256, bundle, version, id) VALUES (?1, ?2, ?3, ?4)";
        self.db
            .write(PortCall::new("records", "keep_result"), move |tx| {
                let sha256 = key.photo_sha256.as_slice();
                tx.prepare_cached(sql)?.execute(params![
                    sha256,
                    key.bundle.name,
                    key.bundle.version,
                    id.as_str()
                ])?;
                Ok(())
            })
            .await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        let beat = heartbeat.clone();
        let sql = "INSERT OR REPLACE INTO heartbeats (worker, at, body) VALUES (?1, ?2, ?3)";
        self.db
            .write(PortCall::new("records", "put_heartbeat"), move |tx| {
                tx.prepare_cached(sql)?
                    .execute(params![beat.worker, ms(beat.at), beat.body])?;
                Ok(())
            })
            .await
    }

    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        let sql = "SELECT worker, at, body FROM heartbeats WHERE at >= ?1 ORDER BY at DESC LIMIT ?2";
        let limit = i64::try_from(HEARTBEATS_MAX).unwrap_or(i64::MAX);
        self.db
            .read(PortCall::new("records", "heartbeats"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([ms(since), limit], |row| {
                    Ok(Heartbeat {
                        worker: row.get(0)?,
                        at: timestamp(row.get(1)?),
                        body: row.get(2)?,
                    })
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

impl LocalStack {
    /// The records and heartbeats.
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::new(LocalRecords {
            db: self.inner.db.clone(),
        })
    }

    /// How many records stand where.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn counts(&self) -> Result<Vec<PhaseCount>, PortError> {
        let sql = "SELECT phase, verdict, records FROM counts WHERE records > 0 ORDER BY phase, verdict";
        self.inner
            .db
            .read(PortCall::new("records", "counts"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([], tally)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    /// How many records became final in the second of `since` or later, by phase and verdict; at most of the last
    /// [`FINISHES_KEPT`]. They are counted when they are written: reading takes a row a second and verdict.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn finished_since(&self, since: Timestamp) -> Result<Vec<PhaseCount>, PortError> {
        let sql = "SELECT phase, verdict, sum(records) FROM finishes WHERE second >= ?1
                   GROUP BY 1, 2 HAVING sum(records) > 0 ORDER BY 1, 2";
        self.inner
            .db
            .read(PortCall::new("records", "finished"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([ms(since) / 1000], tally)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    /// The `max` records that were accepted last, newest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn recent_records(&self, max: usize) -> Result<Vec<StoredRecord>, PortError> {
        let limit = i64::try_from(max.min(RECENT_MAX)).unwrap_or(1);
        let sql = format!("SELECT {COLUMNS} FROM records ORDER BY rowid DESC LIMIT ?1");
        self.inner
            .db
            .read(PortCall::new("records", "recent"), move |db| {
                let mut statement = db.prepare_cached(&sql)?;
                let rows = statement.query_map([limit], stored)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

fn tally(row: &Row<'_>) -> rusqlite::Result<PhaseCount> {
    let verdict: String = row.get(1)?;
    Ok(PhaseCount {
        phase: row.get(0)?,
        verdict: (!verdict.is_empty()).then_some(verdict),
        records: count(row, 2)?,
    })
}

fn find(db: &Connection, id: &InspectionId) -> Result<Option<StoredRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM records WHERE id = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row([id.as_str()], stored).optional()?)
}

fn broken_id(error: InvalidInspectionId) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    let id: String = row.get(0)?;
    Ok(StoredRecord {
        id: InspectionId::new(id).map_err(broken_id)?,
        version: count(row, 1)?,
        updated_at: timestamp(row.get(2)?),
        keys: IndexKeys {
            phase: row.get(3)?,
            verdict: row.get(4)?,
            day: row.get(5)?,
            vehicle_id: row.get(6)?,
            reservation_id: row.get(7)?,
        },
        body: row.get(8)?,
    })
}

fn write_if(tx: &Transaction<'_>, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, Fault> {
    let current = find(tx, &next.id)?;
    let holds = match (expect, &current) {
        (Precondition::Absent, None) => true,
        (Precondition::Version(expected), Some(current)) => current.version == expected,
        _ => false,
    };
    if !holds {
        return Ok(WriteOutcome::Conflict(current));
    }
    let version = current.as_ref().map_or(1, |c| c.version + 1);
    let sql = "INSERT INTO records (id, version, updated_at, finished_at, phase, verdict, day, vehicle_id,
                                    reservation_id, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
               ON CONFLICT (id) DO UPDATE SET version = ?2, updated_at = ?3,
                 finished_at = CASE WHEN ?4 IS NULL THEN NULL ELSE coalesce(finished_at, ?4) END,
                 phase = ?5, verdict = ?6, day = ?7, vehicle_id = ?8, reservation_id = ?9, body = ?10";
    let (keys, updated_at) = (&next.keys, ms(next.updated_at));
    let finished_at = matches!(keys.phase.as_str(), "done" | "failed").then_some(updated_at);
    tx.prepare_cached(sql)?.execute(params![
        next.id.as_str(),
        i64::try_from(version).unwrap_or(i64::MAX),
        updated_at,
        finished_at,
        keys.phase,
        keys.verdict,
        keys.day,
        keys.vehicle_id,
        keys.reservation_id,
        next.body,
    ])?;
    Ok(WriteOutcome::Committed(version))
}

/// Day and id of the last record of a page. Both never change, so pages neither skip nor repeat a record.
struct Cursor {
    day: String,
    id: String,
}

fn read_cursor(text: &str, at: PortCall) -> Result<Cursor, PortError> {
    let (day, id) = text
        .split_once(' ')
        .ok_or_else(|| at.error(PortErrorKind::Invalid, "not a token of an earlier page"))?;
    Ok(Cursor {
        day: day.to_owned(),
        id: id.to_owned(),
    })
}

fn read_page(db: &Connection, query: &RecordQuery, after: Option<Cursor>, max: usize) -> Result<Page, Fault> {
    let (condition, first, second) = match query {
        RecordQuery::Vehicle(vehicle) => ("vehicle_id = ?1 AND ?2 IS NULL", vehicle, None),
        RecordQuery::Reservation(reservation) => ("reservation_id = ?1 AND ?2 IS NULL", reservation, None),
        RecordQuery::VerdictOnDay { verdict, day } => ("verdict = ?1 AND day = ?2", verdict, Some(day)),
        RecordQuery::Day(day) => ("day = ?1 AND ?2 IS NULL", day, None),
        RecordQuery::FailedOnDay(day) => ("phase = 'failed' AND day = ?1 AND ?2 IS NULL", day, None),
    };
    let beyond = match &after {
        Some(_) => "AND (day < ?3 OR (day = ?3 AND id > ?4))",
        None => "AND ?3 IS NULL AND ?4 IS NULL",
    };
    let sql =
        format!("SELECT {COLUMNS} FROM records WHERE {condition} {beyond} ORDER BY day DESC, id LIMIT ?5");
    let (day, id) = after.map(|c| (c.day, c.id)).unzip();
    // One more than asked for shows whether there is another page.
    let limit = i64::try_from(max + 1).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![first, second, day, id, limit], stored)?;
    let mut records: Vec<StoredRecord> = rows.collect::<rusqlite::Result<_>>()?;
    let more = records.len() > max;
    records.truncate(max);
    let last = records.last().filter(|_| more);
    let next = last.map(|record| format!("{} {}", record.keys.day, record.id));
    Ok(Page { records, next })
}
