//! The scaler's view of the fleet: jobs joined with heartbeats.

use crate::lane_monitor::older;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::lane::ScalerMemory;
use walkaround_domain::scaling::{EndedWorker, ReadyWorker, WorkerEnd, believed_rate};
use walkaround_messages::{HeartbeatDocument, parse_heartbeat};
use walkaround_ports::{Heartbeat, WorkerJob, WorkerJobState};

/// How long a worker may go without a heartbeat.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A running worker whose last heartbeat is older counts as unresponsive.
    pub stale_after: Duration,
    /// Time from a start to the first heartbeat, at most.
    pub start_grace: Duration,
    /// An unresponsive worker is ended after it has been so for this long: one heartbeat interval. A clock that jumps makes
    /// all workers look unresponsive at once, until each has sent its next heartbeat.
    pub one_heartbeat: Duration,
}

/// Whether a worker runs, has had its time to start, and has no recent heartbeat. `recent` are the recent heartbeats of
/// all workers.
pub fn is_unresponsive(job: &WorkerJob, recent: &[Heartbeat], start_grace: Duration, now: Timestamp) -> bool {
    job.state == WorkerJobState::Running
        && !recent.iter().any(|b| b.worker == job.id)
        && older(job.since, start_grace, now)
}

/// The workers at one tick.
pub(super) struct View<'a> {
    /// When the tick began.
    pub(super) now: Timestamp,
    /// Jobs that start or run, except those that should be ended.
    pub(super) live: Vec<&'a WorkerJob>,
    /// Unresponsive for long enough to be ended.
    pub(super) stale: Vec<&'a WorkerJob>,
    /// Unresponsive, and since when.
    pub(super) unresponsive: Vec<(String, Timestamp)>,
    /// Workers with a recent heartbeat.
    pub(super) ready: Vec<ReadyWorker>,
    /// Workers of `live` without one.
    pub(super) not_ready: u32,
    /// Recent ends.
    pub(super) ended: Vec<EndedWorker>,
    /// Photos a second of each worker with enough photos to measure.
    pub(super) rates: Vec<f64>,
    /// When each worker with a heartbeat became ready.
    ready_at: BTreeMap<String, Timestamp>,
}

/// What a view is made of.
pub(super) struct Seen<'a> {
    pub(super) fleet: &'a [WorkerJob],
    pub(super) beats: &'a [Heartbeat],
    pub(super) memory: &'a ScalerMemory,
    pub(super) now: Timestamp,
}

impl<'a> View<'a> {
    pub(super) fn new(seen: &Seen<'a>, patience: &Patience, end_of: fn(&WorkerJob) -> WorkerEnd) -> Self {
        let now = seen.now;
        // A heartbeat from the future was sent by a clock that was wrong: it is ignored.
        let is_recent = |b: &&Heartbeat| {
            now.since(b.at) <= patience.stale_after && b.at.since(now) <= patience.stale_after
        };
        let recent: Vec<Heartbeat> = seen.beats.iter().filter(is_recent).cloned().collect();
        let jobs = seen
            .fleet
            .iter()
            .filter(|job| !matches!(job.state, WorkerJobState::Ended { .. }));
        let (mut live, mut stale, mut unresponsive) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            if !is_unresponsive(job, &recent, patience.start_grace, now) {
                live.push(job);
                continue;
            }
            let before = seen.memory.unresponsive.iter().find(|(id, _)| *id == job.id);
            // In the future: a clock was corrected, and the wait starts again.
            let since = before.map_or(now, |(_, since)| (*since).min(now));
            unresponsive.push((job.id.clone(), since));
            if now.since(since) >= patience.one_heartbeat {
                stale.push(job);
            } else {
                live.push(job);
            }
        }
        let over: BTreeSet<&str> = seen
            .fleet
            .iter()
            .filter(|job| matches!(job.state, WorkerJobState::Ended { .. }))
            .map(|job| job.id.as_str())
            .collect();
        let documents: Vec<HeartbeatDocument> = recent
            .iter()
            .filter(|beat| !over.contains(beat.worker.as_str()))
            .filter_map(|beat| parse_heartbeat(&beat.body).ok())
            .collect();
        let ready_at: BTreeMap<String, Timestamp> = documents
            .iter()
            .map(|d| (d.worker.clone(), d.started_at))
            .collect();
        let ready = documents.iter().map(|d| ReadyWorker {
            ready_at: d.started_at,
            has_worked: d.photos_done > 0,
        });
        let not_ready = live.iter().filter(|job| !ready_at.contains_key(&job.id)).count();
        Self {
            now,
            not_ready: u32::try_from(not_ready).unwrap_or(u32::MAX),
            ready: ready.collect(),
            rates: documents
                .iter()
                .filter_map(|d| believed_rate(d.photos_done, d.photos_per_second))
                .collect(),
            ended: ended(seen, end_of),
            live,
            stale,
            unresponsive,
            ready_at,
        }
    }

    /// When a worker became ready; none while it is not.
    pub(super) fn ready_at(&self, worker: &str) -> Option<Timestamp> {
        self.ready_at.get(worker).copied()
    }

    /// Mean rate of the workers with enough photos to measure.
    pub(super) fn rate(&self) -> Option<f64> {
        let n = self.rates.len() as f64;
        (n > 0.0).then(|| self.rates.iter().sum::<f64>() / n)
    }
}

/// Recent ends. A worker that ended without a heartbeat, and without an exit code that says why, was never ready.
fn ended(seen: &Seen<'_>, end_of: fn(&WorkerJob) -> WorkerEnd) -> Vec<EndedWorker> {
    let over = seen
        .fleet
        .iter()
        .filter(|job| matches!(job.state, WorkerJobState::Ended { .. }));
    over.map(|job| {
        let was_ready = seen.beats.iter().any(|beat| beat.worker == job.id);
        let end = match end_of(job) {
            WorkerEnd::Other if !was_ready => WorkerEnd::NeverReady,
            end => end,
        };
        EndedWorker { at: job.since, end }
    })
    .collect()
}
