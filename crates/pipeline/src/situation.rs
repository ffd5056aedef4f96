//! What triage knows of the lanes: read from the queues and the fleet now and then, estimated in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::warn;
use walkaround_domain::Timestamp;
use walkaround_domain::routing::{GpuLane, Load};
use walkaround_messages::parse_heartbeat;
use walkaround_ports::{Clock, GpuCapacity, PortError, Queue, Records, WorkerJobState};

/// How the situation is read.
#[derive(Debug, Clone, Copy)]
pub struct SituationSettings {
    /// Most workers of the GPU lane.
    pub workers_max: u32,
    /// Photos a second of one worker until a heartbeat tells.
    pub rate_guess: f64,
    /// A reading is used for this long.
    pub fresh_for: Duration,
    /// A worker without a heartbeat for this long does not count as live.
    pub beat_max_age: Duration,
}

impl Default for SituationSettings {
    fn default() -> Self {
        Self {
            workers_max: 14,
            rate_guess: 10.0,
            fresh_for: Duration::from_secs(2),
            beat_max_age: Duration::from_secs(60),
        }
    }
}

/// The lanes, as triage sees them.
pub struct Situation {
    /// The intake queue.
    pub intake: Arc<dyn Queue>,
    /// The GPU lane's queue.
    pub segmentation: Arc<dyn Queue>,
    /// The GPU lane's workers.
    pub capacity: Arc<dyn GpuCapacity>,
    /// Their heartbeats.
    pub records: Arc<dyn Records>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How it is read.
    pub settings: SituationSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    read_at: Option<Duration>,
    intake: u64,
    gpu: Option<GpuLane>,
    /// Photos sent to the lane since the reading.
    sent: u64,
    /// Share of photos that the gate suspects, as a running mean.
    suspects: Option<f64>,
}

/// After a reading that failed the next one is this soon, where readings are used for longer.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Weight of one photo in the running share of suspects.
const SUSPECT_WEIGHT: f64 = 0.02;

/// The ports that the lanes are read through.
pub struct Lanes {
    /// The intake queue.
    pub intake: Arc<dyn Queue>,
    /// The GPU lane's queue.
    pub segmentation: Arc<dyn Queue>,
    /// The GPU lane's workers.
    pub capacity: Arc<dyn GpuCapacity>,
    /// Their heartbeats.
    pub records: Arc<dyn Records>,
}

impl Situation {
    /// A situation that was not read yet.
    pub fn new(lanes: Lanes, clock: Arc<dyn Clock>, settings: SituationSettings) -> Self {
        Self {
            intake: lanes.intake,
            segmentation: lanes.segmentation,
            capacity: lanes.capacity,
            records: lanes.records,
            clock,
            settings,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a gate said, for the share of suspects.
    pub fn saw(&self, suspect: bool) {
        let mut state = self.state();
        let now = if suspect { 1.0 } else { 0.0 };
        // Half until something is known: a fleet's first burst should not be taken for a trickle.
        let mean = state.suspects.unwrap_or(0.5);
        state.suspects = Some(mean + SUSPECT_WEIGHT * (now - mean));
    }

    /// Notes that a photo was sent to the GPU lane.
    pub fn sent(&self) {
        self.state().sent += 1;
    }

    /// The load as it is now, read again when the last reading is old.
    pub async fn load(&self) -> Load {
        let now = self.clock.ticks();
        let fresh = {
            let state = self.state();
            state
                .read_at
                .is_some_and(|at| now.saturating_sub(at) < self.settings.fresh_for)
        };
        if !fresh {
            // Set first: others go on with the old reading instead of reading, too. Before the first reading
            // there is none to go on with: then each reads for itself.
            if let Some(at) = &mut self.state().read_at {
                *at = now;
            }
            let reading = self.read().await;
            let mut state = self.state();
            state.read_at = Some(now);
            match reading {
                Ok((intake, gpu)) => (state.intake, state.gpu, state.sent) = (intake, Some(gpu), 0),
                Err(error) => {
                    warn!(%error, "the state of the lanes cannot be read, the last reading stands");
                    let fresh_for = self.settings.fresh_for;
                    state.read_at = Some((now + AGAIN_AFTER.min(fresh_for)).saturating_sub(fresh_for));
                }
            }
        }
        let state = self.state();
        let burst = (state.intake as f64 * state.suspects.unwrap_or(0.5)) as u64;
        let gpu = state.gpu.map(|g| GpuLane {
            backlog: g.backlog + state.sent,
            ..g
        });
        Load {
            burst: burst + 1,
            gpu,
        }
    }

    async fn read(&self) -> Result<(u64, GpuLane), PortError> {
        let intake = self.intake.depth().await?;
        let backlog = self.segmentation.depth().await?;
        let fleet = self.capacity.fleet().await?;
        let now = self.clock.now();
        let beats = self.records.heartbeats(now - self.settings.beat_max_age).await?;
        let rates: Vec<f64> = beats
            .iter()
            .filter_map(|b| parse_heartbeat(&b.body).ok())
            .filter_map(|beat| rate(&beat))
            .collect();
        let count = |wanted: WorkerJobState| fleet.iter().filter(|j| j.state == wanted).count() as u32;
        let live = count(WorkerJobState::Running).min(u32::try_from(beats.len()).unwrap_or(u32::MAX));
        let lane = GpuLane {
            workers_max: self.settings.workers_max,
            live,
            starting: count(WorkerJobState::Starting) + count(WorkerJobState::Running).saturating_sub(live),
            backlog: backlog.ready + backlog.leased + backlog.delayed,
            rate_per_worker: mean(&rates).unwrap_or(self.settings.rate_guess),
        };
        Ok((intake.ready + intake.delayed, lane))
    }
}

/// Photos a second, of a worker that has done enough to tell.
pub(crate) fn rate(beat: &walkaround_messages::HeartbeatDocument) -> Option<f64> {
    (beat.photos_done >= 10 && beat.photos_per_second > 0.0).then_some(beat.photos_per_second)
}

pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Whether a moment lies further back than `age`.
pub(crate) fn older(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.since(then) > age
}
