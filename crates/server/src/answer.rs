//! Answers: JSON, and refusals of one form, `{"error": "one line"}`.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::warn;
use walkaround_ports::{PortError, PortErrorKind};

/// Longest error line, in characters: it may quote the caller.
const LINE_MAX: usize = 200;
/// `Cache-Control` of what belongs to one result: it never changes, and a result that is made again is asked for under another
/// query.
pub(super) const FOR_GOOD: &str = "private, max-age=31536000, immutable";

/// Why a request gets no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    line: String,
}

impl Refusal {
    /// A refusal; the message is made one short line.
    pub(super) fn new(status: StatusCode, message: impl AsRef<str>) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            status,
            line: message.as_ref().chars().take(LINE_MAX).map(plain).collect(),
        }
    }

    pub(super) fn bad(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// What is stored is not what it should be. The log has the details.
    pub(super) fn broken(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<PortError> for Refusal {
    fn from(error: PortError) -> Self {
        if error.kind == PortErrorKind::Invalid {
            return Self::bad(&error.detail);
        }
        warn!(%error, "cannot answer a request");
        match error.kind {
            PortErrorKind::NotFound => Self::not_found("it no longer exists"),
            PortErrorKind::Corrupt => Self::broken("the stored data is damaged; the log says more"),
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.line }).to_string();
        (self.status, json(body)).into_response()
    }
}

/// A JSON text as an answer.
pub(super) fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
