//! Small named documents with an end: what one tick of a program leaves for the next, and for others to read.

use crate::error::PortError;
use async_trait::async_trait;
use std::time::Duration;

/// Longest document, in bytes.
pub const STATE_BYTES_MAX: usize = 100 * 1024;

/// Small named documents.
///
/// A caller may assume: `read` sees the latest `write` before it, whoever wrote, until that document's time is over;
/// of two writers the later one stands.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The document under a name, if there is one whose time is not over.
    async fn read(&self, name: &str) -> Result<Option<String>, PortError>;

    /// Stores a document for so long, whatever stands there. `Invalid` above [`STATE_BYTES_MAX`].
    async fn write(&self, name: &str, body: &str, keep_for: Duration) -> Result<(), PortError>;
}
