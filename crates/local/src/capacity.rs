//! Workers as processes of this machine.
//!
//! A started worker is a row before it is a process, and the row outlives whoever started it: a restarted
//! `up` finds the workers of its dead predecessor by pid and start time, and goes on with them or ends them.

use crate::db::Db;
use crate::error::Fault;
use crate::jobs::{self, Job, JobEnd};
use crate::open::LocalStack;
use crate::process::ProcessId;
use crate::worker_process::{self, CommandLine};
use async_trait::async_trait;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use walkaround_ports::{Clock, EndCause, GpuCapacity, PortCall, PortError, PortErrorKind, WorkerJob};

const START_MAX: u32 = 100;

/// Between two checks by `end_all` at workers that are ending.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to do with workers whose starter is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// Go on with them.
    Adopt,
    /// End them.
    End,
}

/// What the workers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Program and arguments; `{worker}` in an argument becomes the name of the worker.
    pub command: Vec<String>,
    /// Added to the environment that workers inherit.
    pub variables: BTreeMap<String, String>,
    /// Variable that gives a worker its name (its job id, for heartbeats).
    pub name_variable: String,
    /// Most workers at once.
    pub workers_max: u32,
    /// From SIGTERM to SIGKILL.
    pub end_budget: Duration,
    /// Longest log of a worker; as much again is kept of what came before.
    pub log_bytes_max: u64,
    /// Ended jobs, and their logs, that are kept.
    pub ended_kept_max: u32,
    /// What to do at the start with workers whose starter is gone.
    pub orphans: Orphans,
}

impl Default for WorkerOptions {
    /// One worker of no program yet.
    fn default() -> Self {
        Self {
            command: Vec::new(),
            variables: BTreeMap::new(),
            name_variable: "WALKAROUND_WORKER".to_owned(),
            workers_max: 1,
            end_budget: Duration::from_secs(60),
            log_bytes_max: 8 << 20,
            ended_kept_max: 20,
            orphans: Orphans::Adopt,
        }
    }
}

/// The workers of one root.
#[derive(Clone)]
pub struct LocalCapacity {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    db: Arc<Db>,
    clock: Arc<dyn Clock>,
    options: WorkerOptions,
    /// Jobs whose end a thread or task of this process waits for.
    watched: Mutex<BTreeSet<i64>>,
}

impl LocalStack {
    /// The workers of this root, those of a dead predecessor included.
    ///
    /// # Errors
    /// `Invalid` without a command; errors of the database.
    pub async fn capacity(&self, options: WorkerOptions) -> Result<LocalCapacity, PortError> {
        let at = PortCall::new("capacity", "open");
        if options.command.is_empty() {
            return Err(at.error(PortErrorKind::Invalid, "no command to start workers with"));
        }
        let capacity = LocalCapacity {
            inner: Arc::new(Inner {
                root: self.inner.root.clone(),
                db: self.inner.db.clone(),
                clock: self.inner.clock.clone(),
                options,
                watched: Mutex::default(),
            }),
        };
        capacity.inner.take_over(at).await?;
        Ok(capacity)
    }
}

#[async_trait]
impl GpuCapacity for LocalCapacity {
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError> {
        let at = PortCall::new("capacity", "fleet");
        self.inner.check_live(at).await?;
        let jobs = self.inner.db.read(at, jobs::all).await?;
        Ok(jobs.into_iter().map(Job::public).collect())
    }

