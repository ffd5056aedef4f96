//! The folder of a data set: photos under the digest of the file that was inspected, and which of them are there.
//!
//! A journal has a line for each photo as soon as its file is in place, so that a run that was cut is gone on with. Once the
//! manifest is written it says the same, and the journal goes.

use crate::whole_file::write_whole;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use walkaround_domain::hex;
use walkaround_formats::ManifestEntry;
use walkaround_formats::manifest::{Copied, MANIFEST_FILE};
use walkaround_vision::decode::Format;
use walkaround_vision::strip::Stripped;

/// Folder of the photos.
pub(super) const IMAGES: &str = "images";
/// What is there, until the manifest says so.
const JOURNAL: &str = ".photos.jsonl";
/// Between reading the stack and writing the formats.
pub(super) const SPOOL: &str = ".annotations.jsonl";

/// The file of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PhotoFile {
    /// Relative to the folder.
    pub(super) file: String,
    /// SHA-256 of it, hexadecimal.
    pub(super) file_sha256: String,
    /// How it came to be.
    pub(super) copied: Copied,
    /// Size in pixels.
    pub(super) width: u32,
    /// Size in pixels.
    pub(super) height: u32,
}

/// The photos of a folder.
pub(super) struct Copies {
    root: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    /// By digest of the photo, hexadecimal.
    there: BTreeMap<String, PhotoFile>,
    journal: File,
}

impl Copies {
    /// Opens a folder, which is made if it is new; with the lines of the manifest that is there.
    ///
    /// # Errors
    /// One line: it holds something else, or cannot be written to.
    pub(super) fn open(root: &Path) -> anyhow::Result<(Self, Vec<ManifestEntry>)> {
        let context = || format!("cannot write to {}", root.display());
        fs::create_dir_all(root.join(IMAGES)).with_context(context)?;
        let manifest = root.join(MANIFEST_FILE);
        let journal = root.join(JOURNAL);
        let ours = manifest.is_file() || journal.is_file();
        if !ours {
            let others = root.read_dir().with_context(context)?.flatten();
            let other = others.map(|entry| entry.file_name()).find(|name| name != IMAGES);
            let photos = root.join(IMAGES).read_dir().with_context(context)?.count();
            ensure!(
                other.is_none() && photos == 0,
                "{} is not empty, and holds no data set: name another folder",
                root.display()
            );
        }
        let before = read_manifest(&manifest)?;
        let mut there: BTreeMap<String, PhotoFile> = BTreeMap::new();
        for entry in &before {
            there.extend(of_entry(entry).map(|copy| (entry.photo_sha256.clone(), copy)));
        }
        for line in lines(&journal)? {
            // The last line of a run that was killed may be half of one.
            there.extend(serde_json::from_str(&line).ok().and_then(|line| of_line(&line)));
        }
        there.retain(|_, copy| root.join(&copy.file).is_file());
        let journal = OpenOptions::new().append(true).create(true).open(&journal);
        let mut journal = journal.with_context(context)?;
        // Ends the half line of a run that was killed.
        journal.write_all(b"\n").with_context(context)?;
        let inner = Inner { there, journal };
        let copies = Self {
            root: root.to_path_buf(),
            inner: Mutex::new(inner),
        };
        Ok((copies, before))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // What it guards is whole whenever it is unlocked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a photo, if it is there.
    pub(super) fn get(&self, photo: &str) -> Option<PhotoFile> {
        self.inner().there.get(photo).cloned()
    }

    /// Puts the file of a photo in its place.
    ///
    /// # Errors
    /// One line: it cannot be written.
    pub(super) fn put(&self, photo: &str, stripped: &Stripped) -> anyhow::Result<PhotoFile> {
        let extension = match stripped.format {
            Format::Png => "png",
            _ => "jpg",
        };
        let copy = PhotoFile {
            file: format!("{IMAGES}/{photo}.{extension}"),
            file_sha256: hex(&Sha256::digest(&stripped.bytes)),
            copied: if stripped.lossless {
                Copied::Lossless
            } else {
                Copied::Encoded
            },
            width: stripped.size.width,
            height: stripped.size.height,
        };
        write_whole(&self.root.join(&copy.file), &stripped.bytes)?;
        let mut inner = self.inner();
        let line = format!("{}\n", to_line(photo, &copy));
        let written = inner.journal.write_all(line.as_bytes());
        written.with_context(|| format!("cannot write {}", self.root.join(JOURNAL).display()))?;
        inner.there.insert(photo.to_owned(), copy.clone());
        Ok(copy)
    }

    /// Removes photos that are in no entry, and what only a run in progress needs; how many photos that were.
    ///
    /// # Errors
    /// One line: something cannot be removed.
    pub(super) fn finish(&self, entries: &[ManifestEntry]) -> anyhow::Result<u64> {
        let kept: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.file.as_deref()).collect();
        let mut removed = 0;
        let folder = self.root.join(IMAGES);
        let context = || format!("cannot tidy {}", folder.display());
        for entry in folder.read_dir().with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            let name = name.to_string_lossy();
            let file = format!("{IMAGES}/{name}");
            if walkaround_formats::photo_digest(&name).is_some() && !kept.contains(file.as_str()) {
                fs::remove_file(self.root.join(file)).with_context(context)?;
                removed += 1;
            }
        }
        for name in [JOURNAL, SPOOL] {
            let path = self.root.join(name);
            if path.exists() {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(removed)
    }
}

/// The lines of a manifest; none where there is no such file.
///
/// # Errors
/// One line: which line cannot be read, and why.
pub(super) fn read_manifest(path: &Path) -> anyhow::Result<Vec<ManifestEntry>> {
    let parse = |(at, line): (usize, String)| {
        let entry = ManifestEntry::parse(&line);
        entry.map_err(|why| anyhow::anyhow!("{}: line {at}: {why}", path.display()))
    };
    (1..).zip(lines(path)?).map(parse).collect()
}

fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let context = || format!("cannot read {}", path.display());
    let lines = BufReader::new(File::open(path).with_context(context)?).lines();
    lines.collect::<std::io::Result<_>>().with_context(context)
}

fn of_entry(entry: &ManifestEntry) -> Option<PhotoFile> {
    Some(PhotoFile {
        file: entry.file.clone()?,
        file_sha256: entry.file_sha256.clone()?,
        copied: entry.copied?,
        width: entry.width?,
        height: entry.height?,
    })
}

fn to_line(photo: &str, copy: &PhotoFile) -> Value {
    json!({
        "photo_sha256": photo,
        "file": copy.file,
        "file_sha256": copy.file_sha256,
        "lossless": copy.copied == Copied::Lossless,
        "width": copy.width,
        "height": copy.height,
    })
}

fn of_line(line: &Value) -> Option<(String, PhotoFile)> {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    let side = |name: &str| line[name].as_u64().and_then(|side| u32::try_from(side).ok());
    let copy = PhotoFile {
        file: text("file")?,
        file_sha256: text("file_sha256")?,
        copied: if line["lossless"].as_bool()? {
            Copied::Lossless
        } else {
            Copied::Encoded
        },
        width: side("width")?,
        height: side("height")?,
    };
    Some((text("photo_sha256")?, copy))
}
