//! `walkaround up`: the whole pipeline in one command: triage, scaler, workers, drop folder, HTTP.
//!
//! One `up` runs a root. When one of its parts ends or stalls, all of it ends, with exit code 1: one that went on would look
//! alive and not work. Whatever supervises it starts it again; nothing is lost.

use super::drop_folder::DropFolder;
use super::health::{DropFolderState, Health};
use super::own_program::{own_command, variables};
use super::parts::Parts;
use super::prune;
use super::shadow;
use crate::args::UpArgs;
use crate::failure::Failure;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{info, warn};
use walkaround_bootstrap::canary::{self, CanaryWatch, ConfiguredBundle, FolderBundles};
use walkaround_bootstrap::exit::{EXIT_SLACK, end_within};
use walkaround_bootstrap::exit_diagnosis::EXIT_ENGINE;
use walkaround_bootstrap::process::{runtime, start_log, stop_on_signal_or};
use walkaround_bootstrap::{PipelineBuilder, TriageParts};
use walkaround_client::{LocalClient, Stack, stalled_after};
use walkaround_local::{LocalCapacity, Orphans, WorkerOptions};
use walkaround_pipeline::consumer::{Consumer, Progress};
use walkaround_pipeline::inspector::ActiveInspector;
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::monitor::Monitor;
use walkaround_pipeline::rollout::write_configured;
use walkaround_pipeline::scaler::Scaler;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_pipeline::triage::InlineSegmentationCost;
use walkaround_ports::{Clock, EndCause, PhotoSource};
use walkaround_server::{Site, serve};
use walkaround_settings::Settings;

/// Time of a worker beyond its drain budget until it is killed.
const WORKER_SLACK: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &UpArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(up(args))
}

async fn up(args: &UpArgs) -> Result<ExitCode, Failure> {
    let stack = open(args)?;
    let drop_folder = args.drop.as_ref().or(stack.settings.drop_folder.as_ref());
    let drop_folder = drop_folder
        .map(|folder| DropFolder::open(folder, &stack))
        .transpose()?;
    // Before anything of a root is touched that another `up` may run.
    let lock = Arc::new(stack.local.lock_up()?);
    let (ending, end) = oneshot::channel();
    let stop = stop_on_signal_or(reason_of(end))?;
    // Workers find out by themselves what answers instead of the configured bundle.
    let workers = worker_options(&stack.settings)?;
    let (stack, configured) = answering(stack).await?;
    let mut builder = stack.builder()?;
    let shadow = shadow::watch(&stack.settings, &mut builder)?;
    // A faulty engine ends everything as a stop does: whoever started this program starts it again.
    let stop = stop.or(&builder.engine.signal());
    let engines = stack.engines()?;
    let capacity = Arc::new(stack.local.capacity(workers).await?);
    let (triage, inspector, source) = triage_consumer(&builder, &engines).await?;
    let health = health_of(&triage, source, &stack.settings);
    let mut parts = Parts::new(stop.clone());
    let mut scaler = builder.scaler(Arc::<LocalCapacity>::clone(&capacity));
    scaler.forget().await?;
    // Triage is to know the lane from its first photo on.
    tick(&scaler).await;
    let (scaling, scaled) = oneshot::channel();
    let scaler = scale(scaler, stack.settings.scale_every, stop.clone(), scaling);
    parts.add("the scaler", scaler);
    add_monitor(&mut parts, &builder, stop.clone());
    add_canary(&mut parts, &builder, &inspector, configured);
    parts.add("the daily clean-up", prune::daily(stack.clone(), stop.clone()));
    if let Some(folder) = drop_folder {
        let watch = folder.watch(health.drop_folder.clone(), stop.clone());
        parts.add("the drop folder", watch);
    }
    if let Some(address) = &stack.settings.listen {
        let server = serve(address, site(&stack, health.clone(), &engines)?, stop.clone());
        let (_, serving) = server.await.map_err(Failure::usage)?;
        parts.add("the HTTP server", serving);
    }
    let reporting = health.report_until(Arc::clone(&lock), stack.settings.heartbeat, stop.clone());
    parts.add("the report", reporting);
    // No part: whatever becomes of it, the stack goes on.
    tokio::spawn(shadow.run(stop.clone()));
    info!(root = %stack.local.root().display(), bundle = engines.label(), "the stack is up");
    let budget = triage.settings.drain_budget;
    parts.add_triage(triage);
    let code = parts.until_end(ending).await;
    let code = if builder.engine.is_sick() {
        ExitCode::from(EXIT_ENGINE)
    } else {
        code
    };
    end_within(workers_budget(budget) + EXIT_SLACK, code);
    end_rest(&mut parts, scaled, &capacity).await?;
    // Held to the end: another `up` would take over workers that are ending.
    drop(lock);
    Ok(code)
}

/// The stack with the bundle that answers, and the configured one, which those who ask later are told.
async fn answering(stack: Stack) -> Result<(Stack, ConfiguredBundle), Failure> {
    let (stack, configured) = stack.answering().await?;
    let folder = configured.folder.display().to_string();
    write_configured(&*stack.local.state(), &configured.bundle, &folder).await?;
    Ok((stack, configured))
}

/// Ends the workers, and waits for them and for the parts that are left.
async fn end_rest(
    parts: &mut Parts,
    scaled: oneshot::Receiver<()>,
    capacity: &LocalCapacity,
) -> Result<(), Failure> {
    // The scaler first, so that it starts no others meanwhile.
    let workers = async {
        let _ = scaled.await;
        capacity.end_all(EndCause::Stopping.as_str()).await
    };
    let (left, ()) = tokio::join!(workers, parts.rest());
    let left = left?;
    if left > 0 {
        warn!(left, "workers did not end in time");
    }
    Ok(())
}

