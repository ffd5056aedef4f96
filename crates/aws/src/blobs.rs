//! Write-once blobs on S3.
//!
//! A blob is put with `If-None-Match: *`, so of several writers one wins, and with its SHA-256, which S3 checks before
//! it keeps anything and reports it afterwards. The digest also stands in the object's own metadata, for stores and copies
//! that lose checksums. Whatever comes back is compared with a digest where one is known; the SDK compares other
//! checksums (CRC of a photo that someone else put) by itself.
//!
//! Needs `s3:GetObject`, `s3:GetObjectVersion` where photos have versions, `s3:PutObject`, and `s3:ListBucket`: without the
//! last, S3 answers 403 for what is not there.

mod checks;
mod reading;

use crate::fault::port_error;
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use checks::{META_SHA256, check_key, known_sha256, sha256_of};
use std::path::Path;
use std::time::Duration;
use walkaround_ports::{BlobAddress, BlobMeta, Blobs, PortCall, PortError, PortErrorKind, PutOutcome};

const LIST_MAX: usize = 1000;
/// Pages behind one listing: S3 may return fewer keys than asked for.
const LIST_PAGES_MAX: usize = 10;
/// Tries of a put that S3 answers with a conflict (another write of the key is under way).
const CONFLICTS_MAX: u32 = 6;
/// Before the second try; doubled for each later one: 1.55 s in all.
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);
/// Longest life of a signed address (S3: seven days).
const PRESIGNED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Largest object of a single put (S3: 5 GiB).
const PUT_BYTES_MAX: u64 = 5 << 30;

/// All buckets that the client may reach.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    client: Client,
}

/// Largest body that the time-outs of other calls are enough for.
const PUT_QUICK_BYTES_MAX: usize = 8 << 20;
/// One try of a larger put: 2 GiB of weights at 7 MB/s.
const PUT_ATTEMPT_MAX: Duration = Duration::from_secs(300);
/// All tries of a larger put.
const PUT_MAX: Duration = Duration::from_secs(900);

/// How S3 answered a conditional put.
enum Put {
    Created,
    /// 412: there is such a key.
    Taken,
    /// 409: another write of the key is under way.
    Busy,
}

impl S3Blobs {
    /// A store over this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// An address that whoever has it may read the blob under for `valid` (1 s to 7 days, and not longer than the
    /// credentials that sign it). A secret: keep it out of logs. Signed here; S3 is not asked whether there is such a
    /// blob.
    ///
    /// # Errors
    /// `Invalid` for a key or duration that S3 has not, `Denied` without credentials.
    pub async fn presigned_get(&self, at: &BlobAddress, valid: Duration) -> Result<String, PortError> {
        const AT: PortCall = PortCall::new("blobs", "presigned_get");
        check_key(at, AT)?;
        let whole = Duration::from_secs(valid.as_secs());
        let config = PresigningConfig::expires_in(whole)
            .ok()
            .filter(|_| !whole.is_zero() && whole <= PRESIGNED_MAX);
        let Some(config) = config else {
            let detail = format!("valid for {valid:?}: 1 s to {PRESIGNED_MAX:?}");
            return Err(AT.error(PortErrorKind::Invalid, detail));
        };
        let call = self.client.get_object().bucket(&at.bucket).key(&at.key);
        let signed = call.presigned(config).await;
        signed
            .map(|request| request.uri().to_owned())
            .map_err(|e| port_error(AT, &at.to_string(), &e))
    }

    async fn whole(
        &self,
        at: &BlobAddress,
        version: Option<&str>,
        bytes_max: u64,
        call: PortCall,
    ) -> Result<Vec<u8>, PortError> {
        let reading = reading::Reading {
            at,
            version,
            call,
            bytes_max,
        };
        reading::whole(&self.client, &reading).await
    }

