//! `walkaround bundle`: making and checking a bundle, and the registry that running systems take theirs from.

mod check;
mod init;
mod picture;
mod registry;

use crate::args::{BundleArgs, BundleCommand};
use crate::failure::Failure;
use std::process::ExitCode;

pub(crate) fn run(args: &BundleArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        BundleCommand::Init(options) => init::run(options),
        BundleCommand::Check(options) => check::run(options),
        BundleCommand::Push(options) => registry::push(options),
        BundleCommand::List(options) => registry::list(options),
        BundleCommand::Activate(options) => registry::activate(options),
        BundleCommand::Rollback(options) => registry::rollback(options),
    }
}
