//! Figures for Prometheus, measured when asked for.

use super::answer::Refusal;
use super::exposition::{Exposition, Kind, TEXT};
use super::people::People;
use super::site::Site;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeSet;
use std::sync::Arc;
use walkaround_domain::{Decision, TaskReason, Verdict};
use walkaround_messages::{HeartbeatDocument, LANE_STATE, WorkerState, parse_heartbeat, parse_lane_state};
use walkaround_ports::{Depth, PhaseCount, PortError, WorkerJob, WorkerJobState};

/// `GET /metrics`.
pub(super) async fn metrics(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let mut out = Exposition::default();
    out.family("walkaround_build_info", Kind::Gauge, "The program; always 1.")
        .sample(&[("version", site.version)], 1.0);
    let help = "Resident memory of this process, without its workers.";
    out.family("walkaround_resident_memory_bytes", Kind::Gauge, help)
        .sample(&[], (site.resident_bytes)() as f64);
    queues(&site, &mut out).await?;
    workers(&site, &mut out).await?;
    records(&site, &mut out).await?;
    super::model::figures(&site, &mut out).await?;
    if let Some(published) = site.operations.events_published().await? {
        let help = "Events published since the stack was created; one that was published twice counts twice.";
        out.family("walkaround_events_published_total", Kind::Counter, help)
            .sample(&[], published as f64);
    }
    if let Some(people) = &site.people {
        reviews(&site, people, &mut out).await?;
    }
    Ok(([(CONTENT_TYPE, TEXT)], out.finish()).into_response())
}

/// What waits for people, and what they decided through this process.
async fn reviews(site: &Site, people: &People, out: &mut Exposition) -> Result<(), PortError> {
    let help = "Review tasks that are not done, by their most pressing reason; a count of 10000 may be more.";
    out.family("walkaround_review_tasks", Kind::Gauge, help);
    let counts = people.service.reviews.task_counts().await?;
    for reason in TaskReason::ALL {
        let count = counts.iter().find(|count| count.reason == reason);
        out.sample(
            &[("reason", reason.as_str())],
            count.map_or(0.0, |c| c.tasks as f64),
        );
    }
    let read = people.figures.read(site.clock.now());
    let help = "Decisions of people through this process since it started, by kind.";
    out.family("walkaround_reviews_total", Kind::Counter, help);
    for kind in Decision::KINDS {
        let count = read.totals.get(kind).copied().unwrap_or_default();
        out.sample(&[("decision", kind)], count as f64);
    }
    let help = "Decisions of people through this process in the last 24 hours.";
    out.family("walkaround_reviews_last_day", Kind::Gauge, help);
    out.sample(&[], read.last_day as f64);
    let help = "Median time from a review task to its decision, of those; 0 while there is none.";
    out.family("walkaround_review_wait_median_seconds", Kind::Gauge, help);
    out.sample(&[], read.wait_median.unwrap_or_default().as_secs_f64());
    Ok(())
}

async fn queues(site: &Site, out: &mut Exposition) -> Result<(), PortError> {
    let mut depths: Vec<(&str, Depth, u64)> = Vec::new();
    for (name, queue) in &site.queues {
        let depth = queue.depth().await?;
        depths.push((name.as_str(), depth, site.operations.parked_count(*name).await?));
    }
    let help = "Messages by queue: ready to be received, leased, or delayed.";
    out.family("walkaround_queue_messages", Kind::Gauge, help);
    for (name, depth, _) in &depths {
        let Depth {
            ready,
            leased,
            delayed,
            ..
        } = *depth;
        for (state, count) in [("ready", ready), ("leased", leased), ("delayed", delayed)] {
            out.sample(&[("queue", name), ("state", state)], count as f64);
        }
    }
    let help = "Age of the oldest message that is ready; 0 when none is.";
    out.family("walkaround_queue_oldest_age_seconds", Kind::Gauge, help);
    for (name, depth, _) in &depths {
        let age = depth.oldest_age.unwrap_or_default().as_secs_f64();
        out.sample(&[("queue", name)], age);
    }
    let help = "Messages parked with a reason, by the queue they came from.";
    out.family("walkaround_parked_messages", Kind::Gauge, help);
    for (name, _, parked) in &depths {
        out.sample(&[("queue", name)], *parked as f64);
    }
    Ok(())
}

async fn workers(site: &Site, out: &mut Exposition) -> Result<(), PortError> {
    let jobs = site.operations.jobs().await?;
    let help = "Worker processes or jobs that have not ended.";
    out.family("walkaround_worker_jobs", Kind::Gauge, help);
    for (word, state) in [
        ("starting", WorkerJobState::Starting),
        ("running", WorkerJobState::Running),
    ] {
        let count = jobs.iter().filter(|job| job.state == state).count();
        out.sample(&[("state", word)], count as f64);
    }
    lane(site, out).await?;
    let live = live_workers(site, &jobs).await?;
    let help = "Workers that sent a heartbeat recently, by state.";
    out.family("walkaround_workers", Kind::Gauge, help);
    for state in WorkerState::ALL {
        let count = live.iter().filter(|beat| beat.state == state).count();
        out.sample(&[("state", state.as_str())], count as f64);
    }
    each_worker(&live, out);
    Ok(())
}

