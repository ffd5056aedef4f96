//! Reviews and review tasks in the table of the records.
//!
//! A review is an item under the inspection's key, written if there is none; that the revision before it exists is read
//! first, and stays true: reviews are never removed but with their record. A task is one item, changed by reading it,
//! making the pure step, and putting it on condition that nobody wrote in between.

mod listing;

use crate::fault::port_error;
use crate::records::item::{Item, expiry, key, nonce, text, text_of};
use crate::records::refused;
use crate::records::stored::{record_key, shard_of};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::time::Duration;
use walkaround_domain::review::{IfDone, PRIORITY_MAX, REVISIONS_MAX, TaskChange, TaskEvent};
use walkaround_domain::{InspectionId, Review, ReviewTask, TaskReason, TaskState, Timestamp};
use walkaround_messages::{parse_review, parse_task, review_body, task_body};
use walkaround_ports::{
    AppendOutcome, PortCall, PortError, PortErrorKind, Reviews, StepOutcome, TASKS_PAGE_MAX, TaskCount,
    TaskPage, TaskPut,
};

/// Sort key of the task of an inspection.
const TASK: &str = "T";
/// What sort keys of reviews begin with.
const REVIEW: &str = "V#";
/// Longest review in bytes: DynamoDB takes 400 KB an item, keys and names included.
const REVIEW_BYTES_MAX: usize = 350 * 1024;
/// Lost races after which a change of a task gives up.
const RACES_MAX: usize = 16;
/// Most queries for the reviews of one inspection, 1 MB each: the longest history.
const HISTORY_QUERIES_MAX: usize = 400;
/// Parts of the open tasks of a reason: one takes 1,000 writes a second.
const SHARDS: u64 = 2;

/// Reviews in a DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoReviews {
    client: Client,
    table: String,
    keep_for: Option<Duration>,
}

/// A task and the token of the write that left it.
struct StoredTask {
    task: ReviewTask,
    token: String,
}

