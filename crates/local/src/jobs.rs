//! Worker jobs as rows: what is known of them outlives the process that started them.

use crate::error::Fault;
use crate::open::LocalStack;
use crate::process::ProcessId;
use crate::rows::{ms, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use walkaround_domain::Timestamp;
use walkaround_ports::{PortCall, PortError, WorkerJob, WorkerJobState};

const COLUMNS: &str = "id, owner, created_at, process, kill_at, ended_at, exit, reason";

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) number: i64,
    owner: Option<ProcessId>,
    created_at: i64,
    /// None while it starts.
    pub(crate) process: Option<ProcessId>,
    /// When it is to be killed, once it was asked to end.
    pub(crate) kill_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
    exit: Option<i32>,
    reason: Option<String>,
}

impl Job {
    pub(crate) fn owner_is_alive(&self) -> bool {
        self.owner.as_ref().is_some_and(ProcessId::is_alive)
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.owner.as_ref() == Some(ProcessId::own())
    }

    pub(crate) fn public(self) -> WorkerJob {
        let state = match (self.ended_at, self.process) {
            (Some(_), _) => WorkerJobState::Ended { exit: self.exit },
            (None, Some(_)) => WorkerJobState::Running,
            (None, None) => WorkerJobState::Starting,
        };
        WorkerJob {
            id: name(self.number),
            state,
            since: self.ended_at.unwrap_or(timestamp(self.created_at)),
            reason: self.reason,
        }
    }
}

impl LocalStack {
    /// The jobs as they are written down, without looking after them: for commands that only look, while `up` or
    /// nobody does.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn jobs(&self) -> Result<Vec<WorkerJob>, PortError> {
        let jobs = self.inner.db.read(PortCall::new("capacity", "jobs"), all).await?;
        Ok(jobs.into_iter().map(Job::public).collect())
    }
}

/// The id of a job.
pub(crate) fn name(number: i64) -> String {
    format!("worker-{number}")
}

/// The inverse of [`name`].
pub(crate) fn number(name: &str) -> Option<i64> {
    name.strip_prefix("worker-")?.parse().ok()
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let process = |text: Option<String>| text.and_then(|t| ProcessId::parse(&t));
    Ok(Job {
        number: row.get(0)?,
        owner: process(row.get(1)?),
        created_at: row.get(2)?,
        process: process(row.get(3)?),
        kill_at: row.get::<_, Option<i64>>(4)?.map(timestamp),
        ended_at: row.get::<_, Option<i64>>(5)?.map(timestamp),
        exit: row.get(6)?,
        reason: row.get(7)?,
    })
}

/// Jobs that have not ended.
pub(crate) fn live(db: &Connection) -> Result<Vec<Job>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE ended_at IS NULL ORDER BY id");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], job)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every job that is still kept.
pub(crate) fn all(db: &Connection) -> Result<Vec<Job>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM jobs ORDER BY id");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], job)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn one(db: &Connection, number: i64) -> Result<Option<Job>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([number], job).optional()?)
}

/// New starting jobs, at most `count` and at most until `live_max` are live; their numbers.
pub(crate) fn create(
    tx: &Transaction<'_>,
    count: u32,
    live_max: u32,
    now: Timestamp,
) -> Result<Vec<i64>, Fault> {
    let live: u32 = tx.query_row("SELECT count(*) FROM jobs WHERE ended_at IS NULL", [], |r| {
        r.get(0)
    })?;
    let mut numbers = Vec::new();
    for _ in 0..count.min(live_max.saturating_sub(live)) {
        let values = params![ProcessId::own().to_string(), ms(now)];
        tx.execute("INSERT INTO jobs (owner, created_at) VALUES (?1, ?2)", values)?;
        numbers.push(tx.last_insert_rowid());
    }
    Ok(numbers)
}

/// Notes which process a job is, and who looks after it.
pub(crate) fn set_process(db: &Connection, number: i64, process: Option<&ProcessId>) -> Result<(), Fault> {
    let sql = "UPDATE jobs SET process = coalesce(?2, process), owner = ?3 WHERE id = ?1";
    let values = params![
        number,
        process.map(ToString::to_string),
        ProcessId::own().to_string()
    ];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Notes that a live job is to end; the first reason stays.
pub(crate) fn set_ending(
    db: &Connection,
    number: i64,
    kill_at: Timestamp,
    reason: &str,
) -> Result<(), Fault> {
    let sql = "UPDATE jobs SET kill_at = ?2, reason = coalesce(reason, ?3)
               WHERE id = ?1 AND ended_at IS NULL AND kill_at IS NULL";
    db.prepare_cached(sql)?
        .execute(params![number, ms(kill_at), reason])?;
    Ok(())
}

/// How a job ended.
pub(crate) struct JobEnd {
    pub(crate) at: Timestamp,
    /// Exit code, where there is one.
    pub(crate) exit: Option<i32>,
    /// In words, after the reason for which it was asked to end.
    pub(crate) how: String,
}

/// Notes that a job has ended. Who saw its exit code may come after who only saw that it is gone.
pub(crate) fn set_ended(db: &Connection, number: i64, ending: &JobEnd) -> Result<(), Fault> {
    let sql = "UPDATE jobs SET ended_at = coalesce(ended_at, ?2), exit = coalesce(?3, exit),
                 reason = CASE WHEN ended_at IS NOT NULL THEN reason
                               WHEN reason IS NULL THEN ?4 ELSE reason || '; ' || ?4 END
               WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![number, ms(ending.at), ending.exit, ending.how])?;
    Ok(())
}

/// Forgets all but the last `kept_max` ended jobs; the numbers of the forgotten.
pub(crate) fn forget_old(tx: &Transaction<'_>, kept_max: u32) -> Result<Vec<i64>, Fault> {
    let sql = "DELETE FROM jobs WHERE ended_at IS NOT NULL AND id NOT IN (
                 SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT ?1) RETURNING id";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([kept_max], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
