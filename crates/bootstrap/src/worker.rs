//! A worker of the GPU lane, on any stack.

use crate::builder::{BEATS_MISSED_MAX, PipelineBuilder};
use crate::exit::{EXIT_SLACK, Watched, end_when_stalled, end_within};
use crate::exit_diagnosis::{EXIT_ENGINE, EXIT_STALLED};
use crate::failure::Failure;
use crate::process::{host, resident_bytes};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_pipeline::consumer::{Consumer, Exit, Progress};
use walkaround_pipeline::heartbeat::{HeartbeatReporter, WorkerIdentity};
use walkaround_pipeline::idle::FewestWorkers;
use walkaround_pipeline::inspector::ActiveInspector;
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};
use walkaround_ports::Clock;
use walkaround_settings::Settings;

/// What a worker is built from, besides the [`PipelineBuilder`].
pub struct WorkerParts {
    /// Its name: the capacity's id, so that its heartbeats can be distinguished from others'.
    pub worker: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Its networks.
    pub inspector: Arc<ActiveInspector>,
    /// File that each heartbeat is written to.
    pub heartbeat_file: Option<PathBuf>,
    /// Its shutdown signal.
    pub stop: ShutdownSignal,
}

impl WorkerParts {
    fn identity(&self) -> WorkerIdentity {
        WorkerIdentity {
            worker: self.worker.clone(),
            host: host(),
            device: self.device.clone(),
        }
    }
}

/// Consumes the segmentation queue until shutdown, idle exit, stall, or its engine is unhealthy.
///
/// # Errors
/// Settings that do not fit together.
pub async fn run_worker(builder: &PipelineBuilder, parts: WorkerParts) -> Result<ExitCode, Failure> {
    let identity = parts.identity();
    let WorkerIdentity { worker, device, .. } = &identity;
    let progress = Arc::new(Progress::default());
    let pair = &builder.ports.segmentation;
    let processor = builder.processor(
        pair,
        Arc::clone(&parts.inspector),
        identity.signature(),
        Arc::clone(&progress),
    )?;
    let fewest = fewest_workers(builder, worker);
    let (heartbeat_stopper, heartbeat_stop) = shutdown_signal();
    let beating = tokio::spawn(heartbeats(builder, &parts, identity.clone(), &progress).run(heartbeat_stop));
    let bundle = parts.inspector.get().bundle().id.clone();
    info!(
        worker,
        bundle = bundle.name,
        version = bundle.version,
        device,
        "worker ready"
    );
    let consumer = Consumer {
        queue: Arc::clone(&pair.queue),
        handler: Arc::new(Segmentation { processor }),
        settings: builder.consumer_settings(builder.settings.worker_in_flight, builder.settings.idle_exit),
        clock: Arc::clone(&builder.clock),
        progress,
    };
    let budget = consumer.settings.drain_budget;
    let watched = Watched {
        progress: Arc::clone(&consumer.progress),
        clock: Arc::clone(&builder.clock),
        ends_within: consumer.settings.stall_exit + budget,
    };
    end_when_stalled(watched, ExitCode::from(EXIT_STALLED));
    tokio::spawn(end_after_stop(parts.stop.clone(), budget + EXIT_SLACK));
    // An unhealthy engine ends the worker like a shutdown: the messages in flight are returned.
    let stop = parts.stop.or(&builder.engine.signal());
    let exit = loop {
        match consumer.run(stop.clone()).await {
            Exit::Idle if !fewest.may_leave().await => {}
            exit => break exit,
        }
    };
    let code = exit_code(exit, builder.engine.is_sick());
    // Only logs and metrics are left: they must not delay the exit.
    end_within(EXIT_SLACK, code);
    heartbeat_stopper.stop();
    if beating.await.is_err() {
        warn!("the heartbeats stopped early");
    }
    info!(worker, ?exit, "worker ends");
    Ok(code)
}

fn exit_code(exit: Exit, engine_is_sick: bool) -> ExitCode {
    match exit {
        _ if engine_is_sick => ExitCode::from(EXIT_ENGINE),
        Exit::Stopped | Exit::BudgetSpent | Exit::Idle => ExitCode::SUCCESS,
        Exit::Stalled => ExitCode::from(EXIT_STALLED),
    }
}

fn fewest_workers(builder: &PipelineBuilder, worker: &str) -> FewestWorkers {
    FewestWorkers {
        records: Arc::clone(&builder.ports.records),
        clock: Arc::clone(&builder.clock),
        worker: worker.to_owned(),
        started_at: builder.clock.now(),
        workers_min: builder.settings.workers_min,
        beat_max_age: builder.settings.heartbeat * BEATS_MISSED_MAX,
    }
}

/// From the signal to stop, a process has its budget, whatever it waits for.
async fn end_after_stop(mut stop: ShutdownSignal, time: Duration) {
    stop.wait().await;
    end_within(time, ExitCode::SUCCESS);
}

/// Least time between the end of a worker by itself and that of its job from outside.
const JOB_MARGIN: Duration = Duration::from_secs(60);

/// How long a worker runs whose job is ended from outside after `job_timeout`: it ends itself with 0 before, with time for
/// its drain. AWS Batch fails a job that reaches its time-out and never tries it again, however healthy it was
/// (<https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html>).
pub fn run_time(job_timeout: Duration, drain_budget: Duration) -> Duration {
    let margin = (job_timeout / 20).max(drain_budget + JOB_MARGIN);
    job_timeout - margin.min(job_timeout / 2)
}

/// Returns when a worker has run for as long as its settings let it, with the reason; never where they do not say.
pub async fn run_time_over(settings: Arc<Settings>, clock: Arc<dyn Clock>) -> String {
    let Some(job_timeout) = settings.job_timeout else {
        return std::future::pending().await;
    };
    clock.sleep(run_time(job_timeout, settings.drain_budget)).await;
    "the job's time-out is near".to_owned()
}

fn heartbeats(
    builder: &PipelineBuilder,
    parts: &WorkerParts,
    identity: WorkerIdentity,
    progress: &Arc<Progress>,
) -> HeartbeatReporter {
    let file = parts.heartbeat_file.clone();
    HeartbeatReporter {
        identity,
        progress: Arc::clone(progress),
        inspector: Arc::clone(&parts.inspector),
        records: Arc::clone(&builder.ports.records),
        clock: Arc::clone(&builder.clock),
        every: builder.settings.heartbeat,
        also: Box::new(move |body| {
            if let Some(file) = &file
                && let Err(error) = std::fs::write(file, body)
            {
                warn!(%error, "the heartbeat file cannot be written");
            }
        }),
        memory: resident_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_ends_well_before_its_job_is_ended() {
        let s = Duration::from_secs;
        // The template's day, an hour, and less than any margin.
        for (timeout, budget, runs) in [
            (86_400, 25, 82_080),
            (3600, 25, 3420),
            (1000, 25, 915),
            (60, 25, 30),
        ] {
            let run_time = run_time(s(timeout), s(budget));
            assert_eq!(run_time, s(runs), "{timeout}");
            assert!(timeout < 200 || run_time + s(budget) < s(timeout));
        }
    }
}
