//! Files: names of temporary ones, moving without replacing, and names that are on the disk.

use crate::process::ProcessId;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Folder of blobs.
pub(crate) const BLOBS: &str = "blobs";
/// Folder of files being written.
pub(crate) const TMP: &str = "tmp";
/// Folder of the logs of workers.
pub(crate) const LOGS: &str = "logs";

/// A name for a temporary file that names its process.
pub(crate) fn temporary_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", ProcessId::own())
}

/// Removes temporary files whose process is gone.
pub(crate) fn remove_orphans(tmp: &Path) -> io::Result<()> {
    for entry in fs::read_dir(tmp)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.rsplit_once('-'));
        let alive = owner
            .and_then(|(who, _)| ProcessId::parse(who))
            .is_some_and(|p| p.is_alive());
        if !alive {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file that someone else may have removed already.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes `bytes` into a new file of `tmp` and waits until they are on the disk.
pub(crate) fn write_temporary(tmp: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let path = tmp.join(temporary_name());
    let write = || {
        let mut file = File::create_new(&path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    write().inspect_err(|_| {
        // The disk may be full: do not leave the half.
        let _ = fs::remove_file(&path);
    })?;
    Ok(path)
}

/// Moves `from` to `to` unless something is there; says whether it did. `from` is gone afterwards.
pub(crate) fn move_new(from: &Path, to: &Path) -> io::Result<bool> {
    let moved = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every filesystem can; a second name for the same file cannot replace anything either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::hard_link(from, to),
        other => other.map_err(io::Error::from),
    };
    match moved {
        Ok(()) => remove_if_there(from).map(|()| true),
        Err(error) => {
            let _ = fs::remove_file(from);
            match error.kind() {
                io::ErrorKind::AlreadyExists => Ok(false),
                _ => Err(error),
            }
        }
    }
}

/// Waits until the names in `folder`, and those of the folders above it up to `root`, are on the disk: a file whose bytes
/// are there can still lose its name (fsync(2)). Folders that did not change cost nothing.
pub(crate) fn sync_folders(folder: &Path, root: &Path) -> io::Result<()> {
    for part in folder.ancestors().take_while(|p| p.starts_with(root)) {
        File::open(part)?.sync_all()?;
        #[cfg(test)]
        synced::note(part);
    }
    Ok(())
}

/// Folders that were brought to the disk, for tests: no file shows it afterwards.
#[cfg(test)]
pub(crate) mod synced {
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    static ALL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    pub(super) fn note(folder: &Path) {
        ALL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(folder.to_owned());
    }

    /// Takes those below `root` out.
    pub(crate) fn take(root: &Path) -> Vec<PathBuf> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let (below, rest) = std::mem::take(&mut *all)
            .into_iter()
            .partition(|p| p.starts_with(root));
        *all = rest;
        below
    }
}
