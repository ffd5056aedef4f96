//! What people decide about inspections, and which inspections wait for them.
//!
//! Reviews are appended under a revision; tasks are changed by the pure steps of [`ReviewTask`], which an adapter makes
//! atomic.

use crate::error::PortError;
use async_trait::async_trait;
use walkaround_domain::review::{IfDone, TaskEvent, TaskRefusal};
use walkaround_domain::{InspectionId, Review, ReviewTask, TaskReason, Timestamp};

/// Most tasks of one page.
pub const TASKS_PAGE_MAX: usize = 200;
/// Open tasks of one reason that are counted; then there are more.
pub const TASKS_COUNTED_MAX: u64 = 10_000;

/// The outcome of appending a review.
#[derive(Debug, Clone, PartialEq)]
pub enum AppendOutcome {
    /// It is the last revision now.
    Appended,
    /// It was not appended: another revision is the last. What has the revision that was to be written, or else the last
    /// one before it; none when there is no review.
    Conflict(Option<Review>),
}

/// The outcome of putting a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskPut {
    /// There was none.
    Created,
    /// The stored one was changed to this: reasons were added, or it was opened again.
    Merged(ReviewTask),
    /// The stored one stays as it is: this.
    Unchanged(ReviewTask),
}

/// The outcome of a step of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// The task is this now; perhaps it was before.
    Stepped(ReviewTask),
    /// The task does not allow it, and stays as it is.
    Refused(TaskRefusal),
    /// There is no task of this inspection.
    Missing,
}

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskPage {
    /// By priority, the most urgent first, and then by age, the oldest first.
    pub tasks: Vec<ReviewTask>,
    /// Hand it in for the next page; none when this was the last.
    pub next: Option<String>,
}

/// How many tasks with one reason are not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCount {
    /// The most pressing reason of the tasks.
    pub reason: TaskReason,
    /// How many, claimed ones too, at most [`TASKS_COUNTED_MAX`].
    pub tasks: u64,
    /// There are more.
    pub more: bool,
}

/// Reviews and review tasks.
///
/// A caller may assume: of several reviewers that append the same revision one succeeds and the others see a
/// conflict; an appended review and a changed task survive every crash; `history` and `task` see every committed write;
/// the steps of one task happen one after the other. A page of tasks and the counts may lag behind the writes by about a
/// second, but each listed task is as it is stored. Reviews and the task of an inspection go with its record, about.
#[async_trait]
pub trait Reviews: Send + Sync {
    /// Appends a review if its revision is one more than the last. `Invalid` for a revision of 0 or above
    /// [`REVISIONS_MAX`](walkaround_domain::review::REVISIONS_MAX).
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError>;

    /// All reviews of an inspection, the first one first.
    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError>;

    /// Stores a task, or [merges](ReviewTask::merge) it into the stored one. To put the same task again changes nothing.
    async fn put_task(
        &self,
        task: &ReviewTask,
        if_done: IfDone,
        now: Timestamp,
    ) -> Result<TaskPut, PortError>;

    /// The task of an inspection, if it has one.
    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError>;

    /// Makes a [step](ReviewTask::step) of a task at `now`.
    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError>;

    /// At most `max` (1 to [`TASKS_PAGE_MAX`]) tasks that are not done, from where `after` ended; of one reason where it
    /// is the most pressing one, or of all. `Invalid` for a cursor that no page gave.
    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError>;

    /// How many tasks are not done, by reason, the most pressing first; reasons without a task are left out.
    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError>;
}
