//! Opening a root, and what it then offers.

use crate::blobs::LocalBlobs;
use crate::db::Db;
use crate::error::OpenError;
use crate::events::EventLog;
use crate::files;
use crate::filesystem::{self, OneMachine};
use crate::queue::{LocalQueue, QueueSetup};
use crate::records::LocalRecords;
use crate::schema::{self, DATABASE};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_domain::DELIVERIES_MAX;
use walkaround_ports::{
    Blobs, Clock, PortError, PortErrorKind, Publisher, Queue, QueuePair, Records, StackPorts,
};

/// Queue of photos to be looked at first.
pub const INTAKE: &str = "intake";
/// Where intake parks what it cannot finish.
pub const INTAKE_DEAD: &str = "intake-dead";
/// Queue of photos for the segmentation.
pub const SEGMENTATION: &str = "segmentation";
/// Where the workers park what they cannot finish.
pub const SEGMENTATION_DEAD: &str = "segmentation-dead";

/// What a committed write survives.
///
/// Either way the root is consistent after anything: the database loses at most its last commits, together,
/// and a blob that a record names was on the disk before that record was written, its bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of every process, also by SIGKILL. After a loss of power the last moments may be missing, as
    /// if they had not happened: requests accepted then have to be submitted again.
    #[default]
    ProcessDeath,
    /// A loss of power too, at the price of waiting for the disk at every commit (5 to 10 ms on a plain SSD).
    PowerLoss,
}

/// Where a message goes that was delivered too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Name of the dead-letter queue, one of the configured queues.
    pub queue: String,
    /// A message that was delivered this often and not acknowledged goes there.
    pub receives_max: u32,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// Its name.
    pub name: String,
    /// Its dead-letter queue, if any.
    pub dead_letter: Option<DeadLetter>,
}

/// What `open` can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The queues, dead-letter queues included.
    pub queues: Vec<QueueOptions>,
    /// What a committed write survives.
    pub durability: Durability,
    /// How long a write waits for another process before it is `Unavailable`.
    pub busy_timeout: Duration,
    /// How often a waiting `receive` looks for what other processes sent.
    pub poll_interval: Duration,
    /// Published events that are kept; older ones are dropped.
    pub events_kept_max: u64,
}

impl Default for Options {
    /// Intake and segmentation with their dead-letter queues after [`DELIVERIES_MAX`] deliveries.
    fn default() -> Self {
        let plain = |name: &str| QueueOptions {
            name: name.to_owned(),
            dead_letter: None,
        };
        let parking = |name: &str, dead: &str| QueueOptions {
            name: name.to_owned(),
            dead_letter: Some(DeadLetter {
                queue: dead.to_owned(),
                receives_max: DELIVERIES_MAX,
            }),
        };
        Self {
            queues: vec![
                parking(INTAKE, INTAKE_DEAD),
                plain(INTAKE_DEAD),
                parking(SEGMENTATION, SEGMENTATION_DEAD),
                plain(SEGMENTATION_DEAD),
            ],
            durability: Durability::default(),
            busy_timeout: Duration::from_secs(10),
            poll_interval: Duration::from_millis(50),
            events_kept_max: 1_000_000,
        }
    }
}

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
        check(&options)?;
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
        let queues = make_queues(&options, &numbers, &(db.clone(), clock.clone()));
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
            PortError::new(("queue", operation), PortErrorKind::Invalid, detail)
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
            state: self.state(),
            blobs: self.blobs(),
            publisher: self.publisher(),
        })
    }

    /// The records and heartbeats.
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::new(LocalRecords {
            db: self.inner.db.clone(),
        })
    }

    /// The blobs.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(LocalBlobs {
            root: self.inner.root.clone(),
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
        })
    }

    /// The log of events.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(EventLog {
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
            kept_max: self.inner.options.events_kept_max,
        })
    }
}

fn check(options: &Options) -> Result<(), OpenError> {
    for queue in &options.queues {
        let Some(dead) = &queue.dead_letter else { continue };
        let known = options.queues.iter().any(|q| q.name == dead.queue);
        if !known || dead.queue == queue.name || dead.receives_max == 0 {
            let text = format!(
                "queue `{}`: its dead-letter queue `{}` has to be another configured queue, after 1 or more deliveries",
                queue.name, dead.queue
            );
            return Err(OpenError::Options(text));
        }
    }
    Ok(())
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
    (db, clock): &(Arc<Db>, Arc<dyn Clock>),
) -> BTreeMap<String, Arc<LocalQueue>> {
    // `prepare` gave every configured queue a number.
    let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
    let make = |queue: &QueueOptions| LocalQueue {
        setup: QueueSetup {
            name: queue.name.clone(),
            number: number(&queue.name),
            dead: queue
                .dead_letter
                .as_ref()
                .map(|d| (number(&d.queue), d.receives_max)),
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
