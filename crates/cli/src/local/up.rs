//! `walkaround up`: the whole pipeline in one command: triage, scaler, workers, drop folder, HTTP.

use super::drop_folder::DropFolder;
use super::prune;
use super::stack::{Stack, runtime, start_log, stop_on_signal};
use crate::args::UpArgs;
use crate::failure::Failure;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_assembly::ending::EXIT_ENGINE;
use walkaround_assembly::{Kit, TriageParts};
use walkaround_embedded::{LocalCapacity, Orphans, WorkerOptions};
use walkaround_pipeline::consumer::{Consumer, Exit, Progress};
use walkaround_pipeline::invocation::InvocationEnd;
use walkaround_pipeline::looker::CurrentLooker;
use walkaround_pipeline::scaler::Scaler;
use walkaround_pipeline::stop::Stop;
use walkaround_pipeline::triage::InlineLook;
use walkaround_ports::{Clock, EndCause};
use walkaround_settings::Settings;

pub(crate) fn run(args: &UpArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(up(args))
}

async fn up(args: &UpArgs) -> Result<ExitCode, Failure> {
    let stop = stop_on_signal()?;
    let stack = Stack::open(args.root.as_deref())?;
    let kit = stack.kit()?;
    // A sick engine ends everything as a stop does: whoever started this program starts it again.
    let stop = stop.or(&kit.engine.signal());
    let engines = stack.engines()?;
    let capacity = Arc::new(stack.embedded.capacity(worker_options(&stack.settings)?).await?);
    let triage = triage_consumer(&kit, &engines).await?;
    let mut scaler = kit.scaler(Arc::<LocalCapacity>::clone(&capacity));
    scaler.forget().await?;
    // Triage is to know the lane from its first photo on.
    tick(&scaler).await;
    let scaler = tokio::spawn(scale(scaler, stack.settings.scale_every, stop.clone()));
    let drop_folder = args.drop.clone().or_else(|| stack.settings.drop_folder.clone());
    // It ends with this process: what it removes, it removes in transactions.
    tokio::spawn(prune::daily(stack.clone(), stop.clone()));
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
    let left = capacity.end_all(EndCause::Stopping.as_str()).await?;
    if left > 0 {
        warn!(left, "workers that did not end in time");
    }
    if kit.engine.is_sick() {
        return Ok(ExitCode::from(EXIT_ENGINE));
    }
    Ok(if exit == Exit::Stalled {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn triage_consumer(kit: &Kit, engines: &crate::library::Engines) -> Result<Consumer, Failure> {
    let s = &kit.settings;
    let jobs = kit.triage_jobs();
    let looker = kit.looker(engines, jobs)?;
    let inline_look = looker.measure_segment().await?;
    info!(look_ms = inline_look.as_secs_f64() * 1e3, "heavy look measured");
    let progress = Arc::new(Progress::default());
    let handler = kit.triage(TriageParts {
        looker: CurrentLooker::new(looker),
        jobs,
        inline_look: InlineLook::Known(inline_look),
        end: InvocationEnd::never(),
        progress: Arc::clone(&progress),
    })?;
    Ok(Consumer {
        queue: Arc::clone(&kit.ports.intake.queue),
        handler: Arc::new(handler),
        settings: kit.consumer_settings(s.triage_in_flight, None),
        clock: Arc::clone(&kit.clock),
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

async fn tick(scaler: &Scaler) {
    if let Some(error) = scaler.tick().await.map_or_else(Some, |tick| tick.failed) {
        warn!(%error, "the scaler's look failed");
    }
}

async fn scale(scaler: Scaler, every: Duration, mut stop: Stop) {
    let clock: Arc<dyn Clock> = Arc::clone(&scaler.clock);
    while !stop.is_set() {
        tick(&scaler).await;
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = clock.sleep(every) => {}
        }
    }
}
