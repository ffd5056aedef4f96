//! The commands that talk to a stack: submit, status, list, show, parked, redrive.
//!
//! Each is written once over [`Backend`]: the ports, and what only clients need. [`local`] and [`aws`] implement it;
//! [`open`] chooses by `--stack` or `WALKAROUND_STACK`.

pub(crate) mod aws;
pub(crate) mod backend;
pub(crate) mod format;
pub(crate) mod list;
mod local;
pub(crate) mod parked;
pub(crate) mod photo_store;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod table;

use crate::args::{Connecting, StackArgs, StackName};
use crate::failure::Failure;
use crate::local::stack::Stack;
use aws::CloudClient;
use backend::Backend;
pub(crate) use local::LocalClient;
use walkaround_settings::{Settings, StackKind};

/// Whether a command makes a stack that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// It makes a local one.
    Create,
    /// It only looks.
    Fail,
}

/// Opens the stack that the command line, or else the settings, name.
///
/// # Errors
/// Usage: a bad setting, no such stack, options of the other stack.
pub(crate) async fn open(args: &StackArgs, missing: IfMissing) -> Result<Box<dyn Backend>, Failure> {
    match which(args)? {
        StackName::Aws => {
            let client = CloudClient::connect(&args.connecting).await?;
            Ok(Box::new(client))
        }
        StackName::Local => {
            let root = args.root.as_deref();
            let stack = match missing {
                IfMissing::Create => Stack::open(root)?,
                IfMissing::Fail => Stack::existing(root)?,
            };
            Ok(Box::new(LocalClient(stack)))
        }
    }
}

/// Which stack is meant. A folder is that of a local stack, whatever the settings say.
pub(crate) fn which(args: &StackArgs) -> Result<StackName, Failure> {
    let name = match (args.stack, &args.root) {
        (Some(name), _) => name,
        (None, Some(_)) => StackName::Local,
        (None, None) => match Settings::from_env().map_err(Failure::usage)?.stack {
            StackKind::Aws => StackName::Aws,
            StackKind::Local => StackName::Local,
        },
    };
    if name == StackName::Aws && args.root.is_some() {
        return Err(Failure::usage("--root goes with --stack local"));
    }
    if name == StackName::Local
        && let Some(option) = first_given(&args.connecting)
    {
        return Err(Failure::usage(format!(
            "{option} goes with --stack aws (or WALKAROUND_STACK=aws)"
        )));
    }
    Ok(name)
}

fn first_given(connecting: &Connecting) -> Option<&'static str> {
    let given = [
        ("--profile", connecting.profile.is_some()),
        ("--region", connecting.region.is_some()),
        ("--endpoint-url", connecting.endpoint_url.is_some()),
    ];
    given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
}
