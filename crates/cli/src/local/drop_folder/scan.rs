//! What lies in the drop folder, and since when nothing of each file has changed.
//!
//! Names hint and content decides, as for `inspect` and `submit`. What is left out is counted and named once in the log.
//! Links are not followed: photos are moved when they are taken, and what a link leads to is somebody else's.
//!
//! Time is this process's own: a file's times say that it changed, not when, as clocks of mounts and cameras differ.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::info;
use walkaround_client::inputs::{LeftOut, Why, is_picture_name, read_head};
use walkaround_domain::photo_name::{is_other_name, is_system_name};
use walkaround_vision::decode::is_picture;

/// Where taken photos go.
pub(super) const ACCEPTED: &str = "accepted";
/// Where photos go that no stack takes.
pub(super) const REFUSED: &str = "refused";
/// Deepest folder below the drop folder.
const DEPTH_MAX: usize = 32;
/// Largest number of photos that are watched at once; the others follow when these are taken. As many others are
/// remembered.
const PHOTOS_MAX: usize = 100_000;

/// Everything that distinguishes one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    pub(super) bytes: u64,
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            bytes: meta.len(),
            file: (meta.dev(), meta.ino()),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    pub(super) fn of_path(path: &Path) -> std::io::Result<Self> {
        Ok(Self::of(&fs::symlink_metadata(path)?))
    }
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    state: FileState,
    /// When it was first seen so.
    since: Duration,
    /// It is left alone until then.
    not_before: Duration,
    /// Number of the scan that saw it last.
    scan: u64,
}

/// A file whose name says nothing, and what its first bytes were.
#[derive(Debug, Clone, Copy)]
struct Stranger {
    state: FileState,
    is_picture: bool,
    scan: u64,
}

/// State over all scans so far.
#[derive(Debug, Default)]
pub(super) struct Scan {
    seen: BTreeMap<PathBuf, Seen>,
    strangers: BTreeMap<PathBuf, Stranger>,
    scans: u64,
    /// The drop folder, and the time, at this scan.
    top: PathBuf,
    now: Duration,
    /// At the last scan, since when it is so, and those of its lines that are in the log.
    left_out: LeftOut,
    left_out_since: Duration,
    said: Vec<String>,
}

impl Scan {
    /// Scans everything below the folder, whatever lies beside the photos. What cannot be read is left out, and the
    /// rest is scanned.
    pub(super) fn scan(&mut self, folder: &Path, now: Duration) {
        self.scans += 1;
        let before = std::mem::take(&mut self.left_out);
        (self.top, self.now) = (folder.to_path_buf(), now);
        self.walk(folder, DEPTH_MAX);
        let scan = self.scans;
        self.seen.retain(|_, seen| seen.scan == scan);
        self.strangers.retain(|_, stranger| stranger.scan == scan);
        if self.left_out != before {
            self.left_out_since = now;
        }
    }

    /// Lines about what is left out that were not said before, once nothing of it has changed for that long.
    pub(super) fn say_left_out(&mut self, now: Duration, settle: Duration) -> Vec<String> {
        if now.saturating_sub(self.left_out_since) < settle {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.said, self.left_out.lines().collect());
        let new = self.said.iter().filter(|line| !before.contains(line));
        let new: Vec<String> = new.cloned().collect();
        for line in &new {
            info!(left_out = line, "files left out of the drop folder");
        }
        new
    }

    /// The lines that stand in the log.
    #[cfg(test)]
    pub(super) fn said(&self) -> &[String] {
        &self.said
    }

    fn walk(&mut self, folder: &Path, depth: usize) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let Ok(mut entries) = entries else {
            return self.leave_out(Why::Unreadable, folder);
        };
        // The names that are logged are the same at each scan.
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if depth == DEPTH_MAX && (name == ACCEPTED || name == REFUSED) {
                continue;
            }
            let (path, name) = (entry.path(), name.to_string_lossy());
            // Of the entry itself: only plain files are opened. One that is gone is gone.
            let Ok(meta) = entry.metadata() else { continue };
            if is_system_name(&name) {
                self.leave_out(Why::System, &path);
            } else if name.starts_with('.') {
                self.leave_out(Why::Hidden, &path);
            } else if meta.is_symlink() {
                self.leave_out(Why::Link, &path);
            } else if meta.is_dir() && depth > 0 {
                self.walk(&path, depth - 1);
            } else if meta.is_dir() {
                self.leave_out(Why::TooDeep, &path);
            } else if !meta.is_file() {
                self.leave_out(Why::Special, &path);
            } else {
                self.file(&path, &meta);
            }
        }
    }

    fn leave_out(&mut self, why: Why, path: &Path) {
        let below = path.strip_prefix(&self.top).unwrap_or(path);
        self.left_out.add(why, below.display());
    }

    fn file(&mut self, path: &Path, meta: &Metadata) {
        let state = FileState::of(meta);
        // Mounts make an empty file first.
        if meta.len() == 0 {
            return self.leave_out(Why::Empty, path);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_photo = is_picture_name(path) || !is_other_name(&name) && self.is_picture(path, state);
        if is_photo {
            self.saw(path, state);
        } else {
            self.leave_out(Why::NoPicture, path);
        }
    }

    /// By the first bytes of a file, which are read once for each state of it.
    fn is_picture(&mut self, path: &Path, state: FileState) -> bool {
        let scan = self.scans;
        if let Some(known) = self.strangers.get_mut(path).filter(|known| known.state == state) {
            known.scan = scan;
            return known.is_picture;
        }
        if self.strangers.len() == PHOTOS_MAX && !self.strangers.contains_key(path) {
            return false;
        }
        let is_picture = read_head(path).is_ok_and(|head| is_picture(&head));
        let stranger = Stranger {
            state,
            is_picture,
            scan,
        };
        self.strangers.insert(path.to_path_buf(), stranger);
        is_picture
    }

    fn saw(&mut self, path: &Path, state: FileState) {
        let (scan, now) = (self.scans, self.now);
        if let Some(seen) = self.seen.get_mut(path).filter(|seen| seen.state == state) {
            seen.scan = scan;
        } else if self.seen.len() < PHOTOS_MAX || self.seen.contains_key(path) {
            let seen = Seen {
                state,
                since: now,
                not_before: Duration::ZERO,
                scan,
            };
            self.seen.insert(path.to_path_buf(), seen);
        }
    }

    /// Photos of which nothing has changed for that long.
    pub(super) fn settled(&self, now: Duration, settle: Duration) -> Vec<PathBuf> {
        let ready = |seen: &Seen| now.saturating_sub(seen.since) >= settle && seen.not_before <= now;
        let ready = self.seen.iter().filter(|(_, seen)| ready(seen));
        ready.map(|(path, _)| path.clone()).collect()
    }

    /// How long nothing of a file has changed, as far as it is known.
    pub(super) fn unchanged_for(&self, path: &Path, now: Duration) -> Duration {
        self.seen
            .get(path)
            .map_or(Duration::ZERO, |seen| now.saturating_sub(seen.since))
    }

    /// Leaves a file alone until then, unless it changes.
    pub(super) fn leave(&mut self, path: &Path, until: Duration) {
        if let Some(seen) = self.seen.get_mut(path) {
            seen.not_before = until;
        }
    }
}
