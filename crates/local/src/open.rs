//! Opening a root, and what it then offers.

use crate::db::Db;
use crate::error::OpenError;
use crate::files;
use crate::filesystem::{self, OneMachine};
use crate::options::{INTAKE, INTAKE_DEAD, Options, QueueOptions, SEGMENTATION, SEGMENTATION_DEAD};
use crate::queue::{DeadQueue, LocalQueue, QueueSetup};
use crate::schema::{self, DATABASE};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind, Queue, QueuePair, StackPorts};

/// An open root. Clones share its two database threads.
#[derive(Clone)]
pub struct LocalStack {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) db: Arc<Db>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) queues: BTreeMap<String, Arc<LocalQueue>>,
    /// Held as long as the root is open.
    _machine: OneMachine,
}

impl LocalStack {
    /// Opens `root`, creating it where it is new, and removes what dead processes left half written.
    ///
    /// # Errors
    /// [`OpenError`]: not writable, an unfit filesystem, another machine's, a newer schema, no usable database,
    /// contradicting options.
    pub fn open(root: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        options.check()?;
        let (lock, machine) = make_folders(root)?;
        let database = root.join(DATABASE);
        let mut writer = schema::connect(&database, &options)?;
        schema::prepare(&mut writer, root, &options)?;
        schema::forget_old_heartbeats(&writer, &database, clock.now())?;
        let reader = schema::connect(&database, &options)?;
        let numbers = queue_numbers(&writer, &database)?;
        files::remove_orphans(&root.join(files::TMP)).map_err(|source| not_writable(root, source))?;
        drop(lock);
        let db = Arc::new(Db::start(writer, reader)?);
        let queues = make_queues(&options, &numbers, &db, &clock);
        let inner = Inner {
            root: root.to_owned(),
            db,
            clock,
            options,
            queues,
            _machine: machine,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// A configured queue.
    ///
    /// # Errors
    /// `Invalid` when no queue of this name is configured.
    pub fn queue(&self, name: &str) -> Result<Arc<dyn Queue>, PortError> {
        Ok(self.local_queue(name, "open")?.clone())
    }

    pub(crate) fn local_queue(
        &self,
        name: &str,
        operation: &'static str,
    ) -> Result<&Arc<LocalQueue>, PortError> {
        self.inner.queues.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.inner.queues.keys().map(String::as_str).collect();
            let detail = format!("no queue `{name}`; there are {}", known.join(", "));
            PortCall::new("queue", operation).error(PortErrorKind::Invalid, detail)
        })
    }

    /// All ports of the root, where it has the four queues of [`Options::default`].
    ///
    /// # Errors
    /// `Invalid` when one of them is not configured.
    pub fn ports(&self) -> Result<StackPorts, PortError> {
        let pair = |name, dead| {
            Ok::<_, PortError>(QueuePair {
                name,
                queue: self.queue(name)?,
                dead: self.queue(dead)?,
            })
        };
        Ok(StackPorts {
            intake: pair(INTAKE, INTAKE_DEAD)?,
            segmentation: pair(SEGMENTATION, SEGMENTATION_DEAD)?,
            records: self.records(),
            reviews: self.reviews(),
            state: self.state(),
            blobs: self.blobs(),
            publisher: self.publisher(),
        })
    }
}

fn not_writable(root: &Path, source: io::Error) -> OpenError {
    OpenError::NotWritable {
        root: root.to_owned(),
        source,
    }
}

/// Creates the folders, and takes the lock under which a database is created. What the filesystem can do is tried before
/// the lock, which may be one of the things that it cannot.
fn make_folders(root: &Path) -> Result<(File, OneMachine), OpenError> {
    let failed = |source| not_writable(root, source);
    fs::create_dir_all(root).map_err(failed)?;
    for folder in [files::BLOBS, files::TMP, files::LOGS] {
        fs::create_dir_all(root.join(folder)).map_err(failed)?;
    }
    if let Some(lack) = filesystem::lacking(&root.join(files::TMP)).map_err(failed)? {
        return Err(OpenError::UnfitFilesystem {
            root: root.to_owned(),
            lack,
        });
    }
    let lock = File::create(root.join("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let machine = filesystem::enter(root)
        .map_err(failed)?
        .ok_or_else(|| OpenError::OtherMachine {
            root: root.to_owned(),
        })?;
    // The names of what was just made: a root is not lost with the power.
    files::sync_folders(&root.join(files::BLOBS), root).map_err(failed)?;
    Ok((lock, machine))
}

fn queue_numbers(
    connection: &rusqlite::Connection,
    database: &Path,
) -> Result<BTreeMap<String, i64>, OpenError> {
    let read = || {
        let mut statement = connection.prepare("SELECT name, id FROM queues")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()
    };
    read().map_err(|source| OpenError::Database {
        database: database.to_owned(),
        detail: source.to_string(),
        source: Some(source),
    })
}

fn make_queues(
    options: &Options,
    numbers: &BTreeMap<String, i64>,
    db: &Arc<Db>,
    clock: &Arc<dyn Clock>,
) -> BTreeMap<String, Arc<LocalQueue>> {
    // `prepare` gave every configured queue a number.
    let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
    let make = |queue: &QueueOptions| LocalQueue {
        setup: QueueSetup {
            name: queue.name.clone(),
            number: number(&queue.name),
            dead: queue.dead_letter.as_ref().map(|d| DeadQueue {
                number: number(&d.queue),
                receives_max: d.receives_max,
            }),
        },
        db: db.clone(),
        clock: clock.clone(),
        poll_interval: options.poll_interval,
        arrived: Notify::new(),
        looked_for_hidden: Mutex::default(),
    };
    let with_name = |queue: &QueueOptions| (queue.name.clone(), Arc::new(make(queue)));
    options.queues.iter().map(with_name).collect()
}
