//! Properties of reviews: the fold, undo, the life of a task, the policy.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use walkaround_domain::photo::Occasion;
use walkaround_domain::record::FindingSummary;
use walkaround_domain::review::{
    AfterReview, Correction, FindingsDecision, IfDone, Judgement, RejectReason, ReviewLog, ReviewSubject,
    TaskChange, TaskEvent, TaskRefusal, UnusableReason, is_drawn, reviewed,
};
use walkaround_domain::{
    Decision, InspectionId, InspectionRequest, Outcome, PhotoRef, PixelBox, Reason, ReasonCode, Review,
    ReviewPolicy, ReviewTask, Reviewer, TaskReason, TaskState, Timestamp, Verdict,
};

const REPORT: [u8; 32] = [1; 32];
const OTHER_REPORT: [u8; 32] = [2; 32];

fn reviewer(name: &str) -> Reviewer {
    Reviewer::new(name).unwrap()
}

fn review(revision: u32, by: &str, decision: Decision) -> Review {
    Review {
        inspection: InspectionId::new("i-1").unwrap(),
        revision,
        by: reviewer(by),
        at: Timestamp(u64::from(revision)),
        based_on: REPORT,
        decision,
        note: None,
    }
}

/// Anything but an undo.
fn statement() -> impl Strategy<Value = Decision> {
    prop_oneof![
        Just(Decision::Confirm),
        Just(Decision::Escalate),
        Just(Decision::Unusable(UnusableReason::Blurred)),
        (0..3_u32).prop_map(|place| {
            Decision::Findings(FindingsDecision {
                findings: BTreeMap::from([(place, Correction::Reject(RejectReason::Dirt))]),
                added: Vec::new(),
            })
        }),
    ]
}

/// A decision whose undo, where it is one, is of any of the first eight revisions.
fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![3 => statement(), 1 => (1..8_u32).prop_map(Decision::Undo)]
}

/// What two reviewers make of their decisions when their turns come as `turns` says. Each reads the last revision, and
/// decides again after a conflict, on what the other one wrote.
fn interleave(first: &[Decision], second: &[Decision], turns: &[bool]) -> ReviewLog {
    let mut log = ReviewLog::default();
    let (mut left, mut right) = (first.iter(), second.iter());
    // What each believes to be the last revision.
    let mut seen = [0_u32; 2];
    let mut queue = [left.next(), right.next()];
    for turn in turns.iter().copied().chain((0..64).map(|n| n % 2 == 0)) {
        let who = usize::from(turn);
        let Some(decision) = queue[who] else { continue };
        let next = review(seen[who] + 1, ["ann", "bob"][who], decision.clone());
        match log.append(next) {
            Ok(()) => {
                seen[who] += 1;
                queue[who] = if who == 0 { left.next() } else { right.next() };
            }
            // The second is shown what the first decided.
            Err(conflict) => seen[who] = conflict.last.map_or(0, |last| last.revision),
        }
    }
    log
}

