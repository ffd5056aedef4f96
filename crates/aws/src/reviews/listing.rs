//! Pages of open tasks, and counts.
//!
//! A page takes the first keys behind its cursor from each partition of the index, merges them, and reads the tasks of
//! the first ones by key, consistently. The cursor is a sort key, so it holds for all partitions, and a page costs the
//! same wherever it begins.

use super::{DynamoReviews, SHARDS, task_key, task_order, task_shard};
use crate::batch_get::{GET_MAX, batch_get};
use crate::fault::port_error;
use crate::records::item::{Item, text, text_of};
use crate::records::table::BY_REVIEW;
use aws_sdk_dynamodb::types::Select;
use std::collections::HashMap;
use walkaround_domain::{InspectionId, ReviewTask, TaskReason, TaskState};
use walkaround_ports::{PortCall, PortError, PortErrorKind, TASKS_COUNTED_MAX, TaskCount, TaskPage};

/// Most queries to count one partition: far more keys than are counted.
const COUNT_QUERIES_MAX: usize = 10;

const AT: PortCall = PortCall::new("reviews", "open_tasks");

impl DynamoReviews {
    pub(super) async fn page(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        let after = after.map(parse_cursor).transpose()?;
        let mut orders = Vec::new();
        for partition in partitions(reason) {
            orders.extend(self.orders(&partition, after, max + 1).await?);
        }
        orders.sort_unstable();
        let more = orders.len() > max;
        orders.truncate(max);
        let mut tasks = Vec::with_capacity(orders.len());
        for some in orders.chunks(GET_MAX) {
            tasks.extend(self.tasks(some).await?);
        }
        // The index lags behind.
        tasks.retain(|task| task.state != TaskState::Done && reason.is_none_or(|r| task.reason == r));
        Ok(TaskPage {
            tasks,
            next: orders.pop().filter(|_| more),
        })
    }

    /// At most `limit` sort keys of a partition behind a cursor.
    async fn orders(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, PortError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_REVIEW.name)
            .key_condition_expression("#partition = :partition AND #order > :after")
            .expression_attribute_names("#partition", BY_REVIEW.key.partition)
            .expression_attribute_names("#order", BY_REVIEW.key.sort)
            .expression_attribute_values(":partition", text(partition))
            // Before every sort key: a key cannot be compared with an empty text.
            .expression_attribute_values(":after", text(after.unwrap_or(" ")))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|e| port_error(AT, &self.what(), &e))?;
        let order = |item: &Item| text_of(item, BY_REVIEW.key.sort).map(str::to_owned);
        Ok(answer.items().iter().filter_map(order).collect())
    }

    /// The tasks of at most [`GET_MAX`] sort keys, in their order, without those that have another place now.
    async fn tasks(&self, orders: &[String]) -> Result<Vec<ReviewTask>, PortError> {
        let keys: Vec<Item> = orders.iter().map(|order| task_key(id_of(order))).collect();
        let mut found = HashMap::new();
        for item in batch_get(&self.client, &self.table, AT, keys).await? {
            let task = self.task_of(AT, &item)?.task;
            found.insert(task_order(&task), task);
        }
        Ok(orders.iter().filter_map(|order| found.remove(order)).collect())
    }

    pub(super) async fn counts(&self) -> Result<Vec<TaskCount>, PortError> {
        let mut counts = Vec::new();
        for reason in TaskReason::ALL {
            let mut tasks = 0;
            for partition in partitions(Some(reason)) {
                tasks += self.count(&partition).await?;
            }
            if tasks > 0 {
                counts.push(TaskCount {
                    reason,
                    tasks: tasks.min(TASKS_COUNTED_MAX),
                    more: tasks > TASKS_COUNTED_MAX,
                });
            }
        }
        Ok(counts)
    }

    /// Keys of a partition; it stops counting above [`TASKS_COUNTED_MAX`].
    async fn count(&self, partition: &str) -> Result<u64, PortError> {
        let at = PortCall::new("reviews", "task_counts");
        let (mut count, mut from) = (0, None);
        for _ in 0..COUNT_QUERIES_MAX {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_REVIEW.name)
                .key_condition_expression("#partition = :partition")
                .expression_attribute_names("#partition", BY_REVIEW.key.partition)
                .expression_attribute_values(":partition", text(partition))
                .select(Select::Count)
                .set_exclusive_start_key(from);
            let answer = query.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
            count += u64::try_from(answer.count()).unwrap_or(0);
            from = answer.last_evaluated_key;
            if from.is_none() || count > TASKS_COUNTED_MAX {
                break;
            }
        }
        Ok(count)
    }
}

fn partitions(reason: Option<TaskReason>) -> Vec<String> {
    let reasons = TaskReason::ALL
        .into_iter()
        .filter(|r| reason.is_none_or(|wanted| wanted == *r));
    reasons
        .flat_map(|reason| (0..SHARDS).map(move |shard| task_shard(reason, shard)))
        .collect()
}

/// A cursor comes back from outside: what is none must not become a key.
fn parse_cursor(token: &str) -> Result<&str, PortError> {
    let mut parts = token.splitn(3, '#');
    let mut digits = |count| {
        let part = parts.next()?;
        (part.len() == count && part.bytes().all(|b| b.is_ascii_digit())).then_some(())
    };
    let place = digits(1).and_then(|()| digits(13));
    let id = parts.next().filter(|id| InspectionId::new(*id).is_ok());
    match (place, id) {
        (Some(()), Some(_)) => Ok(token),
        _ => Err(AT.error(PortErrorKind::Invalid, "not a token of an earlier page")),
    }
}

/// The id at the end of a sort key. Ids have no `#`.
fn id_of(order: &str) -> &str {
    order.rsplit('#').next().unwrap_or(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::Timestamp;

    #[test]
    fn a_cursor_is_the_place_of_a_task() {
        let id = InspectionId::new("i-1").expect("an id");
        let task = ReviewTask::open(id, TaskReason::Audit, Timestamp(1_795_305_600_123));
        let order = task_order(&task);
        assert_eq!(order, "8#1795305600123#i-1");
        assert_eq!(parse_cursor(&order).ok(), Some(order.as_str()));
        assert_eq!(id_of(&order), "i-1");
    }

    #[test]
    fn a_token_from_nowhere_is_invalid() {
        for token in [
            "",
            "7",
            "8#1#i-1",
            "8#1795305600123#",
            "x#1795305600123#i-1",
            "8#1795305600123#a#b",
        ] {
            let kind = parse_cursor(token).map_err(|e| e.kind);
            assert_eq!(kind, Err(PortErrorKind::Invalid), "`{token}`");
        }
    }
}
