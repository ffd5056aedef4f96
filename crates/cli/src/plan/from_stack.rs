//! A day of a stack: what its records say happened, and the assumptions that they and the settings give.

use super::figures::{BUSY, INLINE, ON_GPU, P50, P95, P99, Row, count, seconds};
use crate::args::PlanArgs;
use crate::client::open;
use crate::failure::Failure;
use anyhow::Context;
use std::time::Duration;
use walkaround_bootstrap::process::runtime;
use walkaround_client::{IfMissing, StackClient, inspection};
use walkaround_domain::{Inspection, Lane, Timestamp};
use walkaround_messages::{LANE_STATE, parse_lane_state, parse_rfc3339};
use walkaround_planning::{
    Arrivals, Assumptions, DEADLINE, ObservedDay, ObservedPhoto, PHOTOS_MAX, Scenario, SegmentedBy,
};
use walkaround_ports::{RECORDS_PAGE_MAX, RecordQuery};
use walkaround_settings::Settings;

/// What `WALKAROUND_IDLE_EXIT_S=0` means for a day.
const NEVER_S: f64 = 86_400.0;

/// A day of a stack.
pub(super) struct Observed {
    name: String,
    about: String,
    day: ObservedDay,
    arrivals: Arrivals,
    base: Assumptions,
}

/// Reads the day that the command line names.
pub(super) fn observe(args: &PlanArgs) -> Result<Observed, Failure> {
    let day = args.on.clone().unwrap_or_default();
    let midnight = parse_rfc3339(&format!("{day}T00:00:00Z"))
        .map_err(|_| Failure::usage(format!("--day {day}: expected a day such as 2026-11-22")))?;
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let photos = photos(&*stack, &day, midnight).await?;
        let observed = ObservedDay { photos };
        let arrivals = observed
            .arrivals()
            .map_err(|error| Failure::usage(format!("--day {day}: {error}")))?;
        let cold_start = cold_start(&*stack).await?;
        let mut base = Assumptions::default();
        if stack.name() == "local" {
            local(&mut base, stack.settings());
        }
        if let Some(measured) = cold_start {
            start_within(&mut base, measured);
        }
        Ok(Observed {
            name: day.clone(),
            about: format!(
                "{} photos of the {} stack on {day}",
                count(arrivals.total()),
                stack.name()
            ),
            day: observed,
            arrivals,
            base,
        })
    })
}

impl Observed {
    /// The stack's settings and what was measured on the day.
    pub(super) fn assumptions(&self) -> Assumptions {
        self.day.measured(self.base)
    }

    /// The day to simulate.
    pub(super) fn scenario(&self, seed: u64) -> Scenario {
        Scenario {
            name: self.name.clone(),
            about: self.about.clone(),
            arrivals: self.arrivals.clone(),
            droughts: Vec::new(),
            deadline: DEADLINE,
            deadline_in_requests: false,
            seed,
        }
    }

    /// What happened, under the names of a plan's figures.
    pub(super) fn figures(&self) -> Vec<Row> {
        let figures = self.day.figures();
        vec![
            Row::new("photos", count(figures.photos)),
            Row::new(P50, seconds(figures.times.p50)),
            Row::new(P95, seconds(figures.times.p95)),
            Row::new(P99, seconds(figures.times.p99)),
            Row::new("without a verdict", count(figures.without_verdict)),
            Row::new(INLINE, count(figures.inline)),
            Row::new(ON_GPU, count(figures.on_gpu)),
            Row::new("workers started", count(figures.workers)),
            Row::new(BUSY, count(figures.busy_s.round() as u64)),
        ]
    }
}

async fn photos(
    stack: &dyn StackClient,
    day: &str,
    midnight: Timestamp,
) -> Result<Vec<ObservedPhoto>, Failure> {
    let records = stack.records()?;
    let query = RecordQuery::Day(day.to_owned());
    let (mut photos, mut after) = (Vec::new(), None);
    loop {
        let page = records.list(&query, after.as_deref(), RECORDS_PAGE_MAX).await?;
        for record in &page.records {
            photos.push(photo(&inspection(record)?, midnight));
        }
        if photos.len() as u64 > PHOTOS_MAX {
            return Err(Failure::usage(format!(
                "--day {day}: more than {PHOTOS_MAX} photos"
            )));
        }
        after = page.next;
        if after.is_none() {
            return Ok(photos);
        }
    }
}

