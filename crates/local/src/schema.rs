//! The database: its schema, its version, and how a connection is set up.

use crate::error::OpenError;
use crate::migrations::STEPS;
use crate::options::{Durability, Options};
use crate::rows::ms;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::time::Duration;
use walkaround_domain::Timestamp;

/// Statements kept prepared per connection; more than the adapters have.
const STATEMENTS_CACHED: usize = 128;

/// The newest version of the schema, kept in `user_version`.
pub(crate) fn newest_version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

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
    // In WAL mode a commit is in the page cache when it returns: NORMAL survives the death of any process, and
    // after a loss of power the database is that of an earlier moment. Only FULL waits for the disk at every commit,
    // and loses none (https://www.sqlite.org/pragma.html#pragma_synchronous).
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

/// Creates the schema in a new database, brings an older one to the newest version, and refuses a newer one.
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
    let known = newest_version();
    if found > known {
        return Err(OpenError::NewerSchema {
            root: root.to_owned(),
            found,
            known,
        });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        change.execute_batch(step).map_err(unusable)?;
    }
    if found < known {
        change
            .pragma_update(None, "user_version", known)
            .map_err(unusable)?;
    }
    for queue in &options.queues {
        change
            .execute("INSERT OR IGNORE INTO queues (name) VALUES (?1)", [&queue.name])
            .map_err(unusable)?;
    }
    change.commit().map_err(unusable)
}

/// Heartbeats of workers that have not reported for so long are dropped when a root is opened.
const HEARTBEATS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Drops old heartbeats: every worker has a name of its own, so they are never overwritten.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_of_the_first_version_is_brought_to_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default();
        let mut db = connect(&folder.path().join(DATABASE), &options).unwrap();
        db.execute_batch(STEPS[0]).unwrap();
        db.execute_batch(
            "PRAGMA user_version = 1;
             INSERT INTO queues (name) VALUES ('intake');
             INSERT INTO messages (queue, visible_at, sent_at, attributes, body) VALUES (1, 5, 5, '{}', 'a'), (1, 5, 5, '{}', 'b');
             INSERT INTO records (id, version, updated_at, finished_at, phase, day, body) VALUES
                 ('a', 1, 5000, 5000, 'failed', '1970-01-01', ''), ('b', 1, 5500, NULL, 'accepted', '1970-01-01', '');
             INSERT INTO counts VALUES ('failed', '', 1), ('accepted', '', 1);
             INSERT INTO blobs VALUES ('photos', x'61', x'00', 1, 'image/jpeg');",
        )
        .unwrap();
        prepare(&mut db, folder.path(), &options).unwrap();
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("PRAGMA user_version"), newest_version());
        assert_eq!(number("SELECT messages FROM queues WHERE name = 'intake'"), 2);
        assert_eq!(
            number("SELECT records FROM finishes WHERE second = 5 AND phase = 'failed'"),
            1
        );
        // Kept as long as one that is put now.
        assert!(number("SELECT put_at FROM blobs") > 1_700_000_000_000);
        // A failed one is opened again: both counts follow.
        db.execute(
            "UPDATE records SET phase = 'accepted', finished_at = NULL WHERE id = 'a'",
            [],
        )
        .unwrap();
        assert_eq!(number("SELECT records FROM counts WHERE phase = 'accepted'"), 2);
        assert_eq!(number("SELECT records FROM counts WHERE phase = 'failed'"), 0);
        assert_eq!(number("SELECT records FROM finishes"), 0);
        // Once more changes nothing.
        prepare(&mut db, folder.path(), &options).unwrap();
    }
}
