//! The worker of the GPU lane on AWS Batch.

use std::process::ExitCode;
use walkaround_assembly::{Failure, WorkerParts, failure, process, run_worker};
use walkaround_aws::Connection;
use walkaround_cloud::CloudStack;
use walkaround_pipeline::looker::CurrentLooker;

/// Works until the queue is empty for long enough, or it is told to stop.
pub fn main() -> ExitCode {
    process::start_json_log();
    failure::exit_code(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

async fn run() -> Result<ExitCode, Failure> {
    let stop = process::stop_on_signal()?;
    let stack = CloudStack::open(&Connection::default()).await?;
    let metrics = stack.metrics("worker")?;
    let kit = stack.kit(Some(&metrics))?;
    let (folder, _) = stack.bundle().await?;
    let engines = kit.engines(&folder)?;
    let parts = WorkerParts {
        worker: std::env::var("AWS_BATCH_JOB_ID")
            .unwrap_or_else(|_| format!("worker-pid-{}", std::process::id())),
        device: engines.device.to_string(),
        looker: CurrentLooker::new(kit.looker(&engines, 1)?),
        heartbeat_file: None,
        stop,
    };
    let exit = run_worker(&kit, parts).await;
    metrics.flush();
    exit
}
