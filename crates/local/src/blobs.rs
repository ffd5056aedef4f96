//! Write-once blobs as files, their digests as rows.
//!
//! The file is the blob: it is written beside, brought to the disk, and moved into place without replacing
//! anything, so of several writers one wins and nobody sees half a blob. The row repeats its digest, for
//! `head`, listings, and to notice bytes that changed since. A writer that dies between the two leaves a
//! blob without a row, which the next look at it completes.

use crate::blob_file::{
    FileDigest, PUT_ROUNDS_MAX, changed, copy, copy_checked, digest_of_bytes, gone, is_absence, place,
    read_bounded, size_if_there,
};
use crate::blob_path::{blob_path, check_bucket};
use crate::bucket_folder::{BucketState, away, is_marked, mark};
use crate::db::Db;
use crate::error::Fault;
use crate::files;
use crate::open::LocalStack;
use crate::rows::{count, ms, timestamp};
use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{BlobAddress, BlobMeta, Blobs, Clock, PortCall, PortError, PortErrorKind, PutOutcome};

const LIST_MAX: usize = 1000;
/// Named blobs whose files are looked for in a bucket's folder without a marker.
const LOOKED_FOR: u32 = 16;
/// A blob that is put again counts as put now, for `prune`; noted at most this often. Far below the shortest time that
/// blobs are kept, a day: what was put within it is never removed in between.
const PUT_NOTED_EVERY: Duration = Duration::from_secs(12 * 3600);
/// Content type of a blob that was not written through `put_if_absent`.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Blobs below a root.
pub(crate) struct LocalBlobs {
    pub(crate) root: PathBuf,
    pub(crate) db: Arc<Db>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A row, and when its blob was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlobRow {
    digest: FileDigest,
    put_at: Timestamp,
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "head");
        let path = self.path(at, AT)?;
        let row = self.row(at, AT).await?.map(|row| row.digest);
        let (digest, new) = match (blocking(AT, move || size_if_there(&path)).await?, row) {
            (Some(bytes), Some(row)) if bytes == row.bytes => (row, false),
            (None, None) => return Ok(None),
            (Some(_), None) => (self.digest_of(at, AT).await?, true),
            (Some(_), Some(_)) => return Err(changed(at).at(AT)),
            // As on S3: lost is not there. An object whose folder is away is not lost.
            (None, Some(_)) if is_marked(&self.bucket(at)) => return Ok(None),
            (None, row) => return Err(gone(at, row, &self.bucket(at)).at(AT)),
        };
        if new {
            self.keep_row(at, digest, UNKNOWN_TYPE, AT).await?;
        }
        Ok(Some(BlobMeta {
            bytes: digest.bytes,
            sha256: Some(digest.sha256),
            etag: None,
            version: None,
        }))
    }

    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "get");
        let path = self.path(at, AT)?;
        let row = self.row(at, AT).await?.map(|row| row.digest);
        let (name, bucket) = (at.clone(), self.bucket(at));
        blocking(AT, move || {
            let bytes = match read_bounded(&path, bytes_max) {
                Err(Fault::Io(e)) if is_absence(&e) => return Err(gone(&name, row, &bucket)),
                other => other?,
            };
            match row {
                Some(row) if digest_of_bytes(&bytes) != row => Err(changed(&name)),
                _ => Ok(bytes),
            }
        })
        .await
    }

    /// There is one version of each: blobs are written once.
    async fn get_version(&self, at: &BlobAddress, _: &str, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.get(at, bytes_max).await
    }

    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        const AT: PortCall = PortCall::new("blobs", "put_if_absent");
        let bytes: Arc<[u8]> = bytes.into();
        for _ in 0..PUT_ROUNDS_MAX {
            if let Some(outcome) = self.put_once(at, &bytes, content_type).await? {
                return Ok(outcome);
            }
        }
        let detail = format!("{at}: removed as often as it was put");
        Err(AT.error(PortErrorKind::Unavailable, detail))
    }

    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError> {
        const AT: PortCall = PortCall::new("blobs", "download");
        let path = self.path(at, AT)?;
        let (name, expect, into) = (at.clone(), *expect_sha256, into.to_owned());
        blocking(AT, move || copy_checked(&name, &path, &expect, &into)).await
    }

    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "list");
        check_bucket(&prefix.bucket).map_err(|fault| fault.at(AT))?;
        if !(1..=LIST_MAX).contains(&max) {
            let detail = format!("a page of {max}: 1 to {LIST_MAX}");
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let (prefix, after) = (prefix.clone(), after.map(|a| a.as_bytes().to_vec()));
        let limit = i64::try_from(max).unwrap_or(1);
        self.db
            .read(AT, move |db| {
                let first = prefix.key.as_bytes();
                // 0xFF never occurs in UTF-8: the first bytes that sort after every key with this prefix.
                let mut end = first.to_vec();
                end.push(0xFF);
                let sql = "SELECT key FROM blobs WHERE bucket = ?1 AND key >= ?2 AND key < ?3
                           AND key > coalesce(?4, x'') ORDER BY key LIMIT ?5";
                let mut statement = db.prepare_cached(sql)?;
                let values = params![prefix.bucket, first, end, after, limit];
                let rows = statement.query_map(values, |row| row.get::<_, Vec<u8>>(0))?;
                rows.map(|key| String::from_utf8(key?).map_err(|_| Fault::corrupt("a key is not UTF-8")))
                    .collect()
            })
            .await
    }
}

