//! The scaler: once a minute, starts the workers that are missing.
//!
//! It reconciles by level: a tick that fails or runs twice does no harm. Idle workers exit by themselves; the scaler ends
//! only those without heartbeats. Each tick stores the state of the lane, which triage reads (and nothing else of the
//! fleet), and which is the scaler's memory: the next tick may run in another process. Photos of a lane that is closed or
//! has no workers are returned to the intake queue, to be routed again ([`crate::take_back`]).

mod view;

pub use view::{Patience, is_unresponsive};

use crate::take_back::TakeBack;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use view::{Seen, View};
use walkaround_domain::Timestamp;
use walkaround_domain::lane::{LaneState, ScalerMemory, cold_start_mean};
use walkaround_domain::scaling::{
    BackOff, BackOffPolicy, Backlog, Fleet, ScalingPolicy, WorkerEnd, back_off, desired_workers,
    starts_allowed,
};
use walkaround_messages::{LANE_STATE, lane_state_body, parse_lane_state};
use walkaround_ports::{Clock, EndCause, GpuCapacity, PortError, Queue, Records, StateStore, WorkerJob};

/// Keeps the fleet at the level that the backlog asks for.
pub struct Scaler {
    /// The GPU lane's queue.
    pub segmentation: Arc<dyn Queue>,
    /// The intake queue, where photos of a lane without workers are returned to.
    pub intake: Arc<dyn Queue>,
    /// Starts and ends workers.
    pub capacity: Arc<dyn GpuCapacity>,
    /// Where the heartbeats are stored.
    pub records: Arc<dyn Records>,
    /// Where the state of the lane is stored.
    pub state: Arc<dyn StateStore>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub policy: ScalerPolicy,
    /// Classifies the end of a worker, by its exit code and reason.
    pub end_of: fn(&WorkerJob) -> WorkerEnd,
    /// Ends before this are ignored: the system was restarted since.
    pub ends_since: Timestamp,
}

/// Bounds of a scaler.
#[derive(Debug, Clone, Copy)]
pub struct ScalerPolicy {
    /// Number of workers.
    pub scaling: ScalingPolicy,
    /// Workers that fail at their start.
    pub back_off: BackOffPolicy,
    /// Workers without heartbeats.
    pub patience: Patience,
    /// From asking for a worker to its first photo, until it is measured; as triage assumes.
    pub cold_start: Duration,
    /// Triage uses a state for at most this long.
    pub lane_cache: Duration,
}

/// Observations and actions of one tick.
#[derive(Debug, Default)]
pub struct Tick {
    /// Photos waiting and in flight.
    pub backlog: Backlog,
    /// Workers that run or start.
    pub live: u32,
    /// Workers that the backlog needs.
    pub desired: u32,
    /// Workers started.
    pub started: u32,
    /// Workers ended because they sent no heartbeat.
    pub ended: Vec<String>,
    /// Starts are held back, as workers fail at their start.
    pub back_off: Option<BackOff>,
    /// Photos that were returned to be routed again.
    pub taken_back: u32,
    /// The first action that failed; the others were done.
    pub failed: Option<PortError>,
}

/// How long the state of a lane is kept.
const STATE_KEPT: Duration = Duration::from_secs(24 * 3600);
/// The wait in a state is ignored when the state is older than this.
const WAIT_FORGOTTEN: Duration = Duration::from_secs(10 * 60);
/// Most starts that are remembered until they are ready.
const ASKED_FOR_MAX: usize = 200;
/// A start is remembered for so long while its job is not listed yet.
const ASKED_FOR_UNLISTED: Duration = Duration::from_secs(2 * 60);
impl Scaler {
    /// One pass: observe, then act.
    ///
    /// # Errors
    /// [`PortError`]; the next tick catches up.
    pub async fn tick(&self) -> Result<Tick, PortError> {
        let now = self.clock.now();
        let before = self.before(now).await?;
        let depth = self.segmentation.depth().await?;
        let beats_since = self.policy.patience.stale_after.max(self.policy.back_off.window);
        let beats = self.records.heartbeats(now - beats_since).await?;
        let fleet = self.capacity.fleet().await?;
        let seen = Seen {
            fleet: &fleet,
            beats: &beats,
            memory: &before.memory,
            now,
        };
        let mut view = View::new(&seen, &self.policy.patience, self.end_of);
        view.ended.retain(|end| end.at >= self.ends_since);
        let backlog = Backlog {
            waiting: depth.ready + depth.delayed,
            in_flight: depth.leased,
            oldest_age: depth.oldest_age,
        };
        let live = u32::try_from(view.live.len()).unwrap_or(u32::MAX);
        let level = Fleet {
            live,
            rate_per_worker: view.rate(),
        };
        let mut tick = Tick {
            backlog,
            live,
            desired: desired_workers(&backlog, &level, &self.policy.scaling),
            back_off: back_off(
                before.back_off.as_ref(),
                &view.ended,
                &view.ready,
                now,
                &self.policy.back_off,
            ),
            ..Tick::default()
        };
        (tick.ended, tick.failed) = self.end_stale(&view.stale).await;
        let started = self.start(&view, &mut tick, now).await;
        let state = self.next_state(&before, &view, &tick, &started);
        match self.write(&state).await {
            Ok(()) => self.take_back(&state, depth.ready, &mut tick).await,
            Err(error) => {
                warn!(%error, "the state of the GPU lane could not be stored");
                tick.failed = tick.failed.or(Some(error));
            }
        }
        Ok(tick)
    }

