//! `walkaround bundle shadow`: a second bundle that sees a share of the settled photos and answers for none of them.

use super::folders::{answering, folder_of};
use crate::args::{Printed, ShadowArgs};
use crate::client::open;
use crate::client::table::{print_document, print_line};
use crate::failure::Failure;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::clock_time;
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::BundleId;
use walkaround_domain::rollout::{Rollout, RolloutCommand, Shadow};
use walkaround_messages::RolloutDocument;
use walkaround_pipeline::rollout::{read_rollout, write_rollout};

pub(crate) fn run(args: &ShadowArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let state = stack.state()?;
        let rollout = read_rollout(&*state).await?;
        let rollout = match command(args, &*stack, &rollout).await? {
            None => rollout,
            Some(command) => {
                let next = rollout.step(&command).map_err(Failure::usage)?;
                if next != rollout {
                    write_rollout(&*state, &next).await?;
                }
                next
            }
        };
        print(args, &rollout)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What the command line asks for; none when it only asks how things are.
async fn command(
    args: &ShadowArgs,
    stack: &dyn StackClient,
    rollout: &Rollout,
) -> Result<Option<RolloutCommand>, Failure> {
    if args.off {
        return Ok(Some(RolloutCommand::StopShadow));
    }
    let (Some(name), Some(version)) = (&args.name, &args.version) else {
        return Ok(None);
    };
    let bundle = BundleId::new(name, version);
    if stack.name() != "local" {
        // Its workers fetch the version from the registry, and say so where there is none.
        if args.bundle.is_some() {
            return Err(Failure::usage(
                "--bundle works only with --stack local: on AWS bundles are in the registry",
            ));
        }
        return Ok(Some(start(bundle, None, args.share, stack)));
    }
    let used = answering(stack, rollout).await;
    if used.as_ref().is_ok_and(|used| used.bundle == bundle) {
        return Err(Failure::usage(format!(
            "{bundle} is the bundle that answers: a shadow is another one"
        )));
    }
    let folder = folder_of(
        &bundle,
        args.bundle.as_deref(),
        &used.map_or_else(|_| stack.settings().bundle.clone(), |used| used.folder),
    )?;
    let folder = Some(folder.display().to_string());
    Ok(Some(start(bundle, folder, args.share, stack)))
}

fn start(bundle: BundleId, folder: Option<String>, share: f64, stack: &dyn StackClient) -> RolloutCommand {
    RolloutCommand::StartShadow(Shadow {
        bundle,
        folder,
        share,
        since: stack.clock().now(),
        canary: None,
    })
}

fn print(args: &ShadowArgs, rollout: &Rollout) -> Result<(), Failure> {
    if args.stack.format == Printed::Json {
        let document = serde_json::to_string(&RolloutDocument::from(rollout))?;
        return Ok(print_document(document)?);
    }
    let line = match &rollout.shadow {
        None => "no shadow".to_owned(),
        Some(shadow) => format!(
            "{} sees {} % of the settled photos since {}; `walkaround bundle compare NAME@VERSION {}@{}` compares",
            shadow.bundle,
            shadow.share * 100.0,
            clock_time(shadow.since),
            shadow.bundle.name,
            shadow.bundle.version
        ),
    };
    Ok(print_line(line)?)
}
