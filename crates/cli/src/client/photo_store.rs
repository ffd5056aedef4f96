//! Photos of this machine, taken into a stack.

use anyhow::Context;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use walkaround_domain::{InspectionRequest, PhotoRef};
use walkaround_messages::{SUBMITTED_PREFIX, derived_id};
use walkaround_pipeline::report::hex;
use walkaround_ports::{BlobAddress, Blobs};
use walkaround_settings::Settings;

/// A file's name as part of a key: a request has no control characters, while a file's name may have any.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_control() { '_' } else { c };
    name.chars().map(plain).collect()
}

/// Where submitted photos are kept.
#[derive(Clone)]
pub(crate) struct PhotoStore {
    pub blobs: Arc<dyn Blobs>,
    pub bucket: String,
    pub bytes_max: u64,
}

impl PhotoStore {
    /// The store that the settings name.
    pub(crate) fn of(blobs: Arc<dyn Blobs>, settings: &Settings) -> Self {
        Self {
            blobs,
            bucket: settings.photos_bucket.clone(),
            bytes_max: settings.photo_bytes_max,
        }
    }

    /// Copies a photo into the stack under its digest, and makes a request of it.
    ///
    /// # Errors
    /// One line: unreadable, over `bytes_max`, or not storable.
    pub(crate) async fn take_in(&self, file: &Path) -> anyhow::Result<InspectionRequest> {
        let context = || format!("cannot read {}", file.display());
        let length = tokio::fs::metadata(file).await.with_context(context)?.len();
        anyhow::ensure!(
            length <= self.bytes_max,
            "{} is over the limit of {} MiB",
            file.display(),
            self.bytes_max >> 20
        );
        let bytes = tokio::fs::read(file).await.with_context(context)?;
        self.take_in_bytes(file, &bytes).await
    }

    /// The same of bytes that were read already, of a file of this name.
    ///
    /// # Errors
    /// One line: not storable.
    pub(crate) async fn take_in_bytes(&self, file: &Path, bytes: &[u8]) -> anyhow::Result<InspectionRequest> {
        let digest = hex(&Sha256::digest(bytes).into());
        let name = plain_name(&file.file_name().unwrap_or_default().to_string_lossy());
        let at = BlobAddress {
            bucket: self.bucket.clone(),
            key: format!("{SUBMITTED_PREFIX}{digest}/{name}"),
        };
        self.blobs.put_new(&at, bytes, "application/octet-stream").await?;
        let photo = PhotoRef::S3 {
            bucket: at.bucket,
            key: at.key,
            version: None,
        };
        Ok(InspectionRequest::of(derived_id(&photo), photo))
    }
}