impl LocalStack {
    /// The blobs.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.local_blobs())
    }

    pub(crate) fn local_blobs(&self) -> LocalBlobs {
        LocalBlobs {
            root: self.inner.root.clone(),
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
        }
    }

    /// The file of a blob, for people to open; whether it is there or not.
    ///
    /// # Errors
    /// `Invalid` for a bucket or key that no blob can have.
    pub fn blob_file(&self, at: &BlobAddress) -> Result<PathBuf, PortError> {
        let below = blob_path(at).map_err(|fault| fault.at(PortCall::new("blobs", "file")))?;
        Ok(self.inner.root.join(files::BLOBS).join(below))
    }
}

impl LocalBlobs {
    fn path(&self, at: &BlobAddress, call: PortCall) -> Result<PathBuf, PortError> {
        let below = blob_path(at).map_err(|fault| fault.at(call))?;
        Ok(self.root.join(files::BLOBS).join(below))
    }

    /// The folder of a bucket.
    fn bucket(&self, at: &BlobAddress) -> PathBuf {
        self.root.join(files::BLOBS).join(&at.bucket)
    }

    /// None when the blob was removed in between: put it again.
    async fn put_once(
        &self,
        at: &BlobAddress,
        bytes: &Arc<[u8]>,
        content_type: &str,
    ) -> Result<Option<PutOutcome>, PortError> {
        const AT: PortCall = PortCall::new("blobs", "put_if_absent");
        let path = self.path(at, AT)?;
        let row = self.row(at, AT).await?;
        self.make_bucket(at, AT).await?;
        let (root, name, bytes) = (self.root.clone(), at.clone(), Arc::clone(bytes));
        let (digest, there) = blocking(AT, move || {
            let digest = digest_of_bytes(&bytes);
            match (size_if_there(&path)?, row) {
                // The common duplicate (a redelivered message) costs no write, and no read.
                (Some(size), Some(row)) if size == row.digest.bytes => Ok((digest, Some(row.digest))),
                (Some(_), Some(_)) => Err(changed(&name)),
                _ => Ok((digest, place(&root, &path, &bytes)?)),
            }
        })
        .await?;
        let new = there.is_none() || row.is_none();
        if new {
            self.keep_row(at, there.unwrap_or(digest), content_type, AT)
                .await?;
        } else if row.is_some_and(|row| self.clock.now().since(row.put_at) > PUT_NOTED_EVERY)
            && !self.note_put(at, AT).await?
        {
            return Ok(None);
        }
        Ok(Some(match there {
            None => PutOutcome::Created,
            Some(there) if there == digest => PutOutcome::Identical,
            Some(_) => PutOutcome::Conflict,
        }))
    }

