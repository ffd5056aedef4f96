//! Whether the filesystem of a folder can hold a root: what a root needs of it is tried, not guessed from its name.
//!
//! A root needs locks that exclude, renames that replace nothing (and renames that do), and one machine: `SQLite` shares
//! memory between the processes of a root (<https://www.sqlite.org/wal.html>, "All processes using a database must be on
//! the same host computer"). The shared memory itself is tried by `SQLite` when it goes into WAL mode.

use crate::files::{self, move_new};
use crate::process;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// What is tried; a test puts a filesystem that lacks something in its place.
trait Filesystem {
    /// Takes the lock of a file without waiting (flock(2)); whether it was free.
    fn try_lock(&self, file: &File) -> io::Result<bool>;
    /// Takes and gives back a record lock (fcntl(2)), the kind that `SQLite` takes.
    fn record_lock(&self, file: &File) -> io::Result<()>;
    /// As [`move_new`].
    fn move_new(&self, from: &Path, to: &Path) -> io::Result<bool>;
}

struct Real;

impl Filesystem for Real {
    fn try_lock(&self, file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn record_lock(&self, file: &File) -> io::Result<()> {
        rustix::fs::fcntl_lock(file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(rustix::fs::fcntl_lock(file, FlockOperation::Unlock)?)
    }

    fn move_new(&self, from: &Path, to: &Path) -> io::Result<bool> {
        move_new(from, to)
    }
}

/// Tries in `tmp` what a root needs; what the filesystem lacks, in words, where it lacks something.
///
/// # Errors
/// When the folder cannot be written at all.
pub(crate) fn lacking(tmp: &Path) -> io::Result<Option<String>> {
    lacking_on(&Real, tmp)
}

fn lacking_on(filesystem: &dyn Filesystem, tmp: &Path) -> io::Result<Option<String>> {
    let [one, other, target] = [(); 3].map(|()| tmp.join(files::temporary_name()));
    let tried = (|| {
        fs::write(&one, "one")?;
        fs::write(&other, "other")?;
        Ok(match locks(filesystem, &one)? {
            Some(lack) => Some(lack),
            None => renames(filesystem, [&one, &other, &target])?,
        })
    })();
    for path in [one, other, target] {
        files::remove_if_there(&path)?;
    }
    tried
}

/// Two handles of one file stand for two processes: flock(2) distinguishes them as well.
fn locks(filesystem: &dyn Filesystem, path: &Path) -> io::Result<Option<String>> {
    let [first, second] = [open(path)?, open(path)?];
    let unable = |what: &str, error: io::Error| Ok(Some(format!("{what}: {error}")));
    match filesystem.try_lock(&first) {
        Ok(true) => {}
        Ok(false) => return Ok(Some("a new file is locked already".to_owned())),
        Err(error) => return unable("files cannot be locked", error),
    }
    match filesystem.try_lock(&second) {
        Ok(false) => {}
        Ok(true) => return Ok(Some("a lock does not keep others out".to_owned())),
        Err(error) => return unable("a lock that is held cannot be queried", error),
    }
    drop(first);
    match filesystem.try_lock(&second) {
        Ok(true) => {}
        Ok(false) => return Ok(Some("a lock stays after its holder is gone".to_owned())),
        Err(error) => return unable("files cannot be locked again", error),
    }
    drop(second);
    match filesystem.record_lock(&open(path)?) {
        Ok(()) => Ok(None),
        Err(error) => unable("parts of files cannot be locked", error),
    }
}

fn renames(filesystem: &dyn Filesystem, [one, other, target]: [&Path; 3]) -> io::Result<Option<String>> {
    let unable = |error: io::Error| {
        Ok(Some(format!(
            "files cannot be moved without replacing others: {error}"
        )))
    };
    match filesystem.move_new(one, target) {
        Ok(true) => {}
        Ok(false) => return Ok(Some("a file cannot be moved to a free name".to_owned())),
        Err(error) => return unable(error),
    }
    match filesystem.move_new(other, target) {
        Ok(false) => {}
        Ok(true) => return Ok(Some("a move replaces an existing file".to_owned())),
        Err(error) => return unable(error),
    }
    if fs::read(target)? != b"one" {
        return Ok(Some("a move replaces an existing file".to_owned()));
    }
    fs::write(other, "other")?;
    Ok(match fs::rename(other, target) {
        Ok(()) => None,
        Err(error) => Some(format!("a file cannot be replaced by a move: {error}")),
    })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Keeps other machines out while it is held: a shared lock on a file that names this machine.
#[derive(Debug)]
pub(crate) struct OneMachine {
    _held: File,
}

/// Enters a root for this machine; none when processes of another machine have it open. Call under the root's lock.
///
/// Where locks do not reach the other machine it is not seen: then nothing can be.
pub(crate) fn enter(root: &Path) -> io::Result<Option<OneMachine>> {
    enter_as(root, &process::boot())
}

fn enter_as(root: &Path, boot: &str) -> io::Result<Option<OneMachine>> {
    let path = root.join("machine");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // Nobody has it open: whoever had is gone.
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(boot.as_bytes())?;
        }
        Err(Errno::WOULDBLOCK) => {
            let mut theirs = String::new();
            (&mut file).take(1024).read_to_string(&mut theirs)?;
            if theirs != boot {
                return Ok(None);
            }
        }
        Err(error) => return Err(error.into()),
    }
    rustix::fs::flock(&file, FlockOperation::LockShared)?;
    Ok(Some(OneMachine { _held: file }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// The real one, with one thing missing.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Missing {
        Nothing,
        Locks,
        Exclusion,
        RecordLocks,
        Moves,
        MovesThatKeep,
    }

    struct Broken(Missing, Cell<u32>);

    impl Filesystem for Broken {
        fn try_lock(&self, file: &File) -> io::Result<bool> {
            match self.0 {
                Missing::Locks => Err(io::ErrorKind::Unsupported.into()),
                Missing::Exclusion => Ok(true),
                _ => Real.try_lock(file),
            }
        }

        fn record_lock(&self, file: &File) -> io::Result<()> {
            match self.0 {
                Missing::RecordLocks => Err(io::ErrorKind::Unsupported.into()),
                _ => Real.record_lock(file),
            }
        }

        fn move_new(&self, from: &Path, to: &Path) -> io::Result<bool> {
            self.1.set(self.1.get() + 1);
            match self.0 {
                Missing::Moves => Err(io::ErrorKind::Unsupported.into()),
                Missing::MovesThatKeep => fs::rename(from, to).map(|()| true),
                _ => Real.move_new(from, to),
            }
        }
    }

    #[test]
    fn a_filesystem_is_refused_for_what_it_cannot_do_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            (Missing::Nothing, None),
            (Missing::Locks, Some("cannot be locked")),
            (Missing::Exclusion, Some("does not keep others out")),
            (Missing::RecordLocks, Some("parts of files")),
            (Missing::Moves, Some("without replacing")),
            (Missing::MovesThatKeep, Some("replaces an existing file")),
        ];
        for (missing, said) in cases {
            let lack = lacking_on(&Broken(missing, Cell::default()), folder.path()).unwrap();
            match said {
                None => assert_eq!(lack, None),
                Some(said) => assert!(
                    lack.as_ref().is_some_and(|l| l.contains(said)),
                    "{missing:?}: {lack:?}"
                ),
            }
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                0,
                "it leaves nothing"
            );
        }
    }

    #[test]
    fn a_root_that_another_machine_has_open_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = enter_as(folder.path(), "boot-1").unwrap();
        assert!(here.is_some());
        let beside = enter_as(folder.path(), "boot-1").unwrap();
        assert!(beside.is_some(), "processes of one machine share a root");
        assert!(enter_as(folder.path(), "boot-2").unwrap().is_none());
        drop(here);
        assert!(
            enter_as(folder.path(), "boot-2").unwrap().is_none(),
            "one is left"
        );
        drop(beside);
        assert!(enter_as(folder.path(), "boot-2").unwrap().is_some());
    }
}
