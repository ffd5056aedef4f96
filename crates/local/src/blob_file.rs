//! The file of a blob: read within bounds, put in place once, copied and checked; and why there is none.

use crate::bucket_folder::{away, is_marked};
use crate::error::Fault;
use crate::files;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use walkaround_ports::{BlobAddress, PortErrorKind};

/// Bytes of a blob in memory while it is hashed or copied.
const CHUNK_BYTES: usize = 256 * 1024;
/// Attempts to put a blob that `prune` removes at the same moment.
pub(crate) const PUT_ROUNDS_MAX: usize = 4;

/// Size and digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileDigest {
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
}

pub(crate) fn changed(at: &BlobAddress) -> Fault {
    Fault::corrupt(format!("{at}: the stored bytes are not those that were written"))
}

/// Why there is no file. A missing folder (moved, or on a disk that is not mounted) may come back.
pub(crate) fn gone(at: &BlobAddress, row: Option<FileDigest>, bucket: &Path) -> Fault {
    match row {
        None => Fault::Port(PortErrorKind::NotFound, format!("{at}: no such blob")),
        Some(_) if is_marked(bucket) => Fault::corrupt(format!("{at}: its file is missing")),
        Some(_) => Fault::Port(PortErrorKind::Unavailable, format!("{at}: {}", away(bucket))),
    }
}

/// Nothing has this name, or what should be a folder of it is none.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

pub(crate) fn digest_of_bytes(bytes: &[u8]) -> FileDigest {
    FileDigest {
        bytes: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
    }
}

pub(crate) fn size_if_there(path: &Path) -> Result<Option<u64>, Fault> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta.len())),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > bytes_max {
        let detail = format!("a blob of {length} bytes: at most {bytes_max}");
        return Err(Fault::Port(PortErrorKind::TooLarge, detail));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts the file there; what is there instead if something was. Either way its name is on the disk afterwards: who put
/// the other one may have died before it was.
pub(crate) fn place(root: &Path, path: &Path, bytes: &[u8]) -> Result<Option<FileDigest>, Fault> {
    let folder = path.parent().unwrap_or(root);
    let mut round = 0;
    let moved = loop {
        let temporary = files::write_temporary(&root.join(files::TMP), bytes)?;
        let made = fs::create_dir_all(folder).and_then(|()| files::move_new(&temporary, path));
        if made.is_err() {
            files::remove_if_there(&temporary)?;
        }
        round += 1;
        match made {
            // `prune` removed the empty folder in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound && round < PUT_ROUNDS_MAX => {}
            made => break made?,
        }
    };
    let there = match moved {
        true => None,
        false => Some(copy(&mut File::open(path)?, &mut io::sink())?),
    };
    files::sync_folders(folder, root)?;
    Ok(there)
}

pub(crate) fn copy(from: &mut File, to: &mut impl Write) -> io::Result<FileDigest> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
        bytes += read as u64;
    }
    Ok(FileDigest {
        bytes,
        sha256: hasher.finalize().into(),
    })
}

pub(crate) fn copy_checked(
    name: &BlobAddress,
    path: &Path,
    expect: &[u8; 32],
    into: &Path,
) -> Result<(), Fault> {
    let mut source = match File::open(path) {
        Err(error) if is_absence(&error) => return Err(gone(name, None, into)),
        other => other?,
    };
    let file_name = into.file_name().unwrap_or_default().to_string_lossy();
    let beside = into.with_file_name(format!(".{file_name}.{}", files::temporary_name()));
    let print = File::create_new(&beside).and_then(|mut to| copy(&mut source, &mut to));
    let result = match print {
        Ok(print) if print.sha256 == *expect => fs::rename(&beside, into).map_err(Fault::from),
        Ok(_) => Err(Fault::corrupt(format!("{name}: not the requested digest"))),
        Err(error) => Err(error.into()),
    };
    if result.is_err() {
        files::remove_if_there(&beside)?;
    }
    result
}