    /// What the folder of a bucket is. One from before there were markers gets its own, if files of its blobs are in it.
    pub(crate) async fn bucket_state(&self, bucket: &str, call: PortCall) -> Result<BucketState, PortError> {
        let blobs = self.root.join(files::BLOBS);
        if is_marked(&blobs.join(bucket)) {
            return Ok(BucketState::Here);
        }
        let name = bucket.to_owned();
        let sql = "SELECT key FROM blobs WHERE bucket = ?1 LIMIT ?2";
        let keys: Vec<Vec<u8>> = self
            .db
            .read(call, move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map(params![name, LOOKED_FOR], |row| row.get(0))?;
                rows.map(|key| key.map_err(Fault::from)).collect()
            })
            .await?;
        if keys.is_empty() {
            return Ok(BucketState::New);
        }
        let is_there = |key: Vec<u8>| {
            let at = BlobAddress {
                bucket: bucket.to_owned(),
                key: String::from_utf8(key).ok()?,
            };
            blobs.join(blob_path(&at).ok()?).symlink_metadata().ok()
        };
        if keys.into_iter().find_map(is_there).is_none() {
            return Ok(BucketState::Away);
        }
        mark(&blobs.join(bucket)).map_err(|error| Fault::from(error).at(call))?;
        Ok(BucketState::Here)
    }

    /// Makes the folder of a bucket before its first blob. One that had some and has no folder is away: made anew, it would be
    /// in the way of the one that comes back.
    async fn make_bucket(&self, at: &BlobAddress, call: PortCall) -> Result<(), PortError> {
        let folder = self.bucket(at);
        match self.bucket_state(&at.bucket, call).await? {
            BucketState::Here => Ok(()),
            BucketState::New => blocking(call, move || Ok(mark(&folder)?)).await,
            BucketState::Away => {
                let detail = format!("{at}: {}", away(&folder));
                Err(call.error(PortErrorKind::Unavailable, detail))
            }
        }
    }

    /// Notes that a blob was put again; false when it is gone.
    async fn note_put(&self, at: &BlobAddress, call: PortCall) -> Result<bool, PortError> {
        let (at, now) = (at.clone(), ms(self.clock.now()));
        let sql = "UPDATE blobs SET put_at = ?3 WHERE bucket = ?1 AND key = ?2";
        self.db
            .write(call, move |tx| {
                let values = params![at.bucket, at.key.as_bytes(), now];
                Ok(tx.prepare_cached(sql)?.execute(values)? == 1)
            })
            .await
    }

    async fn row(&self, at: &BlobAddress, call: PortCall) -> Result<Option<BlobRow>, PortError> {
        let at = at.clone();
        let sql = "SELECT bytes, sha256, put_at FROM blobs WHERE bucket = ?1 AND key = ?2";
        self.db
            .read(call, move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let digest = statement.query_row(params![at.bucket, at.key.as_bytes()], |row| {
                    let digest = FileDigest {
                        bytes: count(row, 0)?,
                        sha256: row.get(1)?,
                    };
                    let put_at = timestamp(row.get(2)?);
                    Ok(BlobRow { digest, put_at })
                });
                Ok(digest.optional()?)
            })
            .await
    }

    async fn keep_row(
        &self,
        at: &BlobAddress,
        digest: FileDigest,
        content_type: &str,
        call: PortCall,
    ) -> Result<(), PortError> {
        let (at, content_type) = (at.clone(), content_type.to_owned());
        // A row without its file is of a file that someone removed: the new file is right.
        let sql = "INSERT INTO blobs (bucket, key, sha256, bytes, content_type, put_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (bucket, key) DO UPDATE SET sha256 = ?3, bytes = ?4, put_at = ?6
                   WHERE sha256 != ?3 OR bytes != ?4";
        let now = ms(self.clock.now());
        self.db
            .write(call, move |tx| {
                let bytes = i64::try_from(digest.bytes).unwrap_or(i64::MAX);
                let values = params![
                    at.bucket,
                    at.key.as_bytes(),
                    digest.sha256,
                    bytes,
                    content_type,
                    now
                ];
                tx.prepare_cached(sql)?.execute(values)?;
                Ok(())
            })
            .await
    }

    async fn digest_of(&self, at: &BlobAddress, call: PortCall) -> Result<FileDigest, PortError> {
        let path = self.path(at, call)?;
        blocking(call, move || Ok(copy(&mut File::open(&path)?, &mut io::sink())?)).await
    }
}

/// Runs file work where it may wait for the disk.
async fn blocking<T: Send + 'static>(
    at: PortCall,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, PortError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map_err(|fault| fault.at(at)),
        Err(_) => Err(at.error(PortErrorKind::Unavailable, "the file operation was interrupted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use std::fs;
    use walkaround_ports::SystemClock;

    #[tokio::test]
    async fn the_name_of_a_blob_is_on_the_disk_before_anything_can_name_it() {
        let root = tempfile::tempdir().unwrap();
        let local = LocalStack::open(root.path(), Options::default(), Arc::new(SystemClock::new())).unwrap();
        let at = BlobAddress {
            bucket: "results".to_owned(),
            key: "inspections/a/report.json".to_owned(),
        };
        files::synced::take(root.path());
        let file = local.blob_file(&at).unwrap();
        let folders = |n| {
            file.ancestors()
                .skip(1)
                .take(n)
                .map(Path::to_owned)
                .collect::<Vec<_>>()
        };
        // As `Durability` says, whichever it is: the folder, and each above it that may be new.
        assert_eq!(
            local
                .blobs()
                .put_if_absent(&at, b"{}", "application/json")
                .await
                .unwrap(),
            PutOutcome::Created
        );
        assert_eq!(files::synced::take(root.path()), folders(5));
        // Another writer died between moving its file and bringing the name to the disk.
        let key = "inspections/a/overlay.jpg".to_owned();
        let other = BlobAddress { key, ..at.clone() };
        fs::write(local.blob_file(&other).unwrap(), b"jpeg").unwrap();
        let put = local
            .blobs()
            .put_if_absent(&other, b"jpeg", "image/jpeg")
            .await
            .unwrap();
        assert_eq!(put, PutOutcome::Identical);
        assert_eq!(files::synced::take(root.path()), folders(5));
    }
}
