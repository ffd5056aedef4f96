//! The review task of a result: written before the record is final, so that no final record is without it.

use super::Settler;
use walkaround_domain::review::{IfDone, ReviewSubject};
use walkaround_domain::{Drawn, Inspection, Outcome, ReviewPolicy, Verdict};
use walkaround_ports::PortError;

impl Settler {
    /// Writes the task of a result, if the policy wants a person to see it. A task that is there takes new reasons; one
    /// that is done stays so. The draw goes on the record, where nothing that is asked for later changes it. What a later request adds to the inspection does not count: the result is final then.
    pub(super) async fn put_task(
        &self,
        inspection: &Inspection,
        verdict: Verdict,
        outcome: &Outcome,
        policy: &ReviewPolicy,
    ) -> Result<Option<Drawn>, PortError> {
        let subject = ReviewSubject {
            request: &inspection.request,
            verdict,
            outcome,
            round: inspection.history.reopened,
        };
        let now = self.clock.now();
        let Some(task) = policy.task(&subject, now) else {
            return Ok(None);
        };
        self.reviews.put_task(&task, IfDone::Keep, now).await?;
        Ok(Some(Drawn {
            inclusion: task.inclusion,
            reason: task.reason,
        }))
    }
}
