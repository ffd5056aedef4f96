//! The database: its schema, its version, and how a connection is set up.

use crate::error::OpenError;
use crate::open::{Durability, Options};
use crate::queue::ms;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::time::Duration;
use walkaround_domain::Timestamp;

/// Version of the schema below, kept in `user_version`.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// Statements kept prepared per connection; more than the adapters have.
const STATEMENTS_CACHED: usize = 128;

/// Times are milliseconds since 1970. `visible_at` is when a message may be received (again): in the future
/// it is leased (`leased`) or delayed. `lease_no` grows with every delivery and makes receipts unique.
const SCHEMA: &str = "
CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    lease_no INTEGER NOT NULL DEFAULT 0,
    receive_count INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER NOT NULL DEFAULT 0,
    parked_from TEXT,
    parked_reason TEXT,
    parked_at INTEGER,
    attributes TEXT NOT NULL,
    body TEXT NOT NULL
);
-- Covers `depth` too, so that it never reads bodies.
CREATE INDEX messages_visible ON messages (queue, visible_at, leased, sent_at);

CREATE TABLE records (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    phase TEXT NOT NULL,
    verdict TEXT,
    day TEXT NOT NULL,
    vehicle_id TEXT,
    reservation_id TEXT,
    body TEXT NOT NULL
);
CREATE INDEX records_day ON records (day DESC, id);
CREATE INDEX records_verdict ON records (verdict, day DESC, id) WHERE verdict IS NOT NULL;
CREATE INDEX records_vehicle ON records (vehicle_id, day DESC, id) WHERE vehicle_id IS NOT NULL;
CREATE INDEX records_reservation ON records (reservation_id, day DESC, id) WHERE reservation_id IS NOT NULL;
CREATE INDEX records_finished ON records (finished_at) WHERE finished_at IS NOT NULL;

-- How many records stand in each phase; kept by the writers, so that `status` never counts millions of rows.
CREATE TABLE tallies (
    phase TEXT NOT NULL,
    verdict TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (phase, verdict)
) WITHOUT ROWID;

CREATE TABLE heartbeats (worker TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX heartbeats_at ON heartbeats (at);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    body TEXT NOT NULL
);

-- Keys are stored as bytes: their order is the order of a listing.
CREATE TABLE blobs (
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

-- A process is kept as pid, start and boot together: pids are used again. No process yet: starting.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    process TEXT,
    kill_at INTEGER,
    ended_at INTEGER,
    exit INTEGER,
    reason TEXT
);
CREATE INDEX jobs_live ON jobs (id) WHERE ended_at IS NULL;
";

/// Opens a connection with the pragmas of every connection.
pub(crate) fn connect(database: &Path, options: &Options) -> Result<Connection, OpenError> {
    let unusable = |source: rusqlite::Error| OpenError::Database {
        database: database.to_owned(),
        detail: source.to_string(),
        source: Some(source),
    };
    let connection = Connection::open(database).map_err(unusable)?;
    connection.busy_timeout(options.busy_timeout).map_err(unusable)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(unusable)?;
    if mode != "wal" {
        return Err(OpenError::Database {
            database: database.to_owned(),
            detail: format!("write-ahead logging is not possible here (journal mode stays {mode})"),
            source: None,
        });
    }
    // In WAL mode a commit is in the page cache when it returns: NORMAL survives the death of any process.
    // Only FULL waits for the disk at every commit, and survives the loss of power.
    let synchronous = match options.durability {
        Durability::ProcessDeath => "NORMAL",
        Durability::PowerLoss => "FULL",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY;"
        ))
        .map_err(unusable)?;
    Ok(connection)
}

/// Creates the schema in a new database, and refuses a newer one.
pub(crate) fn prepare(connection: &mut Connection, root: &Path, options: &Options) -> Result<(), OpenError> {
    let database = root.join(DATABASE);
    let unusable = |source: rusqlite::Error| OpenError::Database {
        database: database.clone(),
        detail: source.to_string(),
        source: Some(source),
    };
    let change = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(unusable)?;
    let found: i64 = change
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(unusable)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema {
            root: root.to_owned(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    if found == 0 {
        change
            .execute_batch(&format!("{SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};"))
            .map_err(unusable)?;
    }
    for queue in &options.queues {
        change
            .execute("INSERT OR IGNORE INTO queues (name) VALUES (?1)", [&queue.name])
            .map_err(unusable)?;
    }
    change.commit().map_err(unusable)
}

/// Heartbeats of workers that have not been heard of for so long are dropped when a root is opened.
const HEARTBEATS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Drops heartbeats that nobody asks for any more: every worker has a name of its own.
pub(crate) fn forget_old_heartbeats(
    connection: &Connection,
    database: &Path,
    now: Timestamp,
) -> Result<(), OpenError> {
    let sql = "DELETE FROM heartbeats WHERE at < ?1";
    let dropped = connection.execute(sql, [ms(now - HEARTBEATS_KEPT)]);
    dropped.map(drop).map_err(|source| OpenError::Database {
        database: database.to_owned(),
        detail: source.to_string(),
        source: Some(source),
    })
}

/// Name of the database file.
pub(crate) const DATABASE: &str = "walkaround.db";