proptest! {
    #[test]
    fn any_interleaving_of_two_reviewers_has_one_outcome(
        first in prop::collection::vec(decision(), 0..8),
        second in prop::collection::vec(decision(), 0..8),
        turns in prop::collection::vec(any::<bool>(), 0..24),
        seed in any::<u64>(),
    ) {
        let log = interleave(&first, &second, &turns);
        // Nothing is lost, nothing is there twice.
        prop_assert_eq!(log.reviews().len(), first.len() + second.len());
        for (place, stored) in log.reviews().iter().enumerate() {
            prop_assert_eq!(stored.revision as usize, place + 1);
        }
        let by = |name: &str| -> Vec<Decision> {
            log.reviews().iter().filter(|r| r.by.as_str() == name).map(|r| r.decision.clone()).collect()
        };
        prop_assert_eq!(by("ann"), first);
        prop_assert_eq!(by("bob"), second);
        // In whatever order the stored reviews are read, they come to the same.
        let mut shuffled = log.reviews().to_vec();
        let mut state = seed;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, (state >> 33) as usize % (place + 1));
        }
        prop_assert_eq!(reviewed(&shuffled, &REPORT), reviewed(log.reviews(), &REPORT));
    }

    #[test]
    fn undo_restores_and_its_undo_brings_back(
        before in prop::collection::vec(decision(), 0..8),
        last in statement(),
    ) {
        let mut log = ReviewLog::default();
        for (place, decision) in before.iter().enumerate() {
            let revision = u32::try_from(place).unwrap() + 1;
            // An undo names an earlier revision.
            let decision = match decision {
                Decision::Undo(target) if *target >= revision => Decision::Confirm,
                other => other.clone(),
            };
            log.append(review(revision, "ann", decision)).unwrap();
        }
        let earlier = reviewed(log.reviews(), &REPORT);
        let next = log.last_revision() + 1;
        log.append(review(next, "bob", last)).unwrap();
        let decided = reviewed(log.reviews(), &REPORT);
        log.append(review(next + 1, "bob", Decision::Undo(next))).unwrap();
        prop_assert_eq!(&reviewed(log.reviews(), &REPORT), &earlier);
        log.append(review(next + 2, "ann", Decision::Undo(next + 1))).unwrap();
        prop_assert_eq!(reviewed(log.reviews(), &REPORT), decided);
    }

    #[test]
    fn inclusion_is_a_probability_and_the_reasons_are_in_order(
        id in "[a-z0-9]{1,16}",
        gate in prop::option::of(0.0..=1.0_f32),
        probability in 0.0..=1.0_f32,
        share in 0.0..=1.0_f64,
        band in 0.0..=0.5_f32,
        at_return in any::<bool>(),
        located in any::<bool>(),
    ) {
        let policy = ReviewPolicy {
            band,
            gate_thresholds: vec![0.5],
            class_thresholds: BTreeMap::from([("dent".to_owned(), 0.4)]),
            audit_share: share,
            ..ReviewPolicy::default()
        };
        let mut request = request(&id);
        request.occasion = Some(if at_return { Occasion::Return } else { Occasion::PickUp });
        let mut outcome = outcome(gate, Some(probability));
        if !located {
            outcome.reasons.push(Reason::new(ReasonCode::DamageNotLocated, "nothing found"));
        }
        let verdict = if located { Verdict::Damaged } else { Verdict::Unusable };
        let subject = ReviewSubject { request: &request, verdict, outcome: &outcome, round: 0 };
        let task = policy.task(&subject, Timestamp(7));
        prop_assert_eq!(policy.task(&subject, Timestamp(7)), task.clone());
        if let Some(task) = task {
            prop_assert!(task.inclusion > 0.0 && task.inclusion <= 1.0, "{}", task.inclusion);
            let reasons: Vec<TaskReason> = task.reasons().collect();
            prop_assert!(reasons.is_sorted_by(|a, b| a < b), "{:?}", reasons);
            let only_drawn = reasons == [TaskReason::Audit];
            let expected = if only_drawn { share } else { 1.0 };
            prop_assert!((task.inclusion - expected).abs() < f64::EPSILON);
            prop_assert!(reasons.contains(&TaskReason::Audit) == is_drawn(&request.id, share));
        } else {
            prop_assert!(!is_drawn(&request.id, share));
        }
    }

    #[test]
    fn a_claim_is_held_by_one_reviewer_at_a_time(
        steps in prop::collection::vec((0..5_u8, 0..3_usize, 0..40_u64), 1..40),
    ) {
        let names = ["ann", "bob", "eve"];
        let mut task = ReviewTask::open(InspectionId::new("i-1").unwrap(), TaskReason::Asked, Timestamp(0));
        let mut now = Timestamp(0);
        for (kind, who, wait) in steps {
            now.0 += wait;
            let (by, until) = (reviewer(names[who]), Timestamp(now.0 + 20));
            let holder = match &task.state {
                TaskState::Claimed { by, until } if *until > now => Some(by.clone()),
                _ => None,
            };
            let event = match kind {
                0 | 1 => TaskEvent::Claim { by: by.clone(), until },
                2 => TaskEvent::Extend { by: by.clone(), until },
                3 => TaskEvent::Release { by: by.clone() },
                _ => TaskEvent::Reviewed { revision: task.reviewed + 1, then: AfterReview::Done },
            };
            match task.step(&event, now) {
                Ok(TaskChange::Changed(next)) => {
                    // A lease that runs is never taken away; only a decision ends it for others.
                    if kind <= 3 {
                        prop_assert!(holder.is_none_or(|holder| holder == by));
                    }
                    task = next;
                }
                Ok(TaskChange::Unchanged) => {}
                Err(TaskRefusal::HeldBy { by: other, .. }) => prop_assert!(other != by),
                Err(TaskRefusal::Done) => prop_assert_eq!(&task.state, &TaskState::Done),
                Err(TaskRefusal::NotHeld) => prop_assert_eq!(&task.state, &TaskState::Open),
            }
        }
    }
}

fn request(id: &str) -> InspectionRequest {
    InspectionRequest::of(InspectionId::new(id).unwrap(), PhotoRef::File(id.into()))
}

