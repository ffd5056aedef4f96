//! Where photos come from.

use crate::error::PortError;
use async_trait::async_trait;
use walkaround_domain::PhotoRef;

/// Why a photo could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no such photo: final.
    #[error("{0}")]
    NotFound(String),
    /// It may not be fetched (host, path or address outside what is allowed; access denied): final.
    #[error("{0}")]
    Forbidden(String),
    /// It is larger than the limit: final.
    #[error("{0}")]
    TooLarge(String),
    /// The other side fails or is slow: try again later.
    #[error("{0}")]
    Unreachable(String),
    /// A port failed; its kind says whether to try again.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Fetches photos by reference.
///
/// A caller may assume: at most `bytes_max` bytes come back, and nothing outside the configured roots,
/// buckets and hosts is ever read. Messages carry no signed query.
#[async_trait]
pub trait PhotoSource: Send + Sync {
    /// All bytes of a photo.
    async fn fetch(&self, photo: &PhotoRef, bytes_max: u64) -> Result<Vec<u8>, FetchError>;
}
