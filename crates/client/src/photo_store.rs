//! Photos of this machine, taken into a stack.

use crate::inputs::open_regular;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use walkaround_domain::identity::{content_is_known, object_content};
use walkaround_domain::{InspectionRequest, PhotoRef, hex};
use walkaround_messages::{SUBMITTED_PREFIX, derived_id};
use walkaround_ports::{BlobAddress, Blobs};
use walkaround_settings::Settings;

/// A file's name as part of a key: a request has no control characters, while a file's name may have any.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_control() { '_' } else { c };
    name.chars().map(plain).collect()
}

/// The bytes of a regular file; none when they are too many. The size is not trusted, a file may grow.
fn read_regular(path: &Path, bytes_max: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

/// Where submitted photos are kept.
#[derive(Clone)]
pub struct PhotoStore {
    /// The store.
    pub blobs: Arc<dyn Blobs>,
    /// Its bucket of photos.
    pub bucket: String,
    /// Largest photo that is taken in.
    pub bytes_max: u64,
}

impl PhotoStore {
    /// The store that the settings name.
    pub fn of(blobs: Arc<dyn Blobs>, settings: &Settings) -> Self {
        Self {
            blobs,
            bucket: settings.photos_bucket.clone(),
            bytes_max: settings.photo_bytes_max,
        }
    }

    /// Fills in what the store says of an object's bytes, where the request does not: its version, or else its ETag
    /// and size. Returns whether anything was filled in; an object that may not be read stays as it is.
    ///
    /// # Errors
    /// One line: the store is out of reach.
    pub async fn identify(&self, request: &mut InspectionRequest) -> anyhow::Result<bool> {
        let known = content_is_known(request);
        let PhotoRef::S3 { bucket, key, version } = &mut request.photo else {
            return Ok(false);
        };
        if known {
            return Ok(false);
        }
        let at = BlobAddress {
            bucket: bucket.clone(),
            key: key.clone(),
        };
        let meta = match self.blobs.head(&at).await {
            Ok(Some(meta)) => meta,
            Ok(None) => return Ok(false),
            Err(error) if !error.kind.is_transient() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        *version = meta.version;
        if version.is_none() {
            request.content = meta.etag.map(|etag| object_content(&etag, meta.bytes));
        }
        Ok(content_is_known(request))
    }

    /// Copies a photo into the stack under its digest, and makes a request of it.
    ///
    /// # Errors
    /// One line: unreadable, over `bytes_max`, or not storable.
    pub async fn take_in(&self, file: &Path) -> anyhow::Result<InspectionRequest> {
        let context = || format!("cannot read {}", file.display());
        let (path, bytes_max) = (file.to_path_buf(), self.bytes_max);
        let read = tokio::task::spawn_blocking(move || read_regular(&path, bytes_max));
        let bytes = read.await.with_context(context)?.with_context(context)?;
        let Some(bytes) = bytes else {
            let limit = self.bytes_max >> 20;
            anyhow::bail!("{} is over the limit of {limit} MiB", file.display());
        };
        self.take_in_bytes(file, &bytes).await
    }

    /// The same of bytes that were read already, of a file of this name.
    ///
    /// # Errors
    /// One line: not storable.
    pub async fn take_in_bytes(&self, file: &Path, bytes: &[u8]) -> anyhow::Result<InspectionRequest> {
        let digest = hex(&Sha256::digest(bytes));
        let name = plain_name(&file.file_name().unwrap_or_default().to_string_lossy());
        let at = BlobAddress {
            bucket: self.bucket.clone(),
            key: format!("{SUBMITTED_PREFIX}{digest}/{name}"),
        };
        self.blobs
            .put_if_absent(&at, bytes, "application/octet-stream")
            .await?;
        let photo = PhotoRef::S3 {
            bucket: at.bucket,
            key: at.key,
            version: None,
        };
        Ok(InspectionRequest::of(derived_id(&photo), photo))
    }
}
