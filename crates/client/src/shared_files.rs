//! Files that several runs of the program may want at once, and lines of files that may come from anywhere.

use anyhow::{Context, bail};
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, Read};
use std::path::Path;

/// Takes the lock of an open file or folder, until it is closed. `what` is the kind of run that writes there.
///
/// # Errors
/// One line: another run has it.
pub(crate) fn lock(file: &File, path: &Path, what: &str) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => bail!("another {what} writes to {}", path.display()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// The next line with its end, if it has one; none behind the last one.
///
/// # Errors
/// It cannot be read, or is longer than so many bytes.
pub(crate) fn next_line(reader: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(bytes_max as u64 + 1).read_until(b'\n', &mut line)?;
    if line.len() > bytes_max {
        return Err(io::Error::other(format!("more than {bytes_max} bytes")));
    }
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_its_end_and_never_a_long_one() {
        let mut text = &b"ab\n\nc"[..];
        let mut next = || next_line(&mut text, 3).unwrap();
        assert_eq!(next().as_deref(), Some(&b"ab\n"[..]));
        assert_eq!(next().as_deref(), Some(&b"\n"[..]));
        assert_eq!(next().as_deref(), Some(&b"c"[..]));
        assert_eq!(next(), None);
        let error = next_line(&mut &b"abc\n"[..], 3).unwrap_err();
        assert_eq!(error.to_string(), "more than 3 bytes");
    }

    #[test]
    fn a_folder_is_locked_for_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let first = File::open(folder.path()).unwrap();
        lock(&first, folder.path(), "export").unwrap();
        let second = File::open(folder.path()).unwrap();
        let error = lock(&second, folder.path(), "export").unwrap_err().to_string();
        assert!(error.starts_with("another export writes to"), "{error}");
        drop(first);
        lock(&second, folder.path(), "export").unwrap();
    }
}
