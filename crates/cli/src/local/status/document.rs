//! What `status` tells, as a document.

use crate::failure::Failure;
use crate::local::rows::queues;
use crate::local::stack::Stack;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_embedded::Tally;
use walkaround_messages::{parse_heartbeat, rfc3339};

/// A worker without a heartbeat for this many intervals is not listed.
const BEATS_MISSED_MAX: u32 = 4;

#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// RFC 3339.
    pub at: String,
    pub queues: Vec<QueueStatus>,
    pub workers: Vec<WorkerStatus>,
    pub done: DoneStatus,
    /// Inspections not final yet, by phase.
    pub pending: BTreeMap<String, u64>,
    /// Done inspections of all time, by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Failed inspections of all time.
    pub failed: u64,
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
    /// Seconds since its last sign of life.
    pub beat_age_s: f64,
}

/// Inspections that became final lately.
#[derive(Debug, Serialize)]
pub(super) struct DoneStatus {
    pub last_minute: u64,
    pub last_hour: u64,
    pub failed_last_hour: u64,
}

pub(super) async fn read(stack: &Stack) -> Result<Status, Failure> {
    let now = stack.clock.now();
    let minute = stack
        .embedded
        .finished_since(now - Duration::from_secs(60))
        .await?;
    let hour = stack
        .embedded
        .finished_since(now - Duration::from_secs(3600))
        .await?;
    let all = stack.embedded.counts().await?;
    let by_phase = |phase: &str| sum(&all, |t| t.phase == phase);
    let verdicts = all.iter().filter(|t| t.phase == "done");
    Ok(Status {
        at: rfc3339(now),
        queues: read_queues(stack).await?,
        workers: read_workers(stack).await?,
        done: DoneStatus {
            last_minute: sum(&minute, |t| t.phase == "done"),
            last_hour: sum(&hour, |t| t.phase == "done"),
            failed_last_hour: sum(&hour, |t| t.phase == "failed"),
        },
        pending: ["accepted", "routed"]
            .into_iter()
            .map(|phase| (phase.to_owned(), by_phase(phase)))
            .collect(),
        verdicts: verdicts
            .map(|t| (t.verdict.clone().unwrap_or_default(), t.records))
            .collect(),
        failed: by_phase("failed"),
    })
}

fn sum(tallies: &[Tally], which: impl Fn(&Tally) -> bool) -> u64 {
    tallies.iter().filter(|t| which(t)).map(|t| t.records).sum()
}

async fn read_queues(stack: &Stack) -> Result<Vec<QueueStatus>, Failure> {
    let mut all = Vec::new();
    for (name, dead) in queues(None) {
        let depth = stack.embedded.queue(name)?.depth().await?;
        all.push(QueueStatus {
            name,
            ready: depth.ready,
            leased: depth.leased,
            delayed: depth.delayed,
            oldest_age_s: depth.oldest_age.map(|age| age.as_secs_f64()),
            parked: stack.embedded.parked_count(dead).await?,
        });
    }
    Ok(all)
}

/// From the signs of life alone: opening the capacity would take the workers over from `up`.
async fn read_workers(stack: &Stack) -> Result<Vec<WorkerStatus>, Failure> {
    let now = stack.clock.now();
    let since = now - stack.settings.heartbeat * BEATS_MISSED_MAX;
    let beats = stack.embedded.records().heartbeats(since).await?;
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
