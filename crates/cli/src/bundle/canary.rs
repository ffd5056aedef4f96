//! `walkaround bundle canary` and `promote`: another version that answers for a share of the vehicles, or for all.

use super::folders::{answering, configured, folder_of};
use super::rollout::{print_rollout, require_local};
use crate::args::{CanaryArgs, CanaryPolicyArgs, PromoteArgs};
use crate::client::open;
use crate::failure::Failure;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use walkaround_bootstrap::process::runtime;
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::BundleId;
use walkaround_domain::canary::{Canary, CanaryEnd, CanaryOutcome, CanaryPolicy};
use walkaround_domain::rollout::{Rollout, RolloutCommand};
use walkaround_pipeline::rollout::{read_rollout, write_rollout};
use walkaround_ports::StateStore;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(args: &CanaryArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let state = stack.state()?;
        let mut rollout = read_rollout(&*state).await?;
        if let Some(command) = command(args, &*stack, &rollout).await? {
            rollout = step(&*state, &rollout, &command).await?;
        }
        print_rollout(&*stack, &rollout, args.stack.format).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What the command line asks for; none when it only asks how things are.
async fn command(
    args: &CanaryArgs,
    stack: &dyn StackClient,
    rollout: &Rollout,
) -> Result<Option<RolloutCommand>, Failure> {
    let at = stack.clock().now();
    if args.off {
        let why = args.reason.clone().unwrap_or_else(|| "by hand".to_owned());
        let how = CanaryOutcome::Stopped;
        return Ok(Some(RolloutCommand::EndCanary(CanaryEnd { at, how, why })));
    }
    let Some(version) = &args.version else {
        return Ok(None);
    };
    let (instead_of, instead_of_folder) = before(stack, rollout).await?;
    let bundle = BundleId::new(&instead_of.name, version);
    let folder = match &instead_of_folder {
        Some(used) => Some(folder_of(&bundle, args.bundle.as_deref(), Path::new(used))?),
        None => {
            require_local(args.bundle.as_deref(), stack)?;
            None
        }
    };
    Ok(Some(RolloutCommand::StartCanary(Canary {
        bundle,
        folder: folder.map(|folder| folder.display().to_string()),
        instead_of,
        instead_of_folder,
        share: args.share,
        since: at,
        policy: policy(&args.policy),
        end: None,
    })))
}

/// The bundle that answers, and its folder where bundles are folders.
async fn before(stack: &dyn StackClient, rollout: &Rollout) -> Result<(BundleId, Option<String>), Failure> {
    match stack.active_bundle().await? {
        Some(active) => Ok((active, None)),
        None => {
            let used = answering(stack, rollout).await?;
            Ok((used.bundle, Some(used.folder.display().to_string())))
        }
    }
}

fn policy(args: &CanaryPolicyArgs) -> CanaryPolicy {
    CanaryPolicy {
        photos_min: args.photos_min,
        flips_max: args.flips_max,
        failures_max: args.failures_max,
        change_max: args.change_max,
        slower_max: args.slower_max,
        precision_min: args.precision_min,
        patience: DAY * u32::try_from(args.days).unwrap_or(u32::MAX),
    }
}

pub(super) fn promote(args: &PromoteArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let state = stack.state()?;
        let rollout = read_rollout(&*state).await?;
        let next = promoted(args, &*stack, &rollout).await?;
        if next != rollout {
            write_rollout(&*state, &next).await?;
        }
        print_rollout(&*stack, &next, args.stack.format).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The rollout in which a version answers for all vehicles.
async fn promoted(
    args: &PromoteArgs,
    stack: &dyn StackClient,
    rollout: &Rollout,
) -> Result<Rollout, Failure> {
    let at = stack.clock().now();
    let running = rollout
        .running_canary()
        .filter(|canary| canary.bundle.version == args.version);
    let end = RolloutCommand::EndCanary(CanaryEnd {
        at,
        how: CanaryOutcome::Promoted,
        why: args.reason.clone(),
    });
    if stack.active_bundle().await?.is_some() {
        require_local(args.bundle.as_deref(), stack)?;
        let Some(canary) = running else {
            return Err(Failure::usage(format!(
                "no canary of version {} is running: `walkaround bundle activate NAME VERSION` activates any version",
                args.version
            )));
        };
        stack.activate_bundle(&canary.bundle).await?;
        return rollout.step(&end).map_err(Failure::usage);
    }
    let configured = configured(stack).await?;
    let used = configured.answering(rollout);
    let bundle = BundleId::new(&used.bundle.name, &args.version);
    let folder = match running.and_then(|canary| canary.folder.clone()) {
        Some(folder) if args.bundle.is_none() => folder,
        _ if bundle == configured.bundle && args.bundle.is_none() => configured.folder.display().to_string(),
        _ => folder_of(&bundle, args.bundle.as_deref(), &used.folder)?
            .display()
            .to_string(),
    };
    let mut next = rollout.clone();
    if running.is_some() {
        next = next.step(&end).map_err(Failure::usage)?;
    }
    let active = configured.active(&bundle, folder, at);
    next.step(&RolloutCommand::Activate(active))
        .map_err(Failure::usage)
}

async fn step(
    state: &dyn StateStore,
    rollout: &Rollout,
    command: &RolloutCommand,
) -> Result<Rollout, Failure> {
    let next = rollout.step(command).map_err(Failure::usage)?;
    if next != *rollout {
        write_rollout(state, &next).await?;
    }
    Ok(next)
}
