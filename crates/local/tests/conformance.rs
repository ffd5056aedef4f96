//! The local adapters hold what the ports promise.

mod support;

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use support::open;
use walkaround_conformance::{
    BlobsUnderTest, Capabilities, CapacityUnderTest, ManualTime, Observe, OperationsUnderTest,
    PublisherUnderTest, QueueUnderTest, RealTime, RecordsUnderTest, ReviewsUnderTest, StateUnderTest,
    blobs_suite, capacity_suite, operations_suite, publisher_suite, queue_suite, records_suite,
    reviews_suite, state_suite,
};
use walkaround_local::{INTAKE, INTAKE_DEAD, LocalStack, Options, SystemClock, WorkerOptions};
use walkaround_ports::{Clock, OutEvent};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue() {
    let make = || async {
        let (local, clock, folder) = open();
        QueueUnderTest {
            queue: local.queue(INTAKE).unwrap(),
            dead_letters: local.queue(INTAKE_DEAD).unwrap(),
            time: Arc::new(ManualTime(clock)),
            keep: Box::new(folder),
        }
    };
    println!("{}", queue_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records() {
    let make = || async {
        let (local, _, folder) = open();
        RecordsUnderTest {
            records: local.records(),
            keep: Box::new(folder),
        }
    };
    println!("{}", records_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews() {
    let make = || async {
        let (local, _, folder) = open();
        ReviewsUnderTest {
            reviews: local.reviews(),
            keep: Box::new(folder),
        }
    };
    println!("{}", reviews_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations() {
    let make = || async {
        let (local, clock, folder) = open();
        OperationsUnderTest {
            operations: Arc::new(local.clone()),
            intake: local.queue(INTAKE).unwrap(),
            intake_dead: local.queue(INTAKE_DEAD).unwrap(),
            records: local.records(),
            today: walkaround_messages::utc_day(clock.now()),
            time: Arc::new(ManualTime(clock)),
            results: "results".to_owned(),
            keep: Box::new(folder),
        }
    };
    println!("{}", operations_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state() {
    let make = || async {
        let (local, clock, folder) = open();
        StateUnderTest {
            state: local.state(),
            time: Arc::new(ManualTime(clock)),
            keep: Box::new(folder),
        }
    };
    println!("{}", state_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs() {
    let make = || async {
        let (local, _, folder) = open();
        BlobsUnderTest {
            blobs: local.blobs(),
            bucket: "results".to_owned(),
            other_bucket: "photos".to_owned(),
            keep: Box::new(folder),
        }
    };
    println!("{}", blobs_suite(make, &Capabilities::all()).await.require());
}

struct Consumer(LocalStack);

#[async_trait]
impl Observe for Consumer {
    async fn seen(&self) -> Vec<OutEvent> {
        let events = self.0.events_since(0, 1000).await.expect("events");
        events.into_iter().map(|e| e.event).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publisher() {
    let make = || async {
        let (local, clock, folder) = open();
        PublisherUnderTest {
            publisher: local.publisher(),
            subscriber: Arc::new(Consumer(local)),
            time: Arc::new(ManualTime(clock)),
            keep: Box::new(folder),
        }
    };
    println!("{}", publisher_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capacity() {
    let make = || async {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let local = LocalStack::open(folder.path(), Options::default(), clock).unwrap();
        let workers = WorkerOptions {
            command: ["sleep", "600"].map(str::to_owned).to_vec(),
            workers_max: 3,
            ..WorkerOptions::default()
        };
        CapacityUnderTest {
            capacity: Arc::new(local.capacity(workers).await.unwrap()),
            workers_max: Some(3),
            time: Arc::new(RealTime {
                unit: Duration::from_millis(200),
                patience: Duration::ZERO,
            }),
            keep: Box::new(folder),
        }
    };
    println!("{}", capacity_suite(make, &Capabilities::all()).await.require());
}