/// What the scaler left of the GPU lane.
async fn lane(site: &Site, out: &mut Exposition) -> Result<(), PortError> {
    let body = site.state.read(LANE_STATE).await?;
    let state = body
        .and_then(|body| parse_lane_state(&body).ok())
        .unwrap_or_default();
    let help = "Starts of workers that failed in a row; 0 while starts are not held back.";
    out.family("walkaround_worker_start_failures", Kind::Gauge, help);
    out.sample(&[], state.back_off.map_or(0.0, |b| f64::from(b.failures)));
    let help = "For how long a worker has been wanted while none is ready.";
    out.family("walkaround_gpu_lane_awaited_seconds", Kind::Gauge, help);
    let now = site.clock.now();
    out.sample(
        &[],
        state
            .awaited_since
            .map_or(0.0, |since| now.since(since).as_secs_f64()),
    );
    Ok(())
}

/// The last heartbeats of workers that are not known to be over.
pub(super) async fn live_workers(
    site: &Site,
    jobs: &[WorkerJob],
) -> Result<Vec<HeartbeatDocument>, PortError> {
    let over = |job: &&WorkerJob| matches!(job.state, WorkerJobState::Ended { .. });
    let over: BTreeSet<&str> = jobs.iter().filter(over).map(|job| job.id.as_str()).collect();
    let since = site.clock.now() - site.heartbeat_age_max;
    let beats = site.records.heartbeats(since).await?;
    let alive = beats.iter().filter(|beat| !over.contains(beat.worker.as_str()));
    // One that cannot be read comes from another version: it is not counted, and its own log says why.
    Ok(alive
        .filter_map(|beat| parse_heartbeat(&beat.body).ok())
        .collect())
}

fn each_worker(live: &[HeartbeatDocument], out: &mut Exposition) {
    type Figure = fn(&HeartbeatDocument) -> f64;
    let gauges: [(&'static str, &str, Figure); 3] = [
        (
            "walkaround_worker_photos_per_second",
            "Photos settled per second, over the last minute.",
            |beat| beat.photos_per_second,
        ),
        (
            "walkaround_worker_in_flight_photos",
            "Photos received and not yet settled.",
            |beat| f64::from(beat.in_flight),
        ),
        (
            "walkaround_worker_resident_memory_bytes",
            "Resident memory.",
            |beat| beat.memory_bytes as f64,
        ),
    ];
    for (name, help, figure) in gauges {
        out.family(name, Kind::Gauge, help);
        for beat in live {
            out.sample(
                &[("worker", &beat.worker), ("device", &beat.device)],
                figure(beat),
            );
        }
    }
    let help = "Photos since the worker started: settled (done), and failed for good.";
    out.family("walkaround_worker_photos_total", Kind::Counter, help);
    for beat in live {
        for (result, count) in [("done", beat.photos_done), ("failed", beat.photos_failed)] {
            let labels = [
                ("worker", beat.worker.as_str()),
                ("device", &beat.device),
                ("result", result),
            ];
            out.sample(&labels, f64::from(count));
        }
    }
}

async fn records(site: &Site, out: &mut Exposition) -> Result<(), PortError> {
    let counts = site.operations.inspection_counts().await?;
    let help = match &counts.day {
        None => "Inspections by phase; the verdict is empty unless done.",
        Some(_) => "Inspections accepted today (UTC) by phase; the verdict is empty unless done.",
    };
    out.family("walkaround_inspections", Kind::Gauge, help);
    for (phase, verdict) in [("accepted", ""), ("routed", "")].into_iter().chain(finals()) {
        let count = count(&counts.standing, phase, verdict);
        out.sample(&[("phase", phase), ("verdict", verdict)], count);
    }
    let Some(recent) = &counts.last_minute else {
        return Ok(());
    };
    let help = "Inspections that became final in the last 60 seconds.";
    out.family("walkaround_inspections_finished_last_minute", Kind::Gauge, help);
    for (phase, verdict) in finals() {
        out.sample(
            &[("phase", phase), ("verdict", verdict)],
            count(recent, phase, verdict),
        );
    }
    Ok(())
}

fn finals() -> impl Iterator<Item = (&'static str, &'static str)> {
    let done = Verdict::ALL.into_iter().map(|verdict| ("done", verdict.as_str()));
    done.chain([("failed", "")])
}

/// Every place is written, at 0 too: a series that appears only with its first count has no rate.
fn count(counts: &[PhaseCount], phase: &str, verdict: &str) -> f64 {
    let here = |c: &&PhaseCount| c.phase == phase && c.verdict.as_deref().unwrap_or_default() == verdict;
    counts.iter().filter(here).map(|c| c.records).sum::<u64>() as f64
}
