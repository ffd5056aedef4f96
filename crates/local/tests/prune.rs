//! Retention: what is old goes, everything else stays, a bounded number at a time.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use walkaround_conformance::ManualClock;
use walkaround_domain::review::IfDone;
use walkaround_domain::{Decision, InspectionId, Review, ReviewTask, Reviewer, TaskReason};
use walkaround_local::{INTAKE, INTAKE_DEAD, LocalStack, Options, PrunePass, Pruned, Retention};
use walkaround_ports::{
    BlobAddress, Clock, IndexKeys, OutEvent, OutMessage, Precondition, PutOutcome, RecordQuery, StoredRecord,
};

const DAY: Duration = Duration::from_secs(86_400);
const PASS: PrunePass = PrunePass {
    each_max: 100_000,
    dry_run: false,
};

struct Root {
    local: LocalStack,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

fn open() -> Root {
    let folder = tempfile::tempdir().expect("it works");
    let clock = Arc::new(ManualClock::new());
    let local = LocalStack::open(folder.path(), Options::default(), clock.clone()).expect("it works");
    Root {
        local,
        clock,
        _folder: folder,
    }
}

fn thirty_days() -> Retention {
    Retention {
        records: Some(DAY * 30),
        buckets: vec![
            ("photos".to_owned(), Some(DAY * 30)),
            ("results".to_owned(), None),
        ],
        dead_letters: Some(DAY * 14),
    }
}

fn blob(bucket: &str, key: &str) -> BlobAddress {
    BlobAddress {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

impl Root {
    async fn record(&self, id: &str, phase: &str) {
        let record = StoredRecord {
            id: InspectionId::new(id).expect("it works"),
            version: 0,
            updated_at: self.clock.now(),
            keys: IndexKeys {
                phase: phase.to_owned(),
                day: "2026-11-22".to_owned(),
                ..IndexKeys::default()
            },
            body: String::new(),
        };
        self.local
            .records()
            .write(&record, Precondition::Absent)
            .await
            .expect("it works");
    }

    async fn put(&self, bucket: &str, key: &str) -> PutOutcome {
        let at = blob(bucket, key);
        self.local
            .blobs()
            .put_if_absent(&at, b"1234", "image/jpeg")
            .await
            .expect("it works")
    }

    async fn send(&self, queue: &str) {
        let message = OutMessage {
            body: "{}".to_owned(),
            ..OutMessage::default()
        };
        let answers = self
            .local
            .queue(queue)
            .expect("it works")
            .send(vec![message])
            .await
            .expect("it works");
        assert!(answers.iter().all(Result::is_ok));
    }

    /// One of each kind, all of now.
    async fn fill(&self, name: &str) {
        self.record(&format!("{name}-done"), "done").await;
        self.record(&format!("{name}-routed"), "routed").await;
        self.put("photos", &format!("walkaround-submitted/{name}/a.jpg"))
            .await;
        self.put("results", &format!("inspections/{name}/report.json"))
            .await;
        self.send(INTAKE_DEAD).await;
        let event = OutEvent {
            id: name.to_owned(),
            body: "{}".to_owned(),
            attributes: BTreeMap::new(),
        };
        self.local.publisher().publish(&event).await.expect("it works");
    }

    async fn prune(&self, pass: PrunePass) -> BTreeMap<String, Pruned> {
        let all = self.local.prune(&thirty_days(), pass).await.expect("it works");
        all.into_iter().map(|p| (p.kind.clone(), p)).collect()
    }

    async fn ids(&self) -> Vec<String> {
        let query = RecordQuery::Day("2026-11-22".to_owned());
        let page = self
            .local
            .records()
            .list(&query, None, 1000)
            .await
            .expect("it works");
        page.records.iter().map(|r| r.id.to_string()).collect()
    }

    async fn is_there(&self, at: &BlobAddress) -> bool {
        self.local.blobs().head(at).await.expect("it works").is_some()
    }
}

#[tokio::test]
async fn what_is_older_than_its_days_goes_and_all_else_stays() {
    let root = open();
    root.fill("old").await;
    root.clock.advance(DAY * 31);
    root.fill("new").await;
    let said = root
        .prune(PrunePass {
            dry_run: true,
            ..PASS
        })
        .await;
    assert_eq!(root.ids().await.len(), 4, "a dry run removes nothing");
    let pruned = root.prune(PASS).await;
    assert_eq!(said, pruned, "a dry run says what a run does");
    let items: BTreeMap<&str, u64> = pruned.iter().map(|(kind, p)| (kind.as_str(), p.items)).collect();
    assert_eq!((items["records"], items["events"]), (1, 1));
    assert_eq!((items["blobs of photos"], items["blobs of results"]), (1, 0));
    assert_eq!(pruned["blobs of photos"].bytes, 4);
    assert_eq!(
        (
            items["dead letters of intake"],
            items["dead letters of segmentation"]
        ),
        (1, 0)
    );
    assert!(pruned.values().all(|p| !p.more));
    assert_eq!(root.ids().await, ["new-done", "new-routed", "old-routed"]);
    for (bucket, key, there) in [
        ("photos", "walkaround-submitted/old/a.jpg", false),
        ("photos", "walkaround-submitted/new/a.jpg", true),
        ("results", "inspections/old/report.json", true),
    ] {
        let at = blob(bucket, key);
        assert_eq!(root.is_there(&at).await, there, "{at}");
        assert_eq!(root.local.blob_file(&at).unwrap().exists(), there, "{at}");
    }
    let folder = root
        .local
        .blob_file(&blob("photos", "walkaround-submitted/old/a.jpg"))
        .unwrap();
    assert!(!folder.parent().unwrap().exists(), "empty folders go too");
    assert_eq!(root.local.parked_count(INTAKE_DEAD).await.unwrap(), 1);
    let counts = root.local.counts().await.unwrap();
    let done: u64 = counts
        .iter()
        .filter(|t| t.phase == "done")
        .map(|t| t.records)
        .sum();
    assert_eq!(done, 1, "status counts what is there");
    assert!(
        root.prune(PASS).await.values().all(|p| p.items == 0),
        "once is enough"
    );
}

#[tokio::test]
async fn a_pass_is_bounded_and_the_next_goes_on() {
    let root = open();
    for n in 0..450 {
        root.record(&format!("r-{n}"), "done").await;
    }
    root.clock.advance(DAY * 31);
    let pass = PrunePass {
        each_max: 420,
        dry_run: false,
    };
    let first = root.prune(pass).await;
    assert_eq!((first["records"].items, first["records"].more), (420, true));
    let second = root.prune(pass).await;
    assert_eq!((second["records"].items, second["records"].more), (30, false));
}

#[tokio::test]
async fn a_photo_that_a_message_may_still_name_stays() {
    let root = open();
    root.put("photos", "a.jpg").await;
    root.send(INTAKE).await;
    root.clock.advance(DAY * 31);
    assert_eq!(root.prune(PASS).await["blobs of photos"].items, 0);
}

#[tokio::test]
async fn a_photo_that_is_put_again_is_kept_from_then_on() {
    let root = open();
    root.put("photos", "a.jpg").await;
    root.clock.advance(DAY * 29);
    assert_eq!(root.put("photos", "a.jpg").await, PutOutcome::Identical);
    root.clock.advance(DAY * 2);
    assert_eq!(root.prune(PASS).await["blobs of photos"].items, 0);
    root.clock.advance(DAY * 29);
    assert_eq!(root.prune(PASS).await["blobs of photos"].items, 1);
    assert_eq!(root.put("photos", "a.jpg").await, PutOutcome::Created);
}

#[tokio::test]
async fn heartbeat_files_of_dead_workers_go() {
    let root = open();
    let logs = root.local.root().join("logs");
    let file = logs.join("worker-7.heartbeat.json");
    fs::write(&file, "{}").unwrap();
    fs::write(logs.join("worker-7.log"), "log").unwrap();
    // Files have the time of the machine, which is not that of the test's clock.
    let now = std::time::UNIX_EPOCH + Duration::from_millis(root.clock.now().0);
    let age = |age| {
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(now - age)
            .unwrap();
    };
    age(Duration::from_secs(3600));
    assert_eq!(root.prune(PASS).await["heartbeat files"].items, 0);
    age(DAY * 2);
    assert_eq!(root.prune(PASS).await["heartbeat files"].items, 1);
    assert!(!file.exists() && logs.join("worker-7.log").exists());
}

#[tokio::test]
async fn reviews_and_tasks_go_with_their_record() {
    let root = open();
    let reviews = root.local.reviews();
    root.record("old", "done").await;
    let reviewed = |name: &str| Review {
        inspection: InspectionId::new(name).expect("it works"),
        revision: 1,
        by: Reviewer::new("ann").expect("it works"),
        at: root.clock.now(),
        based_on: [7; 32],
        decision: Decision::Confirm,
        note: None,
    };
    for name in ["old", "new"] {
        let review = reviewed(name);
        reviews.append(&review).await.expect("it works");
        let task = ReviewTask::open(review.inspection, TaskReason::Audit, root.clock.now());
        let put = reviews.put_task(&task, IfDone::Keep, root.clock.now()).await;
        put.expect("it works");
    }
    root.clock.advance(DAY * 31);
    root.record("new", "done").await;
    root.local.prune(&thirty_days(), PASS).await.expect("it works");
    for (name, kept) in [("old", false), ("new", true)] {
        let id = InspectionId::new(name).expect("it works");
        let history = reviews.history(&id).await.expect("it works");
        assert_eq!(!history.is_empty(), kept, "reviews of {name}");
        let task = reviews.task(&id).await.expect("it works");
        assert_eq!(task.is_some(), kept, "task of {name}");
    }
}
