//! Reviews and review tasks as rows.
//!
//! A task is kept as its document, with what it is listed by beside it. Each change is one transaction: read, the pure
//! step, write.

use crate::db::Db;
use crate::error::Fault;
use crate::open::LocalStack;
use crate::rows::{count, ms};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};
use std::sync::Arc;
use walkaround_domain::review::{IfDone, PRIORITY_MAX, REVISIONS_MAX, TaskChange, TaskEvent};
use walkaround_domain::{InspectionId, Review, ReviewTask, TaskReason, TaskState, Timestamp};
use walkaround_messages::{parse_review, parse_task, review_body, task_body};
use walkaround_ports::{
    AppendOutcome, PortCall, PortError, PortErrorKind, Reviews, StepOutcome, TASKS_COUNTED_MAX,
    TASKS_PAGE_MAX, TaskCount, TaskPage, TaskPut,
};

/// Reviews in the database.
pub(crate) struct LocalReviews {
    pub(crate) db: Arc<Db>,
}

impl LocalStack {
    /// What people decide, and what waits for them.
    pub fn reviews(&self) -> Arc<dyn Reviews> {
        Arc::new(LocalReviews {
            db: self.inner.db.clone(),
        })
    }
}

#[async_trait]
impl Reviews for LocalReviews {
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError> {
        const AT: PortCall = PortCall::new("reviews", "append");
        if !(1..=REVISIONS_MAX).contains(&review.revision) {
            let detail = format!("revision {}, expected 1 to {REVISIONS_MAX}", review.revision);
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let review = review.clone();
        self.db.write(AT, move |tx| append(tx, &review)).await
    }

    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError> {
        let id = inspection.clone();
        let sql = "SELECT body FROM reviews WHERE inspection = ?1 ORDER BY revision";
        self.db
            .read(PortCall::new("reviews", "history"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([id.as_str()], |row| row.get::<_, String>(0))?;
                rows.map(|body| read_review(&body?)).collect()
            })
            .await
    }

    async fn put_task(&self, task: &ReviewTask, if_done: IfDone, _: Timestamp) -> Result<TaskPut, PortError> {
        let task = task.clone();
        self.db
            .write(PortCall::new("reviews", "put_task"), move |tx| {
                let Some(stored) = find_task(tx, &task.inspection)? else {
                    write_task(tx, &task)?;
                    return Ok(TaskPut::Created);
                };
                match stored.merge(&task, if_done) {
                    TaskChange::Unchanged => Ok(TaskPut::Unchanged(stored)),
                    TaskChange::Changed(next) => {
                        write_task(tx, &next)?;
                        Ok(TaskPut::Merged(next))
                    }
                }
            })
            .await
    }

    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        let id = inspection.clone();
        self.db
            .read(PortCall::new("reviews", "task"), move |db| find_task(db, &id))
            .await
    }

    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError> {
        let (id, event) = (inspection.clone(), event.clone());
        self.db
            .write(PortCall::new("reviews", "step_task"), move |tx| {
                let Some(stored) = find_task(tx, &id)? else {
                    return Ok(StepOutcome::Missing);
                };
                match stored.step(&event, now) {
                    Err(refusal) => Ok(StepOutcome::Refused(refusal)),
                    Ok(TaskChange::Unchanged) => Ok(StepOutcome::Stepped(stored)),
                    Ok(TaskChange::Changed(next)) => {
                        write_task(tx, &next)?;
                        Ok(StepOutcome::Stepped(next))
                    }
                }
            })
            .await
    }

    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        const AT: PortCall = PortCall::new("reviews", "open_tasks");
        if !(1..=TASKS_PAGE_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {TASKS_PAGE_MAX}");
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let after = after.map_or(Ok(Cursor::START), |token| Cursor::parse(token, AT))?;
        self.db
            .read(AT, move |db| read_page(db, reason, &after, max))
            .await
    }

    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError> {
        let sql = "SELECT count(*) FROM
                   (SELECT 1 FROM review_tasks WHERE done = 0 AND reason = ?1 LIMIT ?2)";
        let limit = i64::try_from(TASKS_COUNTED_MAX + 1).unwrap_or(i64::MAX);
        self.db
            .read(PortCall::new("reviews", "task_counts"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let mut counts = Vec::new();
                for reason in TaskReason::ALL {
                    let tasks = statement.query_row(params![reason.as_str(), limit], |row| count(row, 0))?;
                    if tasks > 0 {
                        counts.push(TaskCount {
                            reason,
                            tasks: tasks.min(TASKS_COUNTED_MAX),
                            more: tasks > TASKS_COUNTED_MAX,
                        });
                    }
                }
                Ok(counts)
            })
            .await
    }
}

