//! How a command ends when it does not succeed: one line for people, and the exit code that fits.

use std::fmt::Display;
use std::io::Write;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or a setting is wrong: exit code 2.
    Usage(String),
    /// Something failed: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// A usage failure from one clear line.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }
}

/// Prints the failure with its causes on one line of standard error.
pub(crate) fn say(failure: &Failure) {
    let text = match failure {
        Failure::Usage(message) => message.clone(),
        Failure::Failed(error) => format!("{error:#}"),
    };
    // Nowhere is left to report that standard error is closed.
    let _ = writeln!(std::io::stderr(), "walkaround: {text}");
}
