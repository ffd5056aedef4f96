//! One error type for all ports. Its kind says what the caller should do.

use std::time::Duration;

/// What a caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortErrorKind {
    /// Not reachable, timed out, or broken on the other side: try again later. The operation may or may not
    /// have happened.
    Unavailable,
    /// Asked too often: try again after `retry_after`.
    Throttled,
    /// Not allowed: trying again does not help, an operator has to grant access.
    Denied,
    /// The thing itself is not there, in a store that is: a bucket or table that is away is `Invalid`.
    NotFound,
    /// What is stored is not what it should be: digest, encoding.
    Corrupt,
    /// The call is wrong: malformed, contradictory, more than may be sent, or for a bucket that is not there or is in
    /// another region. Trying again does not help until somebody changes the call or creates the bucket.
    Invalid,
    /// What is there is larger than the caller takes. Trying again does not help.
    TooLarge,
}

impl PortErrorKind {
    /// Whether the same call may succeed later.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Throttled)
    }
}

/// A method of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortCall {
    /// Which port: `queue`, `records`, `blobs`, `capacity`, `publisher`.
    pub port: &'static str,
    /// Which method.
    pub operation: &'static str,
}

impl PortCall {
    /// A method by its port and name.
    pub const fn new(port: &'static str, operation: &'static str) -> Self {
        Self { port, operation }
    }

    /// An error of this method, without a cause.
    pub fn error(self, kind: PortErrorKind, detail: impl Into<String>) -> PortError {
        PortError::new(self, kind, detail)
    }
}

/// An error of a port.
#[derive(Debug, thiserror::Error)]
#[error("{port}.{operation}: {detail}")]
pub struct PortError {
    /// Which port: `queue`, `records`, `blobs`, `capacity`, `publisher`.
    pub port: &'static str,
    /// Which method.
    pub operation: &'static str,
    /// What to do.
    pub kind: PortErrorKind,
    /// When to try again, where the other side said so.
    pub retry_after: Option<Duration>,
    /// What happened, one line, without credentials, signed URLs or photo bytes.
    pub detail: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PortError {
    /// An error without a cause.
    pub fn new(call: PortCall, kind: PortErrorKind, detail: impl Into<String>) -> Self {
        let PortCall { port, operation } = call;
        Self {
            port,
            operation,
            kind,
            retry_after: None,
            detail: detail.into(),
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}
