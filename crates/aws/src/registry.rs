//! The registry of bundles on S3: versions that never change, and one object that names the active one.
//!
//! | key below `bundles/NAME/` | what |
//! | --- | --- |
//! | `versions/VERSION/FILE` | the files, write-once |
//! | `versions/VERSION/files.json` | their digests; written last, so a version without it is not there |
//! | `current` | the active version, the digest of its `files.json`, and the versions before it |
//!
//! Activation is one conditional write of `current` (`If-Match` on what was read, `If-None-Match` where nothing was), so
//! of two people who activate at once one learns that the other was first. Whoever fetches a version compares every
//! file with its digest, and `files.json` with the digest in `current`.

mod documents;
mod folder;
mod names;

use crate::blobs::S3Blobs;
use crate::fault::port_error;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
pub use documents::{Active, FILES_MAX, FileEntry, HISTORY_MAX};
use documents::{FILES, Files, check_word};
pub use folder::FILE_BYTES_MAX;
pub use names::BundleNames;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use walkaround_domain::Timestamp;
use walkaround_ports::{BlobAddress, Blobs, PortCall, PortError, PortErrorKind, PutOutcome};

/// Most versions of a bundle that are listed.
pub const VERSIONS_MAX: usize = 1000;
/// Largest document of the registry itself.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
/// Where bundles are in the bucket.
const FOLDER: &str = "bundles/";

/// Bundles in one bucket.
#[derive(Debug, Clone)]
pub struct BundleRegistry {
    client: Client,
    blobs: S3Blobs,
    bucket: String,
}

/// A version of a bundle, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleId<'a> {
    /// The bundle.
    pub name: &'a str,
    /// One of its versions.
    pub version: &'a str,
}

impl<'a> BundleId<'a> {
    /// A version of a bundle.
    pub const fn new(name: &'a str, version: &'a str) -> Self {
        Self { name, version }
    }
}

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The version is there now.
    New,
    /// The same version was there already.
    AlreadyThere,
    /// Other files are there under this version: versions never change. Choose another version.
    Other,
}

/// The result of an activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activated {
    /// This is active now.
    Done(Active),
    /// It was active already.
    Already(Active),
    /// There is no such version.
    NoSuchVersion,
    /// There is nothing before the active version.
    NothingBefore,
    /// Somebody else changed it in between: read it again.
    Raced,
}

