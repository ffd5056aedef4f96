//! The scaler: once a minute, the difference between the workers there should be and those there are.
//!
//! It reconciles by level: a tick that fails or runs twice does no harm. Workers end by themselves when they
//! are idle; the scaler ends only those that give no sign of life.

use crate::situation::{mean, older, rate};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::Timestamp;
use walkaround_domain::scaling::{Backlog, Fleet, ScalingPolicy, desired_workers, need};
use walkaround_messages::parse_heartbeat;
use walkaround_ports::{Clock, GpuCapacity, Heartbeat, PortError, Queue, Records, WorkerJob, WorkerJobState};

/// Keeps the fleet at the level that the backlog asks for.
pub struct Scaler {
    /// The GPU lane's queue.
    pub segmentation: Arc<dyn Queue>,
    /// Means to start and end workers.
    pub capacity: Arc<dyn GpuCapacity>,
    /// Heartbeats.
    pub records: Arc<dyn Records>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub policy: ScalingPolicy,
    /// A running worker whose last sign of life is older is ended.
    pub stale_after: Duration,
    /// Time from a start to the first sign of life, at most.
    pub start_grace: Duration,
    /// Needs within the warm hold.
    pub needs: VecDeque<(Timestamp, u32)>,
}

/// What one tick saw and did.
#[derive(Debug, Default)]
pub struct Tick {
    /// Photos waiting and in flight.
    pub backlog: Backlog,
    /// Workers that run or start.
    pub live: u32,
    /// Workers there should be.
    pub desired: u32,
    /// Workers started.
    pub started: u32,
    /// Workers ended because they gave no sign of life.
    pub ended: Vec<String>,
    /// The first thing that could not be done; the rest was.
    pub failed: Option<PortError>,
}

/// Whether a worker runs, has had its time to start, and gives no sign of life. `beats` are those of late.
pub fn is_silent(job: &WorkerJob, beats: &[Heartbeat], (start_grace, now): (Duration, Timestamp)) -> bool {
    job.state == WorkerJobState::Running
        && !beats.iter().any(|b| b.worker == job.id)
        && older(job.since, start_grace, now)
}

/// Why a worker was ended, as its capacity is told.
pub const END_REASON: &str = "no sign of life";

/// Most needs remembered: one a second for an hour.
const NEEDS_MAX: usize = 3600;

impl Scaler {
    /// Looks once and acts once.
    ///
    /// # Errors
    /// [`PortError`]; the next tick makes up for it.
    pub async fn tick(&mut self) -> Result<Tick, PortError> {
        let now = self.clock.now();
        let depth = self.segmentation.depth().await?;
        let beats = self.records.heartbeats(now - self.stale_after).await?;
        let fleet = self.capacity.fleet().await?;
        let (live, stale): (Vec<&WorkerJob>, Vec<&WorkerJob>) = fleet
            .iter()
            .filter(|job| !matches!(job.state, WorkerJobState::Ended { .. }))
            .partition(|job| !is_silent(job, &beats, (self.start_grace, now)));
        let rates: Vec<f64> = beats
            .iter()
            .filter_map(|b| parse_heartbeat(&b.body).ok())
            .filter_map(|beat| rate(&beat))
            .collect();
        let backlog = Backlog {
            waiting: depth.ready + depth.delayed,
            in_flight: depth.leased,
            oldest_age: depth.oldest_age,
        };
        let mut state = Fleet {
            live: u32::try_from(live.len()).unwrap_or(u32::MAX),
            rate_per_worker: mean(&rates),
            recent_need: 0,
        };
        self.remember(need(&backlog, &state, &self.policy), now);
        state.recent_need = self.needs.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let desired = desired_workers(&backlog, &state, &self.policy);
        let mut tick = Tick {
            backlog,
            live: state.live,
            desired,
            ..Tick::default()
        };
        (tick.ended, tick.failed) = self.end_stale(&stale).await;
        // Stale workers are ending, not gone: until then they count against the maximum.
        let room = self
            .policy
            .workers_max
            .saturating_sub(tick.live + stale.len() as u32);
        let missing = desired.saturating_sub(tick.live).min(room);
        if missing > 0 {
            match self.capacity.start(missing).await {
                Ok(started) => {
                    tick.started = u32::try_from(started.len()).unwrap_or(u32::MAX);
                    info!(
                        started = tick.started,
                        desired,
                        live = tick.live,
                        waiting = backlog.waiting,
                        "workers started"
                    );
                }
                Err(error) => tick.failed = tick.failed.or(Some(error)),
            }
        }
        Ok(tick)
    }

    /// The workers that were asked to end, and the first error. One that cannot be ended must not keep the others from
    /// being started.
    async fn end_stale(&self, stale: &[&WorkerJob]) -> (Vec<String>, Option<PortError>) {
        let (mut ended, mut failed) = (Vec::new(), None);
        for job in stale {
            warn!(worker = job.id, "no sign of life, ending it");
            match self.capacity.end(&job.id, END_REASON).await {
                Ok(()) => ended.push(job.id.clone()),
                Err(error) => {
                    warn!(worker = job.id, %error, "it could not be ended, the next look tries again");
                    failed = failed.or(Some(error));
                }
            }
        }
        (ended, failed)
    }

    fn remember(&mut self, need: u32, now: Timestamp) {
        self.needs.push_back((now, need));
        while self.needs.len() > NEEDS_MAX
            || self
                .needs
                .front()
                .is_some_and(|(at, _)| older(*at, self.policy.warm_hold, now))
        {
            self.needs.pop_front();
        }
    }
}