/// What the HTTP server of an `up` answers from: its health is that of triage here, and reviewers choose from the
/// classes of the bundle.
fn site(stack: &Stack, health: Health, engines: &crate::library::Engines) -> Result<Site, Failure> {
    let classes = engines.bundle.manifest().classes.iter();
    let classes = classes.map(|class| class.name.clone()).collect();
    let base = crate::serve::site(&LocalClient(stack.clone()), Arc::clone(&health.source))?;
    Ok(Site {
        people: base.people.map(|people| people.with_classes(classes)),
        concerns: Some(Arc::new({
            let health = health.clone();
            move || health.concerns()
        })),
        stalled_for: Some(Arc::new(move || health.stalled_for())),
        ..base
    })
}

/// Why a part ends the whole; never where none does.
async fn reason_of<T>(end: oneshot::Receiver<T>) -> T {
    match end.await {
        Ok(reason) => reason,
        Err(_) => std::future::pending().await,
    }
}

/// The stack as settings and command line name it.
fn open(args: &UpArgs) -> Result<Stack, Failure> {
    let mut stack = Stack::open_with(args.root.as_deref(), &(&args.engine).into())?;
    if let Some(listen) = &args.listen {
        let mut settings = Settings::clone(&stack.settings);
        settings.listen = Some(listen.clone()).filter(|address| !address.is_empty());
        stack.settings = Arc::new(settings);
    }
    Ok(stack)
}

/// The health of this triage, and of a drop folder that is still to be watched.
fn health_of(triage: &Consumer, source: Arc<dyn PhotoSource>, settings: &Settings) -> Health {
    Health {
        progress: Arc::clone(&triage.progress),
        clock: Arc::clone(&triage.clock),
        stalled_after: stalled_after(settings),
        source,
        drop_folder: DropFolderState::default(),
    }
}

/// Triage, and where it fetches photos from.
async fn triage_consumer(
    builder: &PipelineBuilder,
    engines: &crate::library::Engines,
) -> Result<(Consumer, Arc<ActiveInspector>, Arc<dyn PhotoSource>), Failure> {
    let s = &builder.settings;
    let jobs = builder.triage_jobs();
    let inspector = builder.inspector(engines, jobs)?;
    let inline_segmentation = inspector.measure_segment().await?;
    info!(
        segmentation_ms = inline_segmentation.as_secs_f64() * 1e3,
        "segmentation measured"
    );
    let progress = Arc::new(Progress::default());
    let inspector = ActiveInspector::new(inspector);
    let handler = builder.triage(TriageParts {
        inspector: Arc::clone(&inspector),
        jobs,
        inline_segmentation: InlineSegmentationCost::Known(inline_segmentation),
        end: InvocationDeadline::never(),
        progress: Arc::clone(&progress),
    })?;
    let source = Arc::clone(&handler.processor.source);
    let consumer = Consumer {
        queue: Arc::clone(&builder.ports.intake.queue),
        handler: Arc::new(handler),
        settings: builder.consumer_settings(s.triage_in_flight, None),
        clock: Arc::clone(&builder.clock),
        progress,
    };
    Ok((consumer, inspector, source))
}

/// Workers are this program's own `worker` command, with this stack's settings.
fn worker_options(s: &Settings) -> Result<WorkerOptions, Failure> {
    Ok(WorkerOptions {
        command: own_command("worker")?,
        variables: variables(s),
        workers_max: s.workers_max.max(1),
        end_budget: s.drain_budget + WORKER_SLACK,
        orphans: Orphans::Adopt,
        ..WorkerOptions::default()
    })
}

async fn tick(scaler: &Scaler) {
    if let Some(error) = scaler.tick().await.map_or_else(Some, |tick| tick.failed) {
        warn!(%error, "scaling failed, trying again");
    }
}

/// Longest time of the end of all workers: their budget, and what `end_all` adds to it.
fn workers_budget(drain_budget: Duration) -> Duration {
    drain_budget + WORKER_SLACK + WORKER_SLACK
}

/// Scales until asked to stop. `_scaling` is dropped then, which tells the others.
async fn scale(scaler: Scaler, every: Duration, mut stop: ShutdownSignal, _scaling: oneshot::Sender<()>) {
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

/// What loads a canary's networks here, and what decides about it.
fn add_canary(
    parts: &mut Parts,
    builder: &PipelineBuilder,
    inspector: &Arc<ActiveInspector>,
    configured: ConfiguredBundle,
) {
    let bundles = Arc::new(FolderBundles {
        engines: builder.triage_jobs(),
    });
    let judge = builder.canary_judge(Arc::new(configured.clone()));
    let watch = CanaryWatch::new(builder, inspector, bundles, Some(configured));
    let (every, stop) = (watch.every(), parts.stop.clone());
    parts.add("the watch of the canary", watch.run(stop.clone()));
    parts.add("the judge of the canary", canary::judge(judge, every, stop));
}

/// The monitor, where the settings want one.
fn add_monitor(parts: &mut Parts, builder: &PipelineBuilder, stop: ShutdownSignal) {
    if let Some(every) = builder.settings.monitor_every {
        parts.add("the monitor", watch(builder.monitor(), every, stop));
    }
}

/// Passes of the monitor until asked to stop. One that fails is made up for by the next.
async fn watch(monitor: Monitor, every: Duration, mut stop: ShutdownSignal) {
    let clock: Arc<dyn Clock> = Arc::clone(&monitor.clock);
    while !stop.is_set() {
        tokio::select! {
            biased;
            () = stop.wait() => return,
            pass = monitor.pass() => {
                if let Err(error) = pass {
                    warn!(%error, "the monitor failed, trying again");
                }
            }
        }
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = clock.sleep(every) => {}
        }
    }
}
