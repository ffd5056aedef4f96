//! The process of the shadow's bundle.

use super::answer::Answer;
use crate::builder::{PipelineBuilder, photo_source, second_inspector};
use crate::failure::Failure;
use crate::library::Engines;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use tracing::warn;
use walkaround_domain::InspectionRequest;
use walkaround_domain::rollout::Shadow;
use walkaround_messages::{Intake, parse_intake};
use walkaround_pipeline::rollout::read_rollout;
use walkaround_pipeline::shadow::{ShadowInspector, ShadowOutcome};
use walkaround_ports::StateStore;

/// The lowest priority that the system has: this process runs when the machine has nothing else to do.
const NICE: i32 = 19;

/// What a shadow's process is made from.
pub struct ShadowProcess<'a> {
    /// Settings and ports of the stack.
    pub builder: &'a PipelineBuilder,
    /// Its networks.
    pub engines: &'a Engines,
    /// What the rollout says of it.
    pub shadow: &'a Shadow,
}

impl ShadowProcess<'_> {
    /// The shadow that the stack's rollout names; none when there is none.
    ///
    /// # Errors
    /// The document cannot be read.
    pub async fn named(state: &dyn StateStore) -> Result<Option<Shadow>, Failure> {
        Ok(read_rollout(state).await?.shadow_in_use())
    }
}

/// Inspects the photos that standard input names, one after the other, until it is closed.
///
/// # Errors
/// The bundle is another one than the rollout says, or cannot be used; standard output is closed.
pub async fn run_shadow(process: ShadowProcess<'_>) -> Result<ExitCode, Failure> {
    if let Err(error) = rustix::process::nice(NICE) {
        warn!(%error, "the shadow runs with the priority of everything else");
    }
    let ShadowProcess {
        builder,
        engines,
        shadow,
    } = process;
    let manifest = engines.bundle.manifest();
    let (name, version) = (&shadow.bundle.name, &shadow.bundle.version);
    if (&manifest.name, &manifest.version) != (name, version) {
        let there = engines.label();
        return Err(anyhow!(
            "the shadow is to be {}, and its folder has {there}",
            shadow.bundle
        )
        .into());
    }
    let settings = &builder.settings;
    let inspector = second_inspector(settings, engines, 1, Arc::clone(&builder.clock))?;
    let ports = &builder.ports;
    let inspector = ShadowInspector {
        source: photo_source(settings, Arc::clone(&ports.blobs))?,
        inspector: Arc::new(inspector),
        records: Arc::clone(&ports.records),
        blobs: Arc::clone(&ports.blobs),
        reviews: Arc::clone(&ports.reviews),
        clock: Arc::clone(&builder.clock),
        bucket: settings.results_bucket.clone(),
        photo_bytes_max: settings.photo_bytes_max,
        shadow: shadow.clone(),
    };
    say(&Answer::Ready)?;
    while let Some(line) = next_line().await? {
        let answer = match request(&line) {
            Some(request) => answer(&inspector, &request).await,
            None => Answer::Failed("no request".to_owned()),
        };
        say(&answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(inspector: &ShadowInspector, request: &InspectionRequest) -> Answer {
    match inspector.one(request).await {
        Ok(ShadowOutcome::Stored { disagrees: false }) => Answer::Agrees,
        Ok(ShadowOutcome::Stored { disagrees: true }) => Answer::Disagrees,
        Ok(ShadowOutcome::Skipped) => Answer::Skipped,
        Err(error) if error.is_of_bundle() => Answer::BundleFailed(error.to_string()),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

fn request(line: &str) -> Option<InspectionRequest> {
    match parse_intake(line, &BTreeMap::new()).ok()?.pop()? {
        Intake::Inspect(request) => Some(request),
        Intake::Nothing { .. } => None,
    }
}

/// The next line of standard input; none once it is closed.
async fn next_line() -> anyhow::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let bytes = std::io::stdin().lock().read_line(&mut line)?;
        Ok::<_, std::io::Error>((bytes > 0).then_some(line))
    });
    Ok(read.await??)
}

fn say(answer: &Answer) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", answer.line())?;
    out.flush()
}
