//! Reviews: the task of a result, claims, decisions, and what is made good after a crash.

use crate::support::{DAMAGED, Fetch, SUSPECT, Stores, World, processor, request, store};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::review::{
    Correction, FindingsDecision, IfDone, Judgement, TaskRefusal, UnusableReason,
};
use walkaround_domain::{
    Decision, Inspection, InspectionId, ReviewTask, Reviewer, TaskReason, TaskState, Timestamp,
};
use walkaround_pipeline::review::{
    CLAIM_LEASE, ClaimOutcome, DecisionRequest, ReviewError, ReviewService, report_digest,
};
use walkaround_pipeline::store::VersionedInspection;
use walkaround_ports::{Clock, Reviews};

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
    service: ReviewService,
}

impl Bench {
    /// A world with an inspection of a damaged photo, `one`, which has a task.
    async fn new() -> Self {
        let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
        let stores = Arc::new(Stores(Arc::clone(&world)));
        let service = ReviewService {
            store: store(&world),
            blobs: Arc::clone(&stores) as _,
            reviews: Arc::clone(&world.reviews) as _,
            publisher: stores,
            clock: Arc::clone(&clock) as _,
        };
        let bench = Self {
            world,
            clock,
            service,
        };
        bench.inspect("one", DAMAGED).await.unwrap();
        bench.world.events.lock().unwrap().clear();
        bench
    }

    /// Settles the inspection of a photo of this brightness.
    async fn inspect(&self, name: &str, value: u8) -> Result<(), String> {
        self.world.photo(name, &[Fetch::Picture(value)]);
        let processor = processor(&self.world, &self.clock).0;
        let inspector = processor.inspector.get();
        let (bytes, file) = inspector.digest(crate::support::picture(value)).await;
        let mut photo = inspector.prepare(bytes, file).await.unwrap();
        inspector.screen(&mut photo).await.unwrap();
        inspector.segment(&mut photo).await.unwrap();
        let result = inspector.finish(photo, name.to_owned()).await.unwrap();
        let fresh = VersionedInspection {
            inspection: Inspection::accepted(request(name), self.clock.now()),
            version: 0,
            fetched: None,
        };
        let done = processor.settler.done(fresh, result, Duration::ZERO).await;
        done.map_err(|error| error.to_string())
    }

    fn decision(&self, revision: u32, by: &str, decision: Decision) -> DecisionRequest {
        let inspection = self.world.inspection("one").unwrap();
        DecisionRequest {
            inspection: id("one"),
            revision,
            by: reviewer(by),
            based_on: report_digest(&inspection).unwrap(),
            decision,
            note: None,
        }
    }

    fn task(&self, name: &str) -> Option<ReviewTask> {
        self.world
            .reviews
            .tasks()
            .into_iter()
            .find(|task| task.inspection == id(name))
    }

    fn events(&self) -> Vec<String> {
        self.world.events.lock().unwrap().clone()
    }
}

fn id(name: &str) -> InspectionId {
    InspectionId::new(name).unwrap()
}

fn reviewer(name: &str) -> Reviewer {
    Reviewer::new(name).unwrap()
}

fn holder(task: &ReviewTask) -> Option<(&str, Timestamp)> {
    match &task.state {
        TaskState::Claimed { by, until } => Some((by.as_str(), *until)),
        TaskState::Open | TaskState::Done => None,
    }
}

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
    let task = bench.service.claim_next(&ann, None).await.unwrap().unwrap();
    assert_eq!(holder(&task), Some(("ann", bench.clock.now() + CLAIM_LEASE)));
    let decided = bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
    assert_eq!(decided.reviewed.judgement, Judgement::Confirmed);
    assert_eq!(
        decided.task.map(|t| (t.state, t.reviewed)),
        Some((TaskState::Done, 1))
    );
    assert_eq!(bench.events(), ["one.reviewed.1"]);
    assert!(bench.service.claim_next(&ann, None).await.unwrap().is_none());
    let read = bench.service.read(&id("one")).await.unwrap();
    assert_eq!((read.history.len(), read.reviewed.by), (1, Some(ann)));
}

#[tokio::test]
async fn the_second_of_two_is_shown_what_the_first_decided() {
    let bench = Bench::new().await;
    bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
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
    let decided = bench
        .service
        .decide(bench.decision(2, "bob", unusable))
        .await
        .unwrap();
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
    let first = bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(5));
    let again = bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
    assert_eq!(again, first);
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
    assert!(
        bench
            .service
            .claim_next(&reviewer("bob"), None)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(bench.events(), ["one.reviewed.1"]);
    assert_eq!(bench.task("one").unwrap().state, TaskState::Done);
}

#[tokio::test]
async fn an_event_of_a_task_that_was_done_is_not_lost_either() {
    let bench = Bench::new().await;
    bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
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
    let task = bench.service.claim_next(&reviewer("bob"), None).await.unwrap();
    assert_eq!(bench.events(), ["one.reviewed.1", "one.reviewed.2"]);
    // What was decided was undone: somebody has to decide.
    assert!(task.is_none() || holder(&task.unwrap()).is_some());
    assert_eq!(bench.task("one").unwrap().reviewed, 2);
}

#[tokio::test]
async fn an_escalation_goes_to_somebody_else() {
    let bench = Bench::new().await;
    let (ann, bob) = (reviewer("ann"), reviewer("bob"));
    bench.service.claim_next(&ann, None).await.unwrap().unwrap();
    let decided = bench
        .service
        .decide(bench.decision(1, "ann", Decision::Escalate))
        .await
        .unwrap();
    assert!(decided.reviewed.escalated);
    assert!(bench.service.claim_next(&ann, None).await.unwrap().is_none());
    let task = bench
        .service
        .claim_next(&bob, Some(TaskReason::Asked))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(holder(&task).map(|(by, _)| by), Some("bob"));
    bench
        .service
        .decide(bench.decision(2, "bob", Decision::Confirm))
        .await
        .unwrap();
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
    assert!(bench.service.claim_next(&bob, None).await.unwrap().is_none());
    bench.service.extend(&id("one"), &ann).await.unwrap();
    bench.clock.advance(CLAIM_LEASE);
    let task = bench.service.claim_next(&bob, None).await.unwrap().unwrap();
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
    bench
        .service
        .decide(bench.decision(1, "ann", Decision::Confirm))
        .await
        .unwrap();
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
    let gone = ReviewTask::open(id("gone"), TaskReason::Asked, bench.clock.now());
    bench
        .world
        .reviews
        .put_task(&gone, IfDone::Keep, bench.clock.now())
        .await
        .unwrap();
    let task = bench
        .service
        .claim_next(&reviewer("ann"), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(task.inspection, id("one"));
    assert_eq!(bench.task("gone").unwrap().state, TaskState::Done);
}
