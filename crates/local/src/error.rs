//! Errors of opening a root, and how SQLite's and the filesystem's errors become port errors.

use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Why a root cannot be opened. Each is one line that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be created or written.
    #[error("cannot write to {}: {source}", root.display())]
    NotWritable {
        /// The root.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is on a filesystem where processes cannot share a database and files safely.
    #[error("{}: its filesystem cannot be used ({lack}); choose a folder on a local disk", root.display())]
    UnfitFilesystem {
        /// The root.
        root: PathBuf,
        /// What it was tried for and cannot do.
        lack: String,
    },
    /// Processes of another machine have the root open.
    #[error("{} is open on another machine: all processes of a root must run on one", root.display())]
    OtherMachine {
        /// The root.
        root: PathBuf,
    },
    /// A newer Walkaround wrote the folder.
    #[error(
        "{} was written by a newer version (schema {found}, this one knows {known}): use that version",
        root.display()
    )]
    NewerSchema {
        /// The root.
        root: PathBuf,
        /// Version of the stored schema.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// `walkaround.db` is there and is no such database, or cannot be used.
    #[error("cannot use {}: {detail}", database.display())]
    Database {
        /// The file.
        database: PathBuf,
        /// What is wrong.
        detail: String,
        /// What SQLite said, where it said something.
        #[source]
        source: Option<rusqlite::Error>,
    },
    /// Another process runs the root.
    #[error(
        "`walkaround up` runs on {} already ({}): stop it first, or choose another folder with --root",
        root.display(),
        process.map_or_else(|| "in another process".to_owned(), |process| format!("process {process}"))
    )]
    UpRuns {
        /// The root.
        root: PathBuf,
        /// The process that runs it, where it can be seen.
        process: Option<i32>,
    },
    /// The options contradict themselves.
    #[error("{0}")]
    Options(String),
}

/// A failure inside the adapter, before it is known which operation it belongs to.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Io(io::Error),
    Port(PortErrorKind, String),
}

impl Fault {
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Port(PortErrorKind::Invalid, detail.into())
    }

    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::Port(PortErrorKind::Corrupt, detail.into())
    }

    /// The port error of operation `at`.
    pub(crate) fn at(self, at: PortCall) -> PortError {
        match self {
            Self::Port(kind, detail) => at.error(kind, detail),
            Self::Sql(error) => at.error(sql_kind(&error), error.to_string()).caused_by(error),
            Self::Io(error) => at.error(io_kind(&error), error.to_string()).caused_by(error),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn sql_kind(error: &rusqlite::Error) -> PortErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => PortErrorKind::Corrupt,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => PortErrorKind::Denied,
        Some(ErrorCode::TooBig) => PortErrorKind::Invalid,
        // Busy, locked, full, I/O: an operator or a moment can fix them.
        Some(_) => PortErrorKind::Unavailable,
        // A column that does not read back as what was written.
        None => PortErrorKind::Corrupt,
    }
}

fn io_kind(error: &io::Error) -> PortErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => PortErrorKind::NotFound,
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => PortErrorKind::Invalid,
        // A right that is missing on this machine is a moment's trouble of the store, too: somebody gives it.
        _ => PortErrorKind::Unavailable,
    }
}
