//! Heartbeats of a worker, and whether an idle worker may exit.

use crate::support::{Stores, World, processor, run_tasks};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::Timestamp;
use walkaround_messages::{HeartbeatDocument, WorkerState, heartbeat_body, parse_heartbeat};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::heartbeat::{HeartbeatReporter, WorkerIdentity};
use walkaround_pipeline::idle::FewestWorkers;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::{Clock, Heartbeat};

const SECOND: Duration = Duration::from_secs(1);

fn identity() -> WorkerIdentity {
    WorkerIdentity {
        worker: "w".into(),
        host: "h".into(),
        device: "cpu".into(),
    }
}

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
    progress: Arc<Progress>,
    /// The documents as the binary got them.
    written: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            world: Arc::default(),
            clock: Arc::default(),
            progress: Arc::default(),
            written: Arc::default(),
        }
    }

    fn reporter(&self) -> HeartbeatReporter {
        let written = Arc::clone(&self.written);
        HeartbeatReporter {
            identity: identity(),
            progress: Arc::clone(&self.progress),
            inspector: processor(&self.world, &self.clock).0.inspector,
            records: Arc::new(Stores(Arc::clone(&self.world))),
            clock: self.clock.clone(),
            every: 15 * SECOND,
            also: Box::new(move |body| written.lock().unwrap().push(body.to_owned())),
            memory: || 77,
        }
    }

    fn stored(&self) -> HeartbeatDocument {
        parse_heartbeat(&self.world.heartbeats.lock().unwrap()["w"].body).unwrap()
    }

    async fn pass(&self, time: Duration) {
        run_tasks().await;
        self.clock.advance(time);
        run_tasks().await;
    }
}

#[tokio::test]
async fn heartbeats_carry_state_counts_and_throughput_until_shutdown() {
    let bench = Bench::new();
    let (trigger, stop) = shutdown_signal();
    let running = tokio::spawn(bench.reporter().run(stop));
    run_tasks().await;
    let first = bench.stored();
    assert_eq!(
        (first.state, first.photos_done, first.memory_bytes),
        (WorkerState::Idle, 0, 77)
    );
    assert_eq!(first.bundle.to_string(), "test 1");
    bench.progress.settled.store(30, Ordering::Relaxed);
    bench.progress.in_flight.store(2, Ordering::Relaxed);
    bench.pass(15 * SECOND).await;
    let second = bench.stored();
    assert_eq!(
        (second.state, second.photos_done, second.in_flight),
        (WorkerState::Working, 30, 2)
    );
    assert!((second.photos_per_second - 2.0).abs() < 1e-9, "{second:?}");
    // After the window of a minute only recent photos count.
    for _ in 0..6 {
        bench.pass(15 * SECOND).await;
    }
    assert!(bench.stored().photos_per_second.abs() < 1e-9);
    trigger.stop();
    run_tasks().await;
    assert!(running.is_finished());
    assert_eq!(bench.stored().state, WorkerState::Draining);
    assert_eq!(bench.written.lock().unwrap().len(), 9);
    assert_eq!(identity().signature(), "w (cpu)");
}

#[tokio::test]
async fn heartbeats_go_on_when_one_cannot_be_stored() {
    let bench = Bench::new();
    let (_trigger, stop) = shutdown_signal();
    bench.world.heartbeats_away.store(true, Ordering::SeqCst);
    let _running = tokio::spawn(bench.reporter().run(stop));
    run_tasks().await;
    assert!(bench.world.heartbeats.lock().unwrap().is_empty());
    bench.world.heartbeats_away.store(false, Ordering::SeqCst);
    bench.world.heartbeats_hang.store(true, Ordering::SeqCst);
    bench.pass(15 * SECOND).await;
    bench.world.heartbeats_hang.store(false, Ordering::SeqCst);
    // The call that hangs is given up after an interval, and the next one follows after another.
    bench.pass(15 * SECOND).await;
    bench.pass(15 * SECOND).await;
    assert_eq!(bench.stored().worker, "w");
}

/// An idle worker among others.
struct IdleCase {
    name: &'static str,
    workers_min: u32,
    /// Names of the others, when they started, in seconds, and their states.
    others: &'static [(&'static str, u64, WorkerState)],
    may_leave: bool,
}

const IDLE_CASES: &[IdleCase] = &[
    IdleCase {
        name: "no minimum",
        workers_min: 0,
        others: &[],
        may_leave: true,
    },
    IdleCase {
        name: "the only one",
        workers_min: 1,
        others: &[],
        may_leave: false,
    },
    IdleCase {
        name: "another one started earlier",
        workers_min: 1,
        others: &[("a", 1, WorkerState::Working)],
        may_leave: true,
    },
    IdleCase {
        name: "the earlier one drains",
        workers_min: 1,
        others: &[("a", 1, WorkerState::Draining)],
        may_leave: false,
    },
    IdleCase {
        name: "another one started later",
        workers_min: 1,
        others: &[("a", 9, WorkerState::Idle)],
        may_leave: false,
    },
];

fn fewest(bench: &Bench, workers_min: u32) -> FewestWorkers {
    FewestWorkers {
        records: Arc::new(Stores(Arc::clone(&bench.world))),
        clock: bench.clock.clone(),
        worker: "w".into(),
        started_at: Timestamp(5000),
        workers_min,
        beat_max_age: 60 * SECOND,
    }
}

#[tokio::test]
async fn the_minimum_of_workers_keeps_running() {
    for case in IDLE_CASES {
        let bench = Bench::new();
        for (worker, started, state) in case.others {
            let document = HeartbeatDocument {
                worker: (*worker).to_owned(),
                at: bench.clock.now(),
                started_at: Timestamp(started * 1000),
                state: *state,
                device: "cpu".to_owned(),
                host: "h".to_owned(),
                bundle: walkaround_domain::BundleId::new("test", "1"),
                photos_done: 0,
                photos_failed: 0,
                photos_per_second: 0.0,
                memory_bytes: 0,
                in_flight: 0,
                progressed_at: None,
            };
            let beat = Heartbeat {
                worker: (*worker).to_owned(),
                at: bench.clock.now(),
                body: heartbeat_body(&document),
            };
            bench
                .world
                .heartbeats
                .lock()
                .unwrap()
                .insert((*worker).to_owned(), beat);
        }
        let may_leave = fewest(&bench, case.workers_min).may_leave().await;
        assert_eq!(may_leave, case.may_leave, "{}", case.name);
    }
}

#[tokio::test]
async fn a_worker_that_cannot_read_the_heartbeats_keeps_running() {
    let bench = Bench::new();
    bench.world.heartbeats_away.store(true, Ordering::SeqCst);
    assert!(!fewest(&bench, 1).may_leave().await);
    bench.world.heartbeats_hang.store(true, Ordering::SeqCst);
    let worker = fewest(&bench, 1);
    let asked = tokio::spawn(async move { worker.may_leave().await });
    bench.pass(10 * SECOND).await;
    assert!(!asked.await.unwrap());
}
