//! What may be fetched. Data only; [`crate::Fetcher::new`] checks it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What may be fetched, and within which limits. The default opens nothing.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Folders that files may be read from, with everything below them. A relative path is relative to the
    /// first one.
    pub file_roots: Vec<PathBuf>,
    /// Buckets that objects may be read from, by exact name.
    pub buckets: Vec<String>,
    /// Hosts that photos may be fetched from: `photos.example.com` or `*.example.com` (any depth below it, not
    /// `example.com` itself), on ports 80 and 443; or with one other port, `photos.example.com:8443`. An IP
    /// address is allowed only when it stands here itself, IPv6 in brackets.
    pub hosts: Vec<String>,
    /// Also allow `http://`. A redirect from https to http is refused all the same.
    pub allow_http: bool,
    /// Also allow loopback, private (RFC 1918), carrier-grade NAT and unique local addresses. For labs and tests.
    /// Link-local addresses and cloud metadata services stay refused.
    pub allow_private: bool,
    /// Secret headers, each for one host (a signed CDN).
    pub headers: Vec<HostHeader>,
    /// Time to look up a name and connect, for each hop.
    pub connect_timeout: Duration,
    /// Time for everything from the name look-up to the last byte, redirects included.
    pub total_timeout: Duration,
    /// Photos that are fetched at a time, at most. A host that has not answered yet gets half of them.
    pub at_once: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            file_roots: Vec::new(),
            buckets: Vec::new(),
            hosts: Vec::new(),
            allow_http: false,
            allow_private: false,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            at_once: 16,
        }
    }
}

/// A header that goes to one host, over https only (over http too where `allow_private` says that this is a lab).
#[derive(Debug, Clone)]
pub struct HostHeader {
    /// An exact host as in [`FetchSettings::hosts`], which has to allow it: `cdn.example.com`, or with a port.
    pub host: String,
    /// Name of the header.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// Text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A setting is wrong: one line that names the field and the value (never a secret).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FetchSettingsError {
    /// Field of [`FetchSettings`].
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl FetchSettingsError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}
