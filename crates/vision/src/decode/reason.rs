//! Reasons why a photo cannot be used.

use walkaround_domain::{Reason, ReasonCode};

pub(super) fn unreadable(detail: impl Into<String>) -> Reason {
    Reason::new(ReasonCode::Unreadable, detail)
}

pub(super) fn unsupported(what: impl std::fmt::Display) -> Reason {
    Reason::new(
        ReasonCode::UnsupportedFormat,
        format!("{what}; send JPEG, PNG or WebP"),
    )
}

pub(super) fn cut_short() -> Reason {
    Reason::new(ReasonCode::CutShort, "the file ends before the picture does")
}
