//! What each decision says about precision and recall.

use walkaround_domain::estimate::{Estimate, RatioSums};
use walkaround_domain::monitor::{Judged, Measure, ReviewedPhoto};
use walkaround_domain::record::Drawn;
use walkaround_domain::review::{
    AddedFinding, Correction, FindingsDecision, Judgement, RejectReason, UnusableReason,
};
use walkaround_domain::{TaskReason, Verdict};

const DRAWN: Drawn = Drawn {
    inclusion: 0.01,
    reason: TaskReason::Audit,
};

fn corrected(corrections: &[(u32, Correction)], added: &[&str]) -> Judgement {
    let added = added.iter().map(|class| AddedFinding {
        class: (*class).to_owned(),
        polygons: Vec::new(),
    });
    Judgement::Corrected(FindingsDecision {
        findings: corrections.iter().cloned().collect(),
        added: added.collect(),
    })
}

/// Numerator and denominator of each measure that a photo with these findings counts in.
fn counted(verdict: Verdict, classes: &[&str], judgement: &Judgement) -> Vec<(String, f64, f64)> {
    let classes: Vec<String> = classes.iter().map(|class| (*class).to_owned()).collect();
    let mut judged = Judged::default();
    let photo = ReviewedPhoto {
        verdict,
        classes: &classes,
        judgement,
    };
    judged.add(&DRAWN, Some(&photo));
    let sums = judged.strata.into_values().flat_map(|stratum| stratum.sums);
    let line = |(measure, sums): (Measure, RatioSums)| {
        let of = measure.class().unwrap_or("verdict").to_owned();
        (format!("{of} {}", measure.kind()), sums.y, sums.x)
    };
    sums.map(line).collect()
}

fn lines(expected: &[(&str, f64, f64)]) -> Vec<(String, f64, f64)> {
    let own = |(name, y, x): &(&str, f64, f64)| ((*name).to_owned(), *y, *x);
    expected.iter().map(own).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line a decision")]
fn each_decision_counts_as_it_says() {
    use Verdict::{Clean, Damaged, Unusable};
    let reject = Correction::Reject(RejectReason::Dirt);
    let to_scratch = Correction::Reclassify("scratch".to_owned());
    let table = [
        (
            "a right photo",
            counted(Damaged, &["dent", "dent"], &Judgement::Confirmed),
            lines(&[
                ("verdict precision", 1.0, 1.0),
                ("verdict recall", 1.0, 1.0),
                ("dent precision", 2.0, 2.0),
                ("dent recall", 2.0, 2.0),
            ]),
        ),
        (
            "one of two findings is dirt",
            counted(
                Damaged,
                &["dent", "dent"],
                &corrected(&[(1, reject.clone())], &[]),
            ),
            lines(&[
                ("verdict precision", 1.0, 1.0),
                ("verdict recall", 1.0, 1.0),
                ("dent precision", 1.0, 2.0),
                ("dent recall", 1.0, 1.0),
            ]),
        ),
        (
            "all of it is dirt",
            counted(Damaged, &["dent"], &corrected(&[(0, reject)], &[])),
            lines(&[("verdict precision", 0.0, 1.0), ("dent precision", 0.0, 1.0)]),
        ),
        (
            "another class",
            counted(Damaged, &["dent"], &corrected(&[(0, to_scratch)], &[])),
            lines(&[
                ("verdict precision", 1.0, 1.0),
                ("verdict recall", 1.0, 1.0),
                ("dent precision", 0.0, 1.0),
                ("scratch recall", 0.0, 1.0),
            ]),
        ),
        (
            "missed damage",
            counted(Clean, &[], &corrected(&[], &["scratch"])),
            lines(&[("verdict recall", 0.0, 1.0), ("scratch recall", 0.0, 1.0)]),
        ),
        (
            "a clean photo",
            counted(Clean, &[], &Judgement::Confirmed),
            Vec::new(),
        ),
        (
            "an unusable one",
            counted(Unusable, &[], &Judgement::Confirmed),
            Vec::new(),
        ),
        (
            "nobody can judge it",
            counted(Damaged, &["dent"], &Judgement::Unusable(UnusableReason::TooDark)),
            Vec::new(),
        ),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_is_drawn_and_not_reviewed_counts_as_drawn_alone() {
    let mut judged = Judged::default();
    judged.add(&DRAWN, None);
    let unreviewed = ReviewedPhoto {
        verdict: Verdict::Clean,
        classes: &[],
        judgement: &Judgement::Unreviewed,
    };
    judged.add(&DRAWN, Some(&unreviewed));
    let mut both = judged.clone();
    both.merge(&judged);
    assert_eq!(both.drawn_and_observed(), [4, 0]);
    let estimate = both.estimate(&Measure::VerdictRecall, 400);
    assert_eq!(estimate, Estimate::TooFew { units: 0 });
}