    async fn start(&self, count: u32) -> Result<Vec<String>, PortError> {
        let at = PortCall::new("capacity", "start");
        if !(1..=START_MAX).contains(&count) {
            let detail = format!("{count} workers: 1 to {START_MAX}");
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let inner = self.inner.clone();
        // A task of its own: a caller that goes away leaves no row without a process.
        let started = tokio::spawn(async move { inner.start(count, at).await }).await;
        started.map_err(|e| at.error(PortErrorKind::Unavailable, e.to_string()))?
    }

    async fn end(&self, id: &str, reason: &str) -> Result<(), PortError> {
        let at = PortCall::new("capacity", "end");
        let missing = || at.error(PortErrorKind::NotFound, format!("no worker `{id}`"));
        let number = jobs::number(id).ok_or_else(missing)?;
        let job = self
            .inner
            .db
            .read(at, move |db| jobs::one(db, number))
            .await?
            .ok_or_else(missing)?;
        if job.ended_at.is_some() || job.kill_at.is_some() {
            return Ok(());
        }
        self.inner.end(&job, reason, at).await
    }
}

impl LocalCapacity {
    /// Ends every worker and waits until all are over, at most for the budget of a worker and 5 s more; how
    /// many still live then.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn end_all(&self, reason: &str) -> Result<usize, PortError> {
        let at = PortCall::new("capacity", "end");
        for job in self.inner.db.read(at, jobs::live).await? {
            self.end(&jobs::name(job.number), reason).await?;
        }
        let clock = &self.inner.clock;
        let until = clock.ticks() + self.inner.options.end_budget + Duration::from_secs(5);
        loop {
            self.inner.check_live(at).await?;
            let live = self.inner.db.read(at, jobs::live).await?.len();
            if live == 0 || clock.ticks() >= until {
                return Ok(live);
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }
}

impl Inner {
    async fn start(self: &Arc<Self>, count: u32, at: PortCall) -> Result<Vec<String>, PortError> {
        self.check_live(at).await?;
        let (now, live_max) = (self.clock.now(), self.options.workers_max);
        let numbers = self
            .db
            .write(at, move |tx| jobs::create(tx, count, live_max, now))
            .await?;
        let mut ids = Vec::new();
        let mut failure = None;
        for number in numbers {
            match self.start_one(number, at).await {
                Ok(()) => ids.push(jobs::name(number)),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if ids.is_empty() => Err(error),
            _ => Ok(ids),
        }
    }

    async fn start_one(self: &Arc<Self>, number: i64, at: PortCall) -> Result<(), PortError> {
        let command = self.command_line(number);
        let log = worker_process::log_path(&self.root, number);
        let spawned = blocking(move || worker_process::start(&command, &log)).await;
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let program = self.options.command.first().map_or("", String::as_str);
                let how = format!("cannot start `{program}`: {error}");
                let fault = Fault::Port(PortErrorKind::Invalid, how.clone());
                self.set_gone(number, &how, at).await?;
                return Err(fault.at(at));
            }
        };
        let process = i32::try_from(child.id()).ok().and_then(ProcessId::of);
        // First the process, then how it ended.
        let job = self
            .db
            .write(at, move |tx| {
                jobs::set_process(tx, number, process.as_ref())?;
                jobs::one(tx, number)
            })
            .await;
        self.reap(number, child);
        // Someone may have ended it before it had a process to signal.
        match job? {
            Some(job) if job.kill_at.is_some() => signal(&job, Signal::TERM, at),
            _ => Ok(()),
        }
    }

    /// Waits for the child on a thread of its own, so that it never stays a zombie, and notes its exit code.
    fn reap(self: &Arc<Self>, number: i64, mut child: Child) {
        self.watched().insert(number);
        let inner = self.clone();
        let wait = move || {
            if let Ok(status) = child.wait() {
                let ending = JobEnd {
                    at: inner.clock.now(),
                    exit: status.code(),
                    how: worker_process::how(status),
                };
                inner
                    .db
                    .write_later(move |db| jobs::set_ended(db, number, &ending));
            }
            inner.watched().remove(&number);
        };
        let thread = thread::Builder::new().name(format!("reap-{}", jobs::name(number)));
        if thread.spawn(wait).is_err() {
            // The next check finds it gone, only without its exit code.
            self.watched().remove(&number);
        }
    }

    fn command_line(&self, number: i64) -> CommandLine {
        let name = jobs::name(number);
        let mut variables: Vec<(String, String)> = self.options.variables.clone().into_iter().collect();
        variables.push((self.options.name_variable.clone(), name.clone()));
        CommandLine {
            line: self
                .options
                .command
                .iter()
                .map(|part| part.replace("{worker}", &name))
                .collect(),
            variables,
        }
    }

    async fn end(&self, job: &Job, reason: &str, at: PortCall) -> Result<(), PortError> {
        let (number, reason) = (job.number, reason.to_owned());
        let kill_at = self.clock.now() + self.options.end_budget;
        let job = self
            .db
            .write(at, move |tx| {
                jobs::set_ending(tx, number, kill_at, &reason)?;
                jobs::one(tx, number)
            })
            .await?;
        let Some(job) = job.filter(|job| job.ended_at.is_none()) else {
            return Ok(());
        };
        signal(&job, Signal::TERM, at)?;
        let (clock, budget) = (self.clock.clone(), self.options.end_budget);
        // Whoever checks after the deadline kills too, should this process be gone by then.
        tokio::spawn(async move {
            clock.sleep(budget).await;
            let _ = signal(&job, Signal::KILL, at);
        });
        Ok(())
    }

