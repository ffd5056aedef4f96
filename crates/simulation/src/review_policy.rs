//! The review policy of every world, and the promise about tasks.

use crate::invariant::Invariant;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use walkaround_domain::review::ReviewSubject;
use walkaround_domain::{Inspection, Phase, ReviewPolicy, ReviewTask};

/// Every third photo is drawn. Damaged ones are within the band on some devices and not on others: what they find differs
/// in the third digit.
pub(crate) static POLICY: LazyLock<ReviewPolicy> = LazyLock::new(|| ReviewPolicy {
    band: 0.305,
    class_thresholds: BTreeMap::from([("scratch".to_owned(), 0.5)]),
    audit_share: 0.33,
    // A later request may say that a photo is of a return, and that does not count.
    unusable_at_return: false,
    ..ReviewPolicy::default()
});

/// J7: whether an inspection that becomes final has the task that the policy wants for it, with all reasons.
pub(crate) fn has_its_task(
    inspection: &Inspection,
    task: Option<&ReviewTask>,
) -> Result<(), (Invariant, String)> {
    let (Phase::Done { verdict }, Some(outcome)) = (&inspection.phase, &inspection.outcome) else {
        return Ok(());
    };
    let subject = ReviewSubject {
        request: &inspection.request,
        verdict: *verdict,
        outcome,
        round: inspection.history.reopened,
    };
    let wanted = POLICY.task(&subject, inspection.accepted_at);
    let has = |reason| task.is_some_and(|task| task.reasons().any(|stored| stored == reason));
    let missing = wanted
        .iter()
        .flat_map(ReviewTask::reasons)
        .find(|reason| !has(*reason));
    missing.map_or(Ok(()), |reason| {
        let detail = format!(
            "{} is final, and there is no task for it: {reason}",
            inspection.request.id
        );
        Err((Invariant::J7, detail))
    })
}
