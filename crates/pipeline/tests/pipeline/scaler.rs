//! Ticks of the scaler over a fake fleet: clocks that jump, workers that die, lanes without workers.

mod faults;

use crate::support;
use crate::support::Stores;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_domain::scaling::{BackOffPolicy, ScalingPolicy, WorkerEnd};
use walkaround_domain::{BundleId, Timestamp};
use walkaround_messages::{HeartbeatDocument, LANE_STATE, WorkerState, heartbeat_body, parse_lane_state};
use walkaround_pipeline::scaler::{Patience, Scaler, ScalerPolicy, Tick};
use walkaround_pipeline::take_back::TAKEN_BACK_ATTRIBUTE;
use walkaround_ports::{
    AckOutcome, Clock, Delivery, Depth, GpuCapacity, Heartbeat, LeaseOutcome, OutMessage, PortCall,
    PortError, PortErrorKind, Queue, Receipt, WorkerJob, WorkerJobState,
};

const T0: Timestamp = Timestamp(1_795_305_600_000);
const SECOND: Duration = Duration::from_secs(1);

/// Everything that a scaler sees, in one place.
#[derive(Default)]
struct World {
    now: Mutex<Timestamp>,
    jobs: Mutex<Vec<WorkerJob>>,
    ended: Mutex<Vec<String>>,
    /// Heartbeats and the state of the lane.
    stores: Arc<support::World>,
    /// Calls that fail: `start`, `end`, `send`, `ack`, `release`.
    failing: Mutex<BTreeSet<&'static str>>,
    lane: Mutex<Vec<OutMessage>>,
    intake: Mutex<Vec<OutMessage>>,
    starts: Mutex<u32>,
}

impl World {
    fn call(&self, name: &'static str) -> Result<(), PortError> {
        match self.failing.lock().unwrap().contains(name) {
            true => Err(PortError::new(
                PortCall::new("fake", name),
                PortErrorKind::Unavailable,
                "as the test says",
            )),
            false => Ok(()),
        }
    }

