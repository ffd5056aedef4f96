//! Published events as a log that consumers read by number.

use crate::db::Db;
use crate::open::LocalStack;
use crate::rows::{ms, read_attributes, timestamp, write_attributes};
use async_trait::async_trait;
use rusqlite::params;
use std::sync::Arc;
use walkaround_domain::Timestamp;
use walkaround_ports::{Clock, OutEvent, PortCall, PortError, Publisher};

/// Events published between two removals of old ones.
const PRUNE_EVERY: i64 = 1000;

/// The log as a publisher.
pub(crate) struct EventLog {
    pub(crate) db: Arc<Db>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) kept_max: u64,
}

/// An event of the log. An event that was published twice is here twice, with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its place in the log: grows, never used again.
    pub seq: u64,
    /// When it was published.
    pub at: Timestamp,
    /// The event.
    pub event: OutEvent,
}

#[async_trait]
impl Publisher for EventLog {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        let (event, now) = (event.clone(), self.clock.now());
        let kept_max = i64::try_from(self.kept_max).unwrap_or(i64::MAX);
        self.db
            .write(PortCall::new("publisher", "publish"), move |tx| {
                let attributes = write_attributes(&event.attributes)?;
                let sql = "INSERT INTO events (id, at, attributes, body) VALUES (?1, ?2, ?3, ?4)";
                tx.prepare_cached(sql)?
                    .execute(params![event.id, ms(now), attributes, event.body])?;
                let seq = tx.last_insert_rowid();
                if seq % PRUNE_EVERY == 0 {
                    tx.execute("DELETE FROM events WHERE seq <= ?1", [seq - kept_max])?;
                }
                Ok(())
            })
            .await
    }
}

impl LocalStack {
    /// The log of events.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(EventLog {
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
            kept_max: self.inner.options.events_kept_max,
        })
    }

    /// At most `max` events with a number above `seq`, in order. A consumer keeps the last number it has dealt
    /// with, and starts at 0.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn events_since(&self, seq: u64, max: usize) -> Result<Vec<PublishedEvent>, PortError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let sql = "SELECT seq, at, id, attributes, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let work = move |db: &rusqlite::Connection| {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([seq, limit])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let attributes: String = row.get(3)?;
                events.push(PublishedEvent {
                    seq: crate::rows::count(row, 0)?,
                    at: timestamp(row.get(1)?),
                    event: OutEvent {
                        id: row.get(2)?,
                        body: row.get(4)?,
                        attributes: read_attributes(&attributes)?,
                    },
                });
            }
            Ok(events)
        };
        self.inner
            .db
            .read(PortCall::new("publisher", "events"), work)
            .await
    }

    /// The number of the last published event; 0 when there was none yet. Removing old events does not change it.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn last_event(&self) -> Result<u64, PortError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM events";
        let work = move |db: &rusqlite::Connection| {
            Ok(db
                .prepare_cached(sql)?
                .query_row([], |row| crate::rows::count(row, 0))?)
        };
        self.inner
            .db
            .read(PortCall::new("publisher", "events"), work)
            .await
    }
}
