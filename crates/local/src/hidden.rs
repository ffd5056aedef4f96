//! Messages that a wrong clock has hidden.
//!
//! A message is hidden until a moment of the wall clock, for a lease or a delay. Where the clock was ahead when it was
//! hidden, and is right again, the message would stay hidden for the difference as well. So the moment at which it was
//! hidden is kept beside it: one that lies ahead of now shows such a clock, and the message is hidden for its lease or
//! delay from now instead. After a jump forward leases end early, which costs a delivery more.

use crate::error::Fault;
use crate::open::LocalStack;
use crate::queue::LocalQueue;
use crate::rows::{count, ms};
use rusqlite::{Connection, Transaction, params};
use std::time::Duration;
use tracing::warn;
use walkaround_domain::Timestamp;
use walkaround_ports::{PortCall, PortError};

/// Time between two checks of one process at one queue. The index has all that a check reads.
const LOOK_EVERY: Duration = Duration::from_secs(10);

const AHEAD: &str = "queue = ?1 AND visible_at > ?2 AND hidden_at > ?2";

impl LocalQueue {
    /// Corrects messages that were hidden by a clock that was ahead, now and then.
    pub(crate) async fn correct_hidden(&self) -> Result<(), PortError> {
        const AT: PortCall = PortCall::new("queue", "receive");
        let (ticks, now, queue) = (self.clock.ticks(), self.clock.now(), self.setup.number);
        if !self.look_is_due(ticks) {
            return Ok(());
        }
        if self.db.read(AT, move |db| ahead(db, queue, now)).await? == 0 {
            return Ok(());
        }
        let corrected = self.db.write(AT, move |tx| correct(tx, queue, now)).await?;
        warn!(
            queue = self.setup.name,
            corrected,
            "messages were hidden by a clock that was ahead; they wait for their lease or delay from now"
        );
        Ok(())
    }

    fn look_is_due(&self, ticks: Duration) -> bool {
        let mut looked = self
            .looked_for_hidden
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = looked.is_none_or(|at| ticks.saturating_sub(at) >= LOOK_EVERY);
        if due {
            *looked = Some(ticks);
        }
        due
    }
}

impl LocalStack {
    /// Messages of a queue that a clock has hidden which was ahead: a receive corrects them.
    ///
    /// # Errors
    /// `Invalid` when no queue of this name is configured; errors of the database.
    pub async fn hidden_ahead(&self, name: &str) -> Result<u64, PortError> {
        const AT: PortCall = PortCall::new("queue", "depth");
        let (queue, now) = (
            self.local_queue(name, "depth")?.setup.number,
            self.inner.clock.now(),
        );
        self.inner.db.read(AT, move |db| ahead(db, queue, now)).await
    }
}

fn ahead(db: &Connection, queue: i64, now: Timestamp) -> Result<u64, Fault> {
    let sql = format!("SELECT count(*) FROM messages INDEXED BY messages_visible WHERE {AHEAD}");
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row(params![queue, ms(now)], |row| count(row, 0))?)
}

fn correct(tx: &Transaction<'_>, queue: i64, now: Timestamp) -> Result<usize, Fault> {
    let sql =
        format!("UPDATE messages SET visible_at = ?2 + visible_at - hidden_at, hidden_at = ?2 WHERE {AHEAD}");
    Ok(tx.prepare_cached(&sql)?.execute(params![queue, ms(now)])?)
}
