//! The simulated system: what it holds at a moment. What happens to it is in the files beside this one.

use super::agenda::{Agenda, Ms};
use crate::assumptions::Assumptions;
use crate::counts::{Counts, Minute};
use crate::scenario::Scenario;
use fastrand::Rng;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::lane::LaneState;
use walkaround_domain::routing::{LoadEstimate, RoutingPolicy};
use walkaround_domain::scaling::{BackOff, BackOffPolicy, EndedWorker, RateWindow, ScalingPolicy};

/// Midnight of the simulated day by the clock that the policies see: far enough from 0 for every wait that they subtract.
const MIDNIGHT: Timestamp = Timestamp(1_000_000_000_000);

/// A moment as the policies see it.
pub(crate) fn stamp(at: Ms) -> Timestamp {
    MIDNIGHT + Duration::from_millis(u64::from(at))
}

/// Seconds of an assumption in milliseconds.
pub(crate) fn millis(seconds: f64) -> Ms {
    (seconds * 1000.0).round() as Ms
}

/// Which lane segments a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segmentation {
    /// Not routed: clean, or not screened yet.
    None,
    Inline,
    Gpu,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Photo {
    pub(crate) arrived: Ms,
    pub(crate) verdict: Option<Ms>,
    pub(crate) taken_back: Option<Ms>,
    pub(crate) suspect: bool,
    pub(crate) segmentation: Segmentation,
}

/// A photo in a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) photo: u32,
    pub(crate) since: Ms,
}

/// A process of triage: one invocation at a time.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) estimate: LoadEstimate,
    pub(crate) read_at: Option<Ms>,
    pub(crate) started: Ms,
    /// Photos of its batch that it has not begun.
    pub(crate) batch: VecDeque<u32>,
    pub(crate) busy_jobs: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Triage {
    pub(crate) intake: VecDeque<Waiting>,
    /// Photos returned to the intake queue and not visible yet.
    pub(crate) delayed: u32,
    pub(crate) processes: Vec<Process>,
    /// Processes without an invocation; the one that ended last is used next, as its instance is warm.
    pub(crate) free: Vec<u32>,
    pub(crate) window_end: Option<Ms>,
}

impl Triage {
    /// Photos that wait, visible or not.
    pub(crate) fn depth(&self) -> u64 {
        self.intake.len() as u64 + u64::from(self.delayed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkerState {
    /// Its job waits for an instance.
    Pending,
    /// It loads its networks.
    Starting,
    Ready,
    Ended,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) state: WorkerState,
    pub(crate) asked_at: Ms,
    pub(crate) ready_at: Ms,
    pub(crate) attempt: u32,
    pub(crate) instance: Option<u32>,
    pub(crate) photo: Option<u32>,
    pub(crate) idle_since: Option<Ms>,
    /// When its device is free again; a fraction of a millisecond counts at high rates.
    pub(crate) busy_until: f64,
    pub(crate) done: u32,
    pub(crate) rate: RateWindow,
    pub(crate) last_rate: f64,
    pub(crate) draining: bool,
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) spot: bool,
    pub(crate) launched: Ms,
    pub(crate) ended: Option<Ms>,
    pub(crate) worker: Option<u32>,
    pub(crate) unused_since: Ms,
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) queue: VecDeque<Waiting>,
    pub(crate) workers: Vec<Worker>,
    /// Workers that have not ended.
    pub(crate) live: BTreeSet<u32>,
    /// Workers that are ready and have no photo.
    pub(crate) idle: BTreeSet<u32>,
    /// Workers that wait for capacity.
    pub(crate) pending: VecDeque<u32>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) ended: Vec<EndedWorker>,
    pub(crate) in_drought: bool,
}

impl Lane {
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Worker> {
        let live = self.live.iter().map(|worker| &self.workers[*worker as usize]);
        live.filter(|worker| worker.state == WorkerState::Ready)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.ready().filter(|worker| worker.photo.is_some()).count() as u64
    }
}

/// Policies of the shipped code, from the deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policies {
    pub(crate) routing: RoutingPolicy,
    pub(crate) scaling: ScalingPolicy,
    pub(crate) back_off: BackOffPolicy,
}

/// Everything.
pub(crate) struct World<'a> {
    pub(crate) assumptions: &'a Assumptions,
    pub(crate) scenario: &'a Scenario,
    pub(crate) policies: Policies,
    pub(crate) now: Ms,
    pub(crate) agenda: Agenda,
    pub(crate) random: Rng,
    pub(crate) photos: Vec<Photo>,
    /// Photos that have arrived.
    pub(crate) arrived: u32,
    /// Photos without a verdict, of all that arrive on the day.
    pub(crate) open: u32,
    pub(crate) triage: Triage,
    pub(crate) lane: Lane,
    pub(crate) lane_state: Option<LaneState>,
    pub(crate) back_off: Option<BackOff>,
    pub(crate) counts: Counts,
    pub(crate) minutes: Vec<Minute>,
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario, assumptions: &'a Assumptions) -> Self {
        let deployment = &assumptions.deployment;
        let mut random = Rng::with_seed(scenario.seed.wrapping_add(1));
        let photos: Vec<Photo> = scenario
            .arrivals
            .times(scenario.seed)
            .into_iter()
            .map(|arrived| Photo {
                arrived,
                verdict: None,
                taken_back: None,
                suspect: random.f64() < assumptions.fleet.suspects,
                segmentation: Segmentation::None,
            })
            .collect();
        let processes = deployment.triage_processes as u32;
        Self {
            assumptions,
            scenario,
            policies: Policies {
                routing: deployment.routing(),
                scaling: deployment.scaling(),
                back_off: BackOffPolicy::default(),
            },
            now: 0,
            agenda: Agenda::default(),
            random,
            open: photos.len() as u32,
            photos,
            arrived: 0,
            triage: Triage {
                processes: (0..processes).map(|_| Process::default()).collect(),
                free: (0..processes).rev().collect(),
                ..Triage::default()
            },
            lane: Lane::default(),
            lane_state: None,
            back_off: None,
            counts: Counts::default(),
            minutes: Vec::new(),
        }
    }

    /// The photo has its verdict at `at`.
    pub(crate) fn settle(&mut self, photo: u32, at: Ms) {
        self.photos[photo as usize].verdict = Some(at);
        self.open -= 1;
        self.counts.settled += 1;
    }
}
