//! Several processes on one root, killed at any moment: nothing is lost, nothing is there twice.
//!
//! The other processes are this test program itself, asked for one of its ignored tests.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_local::{INTAKE, LocalStack, Options, PublishedEvent, SystemClock};
use walkaround_ports::{
    BlobAddress, Clock, Delivery, IndexKeys, OutEvent, OutMessage, Precondition, PutOutcome, StoredRecord,
    WriteOutcome,
};

const ROOT: &str = "WALKAROUND_TEST_ROOT";
const LEASE: Duration = Duration::from_millis(500);
const MESSAGES: usize = 400;

fn open(root: &Path) -> LocalStack {
    let mut options = Options::default();
    for queue in &mut options.queues {
        if let Some(dead) = &mut queue.dead_letter {
            // Every kill costs a delivery.
            dead.receives_max = 100;
        }
    }
    LocalStack::open(root, options, Arc::new(SystemClock::new())).expect("it opens")
}

/// Ends with the test, also when that fails.
struct Worker(Child);

impl Worker {
    fn start(root: &Path) -> Self {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program)
            .args(["--exact", "one_worker", "--ignored", "--nocapture"])
            .env(ROOT, root)
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("a worker"))
    }

    fn kill(&mut self) {
        // On Unix this is SIGKILL.
        self.0.kill().expect("killed");
        self.0.wait().expect("waited");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the pipeline does with a message, in small: blob, record, event, and only then the acknowledgement.
async fn settle(local: &LocalStack, delivery: &Delivery) {
    let at = address(&delivery.body);
    let bytes = contents(&delivery.body);
    let put = local.blobs().put_if_absent(&at, &bytes, "text/plain").await;
    assert_ne!(put.expect("a put"), PutOutcome::Conflict);
    let record = StoredRecord {
        id: InspectionId::new(&delivery.body).expect("an id"),
        version: 0,
        updated_at: Timestamp(1),
        keys: IndexKeys {
            phase: "done".to_owned(),
            verdict: Some("clean".to_owned()),
            day: "2026-11-22".to_owned(),
            ..IndexKeys::default()
        },
        body: format!("by {}", std::process::id()),
    };
    let written = local.records().write(&record, Precondition::Absent).await;
    match written.expect("a write") {
        WriteOutcome::Committed(1) | WriteOutcome::Conflict(Some(_)) => {}
        other => panic!("{other:?}"),
    }
    let event = OutEvent {
        id: format!("{}.done", delivery.body),
        body: String::new(),
        attributes: [].into(),
    };
    local.publisher().publish(&event).await.expect("published");
}

fn address(body: &str) -> BlobAddress {
    BlobAddress {
        bucket: "results".to_owned(),
        key: format!("{body}/report.txt"),
    }
}

fn contents(body: &str) -> Vec<u8> {
    body.repeat(5000).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the tests below"]
async fn one_worker() {
    let root = std::env::var(ROOT).expect("started by another test");
    let local = open(Path::new(&root));
    let queue = local.queue(INTAKE).unwrap();
    loop {
        let deliveries = queue.receive(10, LEASE, Duration::from_secs(1)).await.unwrap();
        let mut receipts = Vec::new();
        for delivery in &deliveries {
            settle(&local, delivery).await;
            receipts.push(delivery.receipt.clone());
        }
        for answer in queue.ack(&receipts).await.unwrap() {
            answer.unwrap();
        }
    }
}

async fn send_all(local: &LocalStack) {
    let messages = (0..MESSAGES).map(|i| OutMessage {
        body: format!("photo-{i}"),
        ..OutMessage::default()
    });
    let queue = local.queue(INTAKE).expect("intake");
    for answer in queue.send(messages.collect()).await.expect("answers") {
        answer.expect("accepted");
    }
}

async fn events(local: &LocalStack) -> Vec<PublishedEvent> {
    local.events_since(0, 1_000_000).await.expect("events")
}

/// Waits until nothing is left in the queue.
async fn drained(local: &LocalStack) {
    let queue = local.queue(INTAKE).expect("intake");
    loop {
        let depth = queue.depth().await.expect("a depth");
        if depth.ready + depth.leased + depth.delayed == 0 {
            return;
        }
        SystemClock::new().sleep(Duration::from_millis(20)).await;
    }
}

async fn check_all(local: &LocalStack) {
    let published: BTreeSet<String> = events(local).await.into_iter().map(|e| e.event.id).collect();
    for number in 0..MESSAGES {
        let body = format!("photo-{number}");
        let id = InspectionId::new(&body).expect("an id");
        let record = local.records().read(&id).await.expect("a read");
        assert_eq!(record.map(|r| r.version), Some(1), "{body}");
        let expected = contents(&body);
        let meta = local.blobs().head(&address(&body)).await.expect("a head");
        let digest: [u8; 32] = Sha256::digest(&expected).into();
        assert_eq!(meta.and_then(|m| m.sha256), Some(digest), "{body}");
        let bytes = local.blobs().get(&address(&body), 1 << 20).await;
        assert!(bytes.expect("a get") == expected, "{body}");
        assert!(published.contains(&format!("{body}.done")), "{body}");
    }
    let done: u64 = local
        .counts()
        .await
        .expect("counts")
        .iter()
        .map(|t| t.records)
        .sum();
    assert_eq!(done, MESSAGES as u64);
    assert_eq!(local.parked_count("intake-dead").await.expect("a count"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    let _workers: Vec<Worker> = (0..3).map(|_| Worker::start(folder.path())).collect();
    send_all(&local).await;
    drained(&local).await;
    check_all(&local).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    send_all(&local).await;
    let mut workers: Vec<Worker> = (0..2).map(|_| Worker::start(folder.path())).collect();
    // Ten kills, spread over the work, at whatever moment the victim is in.
    for kill in 1..=10 {
        while events(&local).await.len() < kill * MESSAGES / 12 {
            SystemClock::new().sleep(Duration::from_millis(1)).await;
        }
        let victim = &mut workers[kill % 2];
        victim.kill();
        *victim = Worker::start(folder.path());
    }
    drained(&local).await;
    drop(workers);
    drop(local);
    let local = open(folder.path());
    check_all(&local).await;
    let left = std::fs::read_dir(folder.path().join("tmp")).unwrap().count();
    assert_eq!(left, 0, "half written files");
    let database = rusqlite::Connection::open(folder.path().join("walkaround.db")).unwrap();
    let whole: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
}

/// Another open root has its own threads and wakes nobody here: as another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_receive_sees_what_others_send() {
    let folder = tempfile::tempdir().unwrap();
    let (waiting, sending) = (open(folder.path()), open(folder.path()));
    let queue = waiting.queue(INTAKE).unwrap();
    let came = tokio::spawn(async move { queue.receive(1, LEASE, Duration::from_secs(20)).await });
    SystemClock::new().sleep(Duration::from_millis(20)).await;
    let message = OutMessage {
        body: "news".to_owned(),
        ..OutMessage::default()
    };
    sending.queue(INTAKE).unwrap().send(vec![message]).await.unwrap();
    let came = came.await.unwrap().unwrap();
    assert_eq!(came.len(), 1, "it waited in vain");
}
