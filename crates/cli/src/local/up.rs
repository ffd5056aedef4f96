//! `walkaround up`: the whole pipeline in one command: triage, scaler, workers, drop folder, HTTP.

use super::drop_folder::DropFolder;
use super::stack::{Stack, cores, runtime, start_log, stop_on_signal};
use crate::args::UpArgs;
use crate::failure::Failure;
use anyhow::Context;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::scaling::ScalingPolicy;
use walkaround_embedded::{LocalCapacity, Orphans, WorkerOptions};
use walkaround_pipeline::consumer::{Consumer, Exit, Progress};
use walkaround_pipeline::scaler::Scaler;
use walkaround_pipeline::situation::{Lanes, Situation, SituationSettings};
use walkaround_pipeline::stop::Stop;
use walkaround_pipeline::triage::Triage;
use walkaround_ports::Clock;
use walkaround_settings::Settings;

/// Triage has no invocation that ends: any inline look fits.
const TIME_LEFT: Duration = Duration::from_secs(3600);
/// A worker counts as dead when it missed this many heartbeats.
const BEATS_MISSED_MAX: u32 = 4;
/// Time for a worker to load its networks and beat for the first time.
const START_GRACE: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &UpArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(up(args))
}

async fn up(args: &UpArgs) -> Result<ExitCode, Failure> {
    let stop = stop_on_signal()?;
    let stack = Stack::open(args.root.as_deref())?;
    let engines = stack.engines()?;
    let capacity = Arc::new(stack.embedded.capacity(worker_options(&stack.settings)?).await?);
    let triage = triage_consumer(&stack, &engines, Arc::clone(&capacity)).await?;
    let scaler = tokio::spawn(scale(
        scaler(&stack, Arc::clone(&capacity))?,
        stack.settings.scale_every,
        stop.clone(),
    ));
    let drop_folder = args.drop.clone().or_else(|| stack.settings.drop_folder.clone());
    let watching = match drop_folder {
        Some(folder) => {
            let folder = DropFolder::open(&folder, &stack)?;
            Some(tokio::spawn(folder.watch(stop.clone())))
        }
        None => None,
    };
    let listening = match &stack.settings.listen {
        Some(address) => {
            Some(crate::http::serve(address, &stack, Arc::clone(&capacity), stop.clone()).await?)
        }
        None => None,
    };
    info!(root = %stack.embedded.root().display(), bundle = engines.label(), "up");
    let exit = triage.run(stop).await;
    for task in [Some(scaler), watching, listening].into_iter().flatten() {
        task.await.context("a part of the stack panicked")?;
    }
    let left = capacity.end_all("up is stopping").await?;
    if left > 0 {
        warn!(left, "workers that did not end in time");
    }
    Ok(if exit == Exit::Stalled {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn triage_consumer(
    stack: &Stack,
    engines: &crate::library::Engines,
    capacity: Arc<LocalCapacity>,
) -> Result<Consumer, Failure> {
    let s = &stack.settings;
    let jobs = if s.triage_jobs == 0 {
        cores()
    } else {
        s.triage_jobs
    };
    let looker = stack.looker(engines, jobs)?;
    let inline_look = looker.measure_segment().await?;
    info!(look_ms = inline_look.as_secs_f64() * 1e3, "heavy look measured");
    let progress = Arc::new(Progress::default());
    let (intake, segmentation) = (stack.intake()?, stack.segmentation()?);
    let lanes = Lanes {
        intake: Arc::clone(&intake.queue),
        segmentation: Arc::clone(&segmentation.queue),
        capacity,
        records: stack.embedded.records(),
    };
    let settings = SituationSettings {
        workers_max: s.workers_max,
        rate_guess: s.worker_rate,
        beat_max_age: s.heartbeat * BEATS_MISSED_MAX,
        // Reading costs nothing here: as often as the scaler looks.
        fresh_for: s.scale_every.min(Duration::from_secs(2)),
    };
    let routing = RoutingPolicy {
        cold_start: s.cold_start,
        inline_parallel: u32::try_from(jobs).unwrap_or(u32::MAX),
        inline_drain_max: s.inline_drain,
        ..RoutingPolicy::default()
    };
    let handler = Triage {
        desk: stack.desk(
            &intake,
            looker,
            ("triage (cpu)".to_owned(), Arc::clone(&progress)),
        )?,
        segmentation: segmentation.queue,
        situation: Arc::new(Situation::new(lanes, Arc::clone(&stack.clock), settings)),
        routing,
        inline_look: Some(inline_look),
        time_left: TIME_LEFT,
    };
    Ok(Consumer {
        queue: intake.queue,
        handler: Arc::new(handler),
        settings: stack.consumer_settings(s.triage_in_flight, None),
        clock: Arc::clone(&stack.clock),
        progress,
    })
}

/// Workers are this program's own `worker` command, with this stack's settings.
fn worker_options(s: &Settings) -> Result<WorkerOptions, Failure> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let absolute = |path: &Path| {
        path.canonicalize()
            .unwrap_or_else(|_| path.to_path_buf())
            .display()
            .to_string()
    };
    let mut variables = BTreeMap::from([
        ("WALKAROUND_ROOT".to_owned(), absolute(&s.root)),
        ("WALKAROUND_BUNDLE".to_owned(), absolute(&s.bundle)),
    ]);
    if let Some(library) = &s.onnxruntime {
        variables.insert("WALKAROUND_ONNXRUNTIME".to_owned(), absolute(library));
    }
    Ok(WorkerOptions {
        command: vec![program.display().to_string(), "worker".to_owned()],
        variables,
        workers_max: s.workers_max.max(1),
        end_budget: s.drain_budget + Duration::from_secs(5),
        orphans: Orphans::Adopt,
        ..WorkerOptions::default()
    })
}

fn scaler(stack: &Stack, capacity: Arc<LocalCapacity>) -> Result<Scaler, Failure> {
    let s = &stack.settings;
    Ok(Scaler {
        segmentation: stack.segmentation()?.queue,
        capacity,
        records: stack.embedded.records(),
        clock: Arc::clone(&stack.clock),
        policy: ScalingPolicy {
            workers_min: s.workers_min,
            workers_max: s.workers_max,
            drain_target: s.drain_target,
            age_max: s.drain_target * 2,
            rate_guess: s.worker_rate,
            warm_hold: s.warm_hold,
        },
        stale_after: s.heartbeat * BEATS_MISSED_MAX,
        start_grace: START_GRACE,
        needs: VecDeque::new(),
    })
}

async fn scale(mut scaler: Scaler, every: Duration, mut stop: Stop) {
    let clock: Arc<dyn Clock> = Arc::clone(&scaler.clock);
    while !stop.is_set() {
        if let Err(error) = scaler.tick().await {
            warn!(%error, "the scaler's look failed");
        }
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = clock.sleep(every) => {}
        }
    }
}
