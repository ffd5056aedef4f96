//! Reviews: the task of a result, claims, decisions, and what is made good after a crash.

use crate::review_bench::{Bench, holder, id, reviewer};
use crate::support::{DAMAGED, SUSPECT};
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_domain::review::{
    Correction, FindingsDecision, IfDone, Judgement, TaskRefusal, UnusableReason,
};
use walkaround_domain::{Decision, ReviewTask, TaskReason, TaskState};
use walkaround_pipeline::review::{
    CLAIM_LEASE, ClaimOutcome, DecisionRequest, ReviewError, TaskSearch, report_digest,
};
use walkaround_ports::{Clock, Reviews};

#[tokio::test]
async fn a_result_that_the_policy_selects_has_a_task_and_others_have_none() {
    let bench = Bench::new().await;
    let task = bench.task("one").unwrap();
    assert_eq!(
        (task.reason, task.state),
        (TaskReason::NearThreshold, TaskState::Open)
    );
    assert_eq!(task.classes.into_iter().collect::<Vec<_>>(), ["dent"]);
    bench.inspect("two", SUSPECT).await.unwrap();
    assert!(bench.world.inspection("two").unwrap().phase.is_final());
    assert!(bench.task("two").is_none(), "a clean photo has one");
}

#[tokio::test]
async fn the_task_is_written_before_the_record_is_final() {
    let bench = Bench::new().await;
    bench.world.records_away.store(true, Ordering::SeqCst);
    bench.inspect("two", DAMAGED).await.unwrap_err();
    bench.world.records_away.store(false, Ordering::SeqCst);
    assert!(bench.world.inspection("two").is_none());
    let before = bench.task("two").expect("the task comes first");
    // The message is delivered again.
    bench.clock.advance(Duration::from_secs(60));
    bench.inspect("two", DAMAGED).await.unwrap();
    assert_eq!(bench.task("two"), Some(before), "the same task");
}

#[tokio::test]
async fn a_decision_is_stored_published_and_ends_its_task() {
    let bench = Bench::new().await;
    let ann = reviewer("ann");
    let task = bench.next_for(&ann).await.unwrap();
    assert_eq!(holder(&task), Some(("ann", bench.clock.now() + CLAIM_LEASE)));
    let decided = bench.decide(1, "ann", Decision::Confirm).await;
    assert_eq!(decided.reviewed.judgement, Judgement::Confirmed);
    assert_eq!(
        decided.task.map(|t| (t.state, t.reviewed)),
        Some((TaskState::Done, 1))
    );
    assert_eq!(bench.events(), ["one.reviewed.1"]);
    assert!(bench.next_for(&ann).await.is_none());
    let read = bench.service.read(&id("one")).await.unwrap();
    assert_eq!((read.history.len(), read.reviewed.by), (1, Some(ann)));
}

#[tokio::test]
async fn the_second_of_two_is_shown_what_the_first_decided() {
    let bench = Bench::new().await;
    bench.decide(1, "ann", Decision::Confirm).await;
    let unusable = Decision::Unusable(UnusableReason::Blurred);
    let error = bench
        .service
        .decide(bench.decision(1, "bob", unusable.clone()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ReviewError::Conflict(Some(first)) if first.by.as_str() == "ann"),
        "{error}"
    );
    let decided = bench.decide(2, "bob", unusable).await;
    assert_eq!(
        decided.reviewed.judgement,
        Judgement::Unusable(UnusableReason::Blurred)
    );
    assert_eq!(bench.events(), ["one.reviewed.1", "one.reviewed.2"]);
    assert_eq!(bench.task("one").unwrap().state, TaskState::Done);
}

#[tokio::test]
async fn a_decision_sent_twice_is_stored_once() {
    let bench = Bench::new().await;
    let first = bench.decide(1, "ann", Decision::Confirm).await;
    bench.clock.advance(Duration::from_secs(5));
    let again = bench.decide(1, "ann", Decision::Confirm).await;
    assert!(first.is_new && first.waited.is_some(), "{first:?}");
    assert!(!again.is_new && again.waited.is_none(), "{again:?}");
    assert_eq!((again.review, again.reviewed), (first.review, first.reviewed));
    assert_eq!(again.task, first.task);
    assert_eq!(bench.world.reviews.reviews().len(), 1);
    assert_eq!(bench.events(), ["one.reviewed.1"]);
}

