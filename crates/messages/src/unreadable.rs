//! What is said of a document that cannot be read.

/// A document that cannot be read, and never will be: trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// One line for people: what was expected and where. Never quotes the document, which may hold a signed
    /// URL.
    pub reason: String,
}

impl Unreadable {
    /// From one line.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }

    /// The same, said of a part of the document.
    #[must_use]
    pub fn within(self, part: &str) -> Self {
        Self::new(format!("{part}: {}", self.reason))
    }
}
