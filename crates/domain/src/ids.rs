//! Names of things.

use std::fmt;
use std::fmt::Write;

/// Longest inspection id, in bytes: it becomes part of blob keys.
pub const INSPECTION_ID_MAX: usize = 128;

/// The stable name of an inspection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InspectionId(String);

/// A text that is no inspection id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidInspectionId(String);

impl fmt::Display for InvalidInspectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(40).collect();
        write!(
            f,
            "`{}` is not an inspection id: expected 1 to {INSPECTION_ID_MAX} letters, digits, `.`, `_` or `-`, not \
             starting with `.`",
            shown.escape_default()
        )
    }
}

impl std::error::Error for InvalidInspectionId {}

impl InspectionId {
    /// An id given by the caller.
    ///
    /// # Errors
    /// When it could not be part of a blob key or a file name.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidInspectionId> {
        let text = text.into();
        let fits = (1..=INSPECTION_ID_MAX).contains(&text.len())
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidInspectionId(text))
        }
    }

    /// The id of a photo without one: the SHA-256 of its identity
    /// ([`PhotoRef::identity`](crate::photo::PhotoRef::identity)).
    pub fn from_digest(sha256: [u8; 32]) -> Self {
        let mut text = String::with_capacity(64);
        for byte in sha256 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InspectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