#[tokio::test]
async fn an_event_that_did_not_get_out_goes_out_with_the_next_claim() {
    let bench = Bench::new().await;
    bench.world.topic_away.store(true, Ordering::SeqCst);
    let error = bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap_err();
    assert!(matches!(error, ReviewError::Port(_)), "{error}");
    assert_eq!(bench.world.reviews.reviews().len(), 1, "it is stored");
    assert_eq!(bench.task("one").unwrap().state, TaskState::Open);
    // Its sender never comes back.
    bench.world.topic_away.store(false, Ordering::SeqCst);
    assert!(bench.next_for(&reviewer("bob")).await.is_none());
    assert_eq!(bench.events(), ["one.reviewed.1"]);
    assert_eq!(bench.task("one").unwrap().state, TaskState::Done);
}

#[tokio::test]
async fn an_event_of_a_task_that_was_done_is_not_lost_either() {
    let bench = Bench::new().await;
    bench.decide(1, "ann", Decision::Confirm).await;
    bench.world.topic_away.store(true, Ordering::SeqCst);
    bench
        .service
        .decide(bench.decision(2, "ann", Decision::Undo(1)))
        .await
        .unwrap_err();
    bench.world.topic_away.store(false, Ordering::SeqCst);
    assert_ne!(
        bench.task("one").unwrap().state,
        TaskState::Done,
        "nothing would find it"
    );
    let task = bench.next_for(&reviewer("bob")).await;
    assert_eq!(bench.events(), ["one.reviewed.1", "one.reviewed.2"]);
    assert_eq!(bench.task("one").unwrap().reviewed, 2);
    // What was decided was undone, which opened the task: the next to ask has it.
    assert!(task.is_none());
    let task = bench.next_for(&reviewer("bob")).await;
    assert_eq!(task.as_ref().and_then(holder).map(|(by, _)| by), Some("bob"));
}

#[tokio::test]
async fn a_decision_that_is_taken_back_does_not_change_how_the_photo_was_drawn() {
    let bench = Bench::new().await;
    bench.inspect("two", SUSPECT).await.unwrap();
    let mut audit = ReviewTask::open(id("two"), TaskReason::Audit, bench.clock.now());
    audit.inclusion = 0.01;
    let reviews = &bench.world.reviews;
    reviews
        .put_task(&audit, IfDone::Keep, bench.clock.now())
        .await
        .unwrap();
    let based_on = report_digest(&bench.world.inspection("two").unwrap()).unwrap();
    for (revision, decision) in [(1, Decision::Confirm), (2, Decision::Undo(1))] {
        let request = DecisionRequest {
            inspection: id("two"),
            based_on,
            ..bench.decision(revision, "ann", decision)
        };
        bench.service.decide(request).await.unwrap();
    }
    let task = bench.task("two").unwrap();
    assert_eq!((task.state, task.inclusion), (TaskState::Open, 0.01));
}

#[tokio::test]
async fn only_what_is_wanted_is_claimed() {
    let bench = Bench::new().await;
    let ann = reviewer("ann");
    let search = TaskSearch::default;
    let dent = Some("dent".to_owned());
    for unwanted in [
        TaskSearch {
            reason: Some(TaskReason::Audit),
            ..search()
        },
        TaskSearch {
            vehicle_id: Some("another".to_owned()),
            ..search()
        },
        TaskSearch {
            class: Some("scratch".to_owned()),
            ..search()
        },
        TaskSearch {
            skip: vec!["one".to_owned()],
            class: dent.clone(),
            ..search()
        },
    ] {
        let claimed = bench.service.claim_next(&ann, &unwanted).await.unwrap();
        assert_eq!(claimed, None, "{unwanted:?}");
    }
    let wanted = TaskSearch {
        class: dent,
        ..search()
    };
    assert!(bench.service.claim_next(&ann, &wanted).await.unwrap().is_some());
}

#[tokio::test]
async fn an_escalation_goes_to_somebody_else() {
    let asked = TaskSearch {
        reason: Some(TaskReason::Asked),
        ..TaskSearch::default()
    };
    let bench = Bench::new().await;
    let (ann, bob) = (reviewer("ann"), reviewer("bob"));
    bench.next_for(&ann).await.unwrap();
    let decided = bench.decide(1, "ann", Decision::Escalate).await;
    assert!(decided.reviewed.escalated_by == Some(ann.clone()));
    assert!(bench.next_for(&ann).await.is_none());
    let task = bench.service.claim_next(&bob, &asked).await.unwrap().unwrap();
    assert_eq!(holder(&task).map(|(by, _)| by), Some("bob"));
    bench.decide(2, "bob", Decision::Confirm).await;
    assert_eq!(bench.task("one").unwrap().state, TaskState::Done);
}

