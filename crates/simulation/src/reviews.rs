//! Reviews of a world, with the faults of each process.

use crate::context::Context;
use crate::faulty::Faulty;
use crate::injected_fault::InjectedFault;
use crate::trace::CoverageEvent;
use async_trait::async_trait;
use std::sync::Arc;
use walkaround_conformance::MemoryReviews;
use walkaround_domain::review::{IfDone, TaskEvent};
use walkaround_domain::{InspectionId, Review, ReviewTask, TaskReason, Timestamp};
use walkaround_ports::{AppendOutcome, PortError, Reviews, StepOutcome, TaskCount, TaskPage, TaskPut};

/// Share of the tasks that the injected fault loses.
const LOST_SHARE: f64 = 0.3;

/// Reviews that report their effects.
pub(crate) struct SimReviews {
    context: Arc<Context>,
    memory: MemoryReviews,
}

impl SimReviews {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            memory: MemoryReviews::default(),
        }
    }
}

#[async_trait]
impl Reviews for SimReviews {
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError> {
        let context = &self.context;
        if context.plant == Some(InjectedFault::DecisionLost) && context.chance(LOST_SHARE) {
            return Ok(AppendOutcome::Appended);
        }
        self.memory.append(review).await
    }

    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError> {
        self.memory.history(inspection).await
    }

    async fn put_task(
        &self,
        task: &ReviewTask,
        if_done: IfDone,
        now: Timestamp,
    ) -> Result<TaskPut, PortError> {
        let context = &self.context;
        if context.plant == Some(InjectedFault::TaskLost) && context.chance(LOST_SHARE) {
            return Ok(TaskPut::Created);
        }
        context.count(CoverageEvent::TaskPut);
        let put = self.memory.put_task(task, if_done, now).await?;
        let stored = match &put {
            TaskPut::Created => task,
            TaskPut::Merged(stored) | TaskPut::Unchanged(stored) => stored,
        };
        context.facts().store_task(stored.clone());
        Ok(put)
    }

    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        self.memory.task(inspection).await
    }

    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError> {
        self.memory.step_task(inspection, event, now).await
    }

    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        self.memory.open_tasks(reason, after, max).await
    }

    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError> {
        self.memory.task_counts().await
    }
}

/// They are in the same store as the records, and away with it.
#[async_trait]
impl Reviews for Faulty<dyn Reviews> {
    async fn append(&self, review: &Review) -> Result<AppendOutcome, PortError> {
        let append = self.port.append(review);
        self.process
            .call("records", "append", &review.inspection, append)
            .await
    }

    async fn history(&self, inspection: &InspectionId) -> Result<Vec<Review>, PortError> {
        let history = self.port.history(inspection);
        self.process.call("records", "history", inspection, history).await
    }

    async fn put_task(
        &self,
        task: &ReviewTask,
        if_done: IfDone,
        now: Timestamp,
    ) -> Result<TaskPut, PortError> {
        let put = self.port.put_task(task, if_done, now);
        self.process
            .call("records", "put_task", &task.inspection, put)
            .await
    }

    async fn task(&self, inspection: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        let task = self.port.task(inspection);
        self.process.call("records", "task", inspection, task).await
    }

    async fn step_task(
        &self,
        inspection: &InspectionId,
        event: &TaskEvent,
        now: Timestamp,
    ) -> Result<StepOutcome, PortError> {
        let step = self.port.step_task(inspection, event, now);
        self.process.call("records", "step_task", inspection, step).await
    }

    async fn open_tasks(
        &self,
        reason: Option<TaskReason>,
        after: Option<&str>,
        max: usize,
    ) -> Result<TaskPage, PortError> {
        let page = self.port.open_tasks(reason, after, max);
        self.process.call("records", "open_tasks", "", page).await
    }

    async fn task_counts(&self) -> Result<Vec<TaskCount>, PortError> {
        self.process
            .call("records", "task_counts", "", self.port.task_counts())
            .await
    }
}
