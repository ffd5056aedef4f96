//! Write-once blobs.

use crate::error::PortError;
use async_trait::async_trait;
use std::fmt;
use std::path::Path;
use walkaround_domain::BlobRef;

/// Where a blob is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobAddress {
    /// Bucket.
    pub bucket: String,
    /// Key: 1 to 1,024 bytes of UTF-8.
    pub key: String,
}

impl From<&BlobRef> for BlobAddress {
    fn from(blob: &BlobRef) -> Self {
        Self {
            bucket: blob.bucket.clone(),
            key: blob.key.clone(),
        }
    }
}

impl fmt::Display for BlobAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobMeta {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, where the store knows it (always for blobs that `put_if_absent` wrote).
    pub sha256: Option<[u8; 32]>,
    /// ETag, where the store's keys can be written again; none where a blob never changes.
    pub etag: Option<String>,
    /// The current version, where the store keeps versions.
    pub version: Option<String>,
}

/// The outcome of a write-once write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It was written.
    Created,
    /// The same bytes were there already.
    Identical,
    /// Other bytes were there already; they were kept.
    Conflict,
}

/// A blob store.
///
/// A caller may assume: a blob is there whole or not at all; once written it never changes; a blob that
/// `put_if_absent` reported written (or already same) survives every crash.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Size and digest; none when there is no such blob.
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError>;

    /// The whole blob. `NotFound` when there is none; `Invalid` when there is no such bucket; `TooLarge` when it has
    /// more than `bytes_max` bytes, without reading more than that.
    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError>;

    /// As [`Blobs::get`], of the version that the store named when somebody else wrote it. A store without versions
    /// has one of each blob, and gives that.
    async fn get_version(
        &self,
        at: &BlobAddress,
        version: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, PortError>;

    /// Writes a blob unless there is one.
    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError>;

    /// Streams a blob into a file (written beside and renamed); `Corrupt` when its digest differs, and then
    /// the file is not there.
    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError>;

    /// At most `max` keys (1 to 1,000) of a bucket that start with `prefix`, in byte order, after `after`.
    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError>;
}
