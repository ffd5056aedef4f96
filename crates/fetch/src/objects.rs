//! Photos from object stores, through the blob port.

use crate::settings::FetchSettingsError;
use crate::words::one_line;
use std::collections::BTreeSet;
use std::sync::Arc;
use walkaround_domain::identity::object_content;
use walkaround_ports::{BlobAddress, Blobs, FetchError, KnownContent, PortError, PortErrorKind};

/// Bytes of a key, at most (S3, and [`BlobAddress`]).
const KEY_BYTES_MAX: usize = 1024;

/// The buckets that may be read.
pub(crate) struct Objects {
    buckets: BTreeSet<String>,
    blobs: Arc<dyn Blobs>,
}

impl Objects {
    pub(crate) fn new(buckets: Vec<String>, blobs: Arc<dyn Blobs>) -> Result<Self, FetchSettingsError> {
        if buckets.iter().any(|bucket| bucket.trim().is_empty()) {
            return Err(FetchSettingsError::new("buckets", "a bucket has no name"));
        }
        Ok(Self {
            buckets: buckets.into_iter().collect(),
            blobs,
        })
    }

    /// The whole object, in the version that is named.
    pub(crate) async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        bytes_max: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let at = self.address(bucket, key)?;
        let got = match version {
            Some(version) => self.blobs.get_version(&at, version, bytes_max).await,
            None => self.blobs.get(&at, bytes_max).await,
        };
        got.map_err(|error| refusal(error, &shown(bucket, key), bytes_max))
    }

    /// What the store says of an object: its version, or else its ETag and size; none of a store whose objects never
    /// change.
    pub(crate) async fn identify(&self, bucket: &str, key: &str) -> Result<Option<KnownContent>, FetchError> {
        let at = self.address(bucket, key)?;
        let meta = self.blobs.head(&at).await;
        let meta = meta.map_err(|error| refusal(error, &shown(bucket, key), u64::MAX))?;
        let Some(meta) = meta else {
            return Err(FetchError::NotFound(format!(
                "{}: there is no such object",
                shown(bucket, key)
            )));
        };
        let content = match &meta.version {
            Some(_) => None,
            None => meta.etag.as_deref().map(|etag| object_content(etag, meta.bytes)),
        };
        let known = KnownContent {
            version: meta.version,
            content,
            sha256: meta.sha256,
        };
        Ok((known.version.is_some() || known.content.is_some()).then_some(known))
    }

    /// The address of an object that may be read.
    fn address(&self, bucket: &str, key: &str) -> Result<BlobAddress, FetchError> {
        let shown = shown(bucket, key);
        if !self.buckets.contains(bucket) {
            let forbidden = format!("{shown}: the bucket is not among those that photos may come from");
            return Err(FetchError::Forbidden(forbidden));
        }
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(FetchError::Malformed(format!("{shown}: not a possible key")));
        }
        Ok(BlobAddress {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

fn shown(bucket: &str, key: &str) -> String {
    one_line(&format!("s3://{bucket}/{key}"))
}

fn refusal(error: PortError, shown: &str, bytes_max: u64) -> FetchError {
    match error.kind {
        PortErrorKind::NotFound => FetchError::NotFound(format!("{shown}: there is no such object")),
        PortErrorKind::TooLarge => FetchError::TooLarge(format!("{shown}: more than {bytes_max} bytes")),
        // A call that the store refuses (no such bucket, or one elsewhere; no permission) is not the photo's fault.
        PortErrorKind::Denied
        | PortErrorKind::Invalid
        | PortErrorKind::Unavailable
        | PortErrorKind::Throttled
        | PortErrorKind::Corrupt => FetchError::Port(error),
    }
}
