//! A blob store under test, and what its cases share.

use crate::suite::Keep;
use std::sync::Arc;
use walkaround_ports::{BlobAddress, Blobs};

/// A fresh, empty store.
pub struct BlobsUnderTest {
    /// The port.
    pub blobs: Arc<dyn Blobs>,
    /// A bucket of it.
    pub bucket: String,
    /// Another bucket of it.
    pub other_bucket: String,
    /// Whatever has to stay.
    pub keep: Keep,
}

impl BlobsUnderTest {
    pub(super) fn at(&self, key: &str) -> BlobAddress {
        BlobAddress {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
        }
    }
}

/// Content type of what the cases write.
pub(super) const TYPE: &str = "application/octet-stream";

/// More than any blob of the cases, in bytes.
pub(super) const PLENTY: u64 = 64 << 20;
