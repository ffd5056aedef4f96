//! A stack as its clients see it: which one is meant, what it answers, and how photos get into it.
//!
//! Everything is written once over [`StackClient`]: the ports, and what only clients need. [`LocalClient`] and
//! `CloudClient` (with the feature `aws`) implement it; [`open`] chooses. Nothing here prints: what is worth knowing goes to a [`Notice`], and
//! progress to the traits of [`submit`].

#[cfg(feature = "aws")]
pub mod aws;
pub mod comparison;
pub mod dataset;
pub mod format;
pub mod inputs;
mod local;
mod photo_store;
mod records;
pub mod replay;
mod shared_files;
mod stack;
mod stack_client;
pub mod submit;
mod text;
mod up_report;
pub mod whole_file;

#[cfg(feature = "aws")]
pub use aws::CloudClient;
pub use local::LocalClient;
pub use photo_store::PhotoStore;
pub use records::{inspection, requested_photos};
pub use stack::{EngineChoice, Stack};
pub use stack_client::{PollIntervals, StackClient};
pub use up_report::{stalled_after, up_concerns, up_problem};

use std::path::PathBuf;
#[cfg(feature = "aws")]
use walkaround_aws::Connection;
use walkaround_bootstrap::Failure;
use walkaround_settings::{Settings, StackKind};

/// Shows one line beside the output: worth knowing, and it stops nothing.
pub type Notice<'a> = &'a dyn Fn(&str) -> std::io::Result<()>;

/// Which stack is meant, where somebody says it; what is not given is in the settings.
#[derive(Debug, Clone, Default)]
pub struct StackChoice {
    /// The kind of stack.
    pub stack: Option<StackKind>,
    /// Folder of a local stack.
    pub root: Option<PathBuf>,
    /// Named profile of the AWS configuration files.
    pub profile: Option<String>,
    /// AWS region.
    pub region: Option<String>,
    /// Endpoint of all services: an emulator.
    pub endpoint_url: Option<String>,
}

/// Whether a command makes a stack that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// It makes a local one.
    Create,
    /// It only reads.
    Fail,
}

/// Opens the stack that the choice, or else the settings, name.
///
/// # Errors
/// Usage: a bad setting, no such stack, options of the other stack.
pub async fn open(choice: &StackChoice, missing: IfMissing) -> Result<Box<dyn StackClient>, Failure> {
    match choice.kind()? {
        #[cfg(feature = "aws")]
        StackKind::Aws => Ok(Box::new(CloudClient::connect(&choice.connection()).await?)),
        #[cfg(not(feature = "aws"))]
        StackKind::Aws => Err(built_without_aws()),
        StackKind::Local => {
            let root = choice.root.as_deref();
            let stack = match missing {
                IfMissing::Create => Stack::open(root)?,
                IfMissing::Fail => Stack::existing(root)?,
            };
            Ok(Box::new(LocalClient(stack)))
        }
    }
}

/// What a program says that was built without the feature `aws` and is asked for it.
#[cfg(not(feature = "aws"))]
#[must_use]
pub fn built_without_aws() -> Failure {
    Failure::usage(
        "this program was built without AWS (as `make demo` builds it): `cargo build --release --locked --package \
         walkaround-cli` builds all of it",
    )
}

impl StackChoice {
    /// Which stack is meant. A folder is that of a local stack, whatever the settings say.
    ///
    /// # Errors
    /// Usage: a bad setting, options of the other stack.
    pub fn kind(&self) -> Result<StackKind, Failure> {
        let kind = match (self.stack, &self.root) {
            (Some(kind), _) => kind,
            (None, Some(_)) => StackKind::Local,
            (None, None) => Settings::from_env().map_err(Failure::usage)?.stack,
        };
        if kind == StackKind::Aws && self.root.is_some() {
            return Err(Failure::usage("--root works only with --stack local"));
        }
        if kind == StackKind::Local
            && let Some(option) = self.first_given()
        {
            return Err(Failure::usage(format!(
                "{option} works only with --stack aws (or WALKAROUND_STACK=aws)"
            )));
        }
        Ok(kind)
    }

    /// How AWS is reached.
    #[cfg(feature = "aws")]
    pub fn connection(&self) -> Connection {
        Connection {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--profile", self.profile.is_some()),
            ("--region", self.region.is_some()),
            ("--endpoint-url", self.endpoint_url.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}
