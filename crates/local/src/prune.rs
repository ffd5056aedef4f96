//! Retention: what is older than it is to be kept goes, a bounded number at a time.
//!
//! Days are counted as on AWS: a record from when it was last written (only final ones go), a blob from when it was put
//! last, a dead letter from when it was parked, an event with the records. Writers wait for one small transaction at a
//! time.

use crate::blob_path::blob_path;
use crate::bucket_folder::{BucketState, away};
use crate::error::Fault;
use crate::files;
use crate::jobs;
use crate::open::LocalStack;
use crate::rows::{count, ms};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use walkaround_domain::Timestamp;
use walkaround_ports::{BlobAddress, PortCall, PortError, PortErrorKind};

/// Things removed in one transaction.
const BATCH: u64 = 200;
/// A file with a worker's heartbeats that was not written for so long is a dead worker's: heartbeats come at least hourly.
const HEARTBEAT_FILE_KEPT: Duration = Duration::from_secs(24 * 3600);
/// As when a root is opened.
const HEARTBEAT_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// End of the names of files with a worker's heartbeats, in the folder of logs.
pub const HEARTBEAT_FILE_END: &str = ".heartbeat.json";

const AT: PortCall = PortCall::new("local", "prune");

/// How long things are kept; for ever where none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Final records, and published events.
    pub records: Option<Duration>,
    /// Blobs, by bucket.
    pub buckets: Vec<(String, Option<Duration>)>,
    /// Parked messages.
    pub dead_letters: Option<Duration>,
}

/// Bounds of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrunePass {
    /// Most things of each kind that are removed.
    pub each_max: u64,
    /// Only counts them.
    pub dry_run: bool,
}

/// What a pass removed of one kind, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// `records`, `events`, `blobs of NAME`, `dead letters of NAME`, `heartbeats`, `heartbeat files`.
    pub kind: String,
    /// For how long they are kept; for ever when none.
    pub kept: Option<Duration>,
    /// How many.
    pub items: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// The bound was reached, and there are more.
    pub more: bool,
}

/// Some old things: how many, and the bytes of their files.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    items: u64,
    bytes: u64,
}

/// Dead letters that are old: what they name is not kept for them.
#[derive(Debug, Clone)]
struct Parked {
    /// Numbers of the dead-letter queues, as a JSON list.
    queues: String,
    before: i64,
}

/// What can be old.
#[derive(Debug, Clone)]
enum Kind {
    Records,
    Events,
    Heartbeats,
    DeadLetters {
        queue: i64,
    },
    Blobs {
        bucket: String,
        folder: PathBuf,
        parked: Parked,
    },
    HeartbeatFiles {
        logs: PathBuf,
    },
}

/// Which of a kind: older than a moment (milliseconds), at most so many.
#[derive(Debug, Clone, Copy)]
struct Old {
    before: i64,
    limit: u64,
    now: i64,
}

impl LocalStack {
    /// Removes what is older than it is to be kept, kind by kind.
    ///
    /// # Errors
    /// Of the database or the filesystem; what was removed until then is.
    pub async fn prune(&self, keep: &Retention, pass: PrunePass) -> Result<Vec<Pruned>, PortError> {
        let mut all = Vec::new();
        for (label, kept, kind) in self.kinds(keep) {
            let mut pruned = Pruned {
                kind: label,
                kept,
                items: 0,
                bytes: 0,
                more: false,
            };
            if let Kind::Blobs { bucket, folder, .. } = &kind
                && kept.is_some()
                && self.local_blobs().bucket_state(bucket, AT).await? == BucketState::Away
            {
                // Without its rows nobody would find its blobs again.
                return Err(AT.error(PortErrorKind::Unavailable, away(&folder.join(bucket))));
            }
            if kept.is_some() {
                self.prune_kind(&mut pruned, &kind, pass).await?;
            }
            all.push(pruned);
        }
        Ok(all)
    }

