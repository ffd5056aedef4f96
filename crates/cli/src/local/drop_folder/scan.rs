//! What lies in the drop folder, and since when nothing of each file has changed.
//!
//! Time is this process's own: a file's times say that it changed, not when, as clocks of mounts and cameras differ.

use super::{ACCEPTED, REFUSED};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::{info, warn};
use walkaround_client::inputs::is_picture_name;

/// Deepest folder below the drop folder.
const DEPTH_MAX: usize = 32;
/// Most photos that are looked at at once; the others when these are taken.
const PHOTOS_MAX: usize = 100_000;

/// Everything that tells one state of a file from another.
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
    /// Number of the look that saw it last.
    look: u64,
}

/// All looks so far.
#[derive(Debug, Default)]
pub(super) struct Scan {
    seen: BTreeMap<PathBuf, Seen>,
    looks: u64,
    /// Files that are no photos by their names, at the last look.
    left_out: u64,
}

impl Scan {
    /// Looks at everything below the folder, whatever lies beside the photos. What cannot be read is said, and the rest
    /// is looked at.
    pub(super) fn look(&mut self, folder: &Path, now: Duration) {
        self.looks += 1;
        let left_out = std::mem::take(&mut self.left_out);
        self.walk(folder, DEPTH_MAX, now);
        let look = self.looks;
        self.seen.retain(|_, seen| seen.look == look);
        if self.left_out != left_out {
            info!(
                files = self.left_out,
                "files in the drop folder that are no photos by their names"
            );
        }
    }

    fn walk(&mut self, folder: &Path, depth: usize, now: Duration) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                warn!(folder = %folder.display(), %error, "a folder cannot be read");
                return;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let our_own = depth == DEPTH_MAX && (name == ACCEPTED || name == REFUSED);
            if our_own || name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            // Of the entry itself: links are not followed, and only plain files are opened. One that is gone is gone.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() && depth > 0 {
                self.walk(&path, depth - 1, now);
            } else if meta.is_file() && is_picture_name(&path) {
                self.saw(&path, FileState::of(&meta), now);
            } else {
                self.left_out += 1;
            }
        }
    }

    fn saw(&mut self, path: &Path, state: FileState, now: Duration) {
        let look = self.looks;
        if let Some(seen) = self.seen.get_mut(path).filter(|seen| seen.state == state) {
            seen.look = look;
        } else if self.seen.len() < PHOTOS_MAX || self.seen.contains_key(path) {
            let seen = Seen {
                state,
                since: now,
                not_before: Duration::ZERO,
                look,
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
