//! Claims: a task is one reviewer's for a while.

use super::{ReviewError, ReviewService, report_digest};
use std::time::Duration;
use walkaround_domain::review::{TaskEvent, TaskRefusal};
use walkaround_domain::{InspectionId, ReviewTask, Reviewer, TaskReason, TaskState};
use walkaround_ports::{PortError, StepOutcome, TASKS_PAGE_MAX};

/// How long a claim lasts unless it is extended.
pub const CLAIM_LEASE: Duration = Duration::from_secs(10 * 60);
/// A task whose inspection has no record after so long is of a record that was pruned: a queue keeps a message for four days.
const RECORD_COMES_WITHIN: Duration = Duration::from_secs(5 * 24 * 3600);
/// Most pages, of [`TASKS_PAGE_MAX`] tasks each, that are searched for the next one.
const SEARCH_PAGES_MAX: usize = 10;

/// What a task has to be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskSearch {
    /// Its most pressing reason.
    pub reason: Option<TaskReason>,
    /// The vehicle.
    pub vehicle_id: Option<String>,
    /// A class of its findings.
    pub class: Option<String>,
    /// Ids of inspections that are not wanted now.
    pub skip: Vec<String>,
}

impl TaskSearch {
    /// Whether a task is about that. Its reason is the port's part: [`Reviews::open_tasks`](walkaround_ports::Reviews::open_tasks).
    pub fn fits(&self, task: &ReviewTask) -> bool {
        let vehicle = self.vehicle_id.is_none() || self.vehicle_id == task.vehicle_id;
        let class = self
            .class
            .as_ref()
            .is_none_or(|class| task.classes.contains(class));
        vehicle && class && !self.skip.iter().any(|id| id == task.inspection.as_str())
    }
}

/// The outcome of a claim, an extension or a release.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// The task is this now.
    Task(ReviewTask),
    /// The task does not allow it; who has it, if somebody has.
    Refused(TaskRefusal),
    /// There is no task of this inspection.
    Missing,
}

impl ReviewService {
    /// Claims the task of an inspection for [`CLAIM_LEASE`].
    ///
    /// # Errors
    /// [`PortError`]; the claim may have been made.
    pub async fn claim(&self, id: &InspectionId, by: &Reviewer) -> Result<ClaimOutcome, PortError> {
        let claim = TaskEvent::Claim {
            by: by.clone(),
            until: self.clock.now() + CLAIM_LEASE,
        };
        match self.step(id, &claim).await? {
            // A decision whose process died before its event was out.
            ClaimOutcome::Task(task) => Ok(match self.settle(id).await? {
                Some(settled) if settled.state == TaskState::Done => ClaimOutcome::Refused(TaskRefusal::Done),
                settled => ClaimOutcome::Task(settled.unwrap_or(task)),
            }),
            other => Ok(other),
        }
    }

    /// Claims the first task that is wanted and that this reviewer may be offered; none when there is none among the first
    /// 2,000. A task without anything to decide is closed on the way.
    ///
    /// # Errors
    /// [`ReviewError::Port`].
    pub async fn claim_next(
        &self,
        by: &Reviewer,
        search: &TaskSearch,
    ) -> Result<Option<ReviewTask>, ReviewError> {
        let mut after: Option<String> = None;
        for _ in 0..SEARCH_PAGES_MAX {
            let page = self
                .reviews
                .open_tasks(search.reason, after.as_deref(), TASKS_PAGE_MAX)
                .await?;
            let now = self.clock.now();
            let wanted = |task: &&ReviewTask| search.fits(task) && task.is_claimable(by, now);
            for task in page.tasks.iter().filter(wanted) {
                if let Some(task) = self.try_claim(&task.inspection, by).await? {
                    return Ok(Some(task));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Gives a claimed task back.
    ///
    /// # Errors
    /// [`PortError`]; the claim ends by itself.
    pub async fn release(&self, id: &InspectionId, by: &Reviewer) -> Result<ClaimOutcome, PortError> {
        self.step(id, &TaskEvent::Release { by: by.clone() }).await
    }

    /// Keeps a claimed task for another [`CLAIM_LEASE`].
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn extend(&self, id: &InspectionId, by: &Reviewer) -> Result<ClaimOutcome, PortError> {
        let extend = TaskEvent::Extend {
            by: by.clone(),
            until: self.clock.now() + CLAIM_LEASE,
        };
        self.step(id, &extend).await
    }

    async fn step(&self, id: &InspectionId, event: &TaskEvent) -> Result<ClaimOutcome, PortError> {
        Ok(match self.reviews.step_task(id, event, self.clock.now()).await? {
            StepOutcome::Stepped(task) => ClaimOutcome::Task(task),
            StepOutcome::Refused(refusal) => ClaimOutcome::Refused(refusal),
            StepOutcome::Missing => ClaimOutcome::Missing,
        })
    }

    /// The task, if it was claimed and there is something to decide.
    async fn try_claim(&self, id: &InspectionId, by: &Reviewer) -> Result<Option<ReviewTask>, ReviewError> {
        // Somebody else may have been faster.
        let ClaimOutcome::Task(task) = self.claim(id, by).await? else {
            return Ok(None);
        };
        let held = matches!(&task.state, TaskState::Claimed { by: holder, .. } if holder == by);
        match self.store.read(id).await? {
            Some(entry) if report_digest(&entry.inspection).is_some() => Ok(Some(task).filter(|_| held)),
            // Its task is written before it is final: the claim keeps it from being offered again for a while.
            Some(entry) if !entry.inspection.phase.is_final() => Ok(None),
            // Most photos have no record before it is final: this one's may still come, for as long as its message lives.
            None if self.clock.now().since(task.created_at) < RECORD_COMES_WITHIN => Ok(None),
            Some(_) | None => {
                self.step(id, &TaskEvent::Close).await?;
                Ok(None)
            }
        }
    }
}
