//! `walkaround bundle`: making and checking a bundle, and the registry that running systems take theirs from.

mod canary;
mod check;
mod compare;
mod folders;
mod init;
mod picture;
#[cfg(feature = "aws")]
mod registry;
mod rollout;
mod shadow;

use crate::args::{BundleArgs, BundleCommand};
use crate::failure::Failure;
use std::process::ExitCode;

pub(crate) fn run(args: &BundleArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        BundleCommand::Init(options) => init::run(options),
        BundleCommand::Check(options) => check::run(options),
        BundleCommand::Compare(options) => compare::run(options),
        BundleCommand::Shadow(options) => shadow::run(options),
        BundleCommand::Canary(options) => canary::run(options),
        BundleCommand::Promote(options) => canary::promote(options),
        BundleCommand::Rollout(options) => rollout::run(options),
        #[cfg(feature = "aws")]
        BundleCommand::Push(options) => registry::push(options),
        #[cfg(feature = "aws")]
        BundleCommand::List(options) => registry::list(options),
        #[cfg(feature = "aws")]
        BundleCommand::Activate(options) => registry::activate(options),
        #[cfg(feature = "aws")]
        BundleCommand::Rollback(options) => registry::rollback(options),
        // Registries are on S3.
        #[cfg(not(feature = "aws"))]
        _ => Err(walkaround_client::built_without_aws()),
    }
}
