//! The worker of the GPU lane on AWS Batch.
//!
//! It takes the active version of its bundle (fetched and checked at start), works through the segmentation
//! queue, hot-reloads a newly activated version between photos once that has passed its self-test, and ends on SIGTERM,
//! on a Spot notice, when there is nothing to do, when it stalls, or when its engine is faulty.
//!
//! | exit code | meaning | what AWS Batch does (`evaluateOnExit` of infra/gpu.yaml) |
//! | --- | --- | --- |
//! | 0 | asked to stop, nothing to do for `WALKAROUND_IDLE_EXIT_S`, or its job's time-out is near | the job has succeeded; the scaler starts others when they are needed |
//! | 1 | something failed that may work elsewhere or later | tries again |
//! | 2 | a setting is wrong or missing | fails: fix the job definition |
//! | 69 | the requested device or the ONNX Runtime library is missing | fails: wrong image, instance type or driver |
//! | 70 | the engine fails on every picture, including its own test picture | tries again, on whichever machine it finds |
//! | 75 | nothing finished for `WALKAROUND_STALL_EXIT_S` | tries again, on whichever machine it finds |
//! | 78 | the bundle is missing, broken, or fails its self-test | fails: activate another version |
//! | 137 | killed: out of memory, or the host was taken back before the drain ended | a reclaimed host is tried again, the rest fails |

mod bundle;
mod exit;
mod gpu_memory;
mod shadow;

use bundle::BundleWatch;
use gpu_memory::GpuMemory;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing::info;
use walkaround_aws::{Connection, SpotWatch};
use walkaround_bootstrap::aws::metrics::Metrics;
use walkaround_bootstrap::aws::{AwsStack, RegistryBundles};
use walkaround_bootstrap::canary::CanaryWatch;
use walkaround_bootstrap::exit::end;
use walkaround_bootstrap::{Failure, WorkerParts, process, run_time_over, run_worker};
use walkaround_pipeline::inspector::ActiveInspector;
use walkaround_ports::Clock;

/// Variable in which Batch passes a job its id.
const JOB_ID: &str = "AWS_BATCH_JOB_ID";

/// Works until there is nothing to do, or it is asked to stop.
pub fn main() -> ! {
    process::start_json_log();
    let is_shadow = std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == shadow::ARGUMENT);
    let runtime = process::runtime();
    end(runtime.and_then(|runtime| match is_shadow {
        true => runtime.block_on(shadow::run()),
        false => runtime.block_on(run()),
    }))
}

async fn run() -> Result<ExitCode, Failure> {
    let stack = AwsStack::open(&Connection::default()).await?;
    let spot = SpotWatch::from_environment(Arc::clone(&stack.clock));
    let run_time = run_time_over(Arc::clone(&stack.settings), Arc::clone(&stack.clock));
    let stop = process::stop_on_signal_or(async {
        let reclaimed = async {
            match spot {
                Some(watch) => watch.notice().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            reason = reclaimed => reason,
            reason = run_time => reason,
        }
    })?;
    let metrics = stack.metrics("worker")?;
    metrics.cold_start();
    let mut builder = stack.builder(Some(&metrics))?;
    let shadow = shadow::watch(&mut builder)?;
    let (folder, version) = stack.bundle().await.map_err(exit::coded)?;
    let engines = builder.engines(&folder).map_err(exit::coded)?;
    let inspector = ActiveInspector::new(builder.inspector(&engines, 1).map_err(exit::coded)?);
    let bundles = Arc::new(RegistryBundles {
        stack: stack.clone(),
        engines: 1,
    });
    let canary = CanaryWatch::new(&builder, &inspector, bundles, None);
    let parts = WorkerParts {
        worker: std::env::var(JOB_ID).unwrap_or_else(|_| format!("worker-pid-{}", std::process::id())),
        device: engines.device.to_string(),
        inspector: Arc::clone(&inspector),
        heartbeat_file: builder.settings.heartbeat_file.clone(),
        stop,
    };
    let watch = version
        .zip(builder.settings.bundle_poll)
        .map(|(version, every)| BundleWatch::new(&stack, &builder, version, every));
    let watching = watch.map(|watch| tokio::spawn(watch.run(Arc::clone(&parts.inspector))));
    let gpu = GpuMemory::of(engines.device);
    let flushing = tokio::spawn(write_metrics(
        metrics,
        gpu,
        builder.settings.heartbeat,
        Arc::clone(&builder.clock),
    ));
    let shadowing = tokio::spawn(shadow.run(parts.stop.clone()));
    let canary = tokio::spawn(canary.run(parts.stop.clone()));
    let exit = run_worker(&builder, parts).await;
    for task in watching.into_iter().chain([flushing, shadowing, canary]) {
        task.abort();
    }
    // In time: `run_worker` has set a deadline for all that is left.
    metrics.flush();
    info!("metrics written");
    exit
}

/// Writes metrics at every heartbeat.
async fn write_metrics(metrics: Metrics, gpu: Option<GpuMemory>, every: Duration, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(every).await;
        if let Some((used, total)) = gpu.as_ref().and_then(GpuMemory::used_of_total) {
            metrics.gpu_memory(used, total);
        }
        metrics.flush();
    }
}
