//! The simulated ports keep to the same words as every other adapter's.

use crate::capacity::{Capacity, SimCapacity};
use crate::context::Context;
use crate::facts::Place;
use crate::plan::{LaneFate, Plan, Rates};
use crate::queue::SimQueue;
use crate::stores::{SimBlobs, SimPublisher, SimRecords, SimState};
use async_trait::async_trait;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use walkaround_conformance::{
    BlobsUnderTest, Capabilities, CapacityUnderTest, Observe, PublisherUnderTest, QueueUnderTest,
    RECEIVES_MAX, RecordsUnderTest, StateUnderTest, TimeDriver, blobs_suite, capacity_suite, publisher_suite,
    queue_suite, records_suite, state_suite,
};
use walkaround_ports::OutEvent;

/// Simulated time: it passes when everything waits.
struct SimTime;

#[async_trait]
impl TimeDriver for SimTime {
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A world in which nothing goes wrong.
fn context() -> Arc<Context> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut plan = Plan::draw(&mut rng);
    plan.rates = Rates::default();
    plan.workers_max = 99;
    plan.lane = LaneFate::Comes;
    Arc::new(Context::new(plan, rng, None))
}

fn simulated<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn queue_conforms() {
    let make = || async {
        let context = context();
        let dead = Arc::new(SimQueue::new(&context, Place::Dead, None));
        let behind = Some((Arc::clone(&dead), RECEIVES_MAX));
        QueueUnderTest {
            queue: Arc::new(SimQueue::new(&context, Place::Intake, behind)),
            dead_letters: dead,
            time: Arc::new(SimTime),
            keep: Box::new(()),
        }
    };
    let _ = simulated(queue_suite(make, &Capabilities::all())).require();
}

#[test]
fn records_conform() {
    let make = || async {
        RecordsUnderTest {
            records: Arc::new(SimRecords::new(&context())),
            keep: Box::new(()),
        }
    };
    let _ = simulated(records_suite(make, &Capabilities::all())).require();
}

#[test]
fn state_conforms() {
    let make = || async {
        StateUnderTest {
            state: Arc::new(SimState::new(&context())),
            time: Arc::new(SimTime),
            keep: Box::new(()),
        }
    };
    let _ = simulated(state_suite(make, &Capabilities::all())).require();
}

#[test]
fn blobs_conform() {
    let make = || async {
        BlobsUnderTest {
            blobs: Arc::new(SimBlobs(context())),
            bucket: "one".into(),
            other_bucket: "two".into(),
            keep: Box::new(()),
        }
    };
    let _ = simulated(blobs_suite(make, &Capabilities::all())).require();
}

struct Seen(Arc<SimPublisher>);

#[async_trait]
impl Observe for Seen {
    async fn seen(&self) -> Vec<OutEvent> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

#[test]
fn publisher_conforms() {
    let make = || async {
        let publisher = Arc::new(SimPublisher::new(&context()));
        PublisherUnderTest {
            subscriber: Arc::new(Seen(Arc::clone(&publisher))),
            publisher,
            time: Arc::new(SimTime),
            keep: Box::new(()),
        }
    };
    let _ = simulated(publisher_suite(make, &Capabilities::all())).require();
}

#[test]
fn capacity_conforms() {
    let make = || async {
        CapacityUnderTest {
            capacity: Arc::new(Capacity(Arc::new(SimCapacity::new(&context())))),
            workers_max: None,
            time: Arc::new(SimTime),
            keep: Box::new(()),
        }
    };
    let why = "like AWS Batch it starts what it is asked for: going past the maximum is what S1 must see";
    let table = Capabilities::all().without("never_more_than_the_most", why);
    let _ = simulated(capacity_suite(make, &table)).require();
}
