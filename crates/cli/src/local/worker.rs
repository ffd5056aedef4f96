//! `walkaround worker`: one worker of the GPU lane.
//!
//! Exit codes: 0 told to stop, or idle for long enough; 1 it failed; 2 a setting is wrong; 75 it stalled
//! (nothing finished for `WALKAROUND_STALL_EXIT_S`), start another one.

use super::stack::{Stack, host, resident_bytes, runtime, start_log, stop_on_signal};
use crate::args::WorkerArgs;
use crate::failure::Failure;
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{info, warn};
use walkaround_pipeline::consumer::{Consumer, Exit, Progress};
use walkaround_pipeline::heartbeat::{Heart, Identity};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::stop::stop;

/// Exit code of a worker that stalled (EX_TEMPFAIL of sysexits.h).
const EXIT_STALLED: u8 = 75;

pub(crate) fn run(args: &WorkerArgs) -> Result<ExitCode, Failure> {
    start_log();
    runtime()?.block_on(work(args))
}

async fn work(args: &WorkerArgs) -> Result<ExitCode, Failure> {
    let stop_signal = stop_on_signal()?;
    let stack = Stack::open(args.root.as_deref())?;
    let engines = stack.engines()?;
    let looker = stack.looker(&engines, 1)?;
    let bundle = (looker.bundle().name.clone(), looker.bundle().version.clone());
    let worker = args
        .name
        .clone()
        .unwrap_or_else(|| format!("worker-pid-{}", std::process::id()));
    let progress = Arc::new(Progress::default());
    let pair = stack.segmentation()?;
    let signature = format!("{worker} ({})", engines.device);
    let desk = stack.desk(&pair, looker, (signature, Arc::clone(&progress)))?;
    let file = stack
        .settings
        .root
        .join("logs")
        .join(format!("{worker}.heartbeat.json"));
    let heart = Heart {
        identity: Identity {
            worker: worker.clone(),
            host: host(),
            device: engines.device.to_string(),
            bundle,
        },
        progress: Arc::clone(&progress),
        records: stack.embedded.records(),
        clock: Arc::clone(&stack.clock),
        every: stack.settings.heartbeat,
        also: Box::new(move |body| {
            if let Err(error) = std::fs::write(&file, body) {
                warn!(%error, "the heartbeat file cannot be written");
            }
        }),
        memory: resident_bytes,
    };
    let (heart_stopper, heart_stop) = stop();
    let beating = tokio::spawn(heart.run(heart_stop));
    info!(worker, bundle = engines.label(), device = %engines.device, "worker ready");
    let consumer = Consumer {
        queue: pair.queue,
        handler: Arc::new(Segmentation { desk }),
        settings: stack.consumer_settings(stack.settings.worker_in_flight, stack.settings.idle_exit),
        clock: Arc::clone(&stack.clock),
        progress,
    };
    let exit = consumer.run(stop_signal).await;
    heart_stopper.stop();
    if beating.await.is_err() {
        warn!("the heart stopped early");
    }
    info!(worker, ?exit, "worker ends");
    Ok(match exit {
        Exit::Stopped | Exit::BudgetSpent | Exit::Idle => ExitCode::SUCCESS,
        Exit::Stalled => ExitCode::from(EXIT_STALLED),
    })
}
