//! Which process runs a root: one `up` at a time, and how it gets on.
//!
//! Two of them on one root would each end the other's workers. The lock is one of the kernel's on an open file: it goes
//! with its process, however that ends, so that a killed `up` never blocks the next one. Beside it `up` writes how it gets
//! on, for other processes: that it is there says nothing yet.

use crate::error::OpenError;
use crate::files;
use crate::open::LocalStack;
use crate::process::ProcessId;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use walkaround_domain::Timestamp;

const LOCK: &str = "up.lock";
const REPORT: &str = "up.json";
/// Whoever asks who runs holds the lock for a moment: it is tried this often before it counts as taken.
const TRIES: u32 = 20;
const TRY_EVERY: Duration = Duration::from_millis(25);

/// How an `up` gets on, by its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpReport {
    /// When it was written.
    pub at: Timestamp,
    /// When triage settled a photo last, or found its queue empty with nothing in flight.
    pub progressed_at: Timestamp,
    /// Without progress for this long it is not healthy.
    pub stalled_after: Duration,
    /// Photos in flight in triage.
    pub in_flight: u64,
    /// Why nothing is taken from the drop folder; none while it is watched, or where there is none.
    pub drop_folder: Option<String>,
    /// Photo hosts that have stopped answering, as far as triage knows.
    pub unresponsive_hosts: Vec<String>,
}

/// A running `up`, seen by another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningUp {
    /// Its process id; unknown for a moment at its start.
    pub process: Option<i32>,
    /// Somebody has stopped it, and it does nothing until it is continued.
    pub is_stopped: bool,
    /// What it reported last; none before its triage is ready.
    pub report: Option<UpReport>,
}

/// The right to run a root, until the process ends.
#[derive(Debug)]
pub struct UpLock {
    root: PathBuf,
    /// Locked for as long as it is open.
    _file: File,
}

impl LocalStack {
    /// Takes the right to run this root.
    ///
    /// # Errors
    /// [`OpenError::UpRuns`] with the process that has it; [`OpenError::NotWritable`].
    pub fn lock_up(&self) -> Result<UpLock, OpenError> {
        let root = self.inner.root.clone();
        let failed = |source| OpenError::NotWritable {
            root: root.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(root.join(LOCK))
            .map_err(failed)?;
        if !lock(&file).map_err(failed)? {
            return Err(OpenError::UpRuns {
                root: root.clone(),
                process: holder(&mut file).map(|process| process.pid),
            });
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(ProcessId::own().to_string().as_bytes()));
        written.map_err(failed)?;
        Ok(UpLock { root, _file: file })
    }

    /// The `up` that runs this root; none when none does.
    ///
    /// # Errors
    /// When the lock or the report cannot be read.
    pub fn running_up(&self) -> io::Result<Option<RunningUp>> {
        let root = &self.inner.root;
        let mut file = match File::open(root.join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            // Closing it gives it back.
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let process = holder(&mut file);
        let report =
            read_report(root)?.filter(|(by, _)| process.as_ref().is_none_or(|p| p.to_string() == *by));
        Ok(Some(RunningUp {
            is_stopped: process.as_ref().is_some_and(ProcessId::is_stopped),
            process: process.map(|process| process.pid),
            report: report.map(|(_, report)| report),
        }))
    }
}

impl UpLock {
    /// Writes down how this `up` gets on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn report(&self, report: &UpReport) -> io::Result<()> {
        let document = json!({
            "process": ProcessId::own().to_string(),
            "at_ms": report.at.0,
            "progressed_at_ms": report.progressed_at.0,
            "stalled_after_ms": u64::try_from(report.stalled_after.as_millis()).unwrap_or(u64::MAX),
            "in_flight": report.in_flight,
            "drop_folder": report.drop_folder,
            "unresponsive_hosts": report.unresponsive_hosts,
        });
        // Beside and renamed, so that nobody reads half of it.
        let new = self.root.join(files::TMP).join(files::temporary_name());
        fs::write(&new, document.to_string())?;
        fs::rename(&new, self.root.join(REPORT))
    }
}

/// Whether the lock was had.
fn lock(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => thread::sleep(TRY_EVERY),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// The process that wrote itself into the lock, if it still runs.
fn holder(file: &mut File) -> Option<ProcessId> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    ProcessId::parse(&text).filter(ProcessId::is_alive)
}

fn texts(document: &Value, name: &str) -> Vec<String> {
    let texts = document.get(name).and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The report with the process that wrote it.
fn read_report(root: &Path) -> io::Result<Option<(String, UpReport)>> {
    let text = match fs::read_to_string(root.join(REPORT)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = |name: &str| document.get(name).and_then(Value::as_u64);
    let read = || {
        let report = UpReport {
            at: Timestamp(number("at_ms")?),
            progressed_at: Timestamp(number("progressed_at_ms")?),
            stalled_after: Duration::from_millis(number("stalled_after_ms")?),
            in_flight: number("in_flight")?,
            drop_folder: document
                .get("drop_folder")
                .and_then(Value::as_str)
                .map(str::to_owned),
            unresponsive_hosts: texts(&document, "unresponsive_hosts"),
        };
        Some((document.get("process")?.as_str()?.to_owned(), report))
    };
    Ok(read())
}
