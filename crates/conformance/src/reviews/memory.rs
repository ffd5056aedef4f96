//! Reviews in memory, for tests of what uses them. They pass the suite, as every adapter does.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use walkaround_domain::review::{IfDone, PRIORITY_MAX, REVISIONS_MAX, ReviewLog, TaskChange, TaskEvent};
use walkaround_domain::{InspectionId, Review, ReviewTask, TaskReason, TaskState, Timestamp};
use walkaround_ports::{
    AppendOutcome, PortCall, PortError, PortErrorKind, Reviews, StepOutcome, TASKS_COUNTED_MAX,
    TASKS_PAGE_MAX, TaskCount, TaskPage, TaskPut,
};

/// Reviews in memory.
#[derive(Debug, Default)]
pub struct MemoryReviews(Mutex<Stored>);

#[derive(Debug, Default)]
struct Stored {
    reviews: BTreeMap<InspectionId, ReviewLog>,
    tasks: BTreeMap<InspectionId, ReviewTask>,
}

impl MemoryReviews {
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every task, those that are done too, by inspection.
    pub fn tasks(&self) -> Vec<ReviewTask> {
        self.stored().tasks.values().cloned().collect()
    }

    /// Every review, by inspection and revision.
    pub fn reviews(&self) -> Vec<Review> {
        let stored = self.stored();
        stored
            .reviews
            .values()
            .flat_map(ReviewLog::reviews)
            .cloned()
            .collect()
    }
}

/// The place of a task in a list.
fn place(task: &ReviewTask) -> (u8, u64, String) {
    let rank = PRIORITY_MAX.saturating_sub(task.priority);
    (rank, task.created_at.0, task.inspection.to_string())
}

fn parse_place(token: &str) -> Option<(u8, u64, String)> {
    let mut parts = token.splitn(3, ' ');
    let place = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let id = InspectionId::new(parts.next()?).ok()?;
    Some((place.0, place.1, id.to_string()))
}

#[async_trait]
impl Reviews for MemoryReviews {
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError> {
        if !(1..=REVISIONS_MAX).contains(&review.revision) {
            let detail = format!("revision {}, expected 1 to {REVISIONS_MAX}", review.revision);
            return Err(PortCall::new("reviews", "append").error(PortErrorKind::Invalid, detail));
        }
        let mut stored = self.stored();
        let log = stored.reviews.entry(review.inspection.clone()).or_default();
        let appended = log.append(review.clone());
        let up_to = |r: &&Review| r.revision <= review.revision;
        Ok(match appended {
            Ok(()) => AppendOutcome::Appended,
            Err(_) => AppendOutcome::Conflict(log.reviews().iter().rev().find(up_to).cloned()),
        })
    }

    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError> {
        let stored = self.stored();
        let log = stored.reviews.get(inspection);
        Ok(log.map(|log| log.reviews().to_vec()).unwrap_or_default())
    }

    async fn put_task(&self, task: &ReviewTask, if_done: IfDone, _: Timestamp) -> Result<TaskPut, PortError> {
        let mut stored = self.stored();
        let Some(standing) = stored.tasks.get(&task.inspection).cloned() else {
            stored.tasks.insert(task.inspection.clone(), task.clone());
            return Ok(TaskPut::Created);
        };
        Ok(match standing.merge(task, if_done) {
            TaskChange::Unchanged => TaskPut::Unchanged(standing),
            TaskChange::Changed(next) => {
                stored.tasks.insert(task.inspection.clone(), next.clone());
                TaskPut::Merged(next)
            }
        })
    }

    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        Ok(self.stored().tasks.get(inspection).cloned())
    }

    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError> {
        let mut stored = self.stored();
        let Some(standing) = stored.tasks.get(inspection).cloned() else {
            return Ok(StepOutcome::Missing);
        };
        Ok(match standing.step(event, now) {
            Err(refusal) => StepOutcome::Refused(refusal),
            Ok(TaskChange::Unchanged) => StepOutcome::Stepped(standing),
            Ok(TaskChange::Changed(next)) => {
                stored.tasks.insert(inspection.clone(), next.clone());
                StepOutcome::Stepped(next)
            }
        })
    }

    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        let invalid = |detail: &str| {
            PortCall::new("reviews", "open_tasks").error(PortErrorKind::Invalid, detail.to_owned())
        };
        if !(1..=TASKS_PAGE_MAX).contains(&max) {
            return Err(invalid("a page out of bounds"));
        }
        let after = after
            .map(|token| parse_place(token).ok_or_else(|| invalid("not a token of an earlier page")))
            .transpose()?;
        let mut tasks = self.tasks();
        tasks.retain(|task| {
            let wanted = task.state != TaskState::Done && reason.is_none_or(|r| r == task.reason);
            wanted && after.as_ref().is_none_or(|after| place(task) > *after)
        });
        tasks.sort_by_key(place);
        let more = tasks.len() > max;
        tasks.truncate(max);
        let next = tasks.last().filter(|_| more).map(|task| {
            let (rank, created_at, id) = place(task);
            format!("{rank} {created_at} {id}")
        });
        Ok(TaskPage { tasks, next })
    }

    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError> {
        let tasks = self.tasks();
        let open = |reason| {
            tasks
                .iter()
                .filter(move |t| t.state != TaskState::Done && t.reason == reason)
        };
        let counts = TaskReason::ALL.map(|reason| {
            let tasks = open(reason).count() as u64;
            TaskCount {
                reason,
                tasks: tasks.min(TASKS_COUNTED_MAX),
                more: tasks > TASKS_COUNTED_MAX,
            }
        });
        Ok(counts.into_iter().filter(|count| count.tasks > 0).collect())
    }
}
