//! Queues as rows: a lease is a time before which a row is not visible.

use crate::db::Db;
use crate::depth::{COUNTED_MAX, Counted, read_depth};
use crate::error::Fault;
use crate::rows::{ms, read_attributes, timestamp, write_attributes};
use async_trait::async_trait;
use rusqlite::{Row, Transaction, params};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_domain::Timestamp;
use walkaround_ports::{
    ATTRIBUTES_MAX, AckOutcome, BODY_BYTES_MAX, Clock, Delivery, Depth, LeaseOutcome, OutMessage,
    PARKED_FROM, PARKED_REASON, PortCall, PortError, PortErrorKind, Queue, Receipt,
};

const RECEIVE_MAX: usize = 10;
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
const LEASE_MAX: Duration = Duration::from_secs(12 * 3600);
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Rounds of one receive, each of which may park messages instead of delivering them: a bound on how long one
/// transaction lasts when thousands have to be parked.
const ROUNDS_MAX: usize = 10;

/// One queue. All its state is in the database.
pub(crate) struct LocalQueue {
    pub(crate) setup: QueueSetup,
    pub(crate) db: Arc<Db>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) poll_interval: Duration,
    /// Wakes receivers of this process; those of others poll.
    pub(crate) arrived: Notify,
    /// When this process last looked for messages that a wrong clock has hidden; see `hidden`.
    pub(crate) looked_for_hidden: Mutex<Option<Duration>>,
}

/// What a queue is.
#[derive(Debug, Clone)]
pub(crate) struct QueueSetup {
    pub(crate) name: String,
    pub(crate) number: i64,
    pub(crate) dead: Option<DeadQueue>,
}

/// Where a queue parks what was delivered too often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadQueue {
    pub(crate) number: i64,
    /// A message that was delivered this often goes there.
    pub(crate) receives_max: u32,
}

/// A receipt: a message, and which of its leases.
#[derive(Debug, Clone, Copy)]
struct LeaseId {
    message: i64,
    lease_no: i64,
}

#[async_trait]
impl Queue for LocalQueue {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        let now = self.clock.now();
        let queue = self.setup.number;
        let at = PortCall::new("queue", "send");
        let answers: Vec<Result<(), PortError>> = messages.iter().map(|m| check_message(m, at)).collect();
        let fine: Vec<OutMessage> = messages
            .into_iter()
            .zip(&answers)
            .filter_map(|(message, answer)| answer.is_ok().then_some(message))
            .collect();
        if fine.is_empty() {
            return Ok(answers);
        }
        self.db.write(at, move |tx| insert(tx, queue, now, &fine)).await?;
        self.arrived.notify_waiters();
        Ok(answers)
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        let at = PortCall::new("queue", "receive");
        if !(1..=RECEIVE_MAX).contains(&max) || lease > LEASE_MAX || wait > WAIT_MAX {
            let detail = format!(
                "{max} messages, a lease of {lease:?} and a wait of {wait:?}: at most {RECEIVE_MAX}, \
                 {LEASE_MAX:?} and {WAIT_MAX:?}"
            );
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let until = self.clock.ticks() + wait;
        loop {
            // Registered before looking: what is sent between the look and the wait still wakes.
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let deliveries = self.take(max, lease).await?;
            let left = until.saturating_sub(self.clock.ticks());
            if !deliveries.is_empty() || left.is_zero() {
                return Ok(deliveries);
            }
            tokio::select! {
                () = arrived => {}
                () = self.clock.sleep(left.min(self.poll_interval)) => {}
            }
        }
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        let at = PortCall::new("queue", "extend");
        let (now, queue) = (self.clock.now(), self.setup.number);
        let receipt = parse_receipt(receipt, at)?;
        self.db
            .write(at, move |tx| extend_lease(tx, queue, receipt, now, lease))
            .await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        let at = PortCall::new("queue", "release");
        let (now, queue) = (self.clock.now(), self.setup.number);
        let id = parse_receipt(receipt, at)?;
        if delay > LEASE_MAX {
            let detail = format!("a delay of {delay:?}: at most {LEASE_MAX:?}");
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let sql = "UPDATE messages SET visible_at = ?1, hidden_at = ?5, leased = 0
                   WHERE id = ?2 AND queue = ?3 AND lease_no = ?4 AND leased = 1 AND visible_at > ?5";
        let outcome = self
            .db
            .write(at, move |tx| {
                let values = params![ms(now + delay), id.message, queue, id.lease_no, ms(now)];
                Ok(held(tx.prepare_cached(sql)?.execute(values)?))
            })
            .await?;
        if delay.is_zero() {
            self.arrived.notify_waiters();
        }
        Ok(outcome)
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        let at = PortCall::new("queue", "ack");
        let queue = self.setup.number;
        let parsed: Vec<Result<LeaseId, PortError>> = receipts.iter().map(|r| parse_receipt(r, at)).collect();
        if parsed.iter().all(Result::is_err) {
            return Ok(parsed.into_iter().map(|p| p.map(|_| AckOutcome::Stale)).collect());
        }
        let work = move |tx: &Transaction<'_>| {
            let mut answers = Vec::with_capacity(parsed.len());
            for receipt in parsed {
                answers.push(match receipt {
                    Ok(receipt) => Ok(delete(tx, queue, receipt)?),
                    Err(error) => Err(error),
                });
            }
            Ok(answers)
        };
        self.db.write(at, work).await
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        let (now, queue) = (self.clock.now(), self.setup.number);
        self.db
            .read(PortCall::new("queue", "depth"), move |db| {
                Ok(read_depth(
                    db,
                    Counted {
                        queue,
                        now,
                        each_max: COUNTED_MAX,
                    },
                )?)
            })
            .await
    }
}

