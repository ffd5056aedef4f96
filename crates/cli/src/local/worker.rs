//! `walkaround worker`: one worker of the GPU lane.
//!
//! Exit codes: 0 asked to stop, idle for long enough, or about to be ended by its time-out; 1 it failed; 2 a setting is
//! wrong; 70 its engine is faulty (it also fails on its own test picture), start another one, elsewhere if that does
//! not help; 75 it stalled (nothing finished for `WALKAROUND_STALL_EXIT_S`), start another one.

use super::shadow;
use crate::args::WorkerArgs;
use crate::failure::Failure;
use std::process::ExitCode;
use std::sync::Arc;
use walkaround_bootstrap::canary::{CanaryWatch, FolderBundles};
use walkaround_bootstrap::process::{runtime, start_log, stop_on_signal_or};
use walkaround_bootstrap::{WorkerParts, run_time_over, run_worker};
use walkaround_client::Stack;
use walkaround_pipeline::inspector::ActiveInspector;

pub(crate) fn run(args: &WorkerArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(work(args))
}

async fn work(args: &WorkerArgs) -> Result<ExitCode, Failure> {
    let stack = Stack::open_with(args.root.as_deref(), &(&args.engine).into())?;
    if args.shadow {
        return shadow::run(&stack).await;
    }
    let stop = stop_on_signal_or(run_time_over(
        Arc::clone(&stack.settings),
        Arc::clone(&stack.clock),
    ))?;
    let (stack, configured) = stack.answering().await?;
    let mut builder = stack.builder()?;
    tokio::spawn(shadow::watch(&stack.settings, &mut builder)?.run(stop.clone()));
    let engines = stack.engines()?;
    let worker = args
        .name
        .clone()
        .unwrap_or_else(|| format!("worker-pid-{}", std::process::id()));
    let logs = stack.settings.root.join("logs");
    let inspector = ActiveInspector::new(builder.inspector(&engines, 1)?);
    let bundles = Arc::new(FolderBundles { engines: 1 });
    let watch = CanaryWatch::new(&builder, &inspector, bundles, Some(configured));
    tokio::spawn(watch.run(stop.clone()));
    let parts = WorkerParts {
        heartbeat_file: Some(logs.join(format!("{worker}.heartbeat.json"))),
        worker,
        device: engines.device.to_string(),
        inspector,
        stop,
    };
    run_worker(&builder, parts).await
}