impl BundleRegistry {
    /// The registry in a bucket.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self {
            blobs: S3Blobs::new(client.clone()),
            client,
            bucket: bucket.into(),
        }
    }

    fn address(&self, name: &str, rest: &str, at: PortCall) -> Result<BlobAddress, PortError> {
        check_word(name, at)?;
        Ok(BlobAddress {
            bucket: self.bucket.clone(),
            key: format!("{FOLDER}{name}/{rest}"),
        })
    }

    fn in_version(&self, id: BundleId<'_>, file: &str, at: PortCall) -> Result<BlobAddress, PortError> {
        check_word(id.version, at)?;
        self.address(id.name, &format!("versions/{}/{file}", id.version), at)
    }

    /// Uploads the files of a folder as a version. What was there of it already is left as it is.
    ///
    /// # Errors
    /// `Invalid`: a name, a version, a link, too many or too large files. Else as S3.
    pub async fn push(&self, id: BundleId<'_>, folder: &Path) -> Result<Pushed, PortError> {
        const AT: PortCall = PortCall::new("registry", "push");
        let mut entries = Vec::new();
        for file in folder::files_of(folder, AT).await? {
            let bytes = folder::read(&folder.join(&file), AT).await?;
            let at = self.in_version(id, &file, AT)?;
            if self
                .blobs
                .put_if_absent(&at, &bytes, "application/octet-stream")
                .await?
                == PutOutcome::Conflict
            {
                return Ok(Pushed::Other);
            }
            entries.push(FileEntry {
                sha256: Sha256::digest(&bytes).into(),
                bytes: bytes.len() as u64,
                name: file,
            });
        }
        let files = Files(entries).to_text();
        let at = self.in_version(id, FILES, AT)?;
        match self
            .blobs
            .put_if_absent(&at, files.as_bytes(), "application/json")
            .await?
        {
            PutOutcome::Created => Ok(Pushed::New),
            PutOutcome::Identical => Ok(Pushed::AlreadyThere),
            PutOutcome::Conflict => Ok(Pushed::Other),
        }
    }

    /// The complete versions of a bundle, in order of their names.
    ///
    /// # Errors
    /// As S3.
    pub async fn versions(&self, name: &str) -> Result<Vec<String>, PortError> {
        const AT: PortCall = PortCall::new("registry", "versions");
        let prefix = self.address(name, "versions/", AT)?;
        let mut versions = Vec::new();
        let mut after: Option<String> = None;
        while versions.len() < VERSIONS_MAX {
            let page = self.blobs.list(&prefix, after.as_deref(), 1000).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            let complete = page.iter().filter_map(|key| {
                let (version, file) = key.strip_prefix(&prefix.key)?.split_once('/')?;
                (file == FILES).then(|| version.to_owned())
            });
            versions.extend(complete);
        }
        Ok(versions)
    }

    /// The active version; none when none was activated yet.
    ///
    /// # Errors
    /// As S3; `Corrupt` when it cannot be read.
    pub async fn active(&self, name: &str) -> Result<Option<Active>, PortError> {
        Ok(self.read_active(name).await?.map(|(active, _)| active))
    }

    async fn read_active(&self, name: &str) -> Result<Option<(Active, String)>, PortError> {
        const AT: PortCall = PortCall::new("registry", "active");
        let at = self.address(name, "current", AT)?;
        let get = self.client.get_object().bucket(&at.bucket).key(&at.key);
        let found = match get.send().await {
            Ok(found) => found,
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => return Ok(None),
            Err(error) => return Err(port_error(AT, &at.to_string(), &error)),
        };
        let corrupt = |why: &str| AT.error(PortErrorKind::Corrupt, format!("{at}: {why}"));
        if found.content_length().unwrap_or_default() > DOCUMENT_BYTES_MAX as i64 {
            return Err(corrupt("too large"));
        }
        let etag = found.e_tag().unwrap_or_default().to_owned();
        let body = found.body.collect().await.map_err(|_| {
            AT.error(
                PortErrorKind::Unavailable,
                format!("{at}: the answer was cut off"),
            )
        })?;
        let text = String::from_utf8(body.to_vec()).map_err(|_| corrupt("not UTF-8 text"))?;
        let active = Active::parse(&text).ok_or_else(|| corrupt("not a document of this registry"))?;
        Ok(Some((active, etag)))
    }

    /// Makes a version the active one.
    ///
    /// # Errors
    /// As S3.
    pub async fn activate(&self, id: BundleId<'_>, now: Timestamp) -> Result<Activated, PortError> {
        const AT: PortCall = PortCall::new("registry", "activate");
        let Some(files) = self.files_text(id, AT).await? else {
            return Ok(Activated::NoSuchVersion);
        };
        let before = self.read_active(id.name).await?;
        if let Some((active, _)) = &before
            && active.version == id.version
        {
            return Ok(Activated::Already(active.clone()));
        }
        let mut history = Vec::new();
        if let Some((active, _)) = &before {
            history.push(active.version.clone());
            history.extend(active.history.iter().cloned());
            history.truncate(HISTORY_MAX);
        }
        let next = Active {
            version: id.version.to_owned(),
            files_sha256: Sha256::digest(files.as_bytes()).into(),
            history,
            activated_at: now,
        };
        self.write_active(id.name, &next, before.map(|(_, etag)| etag))
            .await
    }

    /// Makes the version before the active one the active one again.
    ///
    /// # Errors
    /// As S3.
    pub async fn rollback(&self, name: &str, now: Timestamp) -> Result<Activated, PortError> {
        const AT: PortCall = PortCall::new("registry", "rollback");
        let Some((active, etag)) = self.read_active(name).await? else {
            return Ok(Activated::NothingBefore);
        };
        let Some((version, rest)) = active.history.split_first() else {
            return Ok(Activated::NothingBefore);
        };
        let Some(files) = self.files_text(BundleId::new(name, version), AT).await? else {
            return Ok(Activated::NoSuchVersion);
        };
        let next = Active {
            version: version.clone(),
            files_sha256: Sha256::digest(files.as_bytes()).into(),
            history: rest.to_vec(),
            activated_at: now,
        };
        self.write_active(name, &next, Some(etag)).await
    }

    async fn write_active(
        &self,
        name: &str,
        next: &Active,
        etag: Option<String>,
    ) -> Result<Activated, PortError> {
        const AT: PortCall = PortCall::new("registry", "activate");
        let at = self.address(name, "current", AT)?;
        let put = self
            .client
            .put_object()
            .bucket(&at.bucket)
            .key(&at.key)
            .content_type("application/json")
            .body(ByteStream::from(next.to_text().into_bytes()));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(_) => Ok(Activated::Done(next.clone())),
            // 412: it is not what was read; 409: another write is under way. Where the answer to the first try was
            // lost, it is the second that meets what the first has written.
            Err(SdkError::ServiceError(e)) if matches!(e.raw().status().as_u16(), 409 | 412) => {
                match self.read_active(name).await? {
                    Some((active, _)) if active == *next => Ok(Activated::Done(active)),
                    _ => Ok(Activated::Raced),
                }
            }
            Err(error) => Err(port_error(AT, &at.to_string(), &error)),
        }
    }

    async fn files_text(&self, id: BundleId<'_>, call: PortCall) -> Result<Option<String>, PortError> {
        let at = self.in_version(id, FILES, call)?;
        match self.blobs.get(&at, DOCUMENT_BYTES_MAX).await {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| call.error(PortErrorKind::Corrupt, format!("{at}: not UTF-8 text"))),
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes of all files of a version; none where there is no such version.
    ///
    /// # Errors
    /// As S3; `Corrupt` when its list of files cannot be read.
    pub async fn bytes_of(&self, id: BundleId<'_>) -> Result<Option<u64>, PortError> {
        const AT: PortCall = PortCall::new("registry", "bytes_of");
        let Some(text) = self.files_text(id, AT).await? else {
            return Ok(None);
        };
        let files = parse_files(&text, id.name, AT)?;
        Ok(Some(files.0.iter().map(|f| f.bytes).sum()))
    }

    /// The active version of a bundle that has to have one.
    ///
    /// # Errors
    /// `NotFound`: nothing is active. Else as [`BundleRegistry::active`].
    pub async fn require_active(&self, name: &str) -> Result<Active, PortError> {
        self.active(name).await?.ok_or_else(|| {
            let detail = format!(
                "bundle {name} has no active version in {}: `walkaround bundle activate {name} VERSION`",
                self.bucket
            );
            PortCall::new("registry", "fetch").error(PortErrorKind::NotFound, detail)
        })
    }

    /// A version as if it were the active one, for [`BundleRegistry::fetch`]; none where there is no such version.
    ///
    /// # Errors
    /// As S3.
    pub async fn version(&self, id: BundleId<'_>) -> Result<Option<Active>, PortError> {
        let files = self.files_text(id, PortCall::new("registry", "version")).await?;
        Ok(files.map(|files| Active {
            version: id.version.to_owned(),
            files_sha256: Sha256::digest(files.as_bytes()).into(),
            history: Vec::new(),
            activated_at: Timestamp(0),
        }))
    }

    /// The folder of the active version below `cache`, downloaded unless it is there already, and its version. Every
    /// file is checked against its digest, also those that were there.
    ///
    /// # Errors
    /// `NotFound`: nothing is active. `Corrupt`: a digest differs. Else as S3, or the folder cannot be written.
    pub async fn fetch_active(&self, name: &str, cache: &Path) -> Result<(PathBuf, Active), PortError> {
        let active = self.require_active(name).await?;
        let folder = self.fetch(name, &active, cache, &|_| true).await?;
        Ok((folder, active))
    }

    /// As [`BundleRegistry::fetch_active`], for a version that was active a moment ago, and only the files that are
    /// wanted by their names.
    ///
    /// # Errors
    /// As [`BundleRegistry::fetch_active`].
    pub async fn fetch(
        &self,
        name: &str,
        active: &Active,
        cache: &Path,
        wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<PathBuf, PortError> {
        const AT: PortCall = PortCall::new("registry", "fetch");
        let id = BundleId::new(name, &active.version);
        let text = self.files_text(id, AT).await?.unwrap_or_default();
        if <[u8; 32]>::from(Sha256::digest(text.as_bytes())) != active.files_sha256 {
            let detail = format!(
                "{FILES} of {name} {} differs from the one that was activated",
                active.version
            );
            return Err(AT.error(PortErrorKind::Corrupt, detail));
        }
        let files = parse_files(&text, name, AT)?;
        // The digest in the name: a version that was built again elsewhere never meets another's files.
        let folder = cache.join(format!(
            "{name}-{}-{}",
            active.version,
            &walkaround_domain::hex(&active.files_sha256)[..12]
        ));
        folder::make(&folder, AT).await?;
        for file in files.0.iter().filter(|file| wanted(&file.name)) {
            let into = folder.join(&file.name);
            if !folder::fits(into.clone(), file.clone()).await {
                let at = self.in_version(id, &file.name, AT)?;
                self.blobs.download(&at, &file.sha256, &into).await?;
            }
        }
        Ok(folder)
    }
}

fn parse_files(text: &str, name: &str, at: PortCall) -> Result<Files, PortError> {
    Files::parse(text).ok_or_else(|| {
        let detail = format!("{FILES} of {name}: not a document of this registry");
        at.error(PortErrorKind::Corrupt, detail)
    })
}
