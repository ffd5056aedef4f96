//! Objects into memory and into files, bounded and checked on the way.
//!
//! The SDK retries until an answer begins, and gives up a body that stalls. A body that breaks off is `Unavailable`: the
//! caller tries again. The time-outs of a call end with the first byte, so a body has one of its own.

use super::checks::known_sha256;
use crate::fault::port_error;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use walkaround_ports::{BlobAddress, PortCall, PortError, PortErrorKind};

/// Longest reading of one body into memory.
const WHOLE_MAX: Duration = Duration::from_secs(120);
/// Longest download into a file: 4 GiB at 5 MiB/s.
const FILE_MAX: Duration = Duration::from_secs(900);
/// Largest download into a file: weights, not archives.
const FILE_BYTES_MAX: u64 = 16 << 30;
/// What is set aside at first for a body whose size S3 has announced.
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// One download: which object, its bound, and the operation that errors name.
pub(super) struct Reading<'a> {
    pub(super) at: &'a BlobAddress,
    /// A version of the object; the current one where there is none.
    pub(super) version: Option<&'a str>,
    pub(super) call: PortCall,
    pub(super) bytes_max: u64,
}

impl Reading<'_> {
    fn error(&self, kind: PortErrorKind, detail: &str) -> PortError {
        self.call.error(kind, format!("{}: {detail}", self.at))
    }

    fn too_large(&self, bytes: u64) -> PortError {
        let detail = format!("{bytes} bytes or more: at most {}", self.bytes_max);
        self.error(PortErrorKind::TooLarge, &detail)
    }

    fn other_bytes(&self) -> PortError {
        self.error(PortErrorKind::Corrupt, "its bytes do not match its SHA-256")
    }

    /// Begins the answer, and refuses one that is announced as too large.
    async fn begin(&self, client: &Client) -> Result<GetObjectOutput, PortError> {
        let call = client.get_object().bucket(&self.at.bucket).key(&self.at.key);
        let call = call.set_version_id(self.version.map(str::to_owned));
        let answer = call.checksum_mode(ChecksumMode::Enabled).send().await;
        let answer = answer.map_err(|e| port_error(self.call, &self.at.to_string(), &e))?;
        let announced = u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default();
        if announced > self.bytes_max {
            return Err(self.too_large(announced));
        }
        Ok(answer)
    }

    /// The next piece of a body, counted into `bytes`.
    async fn next(
        &self,
        body: &mut ByteStream,
        bytes: &mut u64,
    ) -> Result<Option<impl AsRef<[u8]>>, PortError> {
        match body.next().await {
            None => Ok(None),
            Some(Ok(piece)) => {
                *bytes += piece.len() as u64;
                if *bytes > self.bytes_max {
                    return Err(self.too_large(*bytes));
                }
                Ok(Some(piece))
            }
            Some(Err(error)) if names_checksum(&error) => {
                Err(self.error(PortErrorKind::Corrupt, "its bytes do not match its checksum"))
            }
            Some(Err(_)) => Err(self.error(PortErrorKind::Unavailable, "the answer was cut off")),
        }
    }
}

/// Whether a body was whole and wrong: the SDK has no kind for that, only its words.
fn names_checksum(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source()).any(|e| e.to_string().contains("checksum"))
}

/// All bytes of an object, or of a version of it.
pub(super) async fn whole(client: &Client, reading: &Reading<'_>) -> Result<Vec<u8>, PortError> {
    let mut answer = reading.begin(client).await?;
    let known = known_sha256(answer.checksum_sha256(), answer.metadata());
    let announced = u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default();
    let reserve = announced.min(RESERVE_BYTES_MAX);
    let mut whole = Vec::with_capacity(usize::try_from(reserve).unwrap_or_default());
    let read = async {
        let mut bytes = 0;
        while let Some(piece) = reading.next(&mut answer.body, &mut bytes).await? {
            whole.extend_from_slice(piece.as_ref());
        }
        Ok(())
    };
    in_time(reading, WHOLE_MAX, read).await?;
    match known {
        Some(known) if known != super::checks::sha256_of(&whole) => Err(reading.other_bytes()),
        _ => Ok(whole),
    }
}

/// Streams an object into a file beside `into`, which takes its place when it is whole, right and on the disk.
pub(super) async fn to_file(
    client: &Client,
    at: &BlobAddress,
    expect_sha256: &[u8; 32],
    into: &Path,
) -> Result<(), PortError> {
    let reading = Reading {
        at,
        version: None,
        call: PortCall::new("blobs", "download"),
        bytes_max: FILE_BYTES_MAX,
    };
    let answer = reading.begin(client).await?;
    let local = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => PortErrorKind::Denied,
            // `NotFound` would mean the blob.
            io::ErrorKind::NotFound => PortErrorKind::Invalid,
            _ => PortErrorKind::Unavailable,
        };
        reading
            .call
            .error(kind, format!("{}: {error}", into.display()))
            .caused_by(error)
    };
    let folder = into
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Removed when it is dropped, on every way out but the last.
    let beside = NamedTempFile::new_in(folder).map_err(local)?;
    let mut file = File::from_std(beside.reopen().map_err(local)?);
    let mut body = answer.body;
    let copy = async {
        let (mut bytes, mut hasher) = (0, Sha256::new());
        while let Some(piece) = reading.next(&mut body, &mut bytes).await? {
            hasher.update(piece.as_ref());
            file.write_all(piece.as_ref()).await.map_err(local)?;
        }
        file.sync_all().await.map_err(local)?;
        Ok(<[u8; 32]>::from(hasher.finalize()))
    };
    if in_time(&reading, FILE_MAX, copy).await? != *expect_sha256 {
        return Err(reading.error(PortErrorKind::Corrupt, "its SHA-256 is not the requested one"));
    }
    let (target, folder) = (into.to_owned(), folder.to_owned());
    let place = move || {
        beside.persist(target).map_err(|failed| failed.error)?;
        // The name is durable when its folder is.
        std::fs::File::open(folder)?.sync_all()
    };
    let placed = tokio::task::spawn_blocking(place).await;
    placed
        .unwrap_or_else(|ended| Err(io::Error::other(ended)))
        .map_err(local)
}

async fn in_time<T>(
    reading: &Reading<'_>,
    most: Duration,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let late = || reading.error(PortErrorKind::Unavailable, &format!("not read within {most:?}"));
    tokio::time::timeout(most, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}
