//! The load of the lanes as triage sees it: read, cached, estimated in between.

use crate::support::{World, queue, state};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::lane::{GpuLane, LaneState};
use walkaround_messages::{LANE_STATE, lane_state_body};
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_ports::{Clock, OutMessage};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
    monitor: LaneMonitor,
}

fn settings() -> LaneMonitorSettings {
    LaneMonitorSettings {
        workers_max: 14,
        rate_guess: 10.0,
        fresh_for: 20 * SECOND,
        scale_every: 60 * SECOND,
    }
}

impl Bench {
    fn new(settings: LaneMonitorSettings) -> Self {
        let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
        let lanes = Lanes {
            intake: queue(&world),
            state: state(&world),
        };
        let monitor = LaneMonitor::new(lanes, clock.clone(), settings);
        Self {
            world,
            clock,
            monitor,
        }
    }

    fn put(&self, state: &LaneState) {
        let mut documents = self.world.documents.lock().unwrap();
        documents.insert(LANE_STATE.to_owned(), lane_state_body(state));
    }

    /// The state of a lane, written now.
    fn lane(&self, backlog: u64) -> LaneState {
        LaneState {
            at: self.clock.now(),
            workers_max: 8,
            live: 2,
            backlog,
            ..LaneState::default()
        }
    }

    fn queue(&self, photos: usize) {
        let mut queue = self.world.parked.lock().unwrap();
        queue.resize(photos, OutMessage::default());
    }

    async fn gpu(&self) -> Option<GpuLane> {
        self.monitor.load().await.gpu
    }

    async fn backlog(&self) -> u64 {
        self.gpu().await.unwrap().backlog
    }
}

/// The GPU lane that a state and settings give.
struct StateCase {
    name: &'static str,
    settings: LaneMonitorSettings,
    /// The state, and how long ago it was written.
    state: Option<(LaneState, Duration)>,
    workers_max: Option<u32>,
}

#[tokio::test]
async fn the_lane_is_what_the_scaler_wrote_if_that_is_recent() {
    let lane = || LaneState {
        workers_max: 8,
        ..LaneState::default()
    };
    let cases = [
        StateCase {
            name: "no state",
            settings: settings(),
            state: None,
            workers_max: None,
        },
        StateCase {
            name: "recent",
            settings: settings(),
            state: Some((lane(), 60 * SECOND)),
            workers_max: Some(8),
        },
        StateCase {
            name: "four ticks missed",
            settings: settings(),
            state: Some((lane(), 241 * SECOND)),
            workers_max: None,
        },
        StateCase {
            name: "fewer workers by the settings",
            settings: LaneMonitorSettings {
                workers_max: 3,
                ..settings()
            },
            state: Some((lane(), Duration::ZERO)),
            workers_max: Some(3),
        },
        StateCase {
            name: "closed by the settings, whatever the state",
            settings: LaneMonitorSettings {
                workers_max: 0,
                ..settings()
            },
            state: None,
            workers_max: Some(0),
        },
    ];
    for case in cases {
        let bench = Bench::new(case.settings);
        if let Some((state, age)) = case.state {
            bench.put(&LaneState {
                at: bench.clock.now(),
                ..state
            });
            bench.clock.advance(age);
        }
        let workers_max = bench.gpu().await.map(|gpu| gpu.workers_max);
        assert_eq!(workers_max, case.workers_max, "{}", case.name);
    }
}

#[tokio::test]
async fn a_reading_is_cached_and_photos_sent_since_are_added_until_the_scaler_has_counted_them() {
    let bench = Bench::new(settings());
    bench.put(&bench.lane(5));
    assert_eq!(bench.backlog().await, 5);
    bench.monitor.sent();
    bench.monitor.sent();
    bench.put(&bench.lane(100));
    assert_eq!(bench.backlog().await, 7, "cached");
    bench.clock.advance(20 * SECOND);
    // The same state as before: the photos are not counted in it.
    assert_eq!(bench.backlog().await, 102);
    bench.put(&bench.lane(9));
    bench.clock.advance(20 * SECOND);
    assert_eq!(bench.backlog().await, 9);
}

#[tokio::test]
async fn a_reading_that_fails_keeps_the_last_one_and_is_repeated_soon() {
    let bench = Bench::new(settings());
    bench.put(&bench.lane(5));
    assert_eq!(bench.backlog().await, 5);
    bench.clock.advance(20 * SECOND);
    bench.put(&bench.lane(6));
    bench.world.state_away.store(true, Ordering::SeqCst);
    assert_eq!(bench.backlog().await, 5);
    bench.world.state_away.store(false, Ordering::SeqCst);
    assert_eq!(bench.backlog().await, 5, "not at once");
    bench.clock.advance(2 * SECOND);
    assert_eq!(bench.backlog().await, 6);
    bench.clock.advance(20 * SECOND);
    bench
        .world
        .documents
        .lock()
        .unwrap()
        .insert(LANE_STATE.to_owned(), "{".to_owned());
    assert_eq!(
        bench.backlog().await,
        6,
        "an unreadable state is an error as well"
    );
}

#[tokio::test]
async fn the_burst_is_the_suspect_share_of_the_intake_queue() {
    let bench = Bench::new(settings());
    bench.queue(100);
    assert_eq!(
        bench.monitor.load().await.burst,
        51,
        "half, until the gate has run"
    );
    for _ in 0..1000 {
        bench.monitor.saw(false);
    }
    assert_eq!(bench.monitor.load().await.burst, 1);
    for _ in 0..1000 {
        bench.monitor.saw(true);
    }
    assert_eq!(bench.monitor.load().await.burst, 100);
}
