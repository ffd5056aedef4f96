//! The shadow of a worker: this program once more, as a process of its own (`walkaround_bootstrap::shadow`).

use crate::exit::coded;
use std::process::ExitCode;
use walkaround_aws::Connection;
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::shadow::{ShadowProcess, ShadowWatch, run_shadow};
use walkaround_bootstrap::{Failure, PipelineBuilder};

/// The argument that this program starts itself with.
pub(crate) const ARGUMENT: &str = "shadow";

/// What keeps the shadow's process beside this worker.
pub(crate) fn watch(builder: &mut PipelineBuilder) -> Result<ShadowWatch, Failure> {
    let program = std::env::current_exe()?;
    let command = move || {
        let mut command = tokio::process::Command::new(&program);
        command.arg(ARGUMENT);
        command
    };
    Ok(ShadowWatch::of(builder, Box::new(command)))
}

/// The process itself.
pub(crate) async fn run() -> Result<ExitCode, Failure> {
    let stack = AwsStack::open(&Connection::default()).await?;
    let builder = stack.builder(None)?;
    let Some(shadow) = ShadowProcess::named(&*builder.ports.state).await? else {
        return Err(anyhow::anyhow!("there is no shadow").into());
    };
    let folder = stack.bundle_version(&shadow.bundle).await.map_err(coded)?;
    let engines = builder.engines(&folder).map_err(coded)?;
    run_shadow(ShadowProcess {
        builder: &builder,
        engines: &engines,
        shadow: &shadow,
    })
    .await
}