    async fn meta(&self, at: &BlobAddress, call: PortCall) -> Result<Option<BlobMeta>, PortError> {
        let head = self.client.head_object().bucket(&at.bucket).key(&at.key);
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(found) => Ok(Some(BlobMeta {
                bytes: found
                    .content_length()
                    .and_then(|n| u64::try_from(n).ok())
                    .unwrap_or_default(),
                sha256: known_sha256(found.checksum_sha256(), found.metadata()),
                etag: found.e_tag().map(|etag| etag.trim_matches('"').to_owned()),
                version: found.version_id().filter(|v| *v != "null").map(str::to_owned),
            })),
            // The answer to HEAD has no body, so a missing bucket looks like a missing key.
            Err(error) if status_of(&error) == Some(404) => Ok(None),
            Err(error) => Err(port_error(call, &at.to_string(), &error)),
        }
    }

    async fn put_once(&self, at: &BlobAddress, bytes: &[u8], content_type: &str) -> Result<Put, PortError> {
        let sha256 = sha256_of(bytes);
        let call = self
            .client
            .put_object()
            .bucket(&at.bucket)
            .key(&at.key)
            .if_none_match("*")
            .content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(STANDARD.encode(sha256))
            .metadata(META_SHA256, walkaround_domain::hex(&sha256))
            .body(ByteStream::from(bytes.to_vec()));
        // The time-outs of other calls count the sending of a body, too: too short for weights, right for results,
        // which a worker's lease waits for.
        let sent = if bytes.len() > PUT_QUICK_BYTES_MAX {
            call.customize().config_override(uploading()).send().await
        } else {
            call.send().await
        };
        match sent {
            Ok(_) => Ok(Put::Created),
            Err(error) => match status_of(&error) {
                Some(412) => Ok(Put::Taken),
                Some(409) => Ok(Put::Busy),
                _ => Err(port_error(
                    PortCall::new("blobs", "put_if_absent"),
                    &at.to_string(),
                    &error,
                )),
            },
        }
    }

    /// Whether the blob that is there has these bytes; none when it is gone again.
    async fn compare(&self, at: &BlobAddress, bytes: &[u8]) -> Result<Option<PutOutcome>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "put_if_absent");
        let size = bytes.len() as u64;
        let Some(there) = self.meta(at, AT).await? else {
            return Ok(None);
        };
        let same = match there.sha256 {
            _ if there.bytes != size => false,
            Some(sha256) => sha256 == sha256_of(bytes),
            None => match self.whole(at, None, size, AT).await {
                Ok(stored) => stored == bytes,
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(if same {
            PutOutcome::Identical
        } else {
            PutOutcome::Conflict
        }))
    }
}

/// Settings of a call that sends a large body.
fn uploading() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .read_timeout(PUT_ATTEMPT_MAX)
        .operation_attempt_timeout(PUT_ATTEMPT_MAX)
        .operation_timeout(PUT_MAX)
        .build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "head");
        check_key(at, AT)?;
        self.meta(at, AT).await
    }

    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "get");
        check_key(at, AT)?;
        self.whole(at, None, bytes_max, AT).await
    }

    async fn get_version(
        &self,
        at: &BlobAddress,
        version: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "get_version");
        check_key(at, AT)?;
        self.whole(at, Some(version), bytes_max, AT).await
    }

    /// A put whose answer was lost is sent again by the SDK, and then finds its own blob: `Identical`.
    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        const AT: PortCall = PortCall::new("blobs", "put_if_absent");
        check_key(at, AT)?;
        if bytes.len() as u64 > PUT_BYTES_MAX {
            let detail = format!("{at}: {} bytes: at most {PUT_BYTES_MAX}", bytes.len());
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        for conflict in 0..CONFLICTS_MAX {
            match self.put_once(at, bytes, content_type).await? {
                Put::Created => return Ok(PutOutcome::Created),
                Put::Taken => {
                    if let Some(outcome) = self.compare(at, bytes).await? {
                        return Ok(outcome);
                    }
                }
                Put::Busy => {}
            }
            if conflict + 1 < CONFLICTS_MAX {
                tokio::time::sleep(CONFLICT_PAUSE * 2_u32.pow(conflict)).await;
            }
        }
        let detail = format!("{at}: {CONFLICTS_MAX} conflicts with other writers");
        Err(AT.error(PortErrorKind::Unavailable, detail))
    }

    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError> {
        check_key(at, PortCall::new("blobs", "download"))?;
        reading::to_file(&self.client, at, expect_sha256, into).await
    }

    /// Directory buckets list in no order: use general purpose ones, which list by byte.
    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "list");
        if !(1..=LIST_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {LIST_MAX}");
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..LIST_PAGES_MAX {
            let call = self
                .client
                .list_objects_v2()
                .bucket(&prefix.bucket)
                .prefix(&prefix.key);
            let call = call.set_start_after(keys.last().cloned().or_else(|| after.map(str::to_owned)));
            let call = call.max_keys(i32::try_from(max - keys.len()).unwrap_or(1));
            let page = call
                .send()
                .await
                .map_err(|e| port_error(AT, &prefix.to_string(), &e))?;
            let more = page.is_truncated().unwrap_or_default();
            keys.extend(
                page.contents
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|object| object.key),
            );
            if !more || keys.len() >= max {
                break;
            }
        }
        Ok(keys)
    }
}

fn status_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}