impl DynamoReviews {
    /// Reviews in `table`, kept for ever.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
            keep_for: None,
        }
    }

    /// The same, where reviews and tasks go this long after they were last written (DynamoDB takes up to two days more).
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

    fn with_expiry(&self, item: &mut Item, now: Timestamp) {
        if let Some(keep_for) = self.keep_for {
            item.insert("expires_at".to_owned(), expiry(now, keep_for));
        }
    }

    async fn get(&self, at: PortCall, key: Item) -> Result<Option<Item>, PortError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true);
        let answer = get.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
        Ok(answer.item.filter(|item| !item.is_empty()))
    }

    async fn stored_task(&self, at: PortCall, id: &InspectionId) -> Result<Option<StoredTask>, PortError> {
        let item = self.get(at, task_key(id.as_str())).await?;
        item.map(|item| self.task_of(at, &item)).transpose()
    }

    fn task_of(&self, at: PortCall, item: &Item) -> Result<StoredTask, PortError> {
        let body = text_of(item, "body").ok_or_else(|| self.corrupt(at, "a task without a body"))?;
        let task = parse_task(body).map_err(|e| self.corrupt(at, &format!("a stored task: {e}")))?;
        let token = text_of(item, "write_token").unwrap_or_default().to_owned();
        Ok(StoredTask { task, token })
    }

    /// Writes a task where `seen` stands, or nothing; what stands there instead otherwise.
    async fn write_task(
        &self,
        at: PortCall,
        task: &ReviewTask,
        seen: Option<&StoredTask>,
        now: Timestamp,
    ) -> Result<TaskWrite, PortError> {
        let token = nonce();
        let mut item = task_item(task, &token);
        self.with_expiry(&mut item, now);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(seen) => put
                .condition_expression("write_token = :seen")
                .expression_attribute_values(":seen", text(&seen.token)),
        };
        let Err(error) = put.send().await else {
            return Ok(TaskWrite::Committed);
        };
        match refused(&error) {
            None => Err(port_error(at, &self.what(), &error)),
            // The call was sent again after an answer that never came, and meets its own item.
            Some(standing) if text_of(&standing, "write_token") == Some(&token) => Ok(TaskWrite::Committed),
            Some(standing) if standing.is_empty() => Ok(TaskWrite::Conflict(None)),
            Some(standing) => {
                let standing = self.task_of(at, &standing)?;
                Ok(TaskWrite::Conflict(Some(Box::new(standing))))
            }
        }
    }

    fn races(&self, at: PortCall) -> PortError {
        let detail = format!("{}: lost {RACES_MAX} races for one task", self.what());
        at.error(PortErrorKind::Unavailable, detail)
    }

    /// What has this revision, or else the last one before it.
    async fn last_up_to(
        &self,
        at: PortCall,
        id: &InspectionId,
        revision: u32,
    ) -> Result<Option<Review>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(format!("I#{id}")))
            .expression_attribute_values(":first", text(REVIEW))
            .expression_attribute_values(":last", text(review_sort(revision)))
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true);
        let answer = query.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
        answer
            .items()
            .first()
            .map(|item| self.review_of(at, item))
            .transpose()
    }

    fn review_of(&self, at: PortCall, item: &Item) -> Result<Review, PortError> {
        let body = text_of(item, "body").ok_or_else(|| self.corrupt(at, "a review without a body"))?;
        parse_review(body).map_err(|e| self.corrupt(at, &format!("a stored review: {e}")))
    }

    /// The item of a review, to be written.
    fn review_item(&self, at: PortCall, review: &Review, token: &str) -> Result<Item, PortError> {
        if !(1..=REVISIONS_MAX).contains(&review.revision) {
            let detail = format!("revision {}, expected 1 to {REVISIONS_MAX}", review.revision);
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let body = review_body(review);
        if body.len() > REVIEW_BYTES_MAX {
            let detail = format!("a review of {} bytes, at most {REVIEW_BYTES_MAX}", body.len());
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let mut item = key(format!("I#{}", review.inspection), review_sort(review.revision));
        item.insert("body".to_owned(), text(body));
        item.insert("write_token".to_owned(), text(token));
        self.with_expiry(&mut item, review.at);
        Ok(item)
    }
}

/// The outcome of a conditional write of a task.
enum TaskWrite {
    Committed,
    Conflict(Option<Box<StoredTask>>),
}

#[async_trait]
impl Reviews for DynamoReviews {
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError> {
        let at = PortCall::new("reviews", "append");
        let token = nonce();
        let item = self.review_item(at, review, &token)?;
        let last = self.last_up_to(at, &review.inspection, review.revision).await?;
        if last.as_ref().map_or(0, |r| r.revision) + 1 != review.revision {
            return Ok(AppendOutcome::Conflict(last));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(AppendOutcome::Appended);
        };
        match refused(&error) {
            None => Err(port_error(at, &self.what(), &error)),
            Some(standing) if text_of(&standing, "write_token") == Some(&token) => {
                Ok(AppendOutcome::Appended)
            }
            Some(standing) => {
                let stored = self.review_of(at, &standing)?;
                Ok(AppendOutcome::Conflict(Some(stored)))
            }
        }
    }

    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError> {
        let at = PortCall::new("reviews", "history");
        let (mut reviews, mut from) = (Vec::new(), None);
        for _ in 0..HISTORY_QUERIES_MAX {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :review)")
                .expression_attribute_values(":pk", text(format!("I#{inspection}")))
                .expression_attribute_values(":review", text(REVIEW))
                .consistent_read(true)
                .set_exclusive_start_key(from);
            let answer = query.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
            for item in answer.items() {
                reviews.push(self.review_of(at, item)?);
            }
            from = answer.last_evaluated_key;
            if from.is_none() {
                return Ok(reviews);
            }
        }
        let detail = format!("{}: more than {HISTORY_QUERIES_MAX} MB of reviews", self.what());
        Err(at.error(PortErrorKind::TooLarge, detail))
    }

    async fn put_task(
        &self,
        task: &ReviewTask,
        if_done: IfDone,
        now: Timestamp,
    ) -> Result<TaskPut, PortError> {
        let at = PortCall::new("reviews", "put_task");
        let mut stored = self.stored_task(at, &task.inspection).await?;
        for _ in 0..RACES_MAX {
            let (next, outcome) = match &stored {
                None => (task.clone(), TaskPut::Created),
                Some(seen) => match seen.task.merge(task, if_done) {
                    TaskChange::Unchanged => return Ok(TaskPut::Unchanged(seen.task.clone())),
                    TaskChange::Changed(next) => (next.clone(), TaskPut::Merged(next)),
                },
            };
            match self.write_task(at, &next, stored.as_ref(), now).await? {
                TaskWrite::Committed => return Ok(outcome),
                TaskWrite::Conflict(standing) => stored = standing.map(|standing| *standing),
            }
        }
        Err(self.races(at))
    }

    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        let stored = self
            .stored_task(PortCall::new("reviews", "task"), inspection)
            .await?;
        Ok(stored.map(|stored| stored.task))
    }

    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError> {
        let at = PortCall::new("reviews", "step_task");
        let mut stored = self.stored_task(at, inspection).await?;
        for _ in 0..RACES_MAX {
            let Some(seen) = stored else {
                return Ok(StepOutcome::Missing);
            };
            let next = match seen.task.step(event, now) {
                Err(refusal) => return Ok(StepOutcome::Refused(refusal)),
                Ok(TaskChange::Unchanged) => return Ok(StepOutcome::Stepped(seen.task)),
                Ok(TaskChange::Changed(next)) => next,
            };
            match self.write_task(at, &next, Some(&seen), now).await? {
                TaskWrite::Committed => return Ok(StepOutcome::Stepped(next)),
                TaskWrite::Conflict(standing) => stored = standing.map(|standing| *standing),
            }
        }
        Err(self.races(at))
    }

    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        if !(1..=TASKS_PAGE_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {TASKS_PAGE_MAX}");
            return Err(PortCall::new("reviews", "open_tasks").error(PortErrorKind::Invalid, detail));
        }
        self.page(reason, after, max).await
    }

    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError> {
        self.counts().await
    }
}

fn task_key(id: &str) -> Item {
    let mut item = record_key(id);
    item.insert("sk".to_owned(), text(TASK));
    item
}

/// Sort key of a review: revisions sort as texts.
fn review_sort(revision: u32) -> String {
    format!("{REVIEW}{revision:06}")
}

/// The item of a task. One that is done is in no index.
fn task_item(task: &ReviewTask, token: &str) -> Item {
    let mut item = task_key(task.inspection.as_str());
    item.insert("body".to_owned(), text(task_body(task)));
    item.insert("write_token".to_owned(), text(token));
    if task.state != TaskState::Done {
        let shard = shard_of(task.inspection.as_str()) % SHARDS;
        item.insert("review_shard".to_owned(), text(task_shard(task.reason, shard)));
        item.insert("review_order".to_owned(), text(task_order(task)));
    }
    item
}

/// Partition of the index of open tasks.
fn task_shard(reason: TaskReason, shard: u64) -> String {
    format!("{reason}#{shard}")
}

/// Sort key of the index of open tasks: priority, then age, then id.
fn task_order(task: &ReviewTask) -> String {
    let rank = PRIORITY_MAX.saturating_sub(task.priority);
    format!("{rank}#{:013}#{}", task.created_at.0, task.inspection)
}
