//! Workers that are started late, end, freeze and die: tasks of the same runtime.

use crate::context::Context;
use crate::invariant::Invariant;
use crate::plan::LaneFate;
use crate::process::{self, ProcessExit};
use crate::trace::CoverageEvent;
use crate::world::World;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_domain::Timestamp;
use walkaround_pipeline::consumer::Exit;
use walkaround_ports::{
    EndCause, GpuCapacity, PortCall, PortError, PortErrorKind, WorkerJob, WorkerJobState,
};

/// Most workers of one start.
const START_MAX: u32 = 100;
/// Ended jobs are still listed for this long.
const TOLD_FOR: Duration = Duration::from_secs(900);
/// Starts of workers that die there: the first ones until the first has died, then one in so long. A clock that jumps
/// lets a few more through.
const DYING_START_EVERY: Duration = Duration::from_secs(100);
/// Exit codes as the system gives them: ended by a signal, a stall that is to be tried again, a bundle that cannot be
/// used.
const KILLED: i32 = 137;
const STALLED: i32 = 75;
const BUNDLE: i32 = 78;

struct Job {
    state: WorkerJobState,
    created_at: Timestamp,
    ended_at: Option<Duration>,
    /// The same by the clock that processes had then: jobs and scaler are on one machine.
    over_since: Timestamp,
    end: Arc<Notify>,
    /// Why it was asked to end.
    reason: Option<String>,
}

/// The means to run workers.
pub(crate) struct SimCapacity {
    context: Arc<Context>,
    /// Where workers live; set once the world is there, weak because the world has this.
    world: OnceLock<Weak<World>>,
    jobs: Mutex<BTreeMap<u32, Job>>,
}

fn name(number: u32) -> String {
    format!("worker-{number}")
}

impl SimCapacity {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            world: OnceLock::new(),
            jobs: Mutex::default(),
        }
    }

    pub(crate) fn open(&self, world: &Arc<World>) {
        // Only the world's maker calls this, once.
        let _ = self.world.set(Arc::downgrade(world));
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<u32, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// S2: workers that die at their start are started seldom.
    fn judge_starts(&self) {
        let context = &self.context;
        let starts = self.jobs().len();
        let volley = context.plan.workers_max as usize + 2;
        let later = context.ticks().as_secs() / DYING_START_EVERY.as_secs();
        let most = volley * (1 + context.jumps() as usize) + usize::try_from(later).unwrap_or(usize::MAX);
        if context.plan.lane == LaneFate::DiesAtStart && starts > most {
            let detail = format!("{starts} starts of workers that die there, at most {most}");
            context.violate(Invariant::S2, detail);
        }
    }

    /// C1: a worker that is ended for want of heartbeats has missed some.
    fn judge_end(&self, id: &str, reason: &str) {
        let context = &self.context;
        if EndCause::of(reason) == Some(EndCause::Unresponsive)
            && context.facts().is_heard(id, context.ticks())
        {
            context.violate(Invariant::C1, format!("{id} is ended, and its heartbeats arrive"));
        }
    }

    /// Jobs that start or run.
    pub(crate) fn live(&self) -> usize {
        let jobs = self.jobs();
        jobs.values().filter(|job| job.ended_at.is_none()).count()
    }

    fn add(self: &Arc<Self>) -> String {
        let end = Arc::new(Notify::new());
        let job = Job {
            state: WorkerJobState::Starting,
            created_at: self.context.process_now(),
            ended_at: None,
            over_since: self.context.process_now(),
            end: Arc::clone(&end),
            reason: None,
        };
        let number = {
            let mut jobs = self.jobs();
            let number = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            jobs.insert(number, job);
            number
        };
        self.context.count(CoverageEvent::WorkerStarted);
        let world = self.world.get().and_then(Weak::upgrade);
        tokio::spawn(run(Arc::clone(self), world, number, end));
        name(number)
    }

    fn set(&self, number: u32, state: WorkerJobState) {
        let now = self.context.ticks();
        if let Some(job) = self.jobs().get_mut(&number) {
            job.state = state;
            if matches!(state, WorkerJobState::Ended { .. }) {
                job.ended_at = Some(now);
                job.over_since = self.context.process_now();
            }
        }
    }
}

