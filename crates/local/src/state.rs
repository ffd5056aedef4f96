//! Small named documents as rows.

use crate::db::Db;
use crate::open::LocalStack;
use crate::rows::ms;
use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind, STATE_BYTES_MAX, StateStore};

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
                tx.prepare_cached("DELETE FROM states WHERE lives_until <= ?1")?
                    .execute([now])?;
                tx.prepare_cached(sql)?
                    .execute(params![name, body, lives_until])?;
                Ok(())
            })
            .await
    }
}
