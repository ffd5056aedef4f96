//! The folder of a data set: photos under the digest of the file that was inspected, and which of them are there.
//!
//! A journal has a line for each photo as soon as its file is in place, so that a run that was cut is gone on with. Once the
//! manifest is written it says the same, and the journal goes.

use super::outputs;
use crate::shared_files::{lock, next_line};
use crate::whole_file::{remove_parts, write_whole};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use walkaround_domain::hex;
use walkaround_formats::ManifestEntry;
use walkaround_formats::manifest::{Copied, LINE_BYTES_MAX, MANIFEST_FILE};
use walkaround_vision::decode::Format;
use walkaround_vision::strip::Stripped;

/// Folder of the photos.
pub(super) const IMAGES: &str = "images";
/// What is there, until the manifest says so.
const JOURNAL: &str = ".photos.jsonl";
/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 16;
/// Most lines of a manifest or a journal that are read: a photo may have a line for each of its inspections.
const LINES_MAX: usize = 1_000_000;
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
    /// What it lost, where it had to be encoded again.
    pub(super) encoded_because: Option<String>,
    /// Size in pixels.
    pub(super) width: u32,
    /// Size in pixels.
    pub(super) height: u32,
}

/// The photos of a folder.
pub(super) struct Copies {
    root: PathBuf,
    inner: Mutex<Inner>,
    /// Open as long as this run writes to the folder: its lock keeps other exports out.
    _folder: File,
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
    /// One line: it holds something else, another export writes to it, or it cannot be written to.
    pub(super) fn open(root: &Path) -> anyhow::Result<(Self, Vec<ManifestEntry>)> {
        let context = || format!("cannot write to {}", root.display());
        fs::create_dir_all(root).with_context(context)?;
        let folder = File::open(root).with_context(context)?;
        lock(&folder, root, "export")?;
        let manifest = root.join(MANIFEST_FILE);
        let journal = root.join(JOURNAL);
        let ours = manifest.is_file() || journal.is_file();
        if !ours {
            let others = root.read_dir().with_context(context)?.flatten();
            let other = others.map(|entry| entry.file_name()).find(|name| name != IMAGES);
            let photos = root
                .join(IMAGES)
                .read_dir()
                .is_ok_and(|mut photos| photos.next().is_some());
            ensure!(
                other.is_none() && !photos,
                "{} is not empty, and holds no data set: name another folder",
                root.display()
            );
        }
        fs::create_dir_all(root.join(IMAGES)).with_context(context)?;
        for folder in outputs::FOLDERS.into_iter().chain([IMAGES]) {
            remove_parts(&root.join(folder))?;
        }
        let before = read_manifest(&manifest)?;
        let mut there: BTreeMap<String, PhotoFile> = BTreeMap::new();
        for entry in &before {
            there.extend(of_entry(entry).map(|copy| (entry.photo_sha256.clone(), copy)));
        }
        for (_, line) in lines(&journal)? {
            // The last line of a run that was killed may be half of one.
            there.extend(serde_json::from_str(&line).ok().and_then(|line| of_line(&line)));
        }
        let journal = OpenOptions::new().append(true).create(true).open(&journal);
        let mut journal = journal.with_context(context)?;
        // Ends the half line of a run that was killed.
        journal.write_all(b"\n").with_context(context)?;
        let inner = Inner { there, journal };
        let copies = Self {
            root: root.to_path_buf(),
            inner: Mutex::new(inner),
            _folder: folder,
        };
        Ok((copies, before))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // What it guards is whole whenever it is unlocked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a photo, if it is there and as it was written.
    ///
    /// # Errors
    /// One line: it cannot be read.
    pub(super) async fn get(&self, photo: &str) -> anyhow::Result<Option<PhotoFile>> {
        let Some(copy) = self.inner().there.get(photo).cloned() else {
            return Ok(None);
        };
        let path = self.root.join(&copy.file);
        let expected = copy.file_sha256.clone();
        let same = tokio::task::spawn_blocking(move || is_file_of(&path, &expected)).await??;
        Ok(same.then_some(copy))
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
            copied: if stripped.is_lossless() {
                Copied::Lossless
            } else {
                Copied::Encoded
            },
            encoded_because: stripped.lost.map(|lost| lost.as_str().to_owned()),
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
    let parse = |(at, line): (u64, String)| {
        let entry = ManifestEntry::parse(&line);
        entry.map_err(|why| anyhow::anyhow!("{}: line {at}: {why}", path.display()))
    };
    lines(path)?.into_iter().map(parse).collect()
}

/// The lines of a file that say something, with their numbers; none where there is no such file.
fn lines(path: &Path) -> anyhow::Result<Vec<(u64, String)>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut lines = Vec::new();
    for at in 1.. {
        let context = || format!("{}: line {at}", path.display());
        let Some(line) = next_line(&mut reader, LINE_BYTES_MAX).with_context(context)? else {
            break;
        };
        let line = String::from_utf8(line).map_err(|_| anyhow::anyhow!("{}: not UTF-8 text", context()))?;
        if !line.trim().is_empty() {
            lines.push((at, line));
        }
        ensure!(
            lines.len() <= LINES_MAX,
            "{}: more than {LINES_MAX} lines",
            path.display()
        );
    }
    Ok(lines)
}

/// Whether a file is there and has these bytes.
fn is_file_of(path: &Path, sha256: &str) -> anyhow::Result<bool> {
    let context = || format!("cannot read {}", path.display());
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file.with_context(context)?,
    };
    let mut digest = Sha256::new();
    let mut part = vec![0; READ_BYTES];
    loop {
        match file.read(&mut part).with_context(context)? {
            0 => break,
            n => digest.update(&part[..n]),
        }
    }
    Ok(hex(&digest.finalize()) == sha256)
}

fn of_entry(entry: &ManifestEntry) -> Option<PhotoFile> {
    Some(PhotoFile {
        file: entry.file.clone()?,
        file_sha256: entry.file_sha256.clone()?,
        copied: entry.copied?,
        encoded_because: entry.encoded_because.clone(),
        width: entry.width?,
        height: entry.height?,
    })
}

fn to_line(photo: &str, copy: &PhotoFile) -> Value {
    json!({
        "photo_sha256": photo,
        "file": copy.file,
        "file_sha256": copy.file_sha256,
        "encoded_because": copy.encoded_because,
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
        copied: match line.get("encoded_because")? {
            Value::Null => Copied::Lossless,
            _ => Copied::Encoded,
        },
        encoded_because: text("encoded_because"),
        width: side("width")?,
        height: side("height")?,
    };
    Some((text("photo_sha256")?, copy))
}