    /// Resets the state: the system was restarted, perhaps with another bundle.
    ///
    /// # Errors
    /// [`PortError`] of the state.
    pub async fn forget(&mut self) -> Result<(), PortError> {
        self.ends_since = self.clock.now();
        self.write(&LaneState::default()).await
    }

    async fn before(&self, now: Timestamp) -> Result<LaneState, PortError> {
        let Some(body) = self.state.read(LANE_STATE).await? else {
            return Ok(LaneState::default());
        };
        let mut before = parse_lane_state(&body).unwrap_or_else(|unreadable| {
            warn!(%unreadable, "the last state of the GPU lane cannot be read, and is replaced");
            LaneState::default()
        });
        if now.since(before.at) > WAIT_FORGOTTEN {
            before.awaited_since = None;
        }
        Ok(before)
    }

    async fn write(&self, state: &LaneState) -> Result<(), PortError> {
        self.state
            .write(LANE_STATE, &lane_state_body(state), STATE_KEPT)
            .await
    }

    /// Starts what is missing and allowed; the ids.
    async fn start(&self, view: &View<'_>, tick: &mut Tick, now: Timestamp) -> Vec<String> {
        // Stale workers are ending, not gone: until then they count against the maximum.
        let stale = u32::try_from(view.stale.len()).unwrap_or(u32::MAX);
        let taken = tick.live.saturating_add(stale);
        let room = self.policy.scaling.workers_max.saturating_sub(taken);
        let missing = tick.desired.saturating_sub(tick.live).min(room);
        let allowed = starts_allowed(tick.back_off.as_ref(), missing, view.not_ready, now);
        if allowed < missing
            && let Some(b) = &tick.back_off
        {
            warn!(
                missing,
                failures = b.failures,
                next_try_s = b.until.since(now).as_secs(),
                "workers fail at their start: starts are held back"
            );
        }
        if allowed == 0 {
            return Vec::new();
        }
        match self.capacity.start(allowed).await {
            Ok(ids) => {
                tick.started = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                info!(
                    started = tick.started,
                    desired = tick.desired,
                    live = tick.live,
                    waiting = tick.backlog.waiting,
                    "workers started"
                );
                ids
            }
            Err(error) => {
                tick.failed = tick.failed.take().or(Some(error));
                Vec::new()
            }
        }
    }

    /// Ends workers: those that were asked to end, and the first error. One that cannot be ended must not keep others from
    /// being started.
    async fn end_stale(&self, stale: &[&WorkerJob]) -> (Vec<String>, Option<PortError>) {
        let (mut ended, mut failed) = (Vec::new(), None);
        for job in stale {
            warn!(worker = job.id, "no heartbeat, ending the worker");
            match self.capacity.end(&job.id, EndCause::Unresponsive.as_str()).await {
                Ok(()) => ended.push(job.id.clone()),
                Err(error) => {
                    warn!(worker = job.id, %error, "the worker could not be ended, the next tick tries again");
                    failed = failed.or(Some(error));
                }
            }
        }
        (ended, failed)
    }

    fn next_state(&self, before: &LaneState, view: &View<'_>, tick: &Tick, started: &[String]) -> LaneState {
        let now = view.now;
        let live = u32::try_from(view.ready.len()).unwrap_or(u32::MAX);
        let awaited = tick.desired > 0 && live == 0;
        let (mut asked_for, mut cold_start) = (Vec::new(), before.cold_start);
        for (worker, at) in &before.memory.asked_for {
            match view.ready_at(worker) {
                Some(ready_at) => cold_start = cold_start_mean(cold_start, ready_at.since(*at)),
                None if view.live.iter().any(|job| job.id == *worker)
                    || now.since(*at) < ASKED_FOR_UNLISTED =>
                {
                    asked_for.push((worker.clone(), *at));
                }
                None => {}
            }
        }
        asked_for.extend(started.iter().map(|id| (id.clone(), now)));
        asked_for.truncate(ASKED_FOR_MAX);
        LaneState {
            at: now,
            workers_max: self.policy.scaling.workers_max,
            live,
            starting: view.not_ready.saturating_add(tick.started),
            awaited_since: before.awaited_from(now, awaited),
            backlog: tick.backlog.waiting + tick.backlog.in_flight,
            rate_per_worker: view.rate().or(before.rate_per_worker),
            cold_start,
            back_off: tick.back_off,
            memory: ScalerMemory {
                asked_for,
                unresponsive: view.unresponsive.clone(),
            },
        }
    }

    async fn take_back(&self, state: &LaneState, ready: u64, tick: &mut Tick) {
        let lane = state.seen(state.at, self.policy.scaling.rate_guess);
        if ready == 0 || !lane.strands_photos(self.policy.cold_start) {
            return;
        }
        let work = TakeBack {
            segmentation: &self.segmentation,
            intake: &self.intake,
            clock: &self.clock,
            delay: self.policy.lane_cache,
        };
        match work.run().await {
            Ok(taken) => tick.taken_back = taken,
            Err(error) => {
                warn!(%error, "photos of the GPU lane could not all be taken back");
                tick.failed = tick.failed.take().or(Some(error));
            }
        }
    }
}
