//! Where photos come from.

use crate::error::PortError;
use async_trait::async_trait;
use walkaround_domain::PhotoRef;

/// Why a photo could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No photo can ever be there (no URL, a key that no object has): final.
    #[error("{0}")]
    Malformed(String),
    /// There is no such photo now. An upload may be late, a copy not have arrived yet: try again later.
    #[error("{0}")]
    NotFound(String),
    /// This deployment does not allow to fetch it (host, path or address outside of the settings): final.
    #[error("{0}")]
    Forbidden(String),
    /// Its host refuses, or leads where nothing may be fetched. A right can be given yet: try again later.
    #[error("{0}")]
    Denied(String),
    /// It is larger than the limit: final.
    #[error("{0}")]
    TooLarge(String),
    /// The other side fails or is slow: try again later.
    #[error("{0}")]
    Unreachable(String),
    /// Its host has stopped answering, and enough photos of it are being tried: try again later. This photo was not asked
    /// for.
    #[error("{0}")]
    HostBusy(String),
    /// A port failed; its kind says whether to try again.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What a store says of a photo's bytes without reading them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownContent {
    /// Version of the object, where its bucket keeps versions.
    pub version: Option<String>,
    /// Content tag ([`walkaround_domain::identity`]), where there is no version.
    pub content: Option<String>,
    /// SHA-256 of the bytes, where the store has it.
    pub sha256: Option<[u8; 32]>,
}

/// Fetches photos by reference.
///
/// A caller may assume: at most `bytes_max` bytes come back, and nothing outside the configured roots,
/// buckets and hosts is ever read. Messages carry no signed query.
#[async_trait]
pub trait PhotoSource: Send + Sync {
    /// What is known of a photo's bytes before they are read; none where its place says nothing of them that can be
    /// relied on. It reads no bytes of it.
    async fn identify(&self, photo: &PhotoRef) -> Result<Option<KnownContent>, FetchError>;

    /// All bytes of a photo.
    async fn fetch(&self, photo: &PhotoRef, bytes_max: u64) -> Result<Vec<u8>, FetchError>;

    /// Photo hosts that have stopped answering, as far as this process knows: only a few of their photos are tried at a time.
    fn unresponsive_hosts(&self) -> Vec<String>;
}
