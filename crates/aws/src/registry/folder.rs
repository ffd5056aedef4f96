//! Folders of bundles on this machine: what a push takes from one, and whether a fetched file is whole.
//!
//! Files of gigabytes are read where nothing else waits for it: a worker goes on beating while its next bundle is checked.

use super::documents::{FILES_MAX, FileEntry, check_file};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Largest file of a bundle (the limit of ONNX itself).
pub const FILE_BYTES_MAX: u64 = 2 << 30;

/// The files of a folder, by name. Other folders and hidden files are left out.
///
/// # Errors
/// `Invalid`: a link, a name, too many or too large files, an unreadable folder.
pub(super) async fn files_of(folder: &Path, at: PortCall) -> Result<Vec<String>, PortError> {
    let invalid = |detail: String| at.error(PortErrorKind::Invalid, detail);
    let mut names = Vec::new();
    let unread = |e: std::io::Error| unreadable(folder, &e, at);
    let mut entries = tokio::fs::read_dir(folder).await.map_err(unread)?;
    while let Some(entry) = entries.next_entry().await.map_err(unread)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Not of what a link leads to.
        let meta = entry.metadata().await;
        let meta = meta.map_err(|e| unreadable(&entry.path(), &e, at))?;
        if name.starts_with('.') || meta.is_dir() {
            continue;
        }
        check_file(&name, at)?;
        if !meta.is_file() {
            let detail =
                format!("{name}: a link, or not a regular file; put the file itself into the folder");
            return Err(invalid(detail));
        }
        if meta.len() > FILE_BYTES_MAX {
            let detail = format!("{name}: {} bytes: at most {FILE_BYTES_MAX}", meta.len());
            return Err(invalid(detail));
        }
        names.push(name);
    }
    names.sort();
    if names.is_empty() || names.len() > FILES_MAX {
        let detail = format!("{}: {} files: 1 to {FILES_MAX}", folder.display(), names.len());
        return Err(invalid(detail));
    }
    Ok(names)
}

/// The bytes of a file, at most [`FILE_BYTES_MAX`] as [`files_of`] saw it.
pub(super) async fn read(path: &Path, at: PortCall) -> Result<Vec<u8>, PortError> {
    tokio::fs::read(path).await.map_err(|e| unreadable(path, &e, at))
}

/// Whether a file is there whole.
pub(super) async fn fits(path: PathBuf, file: FileEntry) -> bool {
    let look = move || {
        let length = std::fs::metadata(&path).map(|m| m.len());
        length.is_ok_and(|length| length == file.bytes)
            && std::fs::read(&path).is_ok_and(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)) == file.sha256)
    };
    // A file that could not be checked is downloaded again.
    tokio::task::spawn_blocking(look).await.unwrap_or(false)
}

/// Makes a folder with those above it.
pub(super) async fn make(folder: &Path, at: PortCall) -> Result<(), PortError> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|e| unreadable(folder, &e, at))
}

fn unreadable(path: &Path, error: &std::io::Error, at: PortCall) -> PortError {
    at.error(PortErrorKind::Invalid, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: PortCall = PortCall::new("registry", "push");

    #[tokio::test]
    async fn a_link_is_refused_by_name_and_folders_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("gate.onnx"), "x").expect("written");
        std::fs::write(folder.path().join(".notes"), "x").expect("written");
        std::fs::create_dir(folder.path().join("old")).expect("made");
        let names = files_of(folder.path(), AT).await;
        assert_eq!(names.expect("files"), ["gate.onnx"]);
        // Where it leads to makes no difference.
        std::os::unix::fs::symlink("gate.onnx", folder.path().join("parts.onnx")).expect("linked");
        let error = files_of(folder.path(), AT).await.expect_err("a link");
        assert!(
            error.kind == PortErrorKind::Invalid && error.detail.contains("parts.onnx: a link"),
            "{error}"
        );
    }
}