#[tokio::test]
async fn the_second_claimer_is_told_who_has_it_and_a_claim_ends() {
    let bench = Bench::new().await;
    let (ann, bob) = (reviewer("ann"), reviewer("bob"));
    bench.service.claim(&id("one"), &ann).await.unwrap();
    let until = bench.clock.now() + CLAIM_LEASE;
    let refused = bench.service.claim(&id("one"), &bob).await.unwrap();
    let held = TaskRefusal::HeldBy {
        by: ann.clone(),
        until,
    };
    assert_eq!(refused, ClaimOutcome::Refused(held));
    assert!(bench.next_for(&bob).await.is_none());
    bench.service.extend(&id("one"), &ann).await.unwrap();
    bench.clock.advance(CLAIM_LEASE);
    let task = bench.next_for(&bob).await.unwrap();
    assert_eq!(holder(&task).map(|(by, _)| by), Some("bob"));
    bench.service.release(&id("one"), &bob).await.unwrap();
    assert_eq!(bench.task("one").unwrap().state, TaskState::Open);
    let missing = bench.service.claim(&id("none"), &bob).await.unwrap();
    assert_eq!(missing, ClaimOutcome::Missing);
}

#[tokio::test]
async fn what_cannot_be_decided_is_said() {
    let bench = Bench::new().await;
    let decide = |request| bench.service.decide(request);
    let mut unknown = bench.decision(1, "ann", Decision::Confirm);
    unknown.inspection = id("none");
    assert_eq!(
        decide(unknown).await.unwrap_err().to_string(),
        "no inspection none"
    );
    let mut other = bench.decision(1, "ann", Decision::Confirm);
    other.based_on = [9; 32];
    assert!(matches!(
        decide(other).await.unwrap_err(),
        ReviewError::OtherReport(_)
    ));
    let second_finding = Decision::Findings(FindingsDecision {
        findings: [(1, Correction::Accept)].into(),
        added: Vec::new(),
    });
    let error = decide(bench.decision(1, "ann", second_finding))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "finding 1: the report has 1 findings");
    let error = decide(bench.decision(2, "ann", Decision::Confirm))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "there is no review yet, expected revision 1");
    bench.inspect("two", SUSPECT).await.unwrap();
    let mut without_a_task = bench.decision(3, "ann", Decision::Confirm);
    without_a_task.inspection = id("two");
    without_a_task.based_on = report_digest(&bench.world.inspection("two").unwrap()).unwrap();
    decide(without_a_task).await.unwrap_err();
    assert!(bench.task("two").is_none(), "what is refused makes no task");
    bench.world.events.lock().unwrap().clear();
    assert!(bench.events().is_empty() && bench.world.reviews.reviews().is_empty());
    assert_eq!(bench.task("one").unwrap().state, TaskState::Open);
}

#[tokio::test]
async fn a_done_inspection_can_be_asked_for_again() {
    let bench = Bench::new().await;
    bench.inspect("two", SUSPECT).await.unwrap();
    let task = bench.service.ask(&id("two")).await.unwrap();
    assert_eq!((task.reason, task.state), (TaskReason::Asked, TaskState::Open));
    bench.decide(1, "ann", Decision::Confirm).await;
    let again = bench.service.ask(&id("one")).await.unwrap();
    assert_eq!(
        (again.reason, again.state, again.reviewed),
        (TaskReason::Asked, TaskState::Open, 1)
    );
    let error = bench.service.ask(&id("none")).await.unwrap_err();
    assert!(matches!(error, ReviewError::NotFound(_)));
}

#[tokio::test]
async fn a_task_without_anything_to_decide_is_closed() {
    let bench = Bench::new().await;
    let now = bench.clock.now();
    // The record of one was pruned; that of the other may still come, as most are written when they are final.
    for (name, created_at) in [("gone", now - Duration::from_secs(6 * 24 * 3600)), ("comes", now)] {
        let task = ReviewTask::open(id(name), TaskReason::Asked, created_at);
        let put = bench.world.reviews.put_task(&task, IfDone::Keep, now).await;
        put.unwrap();
    }
    let task = bench.next_for(&reviewer("ann")).await.unwrap();
    assert_eq!(task.inspection, id("one"));
    assert_eq!(bench.task("gone").unwrap().state, TaskState::Done);
    assert_ne!(bench.task("comes").unwrap().state, TaskState::Done);
}
