//! Why a photo is not settled yet.
//!
//! What counts as an attempt at the photo is decided here and nowhere else. Only failures of the photo itself do: its host
//! failed, or the networks failed on it alone. Everything else (a store out of reach, an unhealthy engine, a shutdown)
//! returns the message to the queue and leaves the record as it is.

use crate::inspector::RunError;
use crate::store::InspectionStoreError;
use walkaround_domain::FailureCode;
use walkaround_domain::identity::Difference;
use walkaround_ports::{FetchError, PortError, PortErrorKind};

/// Why a photo failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoFailure {
    /// Why, for machines.
    pub code: FailureCode,
    /// Why, for people.
    pub detail: String,
}

/// Why a photo is not settled yet.
#[derive(Debug)]
pub enum ProcessingError {
    /// An attempt at the photo failed; a later one may succeed. Becomes the recorded failure when the attempts are used up.
    Retryable(PhotoFailure),
    /// It never will succeed.
    Permanent(PhotoFailure),
    /// A store (records, results, queue, topic) is out of reach or refuses for now. No attempt: the message comes back
    /// until the store is there again.
    StoreUnavailable(String),
    /// The message means something else than the inspection of its id.
    IdConflict(Difference),
    /// The engine fails on its self-test image as well. No attempt: another process may succeed.
    EngineUnhealthy(String),
    /// Another message of the photo has moved its record meanwhile. No attempt: the next delivery goes by the record.
    RecordChanged,
    /// This process is to stop, or its invocation is about to end.
    ShuttingDown,
    /// This process ends with the photo in the networks. Its announced start is kept, in case this photo hangs them.
    Interrupted,
}

impl ProcessingError {
    /// An attempt that failed.
    pub(crate) fn retryable(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::Retryable(PhotoFailure { code, detail })
    }

    /// A failure that no later attempt can change.
    pub(crate) fn permanent(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::Permanent(PhotoFailure { code, detail })
    }
}

impl From<InspectionStoreError> for ProcessingError {
    fn from(error: InspectionStoreError) -> Self {
        store_error(error)
    }
}

impl From<RunError> for ProcessingError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Photo(error) => Self::retryable(FailureCode::EngineFailed, error.to_string()),
            RunError::Engine(error) => Self::EngineUnhealthy(error.to_string()),
        }
    }
}

impl From<PortError> for ProcessingError {
    fn from(error: PortError) -> Self {
        Self::StoreUnavailable(error.to_string())
    }
}

impl ProcessingError {
    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Retryable(failure) | Self::Permanent(failure) => &failure.detail,
            Self::StoreUnavailable(detail) | Self::EngineUnhealthy(detail) => detail,
            Self::IdConflict(_) => "the id belongs to another photo or purpose",
            Self::RecordChanged => "the record has changed meanwhile",
            Self::ShuttingDown | Self::Interrupted => "this process is stopping",
        }
    }
}

/// What a failing encoder means.
pub fn encode_error(detail: String) -> ProcessingError {
    ProcessingError::retryable(FailureCode::EngineFailed, detail)
}

/// What a failing store means: only an object that is too large is final. Any other refusal may be a setting, a permission
/// or a bucket that an operator can fix.
pub(super) fn store_error(error: InspectionStoreError) -> ProcessingError {
    match error {
        InspectionStoreError::Differs(difference) => ProcessingError::IdConflict(difference),
        InspectionStoreError::Port(e) if e.port == "blobs" && e.kind == PortErrorKind::TooLarge => {
            ProcessingError::permanent(FailureCode::StoreFailed, e.to_string())
        }
        other => ProcessingError::StoreUnavailable(other.to_string()),
    }
}

pub(super) fn fetch_error(error: FetchError) -> ProcessingError {
    match error {
        FetchError::Malformed(detail) => ProcessingError::permanent(FailureCode::PhotoNotFound, detail),
        // An upload may be late. Final once its attempts, hours apart, are used up.
        FetchError::NotFound(detail) => ProcessingError::retryable(FailureCode::PhotoNotFound, detail),
        // By this deployment's own settings.
        FetchError::Forbidden(detail) => ProcessingError::permanent(FailureCode::PhotoForbidden, detail),
        FetchError::Denied(detail) => ProcessingError::retryable(FailureCode::PhotoForbidden, detail),
        FetchError::TooLarge(detail) => ProcessingError::permanent(FailureCode::PhotoTooLarge, detail),
        FetchError::Unreachable(detail) => ProcessingError::retryable(FailureCode::PhotoUnreachable, detail),
        // Nothing was tried for this photo, so nothing is counted against it.
        FetchError::HostBusy(detail) => ProcessingError::StoreUnavailable(detail),
        FetchError::Port(error) => match error.kind {
            PortErrorKind::NotFound => {
                ProcessingError::retryable(FailureCode::PhotoNotFound, error.to_string())
            }
            // A permission may be given yet, and it is not the photo that lacks it.
            PortErrorKind::Denied => {
                ProcessingError::retryable(FailureCode::PhotoForbidden, error.to_string())
            }
            PortErrorKind::TooLarge => {
                ProcessingError::permanent(FailureCode::PhotoTooLarge, error.to_string())
            }
            PortErrorKind::Invalid | PortErrorKind::Unavailable | PortErrorKind::Throttled => {
                ProcessingError::StoreUnavailable(error.to_string())
            }
            PortErrorKind::Corrupt => {
                ProcessingError::retryable(FailureCode::PhotoUnreachable, error.to_string())
            }
        },
    }
}
