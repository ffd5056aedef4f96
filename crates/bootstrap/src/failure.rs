//! How a command ends when it does not succeed: one line for people, and the exit code that fits.

use crate::terminal::printable;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
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

/// The line that is printed.
impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Failed(error) | Self::Coded(_, error) => f.write_str(&with_causes(error)),
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

/// An error and its causes on one line; a cause that the words before it end with already is not said again.
pub fn with_causes(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Whoever read the output wants no more of it (`walkaround list | head`).
fn is_unread(failure: &Failure) -> bool {
    let Failure::Failed(error) = failure else {
        return false;
    };
    // Only printing gives such an error bare: one of a connection is wrapped in what was asked for.
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The exit code of an outcome; a failure is printed first.
pub fn exit_code(outcome: Result<ExitCode, Failure>) -> ExitCode {
    let failure = match outcome {
        Ok(code) => return code,
        Err(unread) if is_unread(&unread) => return ExitCode::SUCCESS,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use walkaround_ports::PortCall;

    #[test]
    fn a_cause_is_said_once() {
        let full = || io::Error::other("No space left on device (os error 28)");
        let error = PortError::new(
            PortCall::new("blobs", "put"),
            PortErrorKind::Unavailable,
            full().to_string(),
        );
        let line = Failure::from(error.caused_by(full())).to_string();
        assert_eq!(line.matches("No space left").count(), 1, "{line}");
        let line = Failure::from(anyhow::Error::from(full()).context("cannot write a.csv")).to_string();
        assert_eq!(line, "cannot write a.csv: No space left on device (os error 28)");
    }

    #[test]
    fn output_that_nobody_reads_is_no_failure_and_a_connection_that_breaks_is_one() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_unread(&Failure::from(broken())));
        let error = PortError::new(PortCall::new("queue", "send"), PortErrorKind::Unavailable, "away");
        assert!(!is_unread(&Failure::from(error.caused_by(broken()))));
    }
}
