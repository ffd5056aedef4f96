//! How a command ends when it does not succeed: one line for people, and the exit code that fits.

use crate::terminal::printable;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use walkaround_ports::{PortError, PortErrorKind};

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The command line or a setting is wrong: exit code 2.
    Usage(String),
    /// Something failed: exit code 1.
    Failed(anyhow::Error),
    /// Something failed that has an exit code of its own, for whoever decides what to do next by it.
    Coded(u8, anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The line that is told.
impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Failed(error) | Self::Coded(_, error) => write!(f, "{error:#}"),
        }
    }
}

impl Failure {
    /// The failure of a port: a setting that is missing, or a wrong id, is a matter of usage.
    pub fn of_port(error: PortError) -> Self {
        let usage = matches!(error.port, "settings" | "operations") && error.kind == PortErrorKind::Invalid;
        match usage {
            true => Self::Usage(error.detail),
            false => Self::Failed(error.into()),
        }
    }

    /// A usage failure from one clear line.
    pub fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }
}

/// The exit code of an outcome; a failure is told first.
pub fn exit_code(outcome: Result<ExitCode, Failure>) -> ExitCode {
    let failure = match outcome {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    say(&failure);
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        Failure::Failed(_) => ExitCode::FAILURE,
        Failure::Coded(code, _) => ExitCode::from(code),
    }
}

/// Prints the failure with its causes on one line of standard error.
fn say(failure: &Failure) {
    // Nowhere is left to report that standard error is closed.
    let _ = writeln!(
        std::io::stderr(),
        "walkaround: {}",
        printable(&failure.to_string())
    );
}
