//! Kill test of reviews: a process in which four reviewers decide is killed with SIGKILL again and again. No decision is
//! lost, none is there twice, each has its event, and no task stays behind.
//!
//! The other process is this test program itself, asked for its ignored test.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_domain::review::{IfDone, UnusableReason};
use walkaround_domain::{
    Decision, InspectionId, Review, ReviewTask, Reviewer, TaskReason, TaskState, Timestamp,
};
use walkaround_local::{LocalStack, Options, SystemClock};
use walkaround_messages::parse_reviewed_event;
use walkaround_pipeline::review::{DecisionRequest, ReviewService};
use walkaround_pipeline::store::InspectionStore;
use walkaround_tests::reviews::{REPORT, inspection, store};
use walkaround_tests::running::until;

const ROOT: &str = "WALKAROUND_TEST_ROOT";
const DECISIONS: usize = 500;
const KILLS: usize = 10;
const REVIEWERS: usize = 4;
const BOUND: Duration = Duration::from_secs(120);
/// Beside the root: the numbers of the decisions that were answered, a line each.
const ANSWERED: &str = "answered";

fn open(root: &Path) -> LocalStack {
    LocalStack::open(root, Options::default(), Arc::new(SystemClock::new())).expect("it opens")
}

fn service(local: &LocalStack) -> ReviewService {
    ReviewService {
        store: InspectionStore::new(local.records()),
        blobs: local.blobs(),
        reviews: local.reviews(),
        publisher: local.publisher(),
        clock: Arc::new(SystemClock::new()),
    }
}

fn id(number: usize) -> InspectionId {
    InspectionId::new(format!("i-{number:03}")).unwrap()
}

/// Decision `number` of the script.
fn scripted(number: usize) -> DecisionRequest {
    let decisions = [
        Decision::Confirm,
        Decision::Unusable(UnusableReason::ALL[number % UnusableReason::ALL.len()]),
    ];
    DecisionRequest {
        inspection: id(number),
        revision: 1,
        by: Reviewer::new(format!("reviewer {}", number % REVIEWERS)).unwrap(),
        based_on: REPORT,
        decision: decisions[number % 2].clone(),
        note: Some(format!("number {number}")),
    }
}

fn answered(root: &Path) -> BTreeSet<usize> {
    let text = fs::read_to_string(root.with_file_name(ANSWERED)).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the test below"]
async fn reviewers() {
    let root = std::env::var(ROOT).expect("started by another test");
    let root = Path::new(&root);
    let service = service(&open(root));
    let done = answered(root);
    // What was not answered is sent again.
    let script: Vec<usize> = (0..DECISIONS).filter(|number| !done.contains(number)).collect();
    let (script, next) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(root.with_file_name(ANSWERED));
    let file = Arc::new(Mutex::new(file.unwrap()));
    let reviewers = (0..REVIEWERS).map(|_| {
        let (service, file) = (service.clone(), Arc::clone(&file));
        let (script, next) = (Arc::clone(&script), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some(number) = script.get(next.fetch_add(1, Ordering::SeqCst)) {
                // A reviewer takes longer; without it, all is done before a process can be killed.
                tokio::time::sleep(Duration::from_millis(15)).await;
                service.decide(scripted(*number)).await.unwrap();
                // One write, so that no line is another one's.
                file.lock()
                    .unwrap()
                    .write_all(format!("{number}\n").as_bytes())
                    .unwrap();
            }
        })
    });
    for reviewer in reviewers.collect::<Vec<_>>() {
        reviewer.await.unwrap();
    }
}

/// Ends with the test, also when that fails.
struct Reviewers(Child);

impl Reviewers {
    fn start(root: &Path) -> Self {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program)
            .args(["--exact", "reviewers", "--ignored", "--nocapture"])
            .env(ROOT, root)
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("a process of reviewers"))
    }
}

impl Drop for Reviewers {
    fn drop(&mut self) {
        // On Unix this is SIGKILL; it may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn five_hundred_decisions_survive_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local = runtime.block_on(async {
        let local = open(&root);
        let (reviews, now) = (local.reviews(), Timestamp(1_795_305_600_000));
        for number in 0..DECISIONS {
            let name = id(number);
            store(&local, &inspection(name.as_str(), now)).await.unwrap();
            // Every other one has its task from the pipeline; the others get one with the decision.
            if number % 2 == 0 {
                let task = ReviewTask::open(name, TaskReason::Audit, now);
                reviews.put_task(&task, IfDone::Keep, now).await.unwrap();
            }
        }
        local
    });
    let mut jitter = fastrand::Rng::with_seed(1);
    for kill in 0..KILLS {
        let reviewers = Reviewers::start(&root);
        let enough = DECISIONS * (kill + 1) / (KILLS + 2);
        assert!(
            until(BOUND, || answered(&root).len() >= enough),
            "kill {kill}: no progress"
        );
        std::thread::sleep(Duration::from_micros(jitter.u64(0..3000)));
        drop(reviewers);
    }
    let stored = |local: &LocalStack| {
        let reviews = local.reviews();
        runtime.block_on(async {
            let mut all = Vec::new();
            for number in 0..DECISIONS {
                all.push(reviews.history(&id(number)).await.unwrap());
            }
            all
        })
    };
    let before = stored(&local).iter().map(Vec::len).sum::<usize>();
    println!(
        "stored at the last kill: {before}, answered: {}",
        answered(&root).len()
    );
    assert!(before < DECISIONS, "no kill hit the work");
    let _reviewers = Reviewers::start(&root);
    assert!(
        until(BOUND, || answered(&root).len() == DECISIONS),
        "not all are answered"
    );
    check(&local, &stored(&local));
}

/// Each decision of the script is stored once, has its event, and its task is done.
fn check(local: &LocalStack, histories: &[Vec<Review>]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (number, history) in histories.iter().enumerate() {
        let wanted = scripted(number);
        let [review] = &history[..] else {
            panic!("{} reviews of {}", history.len(), wanted.inspection);
        };
        let stored = (&review.by, &review.decision, &review.note, review.revision);
        assert_eq!(stored, (&wanted.by, &wanted.decision, &wanted.note, 1));
    }
    let published = runtime.block_on(local.events_since(0, 10 * DECISIONS)).unwrap();
    let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in published {
        let (name, review) = parse_reviewed_event(&event.event.body).unwrap();
        assert_eq!(name, review.event_id());
        events.entry(name).or_default().insert(event.event.body);
    }
    assert_eq!(events.len(), DECISIONS);
    assert!(
        events.values().all(|bodies| bodies.len() == 1),
        "an event says two things"
    );
    let tasks = runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..DECISIONS {
            tasks.push(local.reviews().task(&id(number)).await.unwrap().unwrap());
        }
        tasks
    });
    let left: Vec<&ReviewTask> = tasks
        .iter()
        .filter(|task| task.state != TaskState::Done)
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        runtime
            .block_on(local.reviews().task_counts())
            .unwrap()
            .is_empty()
    );
}