    fn kinds(&self, keep: &Retention) -> Vec<(String, Option<Duration>, Kind)> {
        let mut kinds = vec![
            ("records".to_owned(), keep.records, Kind::Records),
            ("events".to_owned(), keep.records, Kind::Events),
        ];
        let dead: Vec<i64> = self
            .inner
            .queues
            .values()
            .filter_map(|q| Some(q.setup.dead?.number))
            .collect();
        let parked = Parked {
            queues: format!("{dead:?}"),
            before: keep
                .dead_letters
                .map_or(0, |kept| ms(self.inner.clock.now() - kept)),
        };
        for (bucket, kept) in &keep.buckets {
            let kind = Kind::Blobs {
                bucket: bucket.clone(),
                folder: self.inner.root.join(files::BLOBS),
                parked: parked.clone(),
            };
            kinds.push((format!("blobs of {bucket}"), *kept, kind));
        }
        for queue in self.inner.queues.values() {
            if let Some(dead) = queue.setup.dead {
                let label = format!("dead letters of {}", queue.setup.name);
                kinds.push((label, keep.dead_letters, Kind::DeadLetters { queue: dead.number }));
            }
        }
        kinds.push(("heartbeats".to_owned(), Some(HEARTBEAT_KEPT), Kind::Heartbeats));
        let kind = Kind::HeartbeatFiles {
            logs: self.inner.root.join(files::LOGS),
        };
        kinds.push(("heartbeat files".to_owned(), Some(HEARTBEAT_FILE_KEPT), kind));
        kinds
    }

    async fn prune_kind(&self, pruned: &mut Pruned, kind: &Kind, pass: PrunePass) -> Result<(), PortError> {
        let db = &self.inner.db;
        let now = self.inner.clock.now();
        let before = ms(now - pruned.kept.unwrap_or_default());
        let old = move |limit| Old {
            before,
            limit,
            now: ms(now),
        };
        if !pass.dry_run {
            loop {
                let some = BATCH.min(pass.each_max - pruned.items);
                let kind = kind.clone();
                let batch = db.write(AT, move |tx| kind.remove(tx, old(some))).await?;
                pruned.items += batch.items;
                pruned.bytes += batch.bytes;
                if batch.items == 0 || pruned.items >= pass.each_max {
                    break;
                }
            }
        }
        // What is left: all of it in a dry run, else whether there is any.
        let left = if pass.dry_run { pass.each_max + 1 } else { 1 };
        let kind = kind.clone();
        let rest = db.read(AT, move |db| kind.find(db, old(left))).await?;
        if pass.dry_run {
            pruned.items = rest.items.min(pass.each_max);
            pruned.bytes = rest.bytes;
            pruned.more = rest.items > pass.each_max;
        } else {
            pruned.more = rest.items > 0;
        }
        Ok(())
    }
}

impl Kind {
    /// Condition of a row that is old: `?1` is the moment, `?2` now, `?3` the queue.
    const fn rows(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Records => Some((
                "records",
                "phase IN ('done', 'failed') AND updated_at < ?1 AND ?2 AND ?3",
            )),
            Self::Events => Some(("events", "at < ?1 AND ?2 AND ?3")),
            Self::Heartbeats => Some(("heartbeats", "at < ?1 AND ?2 AND ?3")),
            Self::DeadLetters { .. } => Some((
                "messages",
                "queue = ?3 AND coalesce(parked_at, sent_at) < ?1 AND NOT (leased = 1 AND visible_at > ?2)",
            )),
            Self::Blobs { .. } | Self::HeartbeatFiles { .. } => None,
        }
    }

    const fn queue(&self) -> i64 {
        match self {
            Self::DeadLetters { queue } => *queue,
            // Any number that is true.
            _ => 1,
        }
    }

    fn find(&self, db: &Connection, old: Old) -> Result<Batch, Fault> {
        match self {
            Self::Blobs { bucket, parked, .. } => {
                let all = old_blobs(db, bucket, parked, old)?;
                Ok(sum(all.iter().map(|(_, bytes)| *bytes)))
            }
            Self::HeartbeatFiles { logs } => {
                let files = heartbeat_files(db, logs, old)?;
                Ok(sum(files.iter().map(|(_, bytes)| *bytes)))
            }
            _ => {
                let Some((table, condition)) = self.rows() else {
                    return Ok(Batch::default());
                };
                let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} LIMIT ?4)");
                let values = params![old.before, old.now, self.queue(), limit(old)];
                let items = db.prepare_cached(&sql)?.query_row(values, |row| count(row, 0))?;
                Ok(Batch { items, bytes: 0 })
            }
        }
    }

    fn remove(&self, tx: &Transaction<'_>, old: Old) -> Result<Batch, Fault> {
        match self {
            Self::Blobs {
                bucket,
                folder,
                parked,
            } => {
                let all = old_blobs(tx, bucket, parked, old)?;
                for (key, _) in &all {
                    remove_blob(tx, folder, bucket, key)?;
                }
                Ok(sum(all.iter().map(|(_, bytes)| *bytes)))
            }
            Self::HeartbeatFiles { logs } => {
                let files = heartbeat_files(tx, logs, old)?;
                for (path, _) in &files {
                    files::remove_if_there(path)?;
                }
                Ok(sum(files.iter().map(|(_, bytes)| *bytes)))
            }
            _ => {
                let Some((table, condition)) = self.rows() else {
                    return Ok(Batch::default());
                };
                let key = match self {
                    Self::Heartbeats => "worker",
                    _ => "rowid",
                };
                let sql = format!(
                    "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT ?4)"
                );
                let values = params![old.before, old.now, self.queue(), limit(old)];
                let items = tx.prepare_cached(&sql)?.execute(values)?;
                Ok(Batch {
                    items: items as u64,
                    bytes: 0,
                })
            }
        }
    }
}