/// The life of a job. Without a world it does nothing until it is ended.
async fn run(capacity: Arc<SimCapacity>, world: Option<Arc<World>>, number: u32, end: Arc<Notify>) {
    let closing = async {
        match &world {
            Some(world) => world.closing.clone().wait().await,
            None => std::future::pending().await,
        }
    };
    let cold = match capacity.context.plan.lane {
        LaneFate::Comes => capacity.context.between(1_000, 60_000),
        LaneFate::DiesAtStart => capacity.context.between(1_000, 5_000),
        LaneFate::Never => Duration::MAX / 4,
    };
    let started = tokio::select! {
        biased;
        () = closing => false,
        () = end.notified() => false,
        () = tokio::time::sleep(cold) => true,
    };
    if !started {
        return capacity.set(number, WorkerJobState::Ended { exit: None });
    }
    if capacity.context.plan.lane == LaneFate::DiesAtStart {
        return capacity.set(number, WorkerJobState::Ended { exit: Some(BUNDLE) });
    }
    capacity.set(number, WorkerJobState::Running);
    let ending = match &world {
        Some(world) => process::worker(world, name(number), &end).await,
        None => {
            end.notified().await;
            ProcessExit::Exited(Exit::Stopped)
        }
    };
    let exit = match ending {
        ProcessExit::Exited(Exit::Stalled) => STALLED,
        ProcessExit::Exited(_) => 0,
        ProcessExit::Died | ProcessExit::Killed => KILLED,
    };
    capacity.set(number, WorkerJobState::Ended { exit: Some(exit) });
}

/// The port; apart from the capacity, because workers hold on to that.
pub(crate) struct Capacity(pub(crate) Arc<SimCapacity>);

#[async_trait]
impl GpuCapacity for Capacity {
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError> {
        let now = self.0.context.ticks();
        Ok(self
            .0
            .jobs()
            .iter()
            .filter(|(_, job)| job.ended_at.is_none_or(|at| now - at < TOLD_FOR))
            .map(|(number, job)| WorkerJob {
                id: name(*number),
                state: job.state,
                since: match job.ended_at {
                    Some(_) => job.over_since,
                    None => job.created_at,
                },
                reason: job.reason.clone(),
            })
            .collect())
    }

    async fn start(&self, count: u32) -> Result<Vec<String>, PortError> {
        let context = &self.0.context;
        if !(1..=START_MAX).contains(&count) {
            context.violate(Invariant::Q1, format!("a start of {count} workers"));
            let detail = format!("{count} workers, expected 1 to {START_MAX}");
            return Err(PortError::new(
                PortCall::new("capacity", "start"),
                PortErrorKind::Invalid,
                detail,
            ));
        }
        let refused = u32::from(context.chance(context.plan.rates.partial));
        let ids: Vec<String> = (0..count - refused).map(|_| self.0.add()).collect();
        self.0.judge_starts();
        let (live, most) = (self.0.live(), context.plan.workers_max);
        if live > most as usize {
            context.violate(Invariant::S1, format!("{live} workers, at most {most}"));
        }
        Ok(ids)
    }

    async fn end(&self, id: &str, reason: &str) -> Result<(), PortError> {
        self.0.judge_end(id, reason);
        let mut jobs = self.0.jobs();
        let number: Option<u32> = id.strip_prefix("worker-").and_then(|n| n.parse().ok());
        let Some(job) = number.and_then(|n| jobs.get_mut(&n)) else {
            return Err(PortError::new(
                PortCall::new("capacity", "end"),
                PortErrorKind::NotFound,
                format!("no worker {id}"),
            ));
        };
        if job.reason.is_none() {
            job.reason = Some(reason.to_owned());
            job.end.notify_one();
        }
        Ok(())
    }
}
