//! What `status` reads: counts, the finished, the latest; and the log of events.

use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use walkaround_conformance::ManualClock;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_local::{LocalStack, Options};
use walkaround_ports::{
    Clock, Heartbeat, IndexKeys, OutEvent, PhaseCount, Precondition, StoredRecord, WriteOutcome,
};

fn open(options: Options) -> (LocalStack, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let opened = LocalStack::open(folder.path(), options, Arc::new(ManualClock::new()));
    (opened.expect("it opens"), folder)
}

async fn write(local: &LocalStack, id: &str, phase: &str, verdict: Option<&str>, at: u64) {
    let id = InspectionId::new(id).expect("an id");
    let records = local.records();
    let before = records.read(&id).await.expect("a read");
    let expect = before.map_or(Precondition::Absent, |r| Precondition::Version(r.version));
    let next = StoredRecord {
        id,
        version: 0,
        updated_at: Timestamp(at),
        keys: IndexKeys {
            phase: phase.to_owned(),
            verdict: verdict.map(str::to_owned),
            day: "2026-11-22".to_owned(),
            ..IndexKeys::default()
        },
        body: String::new(),
    };
    let written = records.write(&next, expect).await.expect("a write");
    assert!(matches!(written, WriteOutcome::Committed(_)));
}

fn tally(phase: &str, verdict: Option<&str>, records: u64) -> PhaseCount {
    PhaseCount {
        phase: phase.to_owned(),
        verdict: verdict.map(str::to_owned),
        records,
    }
}

#[tokio::test]
async fn counts_follow_every_write() {
    let (local, _folder) = open(Options::default());
    assert_eq!(local.counts().await.unwrap(), []);
    for id in ["a", "b", "c"] {
        write(&local, id, "accepted", None, 10_000).await;
    }
    write(&local, "a", "routed", None, 20_000).await;
    write(&local, "a", "done", Some("damaged"), 30_000).await;
    write(&local, "b", "failed", None, 40_000).await;
    // Published: written again, counted once, finished when it was.
    write(&local, "a", "done", Some("damaged"), 50_000).await;
    let expected = [
        tally("accepted", None, 1),
        tally("done", Some("damaged"), 1),
        tally("failed", None, 1),
    ];
    assert_eq!(local.counts().await.unwrap(), expected);
    let since = |at| local.finished_since(Timestamp(at));
    assert_eq!(since(30_000).await.unwrap(), expected[1..]);
    assert_eq!(since(31_000).await.unwrap(), expected[2..]);
    assert_eq!(since(41_000).await.unwrap(), []);
}

#[tokio::test]
async fn the_latest_come_first() {
    let (local, _folder) = open(Options::default());
    for id in ["a", "b", "c"] {
        write(&local, id, "accepted", None, 10).await;
    }
    write(&local, "a", "routed", None, 20).await;
    let recent = local.recent_records(2).await.unwrap();
    let ids: Vec<&str> = recent.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["c", "b"]);
}

#[tokio::test]
async fn heartbeats_of_long_ago_are_dropped_at_the_next_start() {
    let (local, folder) = open(Options::default());
    let now = ManualClock::new().now();
    let day = Duration::from_secs(24 * 3600);
    for (worker, at) in [("old", now - day * 31), ("recent", now - day * 29)] {
        let beat = Heartbeat {
            worker: worker.to_owned(),
            at,
            body: String::new(),
        };
        local.records().put_heartbeat(&beat).await.unwrap();
    }
    let again = LocalStack::open(folder.path(), Options::default(), Arc::new(ManualClock::new())).unwrap();
    let beats = again.records().heartbeats(Timestamp(0)).await.unwrap();
    let workers: Vec<&str> = beats.iter().map(|b| b.worker.as_str()).collect();
    assert_eq!(workers, ["recent"]);
}

async fn publish(local: &LocalStack, id: &str) {
    let event = OutEvent {
        id: id.to_owned(),
        body: "{}".to_owned(),
        attributes: [("verdict".to_owned(), "clean".to_owned())].into(),
    };
    local.publisher().publish(&event).await.expect("published");
}

#[tokio::test]
async fn events_are_read_from_where_one_was() {
    let (local, _folder) = open(Options::default());
    for id in ["a.done", "b.done", "a.done"] {
        publish(&local, id).await;
    }
    let first = local.events_since(0, 2).await.unwrap();
    let last = local.events_since(first[1].seq, 2).await.unwrap();
    assert_eq!((first.len(), last.len()), (2, 1));
    assert_eq!(last[0].event, first[0].event);
    assert!(last[0].seq > first[1].seq);
    assert_eq!(last[0].event.attributes["verdict"], "clean");
}

#[tokio::test]
async fn the_log_of_events_is_bounded() {
    let (local, _folder) = open(Options {
        events_kept_max: 100,
        ..Options::default()
    });
    for number in 0..2000 {
        publish(&local, &format!("e{number}")).await;
    }
    let kept = local.events_since(0, 5000).await.unwrap();
    assert_eq!(kept.len(), 100);
    assert_eq!(kept[99].event.id, "e1999");
}
