//! Files that are there whole or not at all: written beside under another name, then renamed.
//!
//! A full disk or a kill leaves the file of that name as it was. What was written so far goes again, unless the process
//! was killed: then a hidden file `.NAME.PID.part` stays, until [`remove_parts`].

use anyhow::Context;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file on its way: nothing of that name is touched before [`Self::commit`].
pub struct WholeFile {
    path: PathBuf,
    beside: PathBuf,
    /// None once it is in its place.
    writer: Option<BufWriter<File>>,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// One line: something else is there, or the folder cannot be written to.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        // Through links, to what they name: the rename below would put the file in the place of the link.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        anyhow::ensure!(
            !path.exists() || path.is_file(),
            "cannot write {}: it is there already, and no regular file",
            path.display()
        );
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(name);
        let file = File::create(&beside).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            beside,
            writer: Some(BufWriter::new(file)),
        })
    }

    /// Appends to it.
    ///
    /// # Errors
    /// One line: it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let path = &self.path;
        let writer = self.writer.as_mut().context("the file is in its place already")?;
        writer
            .write_all(bytes)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts it in its place, over what stands there.
    ///
    /// # Errors
    /// One line: it cannot be written or renamed.
    pub fn commit(mut self) -> anyhow::Result<()> {
        let context = || format!("cannot write {}", self.path.display());
        if let Some(writer) = &mut self.writer {
            writer.flush().with_context(context)?;
        }
        std::fs::rename(&self.beside, &self.path).with_context(context)?;
        self.writer = None;
        Ok(())
    }
}

/// Removes what killed runs left on its way in a folder: nobody else may write there meanwhile.
///
/// # Errors
/// One line: the folder cannot be read, or a file not be removed.
pub(crate) fn remove_parts(folder: &Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let context = || format!("cannot tidy {}", folder.display());
    for entry in folder.read_dir().with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        let name = name.to_string_lossy();
        let part = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
        let process = part.and_then(|part| part.rsplit_once('.'));
        if process.is_some_and(|(_, id)| id.parse::<u32>().is_ok()) {
            std::fs::remove_file(folder.join(&*name)).with_context(context)?;
        }
    }
    Ok(())
}

/// For what writes to any output.
impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::write(self, bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            // There is nobody to report it to, and the file does no harm.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

/// Writes a file at once.
///
/// # Errors
/// One line, as of [`WholeFile`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_the_one_before_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_whole(&path, b"first").unwrap();
        let mut half = WholeFile::create(&path).unwrap();
        half.write(&[b'x'; 100_000]).unwrap();
        drop(half);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        write_whole(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["report.json"]);
    }

    #[test]
    fn a_full_disk_leaves_no_half_file() {
        // A device that is always full; a folder on it cannot be made without root, so the name beside is a link.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.overlay.jpg");
        let beside = format!(".photo.overlay.jpg.{}.part", std::process::id());
        std::os::unix::fs::symlink("/dev/full", folder.path().join(beside)).unwrap();
        let error = write_whole(&path, &[7; 100_000]).unwrap_err();
        assert!(format!("{error:#}").contains("cannot write"), "{error:#}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
