//! The load of the lanes, for triage: the depth of the intake queue and the scaler's state of the GPU lane, read
//! periodically and estimated in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;
use walkaround_domain::Timestamp;
use walkaround_domain::lane::LaneState;
use walkaround_domain::routing::{EstimateBounds, Load, LoadEstimate};
use walkaround_messages::{LANE_STATE, parse_lane_state};
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind, Queue, StateStore};

/// How the load is read.
#[derive(Debug, Clone, Copy)]
pub struct LaneMonitorSettings {
    /// Most workers of the GPU lane, where that is less than in the scaler's state: 0 closes it.
    pub workers_max: u32,
    /// Photos a second of one worker until the scaler has measured it.
    pub rate_guess: f64,
    /// A reading is used for this long.
    pub fresh_for: Duration,
    /// Time between two ticks of the scaler. A lane whose state is older than a few of them is unknown.
    pub scale_every: Duration,
}

impl Default for LaneMonitorSettings {
    fn default() -> Self {
        Self {
            workers_max: 14,
            rate_guess: 10.0,
            fresh_for: Duration::from_secs(2),
            scale_every: Duration::from_secs(2),
        }
    }
}

/// Reads and estimates the load of the lanes.
pub struct LaneMonitor {
    lanes: Lanes,
    clock: Arc<dyn Clock>,
    settings: LaneMonitorSettings,
    state: Mutex<State>,
    /// Held by the task that reads.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    read_at: Option<Duration>,
    estimate: LoadEstimate,
}

/// Delay of the next reading after one that failed, where readings are used for longer.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The ports that the lanes are read through.
pub struct Lanes {
    /// The intake queue.
    pub intake: Arc<dyn Queue>,
    /// Where the scaler stores the state of the GPU lane.
    pub state: Arc<dyn StateStore>,
}

impl LaneMonitor {
    /// A monitor that has not read yet.
    pub fn new(lanes: Lanes, clock: Arc<dyn Clock>, settings: LaneMonitorSettings) -> Self {
        Self {
            lanes,
            clock,
            settings,
            state: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the output of a gate, for the share of suspects.
    pub fn saw(&self, suspect: bool) {
        self.state().estimate.saw(suspect);
    }

    /// Records that a photo was sent to the GPU lane.
    pub fn sent(&self) {
        self.state().estimate.sent();
    }

    /// The present load; read again when the last reading has expired.
    pub async fn load(&self) -> Load {
        if !self.is_fresh() {
            // One task reads, the others use the old reading. Before the first reading all wait for it.
            let none_yet = self.state().read_at.is_none();
            let turn = if none_yet {
                Some(self.reading.lock().await)
            } else {
                self.reading.try_lock().ok()
            };
            if turn.is_some() && !self.is_fresh() {
                self.read_again().await;
            }
        }
        let bounds = EstimateBounds {
            workers_max: self.settings.workers_max,
            rate_guess: self.settings.rate_guess,
            scale_every: self.settings.scale_every,
        };
        self.state().estimate.load(self.clock.now(), &bounds)
    }

    fn is_fresh(&self) -> bool {
        let now = self.clock.ticks();
        let read_at = self.state().read_at;
        read_at.is_some_and(|at| now.saturating_sub(at) < self.settings.fresh_for)
    }

    async fn read_again(&self) {
        let reading = self.read().await;
        let now = self.clock.ticks();
        let mut state = self.state();
        state.read_at = Some(now);
        match reading {
            Ok((intake, lane)) => state.estimate.read(intake, lane),
            Err(error) => {
                warn!(%error, "the state of the lanes cannot be read, the last reading is kept");
                let fresh_for = self.settings.fresh_for;
                state.read_at = Some((now + AGAIN_AFTER.min(fresh_for)).saturating_sub(fresh_for));
            }
        }
    }

    async fn read(&self) -> Result<(u64, Option<LaneState>), PortError> {
        let body = self.lanes.state.read(LANE_STATE).await?;
        let lane = body.map(|body| parse_lane_state(&body)).transpose();
        let lane = lane.map_err(|unreadable| {
            PortError::new(
                PortCall::new("state", "read"),
                PortErrorKind::Corrupt,
                format!("state {LANE_STATE}: {unreadable}"),
            )
        })?;
        let intake = self.lanes.intake.depth().await?;
        Ok((intake.ready + intake.delayed, lane))
    }
}

/// Whether a moment lies further back than `age`.
pub(crate) fn older(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.since(then) > age
}