fn outcome(gate: Option<f32>, probability: Option<f32>) -> Outcome {
    let finding = |probability| FindingSummary {
        class: "dent".to_owned(),
        probability,
        area_px: 10,
        area_share: 0.1,
        bbox: PixelBox {
            x: 0,
            y: 0,
            width: 5,
            height: 2,
        },
    };
    Outcome {
        gate,
        findings: probability.map(finding).into_iter().collect(),
        ..Outcome::default()
    }
}

/// The reasons of the task that a result gets; empty for none.
fn reasons(
    verdict: Verdict,
    outcome: &Outcome,
    occasion: Option<Occasion>,
    change: impl FnOnce(&mut ReviewPolicy),
) -> Vec<TaskReason> {
    let mut policy = ReviewPolicy {
        gate_thresholds: vec![0.3, 0.5],
        class_thresholds: BTreeMap::from([("dent".to_owned(), 0.4)]),
        audit_share: 0.0,
        ..ReviewPolicy::default()
    };
    change(&mut policy);
    let request = InspectionRequest {
        occasion,
        ..request("i-1")
    };
    let subject = ReviewSubject {
        request: &request,
        verdict,
        outcome,
        round: 0,
    };
    let task = policy.task(&subject, Timestamp(0));
    task.map(|t| t.reasons().collect()).unwrap_or_default()
}

#[test]
fn what_the_policy_selects() {
    let none = |_: &mut ReviewPolicy| {};
    let clean = outcome(Some(0.9), None);
    assert_eq!(reasons(Verdict::Clean, &clean, None, none), []);
    let near = [TaskReason::NearThreshold];
    assert_eq!(
        reasons(Verdict::Clean, &outcome(Some(0.46), None), None, none),
        near
    );
    assert_eq!(
        reasons(Verdict::Clean, &outcome(Some(0.34), None), None, none),
        near
    );
    let weak = outcome(None, Some(0.44));
    assert_eq!(reasons(Verdict::Damaged, &weak, None, none), near);
    assert_eq!(reasons(Verdict::Damaged, &weak, None, |p| p.band = 0.0), []);
    assert_eq!(
        reasons(Verdict::Damaged, &outcome(None, Some(0.46)), None, none),
        []
    );
    let mut sure = outcome(Some(0.97), None);
    sure.reasons
        .push(Reason::new(ReasonCode::DamageNotLocated, "no region"));
    let both = [TaskReason::DamageNotLocated, TaskReason::UnusableAtReturn];
    assert_eq!(
        reasons(Verdict::Unusable, &sure, Some(Occasion::Return), none),
        both
    );
    assert_eq!(
        reasons(Verdict::Unusable, &sure, Some(Occasion::PickUp), none),
        both[..1]
    );
    let off = |p: &mut ReviewPolicy| (p.damage_not_located, p.unusable_at_return) = (false, false);
    assert_eq!(reasons(Verdict::Unusable, &sure, Some(Occasion::Return), off), []);
    let all = |p: &mut ReviewPolicy| p.audit_share = 1.0;
    assert_eq!(reasons(Verdict::Clean, &clean, None, all), [TaskReason::Audit]);
    assert_eq!(
        reasons(Verdict::Damaged, &weak, None, all),
        [TaskReason::NearThreshold, TaskReason::Audit]
    );
}

#[test]
fn the_audit_share_is_met_over_many_ids() {
    // Ids as callers choose them, which differ in a few digits only, and digests.
    for (pattern, share) in [("walk-", 0.01), ("2026-11-22-", 0.1), ("", 0.5)] {
        let count = 100_000;
        let drawn = (0..count)
            .filter(|n| is_drawn(&InspectionId::new(format!("{pattern}{n}")).unwrap(), share))
            .count() as f64;
        let expected = f64::from(count) * share;
        // Five standard deviations of a fair draw.
        let tolerance = 5.0 * (expected * (1.0 - share)).sqrt();
        assert!(
            (drawn - expected).abs() < tolerance,
            "{pattern}: {drawn} of {expected}"
        );
    }
    let id = InspectionId::new("i-1").unwrap();
    assert!(!is_drawn(&id, 0.0) && is_drawn(&id, 1.0));
}

#[test]
fn reviews_stay_with_the_report_that_they_are_based_on() {
    let first = review(1, "ann", Decision::Confirm);
    let second = Review {
        based_on: OTHER_REPORT,
        ..review(2, "ann", Decision::Unusable(UnusableReason::Other))
    };
    let all = [first, second];
    assert_eq!(reviewed(&all, &REPORT).judgement, Judgement::Confirmed);
    let other = reviewed(&all, &OTHER_REPORT);
    assert_eq!(other.judgement, Judgement::Unusable(UnusableReason::Other));
    assert_eq!(other.revision, 2);
    assert_eq!(
        reviewed(&all, &[3; 32]),
        walkaround_domain::review::Reviewed::default()
    );
}

