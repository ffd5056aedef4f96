//! A worker of the GPU lane, on any stack.

use crate::ending::{EXIT_ENGINE, EXIT_STALLED};
use crate::failure::Failure;
use crate::kit::Kit;
use crate::process::{host, resident_bytes};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{info, warn};
use walkaround_pipeline::consumer::{Consumer, Exit, Progress};
use walkaround_pipeline::heartbeat::{Heart, Identity};
use walkaround_pipeline::looker::CurrentLooker;
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::stop::{Stop, stop};

/// What a worker is made from, beside the kit.
pub struct WorkerParts {
    /// Its name: the capacity's id, so that its heartbeats can be told from others'.
    pub worker: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Its networks.
    pub looker: Arc<CurrentLooker>,
    /// File that each heartbeat is written to.
    pub heartbeat_file: Option<PathBuf>,
    /// Tells it to stop.
    pub stop: Stop,
}

/// Works off the segmentation queue until told to stop, idle, stalled, or its engine is sick.
///
/// # Errors
/// Settings that do not fit together.
pub async fn run_worker(kit: &Kit, parts: WorkerParts) -> Result<ExitCode, Failure> {
    let WorkerParts { worker, device, .. } = &parts;
    let progress = Arc::new(Progress::default());
    let pair = &kit.ports.segmentation;
    let signature = format!("{worker} ({device})");
    let desk = kit.desk(
        pair,
        Arc::clone(&parts.looker),
        (signature, Arc::clone(&progress)),
    )?;
    let (heart_stopper, heart_stop) = stop();
    let beating = tokio::spawn(heart(kit, &parts, &progress).run(heart_stop));
    let bundle = parts.looker.get();
    let bundle = bundle.bundle();
    info!(
        worker,
        bundle = bundle.name,
        version = bundle.version,
        device,
        "worker ready"
    );
    let consumer = Consumer {
        queue: Arc::clone(&pair.queue),
        handler: Arc::new(Segmentation { desk }),
        settings: kit.consumer_settings(kit.settings.worker_in_flight, kit.settings.idle_exit),
        clock: Arc::clone(&kit.clock),
        progress,
    };
    // A sick engine ends the worker as a stop does: what is in flight goes back.
    let exit = consumer.run(parts.stop.or(&kit.engine.signal())).await;
    heart_stopper.stop();
    if beating.await.is_err() {
        warn!("the heart stopped early");
    }
    info!(worker, ?exit, "worker ends");
    if kit.engine.is_sick() {
        return Ok(ExitCode::from(EXIT_ENGINE));
    }
    Ok(match exit {
        Exit::Stopped | Exit::BudgetSpent | Exit::Idle => ExitCode::SUCCESS,
        Exit::Stalled => ExitCode::from(EXIT_STALLED),
    })
}

fn heart(kit: &Kit, parts: &WorkerParts, progress: &Arc<Progress>) -> Heart {
    let file = parts.heartbeat_file.clone();
    Heart {
        identity: Identity {
            worker: parts.worker.clone(),
            host: host(),
            device: parts.device.clone(),
        },
        progress: Arc::clone(progress),
        looker: Arc::clone(&parts.looker),
        records: Arc::clone(&kit.ports.records),
        clock: Arc::clone(&kit.clock),
        every: kit.settings.heartbeat,
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
