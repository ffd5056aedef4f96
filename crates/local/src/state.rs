//! Small named documents as rows.

use crate::db::Db;
use crate::open::LocalStack;
use crate::rows::ms;
use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind, STATE_BYTES_MAX, StateStore};

/// Most documents that are over and go with one write: more than one write makes, so that they become fewer.
const REMOVED_AT_ONCE: i64 = 100;
/// By the index `states_over`.
const REMOVE_OVER: &str = "DELETE FROM states WHERE name IN \
    (SELECT name FROM states WHERE lives_until <= ?1 ORDER BY lives_until LIMIT ?2)";

/// Documents in the database.
pub(crate) struct LocalState {
    pub(crate) db: Arc<Db>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LocalStack {
    /// Small documents that programs leave for each other.
    pub fn state(&self) -> Arc<dyn StateStore> {
        Arc::new(LocalState {
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
        })
    }
}

#[async_trait]
impl StateStore for LocalState {
    async fn read(&self, name: &str) -> Result<Option<String>, PortError> {
        let (name, now) = (name.to_owned(), self.clock.now());
        let sql = "SELECT body FROM states WHERE name = ?1 AND lives_until > ?2";
        self.db
            .read(PortCall::new("state", "read"), move |db| {
                let mut statement = db.prepare_cached(sql)?;
                let row = statement.query_row(params![name, ms(now)], |row| row.get(0));
                Ok(row.optional()?)
            })
            .await
    }

    async fn write(&self, name: &str, body: &str, keep_for: Duration) -> Result<(), PortError> {
        const AT: PortCall = PortCall::new("state", "write");
        if body.len() > STATE_BYTES_MAX {
            let detail = format!("state {name}: {} bytes, at most {STATE_BYTES_MAX}", body.len());
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let (name, body) = (name.to_owned(), body.to_owned());
        let (now, lives_until) = (ms(self.clock.now()), ms(self.clock.now() + keep_for));
        let sql = "INSERT OR REPLACE INTO states (name, body, lives_until) VALUES (?1, ?2, ?3)";
        self.db
            .write(AT, move |tx| {
                // Names are written again and again, or are of an hour: what is over goes here, a few at a time.
                tx.prepare_cached(REMOVE_OVER)?
                    .execute(params![now, REMOVED_AT_ONCE])?;
                tx.prepare_cached(sql)?
                    .execute(params![name, body, lives_until])?;
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::{REMOVE_OVER, REMOVED_AT_ONCE};
    use crate::open::LocalStack;
    use crate::options::Options;
    use crate::schema::DATABASE;
    use rusqlite::{Connection, params};
    use std::sync::Arc;
    use std::time::Duration;
    use walkaround_conformance::ManualClock;

    #[tokio::test]
    async fn a_write_removes_a_bounded_number_of_what_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let stack = LocalStack::open(folder.path(), Options::default(), clock.clone()).unwrap();
        let state = stack.state();
        let db = Connection::open(folder.path().join(DATABASE)).unwrap();
        let count = || -> i64 {
            db.query_row("SELECT count(*) FROM states", [], |row| row.get(0))
                .unwrap()
        };
        for number in 0..REMOVED_AT_ONCE + 5 {
            let name = format!("session/{number}");
            state.write(&name, "x", Duration::from_secs(60)).await.unwrap();
        }
        state.write("kept", "x", Duration::from_secs(3600)).await.unwrap();
        clock.advance(Duration::from_secs(61));
        for left in [5 + 1, 1_i64] {
            state.write("kept", "y", Duration::from_secs(3600)).await.unwrap();
            assert_eq!(count(), left);
        }
        assert_eq!(state.read("kept").await.unwrap().as_deref(), Some("y"));
    }

    #[test]
    fn what_is_over_is_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let _stack = LocalStack::open(folder.path(), Options::default(), clock).unwrap();
        let db = Connection::open(folder.path().join(DATABASE)).unwrap();
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {REMOVE_OVER}")).unwrap();
        let steps = plan
            .query_map(params![0, 1], |row| row.get::<_, String>("detail"))
            .unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        let steps = steps.join("; ");
        assert!(steps.contains("INDEX states_over"), "{steps}");
        assert!(!steps.contains("SCAN states"), "{steps}");
    }
}