fn append(tx: &Transaction<'_>, review: &Review) -> Result<AppendOutcome, Fault> {
    let id = review.inspection.as_str();
    let sql = "SELECT revision, body FROM reviews WHERE inspection = ?1 AND revision <= ?2
               ORDER BY revision DESC LIMIT 1";
    let last = tx
        .prepare_cached(sql)?
        .query_row(params![id, review.revision], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let revision = last.as_ref().map_or(0, |(revision, _)| *revision);
    if revision + 1 != review.revision {
        let stored = last.map(|(_, body)| read_review(&body)).transpose()?;
        return Ok(AppendOutcome::Conflict(stored));
    }
    tx.prepare_cached("INSERT INTO reviews (inspection, revision, body) VALUES (?1, ?2, ?3)")?
        .execute(params![id, review.revision, review_body(review)])?;
    Ok(AppendOutcome::Appended)
}

fn read_review(body: &str) -> Result<Review, Fault> {
    parse_review(body).map_err(|e| Fault::corrupt(format!("a stored review: {e}")))
}

fn read_task(body: &str) -> Result<ReviewTask, Fault> {
    parse_task(body).map_err(|e| Fault::corrupt(format!("a stored task: {e}")))
}

fn find_task(db: &Connection, id: &InspectionId) -> Result<Option<ReviewTask>, Fault> {
    let mut statement = db.prepare_cached("SELECT body FROM review_tasks WHERE inspection = ?1")?;
    let body = statement
        .query_row([id.as_str()], |row| row.get::<_, String>(0))
        .optional()?;
    body.map(|body| read_task(&body)).transpose()
}

fn write_task(tx: &Transaction<'_>, task: &ReviewTask) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO review_tasks (inspection, done, reason, rank, created_at, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(sql)?.execute(params![
        task.inspection.as_str(),
        task.state == TaskState::Done,
        task.reason.as_str(),
        rank(task),
        ms(task.created_at),
        task_body(task)
    ])?;
    Ok(())
}

/// What tasks are sorted by first: the most urgent one has the least.
fn rank(task: &ReviewTask) -> i64 {
    i64::from(PRIORITY_MAX.saturating_sub(task.priority))
}

/// The place of a task in the list: the page goes on behind it. It stays a place when the task is done.
struct Cursor {
    rank: i64,
    created_at: i64,
    inspection: String,
}

impl Cursor {
    const START: Self = Self {
        rank: i64::MIN,
        created_at: 0,
        inspection: String::new(),
    };

    fn of(task: &ReviewTask) -> String {
        format!("{} {} {}", rank(task), ms(task.created_at), task.inspection)
    }

    fn parse(token: &str, at: PortCall) -> Result<Self, PortError> {
        let wrong = || at.error(PortErrorKind::Invalid, "not a token of an earlier page");
        let mut parts = token.splitn(3, ' ');
        let mut number = || parts.next().and_then(|p| p.parse().ok()).ok_or_else(wrong);
        let (rank, created_at) = (number()?, number()?);
        let id = parts.next().and_then(|id| InspectionId::new(id).ok());
        Ok(Self {
            rank,
            created_at,
            inspection: id.ok_or_else(wrong)?.to_string(),
        })
    }
}

fn read_page(
    db: &Connection,
    reason: Option<TaskReason>,
    after: &Cursor,
    max: usize,
) -> Result<TaskPage, Fault> {
    // All three ascend, as a row value is compared: the most urgent ones have the least rank.
    let of_reason = reason.map_or("", |_| "AND reason = ?5");
    let sql = format!(
        "SELECT body FROM review_tasks WHERE done = 0 AND (rank, created_at, inspection) > (?1, ?2, ?3) {of_reason}
         ORDER BY rank, created_at, inspection LIMIT ?4"
    );
    let limit = i64::try_from(max + 1).unwrap_or(i64::MAX);
    let word = reason.map(TaskReason::as_str);
    let mut place: Vec<&dyn ToSql> = vec![&after.rank, &after.created_at, &after.inspection, &limit];
    if let Some(word) = &word {
        place.push(word);
    }
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(place.as_slice(), |row| row.get::<_, String>(0))?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut tasks = rows
        .iter()
        .map(|body| read_task(body))
        .collect::<Result<Vec<_>, _>>()?;
    let more = tasks.len() > max;
    tasks.truncate(max);
    let next = tasks.last().filter(|_| more).map(Cursor::of);
    Ok(TaskPage { tasks, next })
}
