//! Running cases and telling what became of them.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use walkaround_ports::PortError;

/// Something that has to live as long as a case runs (a temporary folder, a server).
pub type Keep = Box<dyn Any + Send + Sync>;

/// What an adapter can do: every case but those named here, each with its reason.
#[derive(Debug, Clone, Default)]
pub struct Capabilities {
    skips: BTreeMap<&'static str, String>,
}

impl Capabilities {
    /// Every case.
    pub fn all() -> Self {
        Self::default()
    }

    /// Every case but `case`, because of `reason`.
    #[must_use]
    pub fn without(mut self, case: &'static str, reason: impl Into<String>) -> Self {
        self.skips.insert(case, reason.into());
        self
    }
}

/// Why a case failed.
#[derive(Debug)]
pub struct Broken(pub String);

impl From<PortError> for Broken {
    fn from(error: PortError) -> Self {
        Self(format!("{error} ({:?})", error.kind))
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<tokio::task::JoinError> for Broken {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a task of the case ended early: {error}"))
    }
}

pub(crate) type Outcome = Result<(), Broken>;

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One case of a suite over ports of type `T`.
pub(crate) struct Case<T> {
    pub(crate) name: &'static str,
    pub(crate) run: fn(T) -> Running,
}

/// The case that an async function is, under the function's name.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        &[$($crate::suite::Case { name: stringify!($name), run: |under_test| Box::pin($name(under_test)) }),+]
    };
}
pub(crate) use cases;

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::suite::Broken(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// What became of the cases of a suite.
#[derive(Debug, Default)]
#[must_use = "call `require` on it"]
pub struct Report {
    /// Which port.
    pub port: &'static str,
    /// Cases that passed.
    pub passed: Vec<&'static str>,
    /// Cases that the adapter cannot run, with the reason its table gives.
    pub skipped: Vec<(&'static str, String)>,
    /// Cases that failed, with what went wrong.
    pub failed: Vec<(String, String)>,
}

impl Report {
    /// Returns what passed and was skipped, for printing.
    ///
    /// # Panics
    /// When a case failed, with every failure.
    pub fn require(self) -> Self {
        assert!(self.failed.is_empty(), "{self}");
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, skipped, failed) = (self.passed.len(), self.skipped.len(), self.failed.len());
        writeln!(
            f,
            "{}: {passed} passed, {skipped} skipped, {failed} failed",
            self.port
        )?;
        for (case, reason) in &self.skipped {
            writeln!(f, "  skipped {case}: {reason}")?;
        }
        for (case, why) in &self.failed {
            writeln!(f, "  FAILED {case}: {why}")?;
        }
        Ok(())
    }
}

/// Runs `cases`, each on a port of its own.
pub(crate) async fn run<T, F>(
    port: &'static str,
    cases: &'static [Case<T>],
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let mut report = Report {
        port,
        ..Report::default()
    };
    for (skip, reason) in &capabilities.skips {
        if !cases.iter().any(|case| case.name == *skip) {
            let why = "the capability table skips it, and there is no such case";
            report.failed.push(((*skip).to_owned(), why.to_owned()));
        } else if reason.trim().is_empty() {
            let why = "the capability table skips it without a reason";
            report.failed.push(((*skip).to_owned(), why.to_owned()));
        }
    }
    for case in cases {
        if let Some(reason) = capabilities.skips.get(case.name) {
            report.skipped.push((case.name, reason.clone()));
            continue;
        }
        // A task of its own, so that a panic inside an adapter is a failure of this case only.
        let outcome = tokio::spawn((case.run)(make().await)).await;
        match outcome.unwrap_or_else(|error| Err(error.into())) {
            Ok(()) => report.passed.push(case.name),
            Err(Broken(why)) => report.failed.push((case.name.to_owned(), why)),
        }
    }
    report
}
