//! What a check found.

use crate::failure::Failure;
use walkaround_ports::{PortError, PortErrorKind};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing is wrong.
    Ok,
    /// It runs, but somebody should check it.
    Warn,
    /// It does not run for this.
    Fail,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What was checked.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What is so; the cause where something is wrong. One line.
    pub what: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl CheckResult {
    pub(super) fn ok(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Ok,
            what: what.into(),
            fix: None,
        }
    }

    pub(super) fn warn(check: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            fix: Some(fix.into()),
            ..Self::ok(check, what)
        }
    }

    pub(super) fn fail(check: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            fix: Some(fix.into()),
            ..Self::ok(check, what)
        }
    }

    /// A check that a port did not answer; `missing` is what to do where the thing is not there.
    pub(super) fn unanswered(check: impl Into<String>, error: &PortError, missing: &str) -> Self {
        let fix = match error.kind {
            PortErrorKind::NotFound => missing.to_owned(),
            PortErrorKind::Denied => {
                "use credentials with the permission that the line names, or grant it to these".to_owned()
            }
            PortErrorKind::Throttled => "AWS throttles: run doctor again in a minute".to_owned(),
            PortErrorKind::Unavailable => {
                "check network, region, endpoint and credentials, then run doctor again".to_owned()
            }
            PortErrorKind::Corrupt | PortErrorKind::Invalid | PortErrorKind::TooLarge => missing.to_owned(),
        };
        Self::fail(check, error.detail.clone(), fix)
    }

    /// A check that failed on the way; `missing` as above, also where it failed before a port was asked.
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only the stack on AWS has it")
    )]
    pub(super) fn failed(check: impl Into<String>, failure: &Failure, missing: &str) -> Self {
        match port_error(failure) {
            Some(error) => Self::unanswered(check, error, missing),
            None => Self::fail(check, failure.to_string(), missing),
        }
    }
}

/// What a port said, where a failure is that of a port.
pub(super) fn port_error(failure: &Failure) -> Option<&PortError> {
    match failure {
        Failure::Failed(error) | Failure::Coded(_, error) => error.downcast_ref::<PortError>(),
        Failure::Usage(_) => None,
    }
}
