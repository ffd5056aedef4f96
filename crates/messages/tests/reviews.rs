//! Reviews, tasks and their event: what is written is read back whole, and what cannot be read is said.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use walkaround_domain::review::{AddedFinding, Correction, FindingsDecision, RejectReason, UnusableReason};
use walkaround_domain::{
    Decision, InspectionId, Point, Polygon, Review, ReviewTask, Reviewer, TaskReason, TaskState, Timestamp,
};
use walkaround_messages::{
    REVIEWED, parse_decision, parse_event, parse_review, parse_reviewed_event, parse_task, review_body,
    reviewed_event, task_body,
};

/// The last millisecond of the year 9999.
const LAST_MS: u64 = 253_402_300_799_999;

fn ring() -> impl Strategy<Value = Vec<Point>> {
    vec((0.0..8000.0_f32, 0.0..8000.0_f32), 3..6)
        .prop_map(|points| points.into_iter().map(|(x, y)| Point { x, y }).collect())
}

fn polygons() -> impl Strategy<Value = Vec<Polygon>> {
    vec((ring(), vec(ring(), 0..2)), 1..3).prop_map(|all| {
        all.into_iter()
            .map(|(outer, holes)| Polygon { outer, holes })
            .collect()
    })
}

fn correction() -> impl Strategy<Value = Correction> {
    prop_oneof![
        Just(Correction::Accept),
        prop::sample::select(RejectReason::ALL.to_vec()).prop_map(Correction::Reject),
        "[a-z]{1,9}".prop_map(Correction::Reclassify),
        polygons().prop_map(Correction::Reshape),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    let added = ("[a-z]{1,9}", polygons()).prop_map(|(class, polygons)| AddedFinding { class, polygons });
    let findings = (btree_map(any::<u32>(), correction(), 0..4), vec(added, 0..3))
        .prop_map(|(findings, added)| Decision::Findings(FindingsDecision { findings, added }));
    prop_oneof![
        Just(Decision::Confirm),
        Just(Decision::Escalate),
        any::<u32>().prop_map(Decision::Undo),
        prop::sample::select(UnusableReason::ALL.to_vec()).prop_map(Decision::Unusable),
        findings,
    ]
}

fn reviewer() -> impl Strategy<Value = Reviewer> {
    "[a-zA-Zü김]{1,12}".prop_map(|name| Reviewer::new(name).unwrap())
}

fn id() -> impl Strategy<Value = InspectionId> {
    "[a-z0-9_-]{1,20}".prop_map(|id| InspectionId::new(id).unwrap())
}

prop_compose! {
    fn review()(
        inspection in id(),
        revision in any::<u32>(),
        by in reviewer(),
        at in (0..LAST_MS).prop_map(Timestamp),
        based_on in any::<[u8; 32]>(),
        decision in decision(),
        note in option::of("\\PC{1,40}"),
    ) -> Review {
        Review { inspection, revision, by, at, based_on, decision, note }
    }
}

fn state() -> impl Strategy<Value = TaskState> {
    let claimed = (reviewer(), (0..LAST_MS).prop_map(Timestamp));
    prop_oneof![
        Just(TaskState::Open),
        Just(TaskState::Done),
        claimed.prop_map(|(by, until)| TaskState::Claimed { by, until }),
    ]
}

prop_compose! {
    fn task()(
        (inspection, vehicle_id) in (id(), option::of("[A-Z0-9 ]{1,9}")),
        reason in prop::sample::select(TaskReason::ALL.to_vec()),
        also in btree_set(prop::sample::select(TaskReason::ALL.to_vec()), 0..3),
        inclusion in 0.000_001..=1.0_f64,
        priority in 0..10_u8,
        created_at in (0..LAST_MS).prop_map(Timestamp),
        state in state(),
        (round, reviewed) in any::<(u32, u32)>(),
        escalated_by in option::of(reviewer()),
        classes in btree_set("[a-z]{1,9}", 0..3),
    ) -> ReviewTask {
        ReviewTask {
            inspection, reason, also, inclusion, priority, created_at, state, round, reviewed, escalated_by, vehicle_id,
            classes,
        }
    }
}

proptest! {
    #[test]
    fn a_review_survives_its_document(review in review()) {
        prop_assert_eq!(parse_review(&review_body(&review)).unwrap(), review);
    }

    #[test]
    fn a_task_survives_its_document(task in task()) {
        prop_assert_eq!(parse_task(&task_body(&task)).unwrap(), task);
    }

    #[test]
    fn an_event_says_the_same_every_time(review in review()) {
        let event = reviewed_event(&review);
        prop_assert_eq!(&reviewed_event(&review), &event);
        prop_assert_eq!(&event.attributes["type"], REVIEWED);
        prop_assert_eq!(&event.attributes["decision"], review.decision.as_str());
        let end = format!(".reviewed.{}", review.revision);
        prop_assert!(event.id.ends_with(&end), "{}", event.id);
        // Whoever reads events of finished inspections does not take it for one.
        prop_assert!(parse_event(&event.body).is_err());
        prop_assert_eq!(parse_reviewed_event(&event.body).unwrap(), (event.id, review));
    }
}

#[test]
fn a_decision_that_cannot_be_read_is_said() {
    let cases = [
        ("", "not JSON"),
        ("{}", "it does not match the schema"),
        (r#"{"kind": "perhaps"}"#, "expected one of"),
        (r#"{"kind": "unusable"}"#, "it does not match the schema"),
        (
            r#"{"kind": "unusable", "why": "rain"}"#,
            "why: expected blurred, too_dark",
        ),
        (
            r#"{"kind": "findings", "findings": [{"finding": 3, "decision": "reject", "why": "mud"}]}"#,
            "finding 3: why: expected dirt, reflection",
        ),
        (
            r#"{"kind": "findings", "findings": [{"finding": 3, "decision": "accept"}, {"finding": 3, "decision": "accept"}]}"#,
            "finding 3 is named twice",
        ),
    ];
    for (text, words) in cases {
        let error = parse_decision(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
        assert!(
            !error.contains("rain") && !error.contains("mud") && !error.contains("perhaps"),
            "{error}"
        );
    }
    assert_eq!(
        parse_decision(r#"{"kind": "confirm"}"#).unwrap(),
        Decision::Confirm
    );
    let later = r#"{"version": 2, "inspection_id": "i"}"#;
    let error = parse_review(later).unwrap_err().to_string();
    assert!(error.starts_with("version 2 is not known here"), "{error}");
}
