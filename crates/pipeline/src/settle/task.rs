//! The review task of a result: written before the record is final, so that no final record is without it.

use super::Settler;
use walkaround_domain::review::{IfDone, ReviewSubject};
use walkaround_domain::{Inspection, Outcome, ReviewPolicy, Verdict};
use walkaround_ports::PortError;

impl Settler {
    /// Writes the task of a result, if the policy wants a person to see it. A task that is there takes new reasons; one
    /// that is done stays so. What a later request adds to the inspection does not count: the result is final then.
    pub(super) async fn put_task(
        &self,
        inspection: &Inspection,
        verdict: Verdict,
        outcome: &Outcome,
        policy: &ReviewPolicy,
    ) -> Result<(), PortError> {
        let subject = ReviewSubject {
            request: &inspection.request,
            verdict,
            outcome,
            round: inspection.history.reopened,
        };
        let now = self.clock.now();
        if let Some(task) = policy.task(&subject, now) {
            self.reviews.put_task(&task, IfDone::Keep, now).await?;
        }
        Ok(())
    }
}
