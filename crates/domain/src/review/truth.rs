//! The verdict that people come to.

use super::{Correction, Judgement};
use crate::verdict::Verdict;

/// The verdict that the reviews of a report come to; none when they come to nothing. `findings` is how many the report has.
pub fn true_verdict(judgement: &Judgement, verdict: Verdict, findings: usize) -> Option<Verdict> {
    match judgement {
        Judgement::Unreviewed => None,
        Judgement::Confirmed => Some(verdict),
        Judgement::Unusable(_) => Some(Verdict::Unusable),
        Judgement::Corrected(decision) => {
            let is_rejected = |at: usize| {
                let correction = u32::try_from(at).ok().and_then(|at| decision.findings.get(&at));
                matches!(correction, Some(Correction::Reject(_)))
            };
            let stands = (0..findings).any(|at| !is_rejected(at)) || !decision.added.is_empty();
            Some(if stands { Verdict::Damaged } else { Verdict::Clean })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::{AddedFinding, FindingsDecision, RejectReason, UnusableReason};

    fn corrected(rejected: &[u32], added: usize) -> Judgement {
        let reject = |at: &u32| (*at, Correction::Reject(RejectReason::Dirt));
        let dent = AddedFinding {
            class: "dent".to_owned(),
            polygons: vec![],
        };
        Judgement::Corrected(FindingsDecision {
            findings: rejected.iter().map(reject).collect(),
            added: vec![dent; added],
        })
    }

    #[test]
    fn the_truth_is_what_the_reviews_come_to() {
        let damaged = Verdict::Damaged;
        for (judgement, findings, truth) in [
            (Judgement::Unreviewed, 1, None),
            (Judgement::Confirmed, 1, Some(damaged)),
            (
                Judgement::Unusable(UnusableReason::Blurred),
                1,
                Some(Verdict::Unusable),
            ),
            (corrected(&[0], 0), 1, Some(Verdict::Clean)),
            (corrected(&[0], 0), 2, Some(damaged)),
            (corrected(&[0, 1], 0), 2, Some(Verdict::Clean)),
            (corrected(&[0], 1), 1, Some(damaged)),
            (corrected(&[], 1), 0, Some(damaged)),
        ] {
            assert_eq!(
                true_verdict(&judgement, damaged, findings),
                truth,
                "{judgement:?}"
            );
        }
        assert_eq!(
            true_verdict(&Judgement::Confirmed, Verdict::Clean, 0),
            Some(Verdict::Clean)
        );
    }
}
