//! Photos from local files below allowed roots.
//!
//! A path is judged three times: as text (below a root, no `..`), resolved (no symlink leads out), and while it is
//! opened. Opening walks down from the root one name at a time without following links, so that a link put in
//! place after the judgement is not followed either.

use crate::settings::FetchSettingsError;
use crate::words::one_line;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use walkaround_ports::FetchError;

/// The folders that files may be read from.
pub(crate) struct Files {
    roots: Arc<[Root]>,
}

struct Root {
    /// As configured, made absolute: what paths in messages start with.
    given: PathBuf,
    /// Without symlinks: what resolved paths start with.
    resolved: PathBuf,
}

impl Files {
    pub(crate) fn new(roots: &[PathBuf]) -> Result<Self, FetchSettingsError> {
        let roots = roots
            .iter()
            .map(|given| Root::new(given).map_err(|problem| FetchSettingsError::new("file_roots", problem)))
            .collect::<Result<_, _>>()?;
        Ok(Self { roots })
    }

    /// The whole file. Reads on a thread that may block.
    pub(crate) async fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        let roots = Arc::clone(&self.roots);
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || read_below(&roots, &path, bytes_max))
            .await
            .unwrap_or_else(|_| Err(FetchError::Unreachable("reading the file was interrupted".into())))
    }
}

impl Root {
    fn new(given: &Path) -> Result<Self, String> {
        let shown = || one_line(&given.display().to_string());
        let resolved = fs::canonicalize(given).map_err(|error| format!("'{}': {error}", shown()))?;
        if !resolved.is_dir() {
            return Err(format!("'{}' is not a folder", shown()));
        }
        let given = std::path::absolute(given).map_err(|error| format!("'{}': {error}", shown()))?;
        Ok(Self { given, resolved })
    }
}

fn read_below(roots: &[Root], path: &str, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    let shown = one_line(path);
    let forbidden = |why: &str| FetchError::Forbidden(format!("{shown}: {why}"));
    let wanted = below_a_root(roots, Path::new(path)).map_err(forbidden)?;

    let resolved = fs::canonicalize(&wanted).map_err(|error| match io_fault(&shown, &error) {
        FetchError::NotFound(detail) => absent(roots, &wanted, detail),
        fault => fault,
    })?;
    let (root, inside) = roots
        .iter()
        .find_map(|root| Some((root, resolved.strip_prefix(&root.resolved).ok()?)))
        .ok_or_else(|| forbidden("a symlink leads out of the allowed folders"))?;

    // Asked before opening: opening a device can do things, opening a FIFO can wait for ever.
    let meta = fs::symlink_metadata(&resolved).map_err(|error| io_fault(&shown, &error))?;
    if !meta.is_file() {
        return Err(forbidden("not a regular file"));
    }
    let file = open_inside(&root.resolved, inside).map_err(|error| io_fault(&shown, &error))?;
    let meta = file.metadata().map_err(|error| io_fault(&shown, &error))?;
    if !meta.is_file() {
        return Err(forbidden("not a regular file"));
    }
    read_at_most(&file, meta.len(), bytes_max)
        .map_err(|error| io_fault(&shown, &error))?
        .ok_or_else(|| FetchError::TooLarge(format!("{shown}: more than {bytes_max} bytes")))
}

/// What a missing file means: nothing about the photo where a folder above it, from its root on, is not there or empty. A
/// file system that is not mounted leaves an empty folder behind, or none.
fn absent(roots: &[Root], wanted: &Path, detail: String) -> FetchError {
    let root = roots
        .iter()
        .flat_map(|root| [&root.given, &root.resolved])
        .find(|root| wanted.starts_with(root));
    let is_away = |folder: &&Path| match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        // A file in a folder's place is not a missing folder.
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    };
    let above = wanted
        .ancestors()
        .skip(1)
        .take_while(|folder| root.is_some_and(|root| folder.starts_with(root)));
    match above.filter(is_away).last() {
        Some(folder) => {
            let folder = one_line(&folder.display().to_string());
            FetchError::Unreachable(format!(
                "{detail}; the folder {folder} is empty or gone: is it mounted?"
            ))
        }
        None => FetchError::NotFound(detail),
    }
}

/// The absolute path, judged as text only: nothing outside the roots is even opened, so that no answer shows
/// what is there.
fn below_a_root(roots: &[Root], path: &Path) -> Result<PathBuf, &'static str> {
    let Some(first) = roots.first() else {
        return Err("no folder is allowed for photos: WALKAROUND_PHOTO_ROOTS is empty");
    };
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("'..' is not allowed in paths");
    }
    let absolute = first.given.join(path);
    let is_below = |root: &Root| absolute.starts_with(&root.given) || absolute.starts_with(&root.resolved);
    if !roots.iter().any(is_below) {
        return Err("outside the folders that photos may come from");
    }
    Ok(absolute)
}

/// Opens a file by names below a folder; no name may be a symlink.
fn open_inside(folder: &Path, inside: &Path) -> io::Result<File> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let last = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(CWD, folder, step, Mode::empty())?;
    let mut names = inside.components().peekable();
    while let Some(name) = names.next() {
        let flags = if names.peek().is_some() { step } else { last };
        at = openat(&at, name.as_os_str(), flags, Mode::empty())?;
    }
    Ok(File::from(at))
}

/// All bytes, or nothing when there are more than allowed; the size is not trusted, a file may grow.
fn read_at_most(file: &File, len: u64, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    if len > bytes_max {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

fn io_fault(shown: &str, error: &io::Error) -> FetchError {
    if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
        return FetchError::Forbidden(format!("{shown}: a symlink that cannot be followed"));
    }
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            FetchError::NotFound(format!("{shown}: there is no such file"))
        }
        // Too long a name, or a NUL character in the path.
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            FetchError::Malformed(format!("{shown}: not a possible file name"))
        }
        // Somebody gives the right yet, as somebody mounts a missing disk.
        ErrorKind::PermissionDenied => {
            FetchError::Unreachable(format!("{shown}: this process may not read it"))
        }
        _ => FetchError::Unreachable(format!("{shown}: {error}")),
    }
}