    /// Checks every live job: notes what is gone, kills what is late, and keeps logs and rows few.
    async fn check_live(&self, at: PortCall) -> Result<(), PortError> {
        let now = self.clock.now();
        let live = self.db.read(at, jobs::live).await?;
        for job in &live {
            let Some(process) = &job.process else { continue };
            if process.is_alive() {
                if job.kill_at.is_some_and(|kill_at| kill_at <= now) {
                    signal(job, Signal::KILL, at)?;
                }
            } else if !self.is_watched(job) {
                self.set_gone(job.number, "ended while nobody watched", at)
                    .await?;
            }
        }
        let kept_max = self.options.ended_kept_max;
        let forgotten = self
            .db
            .write(at, move |tx| jobs::forget_old(tx, kept_max))
            .await?;
        let (root, bytes_max) = (self.root.clone(), self.options.log_bytes_max);
        let kept: Vec<i64> = live.iter().map(|job| job.number).collect();
        let tidied = blocking(move || {
            for number in forgotten {
                worker_process::remove_log(&worker_process::log_path(&root, number))?;
            }
            for number in kept {
                worker_process::shorten_log(&worker_process::log_path(&root, number), bytes_max)?;
            }
            Ok(())
        })
        .await;
        tidied.map_err(|error| Fault::Io(error).at(at))
    }

    /// Takes over the jobs of dead starters.
    async fn take_over(self: &Arc<Self>, at: PortCall) -> Result<(), PortError> {
        for mut job in self.db.read(at, jobs::live).await? {
            if job.owner_is_alive() {
                continue;
            }
            if job.process.is_none() {
                // Its starter died between starting it and noting which process it is.
                let command = self.command_line(job.number);
                let variable = format!("{}={}", self.options.name_variable, jobs::name(job.number));
                job.process = blocking(move || Ok(ProcessId::find(&command.line, &variable)))
                    .await
                    .unwrap_or_default();
            }
            match &job.process {
                Some(process) if process.is_alive() => self.adopt(&job, at).await?,
                Some(_) => {
                    self.set_gone(job.number, "ended while nobody watched", at)
                        .await?;
                }
                None => {
                    self.set_gone(job.number, "its starter died before it ran", at)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn adopt(self: &Arc<Self>, job: &Job, at: PortCall) -> Result<(), PortError> {
        let (number, process) = (job.number, job.process.clone());
        self.db
            .write(at, move |tx| jobs::set_process(tx, number, process.as_ref()))
            .await?;
        if let Some(process) = job.process.clone() {
            self.watch(number, process);
        }
        match self.options.orphans {
            Orphans::Adopt => Ok(()),
            Orphans::End => self.end(job, EndCause::StarterGone.as_str(), at).await,
        }
    }

    /// Notes when an adopted worker is gone: it is not a child, so there is no notification.
    fn watch(self: &Arc<Self>, number: i64, process: ProcessId) {
        self.watched().insert(number);
        let inner = self.clone();
        tokio::spawn(async move {
            while process.is_alive() {
                inner.clock.sleep(LOOK_EVERY).await;
            }
            let how = format!("exit code unknown: {}", EndCause::Adopted.as_str());
            // After a failed write the next check finds it gone.
            let _ = inner
                .set_gone(number, &how, PortCall::new("capacity", "watch"))
                .await;
            inner.watched().remove(&number);
        });
    }

    /// Notes that a job is over, without an exit code.
    async fn set_gone(&self, number: i64, how: &str, at: PortCall) -> Result<(), PortError> {
        let ending = JobEnd {
            at: self.clock.now(),
            exit: None,
            how: how.to_owned(),
        };
        self.db
            .write(at, move |tx| jobs::set_ended(tx, number, &ending))
            .await
    }

    /// Whether someone else will note how a job ended: a task or thread of this process, or another process.
    fn is_watched(&self, job: &Job) -> bool {
        self.watched().contains(&job.number) || (!job.is_ours() && job.owner_is_alive())
    }

    fn watched(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal(job: &Job, signal: Signal, at: PortCall) -> Result<(), PortError> {
    let Some(process) = &job.process else {
        return Ok(());
    };
    // One that is gone meanwhile has what it was asked for.
    process
        .signal(signal)
        .map(drop)
        .map_err(|error| Fault::Io(error).at(at))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::other("the file operation was interrupted")))
}
