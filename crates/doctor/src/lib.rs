//! Why is a stack not running? From what is to be seen to a [`CheckResult`] a check, with the cause and what to do.
//!
//! [`local`] and `cloud` (with the feature `aws`) gather what is to be seen; [`queues`], [`workers`], `capacity` and
//! [`bundle`] are the judgement: from facts to results, without asking anybody. A check that cannot be made is a result too, so that one
//! broken part does not hide the others. Nothing here prints.

mod bundle;
#[cfg(feature = "aws")]
mod capacity;
#[cfg(feature = "aws")]
mod cloud;
mod finding;
mod lane;
mod local;
mod port;
mod queues;
mod up;
mod workers;

pub use finding::{CheckResult, Level};

use walkaround_bootstrap::{Failure, failure};
use walkaround_client::StackChoice;
use walkaround_settings::StackKind;

/// All checks of the stack that is meant.
///
/// # Errors
/// Usage: options of the other stack.
pub async fn examine(choice: &StackChoice) -> Result<Vec<CheckResult>, Failure> {
    match choice.stack {
        // A bad setting is a finding here, where every other command stops.
        None if choice.kind().is_err() && local::settings(choice).is_err() => local::checks(choice).await,
        _ => match choice.kind()? {
            StackKind::Local => local::checks(choice).await,
            #[cfg(feature = "aws")]
            StackKind::Aws => cloud::checks(choice).await,
            #[cfg(not(feature = "aws"))]
            StackKind::Aws => Err(walkaround_client::built_without_aws()),
        },
    }
}
