//! Figures that can be worked out by hand.

use super::*;
use crate::comparison::{BundleResult, ComparedFinding};
use walkaround_domain::Verdict;

fn side(version: &str, verdict: &str, gate: f32) -> BundleResult {
    BundleResult {
        bundle: BundleDocument {
            name: "demo".to_owned(),
            version: version.to_owned(),
        },
        verdict: verdict.to_owned(),
        reasons: vec![],
        gate: Some(gate),
        timings_ms: BTreeMap::from([
            ("screening".to_owned(), 10.0),
            ("segment".to_owned(), f64::from(gate)),
        ]),
        outlines: vec![],
    }
}

fn photo(name: &str, verdicts: [&str; 2], gates: [f32; 2]) -> ComparedPhoto {
    ComparedPhoto {
        inspection_id: name.to_owned(),
        photo: name.to_owned(),
        vehicle_id: None,
        accepted_at: String::new(),
        width: Some(4),
        height: Some(1),
        old: side("1", verdicts[0], gates[0]),
        new: side("2", verdicts[1], gates[1]),
        findings: vec![],
        iou: None,
    }
}

fn finding(class: &str, there: [bool; 2], iou: Option<f64>) -> ComparedFinding {
    ComparedFinding {
        class: class.to_owned(),
        old: there[0].then_some(0.8),
        new: there[1].then_some(0.9),
        iou,
    }
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    let mut builder = ComparisonBuilder::default();
    let mut both = photo("a", ["damaged", "damaged"], [0.9, 0.7]);
    both.findings = vec![
        finding("dent", [true, true], Some(0.5)),
        finding("dent", [true, false], None),
        finding("scratch", [false, true], None),
    ];
    both.iou = Some(0.4);
    builder.add(&both, None);
    builder.add(&photo("b", ["clean", "damaged"], [0.1, 0.6]), None);
    builder.add(&photo("c", ["clean", "unusable"], [0.1, 0.1]), None);
    builder.add(&photo("d", ["clean", "clean"], [0.2, 0.2]), None);
    builder.leave_out("gone");
    let comparison = builder.finish();
    assert_eq!((comparison.photos, comparison.flips), (4, 2));
    assert_eq!(comparison.flip_share.value, Some(0.5));
    assert_eq!(
        comparison.flip_share.low, None,
        "four photos say nothing of others"
    );
    let pair = |old: &str, new: &str| {
        let mut all = comparison.verdicts.iter();
        all.find(|pair| pair.old == old && pair.new == new)
            .map(|pair| pair.photos)
    };
    assert_eq!(pair("clean", "damaged"), Some(1));
    assert_eq!(pair("clean", "clean"), Some(1));
    assert_eq!(pair("damaged", "clean"), None);
    let [dent, scratch] = &comparison.classes[..] else {
        panic!("two classes: {:?}", comparison.classes)
    };
    assert_eq!((dent.photos_old, dent.photos_new, dent.photos_both), (1, 1, 1));
    assert_eq!(
        (dent.findings_old, dent.findings_new, dent.findings_both),
        (2, 1, 1)
    );
    assert_eq!(dent.mean_iou, Some(0.5));
    assert_eq!(
        (scratch.photos_old, scratch.photos_new, scratch.photos_both),
        (0, 1, 0)
    );
    assert_eq!(comparison.mean_iou, Some(0.4));
    let gate = comparison.gate;
    assert_eq!(gate.photos, 4);
    assert!((gate.mean_old.expect("four") - 0.325).abs() < 1e-6);
    assert!((gate.change_p95.expect("four") - 0.5).abs() < 1e-6);
    let old_p95 = comparison.time.old_p95_ms.expect("four");
    assert!((old_p95 - 10.9).abs() < 1e-6, "{old_p95}");
    assert_eq!(comparison.left_out, BTreeMap::from([("gone".to_owned(), 1)]));
    let worst: Vec<&str> = comparison
        .worst
        .iter()
        .map(|worst| worst.photo.inspection_id.as_str())
        .collect();
    assert_eq!(worst, ["b", "c", "a"], "d differs in nothing");
}

#[test]
fn who_was_right_is_weighted_by_inclusion() {
    let mut builder = ComparisonBuilder::default();
    // Every flip is looked at, and the second bundle is right in each; of the others one in ten is, and both are right.
    for n in 0..100 {
        let flip = photo(&format!("flip-{n}"), ["clean", "damaged"], [0.4, 0.6]);
        let review = ReviewedPhoto {
            inclusion: 1.0,
            verdict: Some(Verdict::Damaged),
        };
        builder.add(&flip, Some(&review));
    }
    for n in 0..900 {
        let same = photo(&format!("same-{n}"), ["clean", "clean"], [0.1, 0.1]);
        let drawn = (n % 10 == 0).then_some(ReviewedPhoto {
            inclusion: 0.1,
            verdict: Some(Verdict::Clean),
        });
        builder.add(&same, drawn.as_ref());
    }
    let reviews = builder.finish().reviews;
    assert_eq!((reviews.reviewed, reviews.flips), (190, 100));
    assert_eq!((reviews.flips_old_right, reviews.flips_new_right), (0, 100));
    let old = reviews.old_right;
    assert!(
        (old.value.expect("enough") - 0.9).abs() < 1e-9,
        "unweighted it would be 90 of 190: {old:?}"
    );
    assert!(old.low < old.value && old.value < old.high, "{old:?}");
    assert_eq!(reviews.new_right.value, Some(1.0));
}

#[test]
fn a_task_that_nobody_has_decided_is_drawn_and_not_observed() {
    let mut builder = ComparisonBuilder::default();
    for n in 0..60 {
        let review = ReviewedPhoto {
            inclusion: 1.0,
            verdict: (n % 2 == 0).then_some(Verdict::Clean),
        };
        builder.add(
            &photo(&n.to_string(), ["clean", "clean"], [0.1, 0.1]),
            Some(&review),
        );
    }
    let reviews = builder.finish().reviews;
    assert_eq!(reviews.reviewed, 30);
    assert_eq!(reviews.old_right.value, Some(1.0));
    assert!(reviews.old_right.low < Some(1.0), "half of them are not known");
}