impl LocalQueue {
    /// One attempt. An empty queue costs a read, not a transaction.
    async fn take(&self, max: usize, lease: Duration) -> Result<Vec<Delivery>, PortError> {
        const AT: PortCall = PortCall::new("queue", "receive");
        self.correct_hidden().await?;
        let (now, number) = (self.clock.now(), self.setup.number);
        let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND visible_at <= ?2)";
        let some = self
            .db
            .read(AT, move |db| {
                Ok(db
                    .prepare_cached(sql)?
                    .query_row(params![number, ms(now)], |row| row.get::<_, bool>(0))?)
            })
            .await?;
        if !some {
            return Ok(Vec::new());
        }
        let setup = self.setup.clone();
        self.db
            .write(AT, move |tx| {
                lease_some(
                    tx,
                    &Taking {
                        setup,
                        max,
                        now,
                        lease,
                    },
                )
            })
            .await
    }
}

/// One receive inside the database.
struct Taking {
    setup: QueueSetup,
    max: usize,
    now: Timestamp,
    lease: Duration,
}

/// A visible message.
struct Candidate {
    id: i64,
    lease_no: i64,
    receive_count: u32,
    sent_at: i64,
    parked_from: Option<String>,
    parked_reason: Option<String>,
    attributes: String,
    body: String,
}

fn lease_some(tx: &Transaction<'_>, taking: &Taking) -> Result<Vec<Delivery>, Fault> {
    let mut deliveries = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let candidates = visible(tx, taking, taking.max - deliveries.len())?;
        if candidates.is_empty() {
            break;
        }
        for candidate in candidates {
            match taking.setup.dead {
                Some(dead) if candidate.receive_count >= dead.receives_max => {
                    park(tx, taking, dead, &candidate)?;
                }
                _ => deliveries.push(lease_one(tx, taking, candidate)?),
            }
        }
        if deliveries.len() == taking.max {
            break;
        }
    }
    Ok(deliveries)
}

fn visible(tx: &Transaction<'_>, taking: &Taking, limit: usize) -> Result<Vec<Candidate>, Fault> {
    let sql = "SELECT id, lease_no, receive_count, sent_at, parked_from, parked_reason, attributes, body
               FROM messages WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at LIMIT ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![taking.setup.number, ms(taking.now), limit], candidate)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        id: row.get(0)?,
        lease_no: row.get(1)?,
        receive_count: row.get(2)?,
        sent_at: row.get(3)?,
        parked_from: row.get(4)?,
        parked_reason: row.get(5)?,
        attributes: row.get(6)?,
        body: row.get(7)?,
    })
}

