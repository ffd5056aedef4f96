//! The shadow of a local stack: a process of this program beside triage, and beside each worker.

use super::own_program::{own_command, variables};
use crate::failure::Failure;
use anyhow::anyhow;
use std::path::Path;
use std::process::ExitCode;
use walkaround_bootstrap::PipelineBuilder;
use walkaround_bootstrap::shadow::{ShadowProcess, ShadowWatch, run_shadow};
use walkaround_client::Stack;
use walkaround_settings::Settings;

/// What keeps the shadow's process beside one that settles photos.
pub(crate) fn watch(settings: &Settings, builder: &mut PipelineBuilder) -> Result<ShadowWatch, Failure> {
    let (program, variables) = (own_command("worker")?, variables(settings));
    let command = move || {
        let mut command = tokio::process::Command::new(&program[0]);
        command.args(&program[1..]).arg("--shadow").envs(&variables);
        command
    };
    Ok(ShadowWatch::of(builder, Box::new(command)))
}

/// `walkaround worker --shadow`.
pub(crate) async fn run(stack: &Stack) -> Result<ExitCode, Failure> {
    let builder = stack.builder()?;
    let Some(shadow) = ShadowProcess::named(&*builder.ports.state).await? else {
        return Err(anyhow!("there is no shadow: `walkaround bundle shadow` starts one").into());
    };
    let folder = shadow.folder.as_deref();
    let folder = folder.ok_or_else(|| anyhow!("the rollout names no folder for {}", shadow.bundle))?;
    let engines = builder.engines(Path::new(folder))?;
    run_shadow(ShadowProcess {
        builder: &builder,
        engines: &engines,
        shadow: &shadow,
    })
    .await
}