fn photo(inspection: &Inspection, midnight: Timestamp) -> ObservedPhoto {
    let since = |at: Timestamp| u64::try_from(at.since(midnight).as_millis()).unwrap_or(u64::MAX);
    let outcome = inspection.outcome.as_ref();
    let timings = outcome.map(|outcome| &outcome.timings_ms);
    let total_ms = timings.and_then(|timings| timings.get("total")).copied();
    let stages_ms: f64 = timings
        .iter()
        .flat_map(|timings| timings.iter())
        .filter(|(name, _)| name.as_str() != "total")
        .map(|(_, ms)| ms)
        .sum();
    let segmented = inspection.route.as_ref().map(|(lane, _)| match lane {
        Lane::Inline => SegmentedBy::Inline,
        Lane::Gpu => SegmentedBy::Worker(outcome.map(|outcome| outcome.worker.clone()).unwrap_or_default()),
    });
    let settled_by_triage = !matches!(segmented, Some(SegmentedBy::Worker(_)));
    let triaged = match settled_by_triage {
        true => inspection.finished_at,
        false => inspection.routed_at,
    };
    let segmenters_ms = timings.and_then(|timings| timings.get("segment")).copied();
    ObservedPhoto {
        triaged_ms: triaged.map(since),
        segmenters_s: segmenters_ms.unwrap_or_default() / 1000.0,
        accepted_ms: u32::try_from(since(inspection.accepted_at)).unwrap_or(u32::MAX),
        finished_ms: inspection.finished_at.map(since),
        segmented,
        work_s: stages_ms / 1000.0,
        total_s: total_ms.unwrap_or(stages_ms) / 1000.0,
    }
}

/// The mean cold start that the scaler has measured.
async fn cold_start(stack: &dyn StackClient) -> Result<Option<Duration>, Failure> {
    let body = stack.state()?.read(LANE_STATE).await?;
    let state = body.map(|body| parse_lane_state(&body)).transpose();
    let state = state.map_err(|error| anyhow::anyhow!("{error}"));
    Ok(state
        .context("the state of the GPU lane cannot be read")?
        .and_then(|state| state.cold_start))
}

/// The settings of the local stack, which has no instances to start and no invocations: triage is as many processes as it
/// has jobs.
fn local(assumptions: &mut Assumptions, settings: &Settings) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = match settings.triage_jobs {
        0 => cores,
        jobs => jobs,
    };
    let deployment = &mut assumptions.deployment;
    deployment.triage_processes = jobs as f64 * f64::from(settings.triage_processes);
    deployment.triage_jobs = 1.0;
    deployment.triage_batch = 1.0;
    deployment.batch_window_s = 0.0;
    deployment.triage_timeout_s = NEVER_S;
    deployment.workers_min = f64::from(settings.workers_min);
    deployment.workers_max = f64::from(settings.workers_max);
    deployment.worker_rate = settings.worker_rate;
    deployment.cold_start_s = settings.cold_start.as_secs_f64();
    deployment.drain_target_s = settings.drain_target.as_secs_f64();
    deployment.inline_drain_s = settings.inline_drain.as_secs_f64();
    deployment.scale_every_s = settings.scale_every.as_secs_f64();
    deployment.lane_cache_s = settings.lane_cache.as_secs_f64();
    deployment.heartbeat_s = settings.heartbeat.as_secs_f64();
    deployment.idle_exit_s = settings.idle_exit.map_or(NEVER_S, |idle| idle.as_secs_f64());
    deployment.scale_down_s = 0.0;
    let fleet = &mut assumptions.fleet;
    fleet.placement_s = 0.0;
    fleet.boot_s = 0.0;
    fleet.load_s = settings.cold_start.as_secs_f64();
    fleet.spot = 0.0;
    fleet.reclaims = 0.0;
}

/// Makes a cold start take as long as was measured: the instance's part, or all of it where there is no instance.
fn start_within(assumptions: &mut Assumptions, measured: Duration) {
    let fleet = &mut assumptions.fleet;
    let rest = measured.as_secs_f64() - fleet.placement_s - fleet.load_s;
    if fleet.boot_s > 0.0 && rest > 0.0 {
        fleet.boot_s = rest;
    } else {
        fleet.load_s = measured.as_secs_f64();
        (fleet.placement_s, fleet.boot_s) = (0.0, 0.0);
    }
}
