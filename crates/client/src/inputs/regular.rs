//! Regular files only: opening a FIFO waits for ever, opening a device can do things.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes that tell what a file is.
const HEAD_BYTES: u64 = 4096;

/// Whether there is a regular file at this path, or a link to one.
pub(crate) fn is_regular(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Opens a regular file for reading. Never waits, not even when the file was exchanged for a FIFO meanwhile.
///
/// # Errors
/// Those of the system, and one for what is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    // Asked before opening: opening a device can do things.
    if !std::fs::metadata(path)?.is_file() {
        return Err(not_regular());
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags as i32)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

/// The first bytes of a regular file.
///
/// # Errors
/// As [`open_regular`].
pub fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    open_regular(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}