/// Moves a message to the dead-letter queue. Its lease number goes on, so that old receipts stay stale.
fn park(tx: &Transaction<'_>, taking: &Taking, dead: DeadQueue, message: &Candidate) -> Result<(), Fault> {
    let sql =
        "UPDATE messages SET queue = ?2, visible_at = ?3, hidden_at = ?3, leased = 0, receive_count = 0,
               parked_from = ?4, parked_reason = ?5, parked_at = ?3 WHERE id = ?1";
    let reason = format!(
        "delivered {} times without being acknowledged",
        message.receive_count
    );
    let values = params![message.id, dead.number, ms(taking.now), taking.setup.name, reason];
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn lease_one(tx: &Transaction<'_>, taking: &Taking, message: Candidate) -> Result<Delivery, Fault> {
    let sql = "UPDATE messages SET visible_at = ?2, leased = 1, lease_no = lease_no + 1,
               receive_count = receive_count + 1, delivered_at = ?3, hidden_at = ?3 WHERE id = ?1";
    let values = params![message.id, ms(taking.now + taking.lease), ms(taking.now)];
    tx.prepare_cached(sql)?.execute(values)?;
    let mut attributes = read_attributes(&message.attributes)?;
    let added = [
        (PARKED_FROM, message.parked_from),
        (PARKED_REASON, message.parked_reason),
    ];
    for (name, value) in added {
        attributes.extend(value.map(|v| (name.to_owned(), v)));
    }
    Ok(Delivery {
        receipt: Receipt(format!("{}.{}", message.id, message.lease_no + 1)),
        message_id: message.id.to_string(),
        body: message.body,
        attributes,
        receive_count: message.receive_count + 1,
        sent_at: timestamp(message.sent_at),
    })
}

fn extend_lease(
    tx: &Transaction<'_>,
    queue: i64,
    id: LeaseId,
    now: Timestamp,
    lease: Duration,
) -> Result<LeaseOutcome, Fault> {
    use rusqlite::OptionalExtension;
    let sql = "SELECT delivered_at FROM messages
               WHERE id = ?1 AND queue = ?2 AND lease_no = ?3 AND leased = 1 AND visible_at > ?4";
    let delivered: Option<i64> = tx
        .prepare_cached(sql)?
        .query_row(params![id.message, queue, id.lease_no, ms(now)], |row| row.get(0))
        .optional()?;
    let Some(delivered) = delivered else {
        return Ok(LeaseOutcome::Lost);
    };
    if now + lease > timestamp(delivered) + LEASE_MAX {
        return Err(Fault::invalid(format!(
            "a lease ends at most {LEASE_MAX:?} after the delivery"
        )));
    }
    let sql = "UPDATE messages SET visible_at = ?2, hidden_at = ?3 WHERE id = ?1";
    tx.prepare_cached(sql)?
        .execute(params![id.message, ms(now + lease), ms(now)])?;
    Ok(LeaseOutcome::Held)
}

/// The latest receipt still acknowledges after its lease ended, as long as nobody else has the message: its
/// work is settled, and another delivery would only repeat it.
fn delete(tx: &Transaction<'_>, queue: i64, id: LeaseId) -> Result<AckOutcome, Fault> {
    let sql = "DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND lease_no = ?3 AND leased = 1";
    if tx
        .prepare_cached(sql)?
        .execute(params![id.message, queue, id.lease_no])?
        == 1
    {
        return Ok(AckOutcome::Gone);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)";
    let there: bool = tx
        .prepare_cached(sql)?
        .query_row([id.message], |row| row.get(0))?;
    Ok(if there {
        AckOutcome::Stale
    } else {
        AckOutcome::Gone
    })
}

fn insert(tx: &Transaction<'_>, queue: i64, now: Timestamp, messages: &[OutMessage]) -> Result<(), Fault> {
    let sql = "INSERT INTO messages (queue, visible_at, sent_at, hidden_at, attributes, body)
               VALUES (?1, ?2, ?3, ?3, ?4, ?5)";
    let mut statement = tx.prepare_cached(sql)?;
    for message in messages {
        let attributes = write_attributes(&message.attributes)?;
        let visible_at = ms(now + message.delay);
        statement.execute(params![queue, visible_at, ms(now), attributes, message.body])?;
    }
    Ok(())
}

fn check_message(message: &OutMessage, at: PortCall) -> Result<(), PortError> {
    let attributes: usize = message.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
    let bytes = message.body.len() + attributes;
    let wrong = if bytes > BODY_BYTES_MAX {
        format!("a message of {bytes} bytes: at most {BODY_BYTES_MAX}")
    } else if message.attributes.len() > ATTRIBUTES_MAX {
        format!(
            "{} attributes: at most {ATTRIBUTES_MAX}",
            message.attributes.len()
        )
    } else if message.delay > DELAY_MAX {
        format!("a delay of {:?}: at most {DELAY_MAX:?}", message.delay)
    } else {
        return Ok(());
    };
    Err(at.error(PortErrorKind::Invalid, wrong))
}

/// Row and lease number of a receipt.
fn parse_receipt(receipt: &Receipt, at: PortCall) -> Result<LeaseId, PortError> {
    let parts = receipt.0.split_once('.');
    let numbers = parts.and_then(|(id, no)| {
        Some(LeaseId {
            message: id.parse().ok()?,
            lease_no: no.parse().ok()?,
        })
    });
    numbers.ok_or_else(|| at.error(PortErrorKind::Invalid, "not a receipt of this queue"))
}

fn held(rows: usize) -> LeaseOutcome {
    if rows == 1 {
        LeaseOutcome::Held
    } else {
        LeaseOutcome::Lost
    }
}