#[test]
fn an_escalation_ends_with_the_next_decision_and_one_taken_back_leaves_the_one_before() {
    let mut all = vec![
        review(1, "ann", Decision::Confirm),
        review(2, "bob", Decision::Escalate),
    ];
    let state = reviewed(&all, &REPORT);
    assert!(state.escalated_by == Some(reviewer("bob")) && state.judgement == Judgement::Confirmed);
    assert_eq!(state.revision, 1);
    all.push(review(3, "eve", Decision::Escalate));
    all.push(review(4, "eve", Decision::Undo(3)));
    assert_eq!(reviewed(&all, &REPORT).escalated_by, Some(reviewer("bob")));
    all.push(review(5, "eve", Decision::Unusable(UnusableReason::TooDark)));
    let state = reviewed(&all, &REPORT);
    assert!(state.escalated_by.is_none() && state.by == Some(reviewer("eve")));
}

fn changed(change: Result<TaskChange, TaskRefusal>) -> ReviewTask {
    match change.unwrap() {
        TaskChange::Changed(task) => task,
        TaskChange::Unchanged => panic!("it is unchanged"),
    }
}

#[test]
fn a_task_that_is_put_again_is_merged() {
    let id = InspectionId::new("i-1").unwrap();
    let mut audit = ReviewTask::open(id.clone(), TaskReason::Audit, Timestamp(1));
    audit.inclusion = 0.01;
    let asked = ReviewTask::open(id.clone(), TaskReason::Asked, Timestamp(5));
    assert_eq!(audit.merge(&audit, IfDone::Keep), TaskChange::Unchanged);
    let both = changed(Ok(audit.merge(&asked, IfDone::Keep)));
    assert_eq!(
        both.reasons().collect::<Vec<_>>(),
        [TaskReason::Asked, TaskReason::Audit]
    );
    assert_eq!(
        (both.inclusion, both.priority, both.created_at),
        (1.0, 9, Timestamp(1))
    );
    let done = TaskEvent::Reviewed {
        revision: 1,
        then: AfterReview::Done,
    };
    let done = changed(both.step(&done, Timestamp(6)));
    assert_eq!(done.merge(&audit, IfDone::Keep), TaskChange::Unchanged);
    let again = changed(Ok(done.merge(&asked, IfDone::Reopen)));
    assert_eq!(
        (again.state.clone(), again.created_at),
        (TaskState::Open, Timestamp(5))
    );
    // The same review, reported late, does not close what was opened since.
    let late = TaskEvent::Reviewed {
        revision: 1,
        then: AfterReview::Done,
    };
    assert_eq!(again.step(&late, Timestamp(7)), Ok(TaskChange::Unchanged));
    // Another round has another report.
    let remade = ReviewTask {
        round: 1,
        ..ReviewTask::open(id, TaskReason::NearThreshold, Timestamp(9))
    };
    let next = changed(Ok(done.merge(&remade, IfDone::Keep)));
    assert_eq!(
        (next.reason, next.round, next.reviewed),
        (TaskReason::NearThreshold, 1, 1)
    );
    assert_eq!(next.merge(&audit, IfDone::Keep), TaskChange::Unchanged);
}

#[test]
fn who_escalates_is_not_offered_the_task_again() {
    let task = ReviewTask::open(InspectionId::new("i-1").unwrap(), TaskReason::Audit, Timestamp(0));
    let (ann, bob) = (reviewer("ann"), reviewer("bob"));
    let claimed = changed(task.step(
        &TaskEvent::Claim {
            by: ann.clone(),
            until: Timestamp(100),
        },
        Timestamp(0),
    ));
    assert!(claimed.is_claimable(&ann, Timestamp(1)) && !claimed.is_claimable(&bob, Timestamp(1)));
    assert!(claimed.is_claimable(&bob, Timestamp(100)));
    let escalated = changed(claimed.step(
        &TaskEvent::Reviewed {
            revision: 1,
            then: AfterReview::Escalated { by: ann.clone() },
        },
        Timestamp(1),
    ));
    assert_eq!((escalated.reason, escalated.priority), (TaskReason::Asked, 9));
    assert!(!escalated.is_claimable(&ann, Timestamp(1)) && escalated.is_claimable(&bob, Timestamp(1)));
}

#[test]
fn a_reviewer_has_a_name() {
    for wrong in ["", " ann", "ann ", "a\nb", &"x".repeat(129)] {
        assert!(Reviewer::new(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(reviewer("김민수 <a@b.example>").as_str(), "김민수 <a@b.example>");
}