fn limit(old: Old) -> i64 {
    i64::try_from(old.limit).unwrap_or(i64::MAX)
}

fn sum(bytes: impl Iterator<Item = u64>) -> Batch {
    bytes.fold(Batch::default(), |all, bytes| Batch {
        items: all.items + 1,
        bytes: all.bytes + bytes,
    })
}

/// Keys and sizes. A blob that a message in a queue may still name is not old, whenever it was put: nothing is older
/// than the oldest message.
fn old_blobs(db: &Connection, bucket: &str, parked: &Parked, old: Old) -> Result<Vec<(String, u64)>, Fault> {
    let sql = "SELECT sent_at FROM messages WHERE NOT (coalesce(parked_at, sent_at) < ?1
                 AND queue IN (SELECT value FROM json_each(?2))) ORDER BY sent_at LIMIT 1";
    let oldest: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![parked.before, parked.queues], |row| row.get(0))
        .optional()?;
    let before = old.before.min(oldest.unwrap_or(i64::MAX));
    let sql = "SELECT key, bytes FROM blobs WHERE bucket = ?1 AND put_at < ?2 ORDER BY put_at LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![bucket, before, limit(old)], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, count(row, 1)?))
    })?;
    rows.map(|row| {
        let (key, bytes) = row?;
        let key = String::from_utf8(key).map_err(|_| Fault::corrupt("a key is not UTF-8"))?;
        Ok((key, bytes))
    })
    .collect()
}

/// The file and its row, and folders that are empty then. Inside the transaction: who puts the same blob meanwhile waits,
/// and puts it again.
fn remove_blob(tx: &Transaction<'_>, blobs: &Path, bucket: &str, key: &str) -> Result<(), Fault> {
    let at = BlobAddress {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    };
    let path = blobs.join(blob_path(&at)?);
    files::remove_if_there(&path)?;
    let top = blobs.join(bucket);
    for folder in path
        .ancestors()
        .skip(1)
        .take_while(|f| *f != top && f.starts_with(&top))
    {
        // One that is not empty ends it.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    let sql = "DELETE FROM blobs WHERE bucket = ?1 AND key = ?2";
    tx.prepare_cached(sql)?.execute(params![bucket, key.as_bytes()])?;
    Ok(())
}

/// Files with heartbeats of workers that do not run, and their sizes.
fn heartbeat_files(db: &Connection, logs: &Path, old: Old) -> Result<Vec<(PathBuf, u64)>, Fault> {
    let live: Vec<String> = jobs::live(db)?.iter().map(|job| jobs::name(job.number)).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(worker) = name.to_str().and_then(|n| n.strip_suffix(HEARTBEAT_FILE_END)) else {
            continue;
        };
        let meta = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let since = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        if meta.is_file() && ms(written) < old.before && !live.iter().any(|job| job == worker) {
            found.push((entry.path(), meta.len()));
        }
        if found.len() as u64 >= old.limit {
            break;
        }
    }
    Ok(found)
}