    fn fail(&self, names: &[&'static str]) {
        *self.failing.lock().unwrap() = names.iter().copied().collect();
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap() = now;
    }

    fn beat(&self, worker: &str) {
        self.beat_after(worker, 5);
    }

    /// A heartbeat of a worker that has settled this many photos.
    fn beat_after(&self, worker: &str, photos_done: u32) {
        let at = self.now();
        let body = heartbeat_body(&HeartbeatDocument {
            worker: worker.to_owned(),
            at,
            started_at: at,
            state: WorkerState::Working,
            device: "cpu".to_owned(),
            host: "here".to_owned(),
            bundle: BundleId::new("b", "1"),
            photos_done,
            photos_failed: 0,
            photos_per_second: 1.0,
            memory_bytes: 0,
            in_flight: 0,
            progressed_at: None,
        });
        let worker = worker.to_owned();
        let beat = Heartbeat {
            worker: worker.clone(),
            at,
            body,
        };
        self.stores.heartbeats.lock().unwrap().insert(worker, beat);
    }

    fn run(&self, worker: &str) {
        let since = self.now();
        let mut jobs = self.jobs.lock().unwrap();
        jobs.retain(|job| job.id != worker);
        jobs.push(WorkerJob {
            id: worker.to_owned(),
            state: WorkerJobState::Running,
            since,
            reason: None,
        });
    }

    /// Every job that lives ends with this code.
    fn die(&self, exit: i32) {
        let now = self.now();
        for job in self.jobs.lock().unwrap().iter_mut() {
            if !matches!(job.state, WorkerJobState::Ended { .. }) {
                job.state = WorkerJobState::Ended { exit: Some(exit) };
                job.since = now;
            }
        }
    }

    fn put(&self, photos: usize) {
        for n in 0..photos {
            let message = OutMessage {
                body: n.to_string(),
                ..OutMessage::default()
            };
            self.lane.lock().unwrap().push(message);
        }
    }
}

struct Port(Arc<World>);
/// The lane's queue, or the intake queue.
struct At(Arc<World>, bool);

#[async_trait]
impl Clock for Port {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn ticks(&self) -> Duration {
        Duration::ZERO
    }
    async fn sleep(&self, _: Duration) {}
}

#[async_trait]
impl GpuCapacity for Port {
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError> {
        Ok(self.0.jobs.lock().unwrap().clone())
    }
    async fn start(&self, count: u32) -> Result<Vec<String>, PortError> {
        self.0.call("start")?;
        let since = self.0.now();
        let mut starts = self.0.starts.lock().unwrap();
        let mut ids = Vec::new();
        for _ in 0..count {
            *starts += 1;
            let id = format!("w-{starts}");
            self.0.jobs.lock().unwrap().push(WorkerJob {
                id: id.clone(),
                state: WorkerJobState::Starting,
                since,
                reason: None,
            });
            ids.push(id);
        }
        Ok(ids)
    }
    async fn end(&self, id: &str, _: &str) -> Result<(), PortError> {
        self.0.call("end")?;
        self.0.ended.lock().unwrap().push(id.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Queue for At {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        assert!(!self.1, "the scaler sends nothing to the lane");
        if self.0.call("send").is_err() {
            return Ok(messages.iter().map(|_| self.0.call("send")).collect());
        }
        let answers = messages.iter().map(|_| Ok(())).collect();
        self.0.intake.lock().unwrap().extend(messages);
        Ok(answers)
    }
    async fn receive(&self, max: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, PortError> {
        assert!(self.1, "the scaler takes nothing from the intake queue");
        let mut lane = self.0.lane.lock().unwrap();
        let many = max.min(lane.len());
        let taken = lane.drain(..many);
        Ok(taken
            .map(|message| Delivery {
                receipt: Receipt(message.body.clone()),
                message_id: message.body.clone(),
                body: message.body,
                attributes: message.attributes,
                receive_count: 1,
                sent_at: T0,
            })
            .collect())
    }
    async fn extend(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        panic!("nothing is extended")
    }
    async fn release(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        self.0.call("release")?;
        Ok(LeaseOutcome::Held)
    }
    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        let answer = |_: &Receipt| self.0.call("ack").map(|()| AckOutcome::Gone);
        Ok(receipts.iter().map(answer).collect())
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        Ok(Depth {
            ready: self.0.lane.lock().unwrap().len() as u64,
            ..Depth::default()
        })
    }
}

fn scaler(world: &Arc<World>, workers_max: u32) -> Scaler {
    let port = || Arc::new(Port(Arc::clone(world)));
    let stores = || Arc::new(Stores(Arc::clone(&world.stores)));
    Scaler {
        segmentation: Arc::new(At(Arc::clone(world), true)),
        intake: Arc::new(At(Arc::clone(world), false)),
        capacity: port(),
        records: stores(),
        state: stores(),
        clock: port(),
        policy: ScalerPolicy {
            scaling: ScalingPolicy {
                workers_max,
                rate_guess: 0.001,
                drain_target: SECOND * 100,
                ..ScalingPolicy::default()
            },
            back_off: BackOffPolicy::default(),
            patience: Patience {
                stale_after: SECOND * 60,
                start_grace: SECOND * 60,
                one_heartbeat: SECOND * 30,
            },
            cold_start: SECOND * 240,
            lane_cache: SECOND * 20,
        },
        end_of: |job| match job.state {
            WorkerJobState::Ended { exit: Some(78) } => WorkerEnd::CannotStart,
            _ => WorkerEnd::Other,
        },
        ends_since: Timestamp(0),
    }
}

fn world() -> Arc<World> {
    let world = Arc::new(World::default());
    world.set(T0);
    world
}

async fn tick_at(scaler: &Scaler, world: &World, now: Timestamp) -> Tick {
    world.set(now);
    let tick = scaler.tick().await.unwrap();
    assert!(tick.failed.is_none(), "{:?}", tick.failed);
    tick
}

#[tokio::test]
async fn after_a_clock_jumps_forward_a_heartbeat_is_waited_for_before_a_worker_is_ended() {
    let world = world();
    let scaler = scaler(&world, 2);
    for worker in ["healthy", "hung"] {
        world.run(worker);
        world.beat(worker);
    }
    assert!(tick_at(&scaler, &world, T0 + SECOND * 10).await.ended.is_empty());
    // An hour passes in a moment: every heartbeat looks an hour old.
    let jumped = T0 + SECOND * 3610;
    assert!(tick_at(&scaler, &world, jumped).await.ended.is_empty());
    world.set(jumped + SECOND * 8);
    world.beat("healthy");
    assert!(
        tick_at(&scaler, &world, jumped + SECOND * 12)
            .await
            .ended
            .is_empty()
    );
    let tick = tick_at(&scaler, &world, jumped + SECOND * 32).await;
    assert_eq!(tick.ended, ["hung"], "the one that sent no other");
}

#[tokio::test]
async fn a_heartbeat_from_a_clock_that_was_ahead_keeps_no_hung_worker() {
    let world = world();
    let scaler = scaler(&world, 1);
    world.run("hung");
    world.set(T0 + SECOND * 3600);
    world.beat("hung");
    // The clock is corrected, and the worker hangs.
    assert!(tick_at(&scaler, &world, T0 + SECOND * 70).await.ended.is_empty());
    let tick = tick_at(&scaler, &world, T0 + SECOND * 101).await;
    assert_eq!(tick.ended, ["hung"], "not an hour later");
}

#[tokio::test]
async fn workers_that_die_at_start_are_held_back_and_the_lane_says_so_until_one_gets_ready() {
    let world = world();
    let scaler = scaler(&world, 3);
    world.put(5);
    assert_eq!(tick_at(&scaler, &world, T0).await.started, 3);
    world.set(T0 + SECOND * 5);
    world.die(78);
    let tick = tick_at(&scaler, &world, T0 + SECOND * 6).await;
    assert_eq!((tick.started, tick.back_off.map(|b| b.failures)), (0, Some(1)));
    let state =
        |world: &World| parse_lane_state(&world.stores.documents.lock().unwrap()[LANE_STATE]).unwrap();
    assert!(state(&world).back_off.is_some());
    assert_eq!(tick.taken_back, 5, "photos are returned to be segmented inline");
    world.put(5);
    assert_eq!(tick_at(&scaler, &world, T0 + SECOND * 60).await.started, 0);
    // A probe after two minutes, alone; the photos that came meanwhile were taken back, so that new ones ask for it.
    world.put(5);
    assert_eq!(tick_at(&scaler, &world, T0 + SECOND * 126).await.started, 1);
    assert_eq!(*world.starts.lock().unwrap(), 4);
    world.set(T0 + SECOND * 140);
    world.run("w-4");
    world.beat("w-4");
    world.put(5);
    let tick = tick_at(&scaler, &world, T0 + SECOND * 141).await;
    assert_eq!((tick.back_off, tick.started, tick.taken_back), (None, 2, 0));
    assert_eq!(state(&world).cold_start, Some(SECOND * 14), "measured on the way");
}

#[tokio::test]
async fn photos_of_a_closed_lane_are_taken_back_once_in_a_while_not_in_circles() {
    let world = world();
    let scaler = scaler(&world, 0);
    world.put(25);
    let tick = tick_at(&scaler, &world, T0).await;
    assert_eq!((tick.taken_back, tick.started), (25, 0));
    let back: Vec<OutMessage> = world.intake.lock().unwrap().drain(..).collect();
    assert_eq!(back.len(), 25);
    assert!(
        back.iter().all(|m| m.delay == SECOND * 20),
        "until triage has read why"
    );
    assert_eq!(back[0].attributes[TAKEN_BACK_ATTRIBUTE], T0.0.to_string());
    // Triage cannot segment them inline and sends them to the lane again.
    world.lane.lock().unwrap().extend(back.clone());
    assert_eq!(tick_at(&scaler, &world, T0 + SECOND * 60).await.taken_back, 0);
    world.lane.lock().unwrap().extend(back);
    assert_eq!(tick_at(&scaler, &world, T0 + SECOND * 901).await.taken_back, 25);
}

#[tokio::test]
async fn a_lane_that_does_not_come_gives_its_photos_back_and_one_that_starts_keeps_them() {
    let world = world();
    let scaler = scaler(&world, 1);
    world.put(3);
    for seconds in [0, 100, 479] {
        assert_eq!(
            tick_at(&scaler, &world, T0 + SECOND * seconds).await.taken_back,
            0,
            "{seconds} s"
        );
    }
    // Twice the cold start is over: RUNNABLE without capacity, or a worker that never loads.
    assert_eq!(tick_at(&scaler, &world, T0 + SECOND * 481).await.taken_back, 3);
    assert_eq!(*world.starts.lock().unwrap(), 1, "and the start goes on");
}
