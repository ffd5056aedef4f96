//! Parked messages: listing dead letters with their reasons, and sending them back.

use crate::error::Fault;
use crate::open::LocalStack;
use crate::rows::{count, ms, read_attributes, timestamp};
use rusqlite::{Row, Transaction, params};
use std::collections::BTreeMap;
use walkaround_domain::Timestamp;
use walkaround_ports::{PARKED_FROM, PARKED_REASON, PortCall, PortError};

/// Most parked messages of one page.
pub const PARKED_PAGE_MAX: usize = 1000;

/// One parked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// For [`Redrive::One`]; also the cursor of the next page.
    pub message_id: String,
    /// The queue it came from, where known.
    pub from: Option<String>,
    /// Why it is here, where known.
    pub reason: Option<String>,
    /// When it was sent first.
    pub sent_at: Timestamp,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// Attributes as sent.
    pub attributes: BTreeMap<String, String>,
    /// Body as sent.
    pub body: String,
}

/// Which parked messages to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redrive {
    /// All that nobody holds a lease on.
    All,
    /// One, by its message id.
    One(String),
}

impl LocalStack {
    /// At most `max` messages (1 to [`PARKED_PAGE_MAX`]) of a dead-letter queue, oldest first, after the one
    /// that `after` names.
    ///
    /// # Errors
    /// `Invalid` for an unknown queue; errors of the database.
    pub async fn parked(
        &self,
        dead_letters: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<Parked>, PortError> {
        let queue = self.local_queue(dead_letters, "parked")?.setup.number;
        let after: i64 = after.and_then(|a| a.parse().ok()).unwrap_or_default();
        let limit = i64::try_from(max.clamp(1, PARKED_PAGE_MAX)).unwrap_or(1);
        let sql =
            "SELECT id, parked_from, parked_reason, sent_at, coalesce(parked_at, sent_at), attributes, body
                   FROM messages WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let work = move |db: &rusqlite::Connection| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([queue, after, limit], parked_row)?;
            rows.map(|row| read_parked(row?)).collect()
        };
        self.inner.db.read(PortCall::new("queue", "parked"), work).await
    }

    /// How many messages are parked in a dead-letter queue.
    ///
    /// # Errors
    /// `Invalid` for an unknown queue; errors of the database.
    pub async fn parked_count(&self, dead_letters: &str) -> Result<u64, PortError> {
        let queue = self.local_queue(dead_letters, "parked")?.setup.number;
        let sql = "SELECT messages FROM queues WHERE id = ?1";
        let work = move |db: &rusqlite::Connection| {
            Ok(db.prepare_cached(sql)?.query_row([queue], |row| count(row, 0))?)
        };
        self.inner.db.read(PortCall::new("queue", "parked"), work).await
    }

    /// Sends parked messages back to the queue they came from, as if they had never been delivered; how many.
    /// A message of unknown origin goes to the (first) queue that parks here.
    ///
    /// # Errors
    /// `Invalid` for an unknown queue, one that nothing parks in, or a malformed id; errors of the database.
    pub async fn redrive(&self, dead_letters: &str, which: Redrive) -> Result<u64, PortError> {
        let at = PortCall::new("queue", "redrive");
        let dead = self.local_queue(dead_letters, "redrive")?.setup.number;
        let sources: Vec<Source> = self
            .inner
            .queues
            .values()
            .filter(|q| q.setup.dead.is_some_and(|d| d.number == dead))
            .map(|q| Source {
                name: q.setup.name.clone(),
                number: q.setup.number,
            })
            .collect();
        if sources.is_empty() {
            let detail = format!("`{dead_letters}` is not a dead-letter queue");
            return Err(Fault::invalid(detail).at(at));
        }
        let id = match which {
            Redrive::All => None,
            Redrive::One(id) => Some(
                id.parse::<i64>()
                    .map_err(|_| Fault::invalid(format!("`{id}` is not a message id")).at(at))?,
            ),
        };
        let now = self.inner.clock.now();
        let moved = self
            .inner
            .db
            .write(at, move |tx| move_back(tx, dead, &sources, id, now))
            .await?;
        for queue in self.inner.queues.values() {
            queue.arrived.notify_waiters();
        }
        Ok(moved)
    }
}

/// A queue that parks in a dead-letter queue.
struct Source {
    name: String,
    number: i64,
}

/// The first source takes whatever names none of the others.
fn move_back(
    tx: &Transaction<'_>,
    dead: i64,
    sources: &[Source],
    id: Option<i64>,
    now: Timestamp,
) -> Result<u64, Fault> {
    let sql =
        "UPDATE messages SET queue = ?1, visible_at = ?2, hidden_at = ?2, leased = 0, receive_count = 0,
                 attributes = json_set(json_remove(attributes, '$.parked_reason', '$.parked_from'), '$.redriven', 'true'),
                 parked_from = NULL, parked_reason = NULL, parked_at = NULL
               WHERE queue = ?3 AND NOT (leased = 1 AND visible_at > ?2) AND (?4 IS NULL OR id = ?4)
                 AND (?5 IS NULL OR coalesce(parked_from, attributes ->> '$.parked_from') = ?5)";
    let mut statement = tx.prepare_cached(sql)?;
    let mut moved = 0;
    let named = sources
        .iter()
        .map(|source| (Some(source.name.as_str()), source.number));
    let rest = sources.first().map(|source| (None, source.number));
    for (name, number) in named.chain(rest) {
        moved += statement.execute(params![number, ms(now), dead, id, name])?;
    }
    Ok(u64::try_from(moved).unwrap_or(u64::MAX))
}

/// A parked message as its row is.
struct ParkedRow {
    id: i64,
    from: Option<String>,
    reason: Option<String>,
    sent_at: i64,
    parked_at: i64,
    attributes: String,
    body: String,
}

fn parked_row(row: &Row<'_>) -> rusqlite::Result<ParkedRow> {
    Ok(ParkedRow {
        id: row.get(0)?,
        from: row.get(1)?,
        reason: row.get(2)?,
        sent_at: row.get(3)?,
        parked_at: row.get(4)?,
        attributes: row.get(5)?,
        body: row.get(6)?,
    })
}

fn read_parked(row: ParkedRow) -> Result<Parked, Fault> {
    let mut attributes = read_attributes(&row.attributes)?;
    let from = row.from.or(attributes.remove(PARKED_FROM));
    let reason = row.reason.or(attributes.remove(PARKED_REASON));
    Ok(Parked {
        message_id: row.id.to_string(),
        from,
        reason,
        sent_at: timestamp(row.sent_at),
        parked_at: timestamp(row.parked_at),
        attributes,
        body: row.body,
    })
}
