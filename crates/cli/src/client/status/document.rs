//! What `status` reports, as a document.

use crate::client::table::queues;
use crate::failure::Failure;
use serde::Serialize;
use std::collections::BTreeMap;
use walkaround_bootstrap::BEATS_MISSED_MAX;
use walkaround_client::StackClient;
use walkaround_messages::{parse_heartbeat, rfc3339};
use walkaround_ports::{PhaseCount, WorkerJobState, records_in};

#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// RFC 3339.
    pub at: String,
    /// `local` or `aws`.
    pub stack: &'static str,
    pub queues: Vec<QueueStatus>,
    pub workers: Vec<WorkerStatus>,
    pub jobs: JobsStatus,
    pub done: DoneStatus,
    /// The day (UTC) whose accepted inspections the counts below are about; all time when none.
    pub day: Option<String>,
    /// Inspections not final yet, by phase.
    pub pending: BTreeMap<String, u64>,
    /// Done inspections, by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Failed inspections.
    pub failed: u64,
    /// What triage cannot get at, a line each: the drop folder, photo hosts.
    pub concerns: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct QueueStatus {
    pub name: &'static str,
    pub ready: u64,
    pub leased: u64,
    pub delayed: u64,
    /// Seconds; none when nothing is ready.
    pub oldest_age_s: Option<f64>,
    pub parked: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct WorkerStatus {
    pub name: String,
    pub state: &'static str,
    pub device: String,
    pub host: String,
    pub photos_per_second: f64,
    pub in_flight: u32,
    pub photos_done: u32,
    pub photos_failed: u32,
    pub memory_bytes: u64,
    /// Seconds since its last heartbeat.
    pub beat_age_s: f64,
}

/// Worker jobs that are not over.
#[derive(Debug, Serialize)]
pub(super) struct JobsStatus {
    pub starting: usize,
    pub running: usize,
}

/// Inspections that became final lately, as far as the stack knows.
#[derive(Debug, Serialize)]
pub(super) struct DoneStatus {
    pub last_minute: Option<u64>,
    pub last_hour: Option<u64>,
    pub failed_last_hour: Option<u64>,
    /// Mean since midnight (UTC), of what was accepted since.
    pub per_minute_today: Option<f64>,
}

pub(super) async fn read(stack: &dyn StackClient) -> Result<Status, Failure> {
    let now = stack.clock().now();
    let counts = stack
        .operations()
        .inspection_counts()
        .await
        .map_err(Failure::of_port)?;
    let recent =
        |counts: &Option<Vec<PhaseCount>>, phase| counts.as_deref().map(|c| records_in(c, phase, None));
    let standing = |phase| records_in(&counts.standing, phase, None);
    let minutes = (now.0 % 86_400_000) as f64 / 60_000.0;
    Ok(Status {
        at: rfc3339(now),
        stack: stack.name(),
        queues: read_queues(stack).await?,
        workers: read_workers(stack).await?,
        jobs: read_jobs(stack).await?,
        done: DoneStatus {
            last_minute: recent(&counts.last_minute, "done"),
            last_hour: recent(&counts.last_hour, "done"),
            failed_last_hour: recent(&counts.last_hour, "failed"),
            per_minute_today: counts
                .day
                .is_some()
                .then(|| standing("done") as f64 / minutes.max(1.0)),
        },
        pending: ["accepted", "routed"]
            .map(|phase| (phase.to_owned(), standing(phase)))
            .into(),
        verdicts: by_verdict(&counts.standing),
        failed: standing("failed"),
        concerns: stack.concerns().await,
        day: counts.day,
    })
}

fn by_verdict(standing: &[PhaseCount]) -> BTreeMap<String, u64> {
    let mut verdicts = BTreeMap::new();
    for count in standing.iter().filter(|count| count.phase == "done") {
        *verdicts
            .entry(count.verdict.clone().unwrap_or_default())
            .or_default() += count.records;
    }
    verdicts
}

async fn read_queues(stack: &dyn StackClient) -> Result<Vec<QueueStatus>, Failure> {
    let mut all = Vec::new();
    for queue in queues(None) {
        let depth = stack.queue(*queue)?.depth().await?;
        all.push(QueueStatus {
            name: queue.as_str(),
            ready: depth.ready,
            leased: depth.leased,
            delayed: depth.delayed,
            oldest_age_s: depth.oldest_age.map(|age| age.as_secs_f64()),
            parked: stack
                .operations()
                .parked_count(*queue)
                .await
                .map_err(Failure::of_port)?,
        });
    }
    Ok(all)
}

async fn read_jobs(stack: &dyn StackClient) -> Result<JobsStatus, Failure> {
    let jobs = stack.operations().jobs().await.map_err(Failure::of_port)?;
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    Ok(JobsStatus {
        starting: count(WorkerJobState::Starting),
        running: count(WorkerJobState::Running),
    })
}

async fn read_workers(stack: &dyn StackClient) -> Result<Vec<WorkerStatus>, Failure> {
    let now = stack.clock().now();
    let since = now - stack.settings().heartbeat * BEATS_MISSED_MAX;
    let beats = stack.records()?.heartbeats(since).await?;
    let workers = beats.iter().filter_map(|b| parse_heartbeat(&b.body).ok());
    let mut workers: Vec<WorkerStatus> = workers
        .map(|beat| WorkerStatus {
            beat_age_s: now.since(beat.at).as_secs_f64(),
            name: beat.worker,
            state: beat.state.as_str(),
            device: beat.device,
            host: beat.host,
            photos_per_second: beat.photos_per_second,
            in_flight: beat.in_flight,
            photos_done: beat.photos_done,
            photos_failed: beat.photos_failed,
            memory_bytes: beat.memory_bytes,
        })
        .collect();
    workers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(workers)
}
