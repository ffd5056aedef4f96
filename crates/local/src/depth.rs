//! How full a queue is, at a cost that does not grow with it.
//!
//! How many messages a queue has is kept by triggers. How many of them are ready changes with the time alone, so that
//! side is counted, up to a bound; the other side is the rest. Where both sides are over the bound, their sum is right
//! and the split an estimate: with so many messages ready, every decision is the same.

use crate::rows::{count, ms, timestamp};
use rusqlite::{Connection, params};
use walkaround_domain::Timestamp;
use walkaround_ports::Depth;

/// Messages of each side that are counted one by one.
pub(crate) const COUNTED_MAX: u64 = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) queue: i64,
    pub(crate) now: Timestamp,
    /// See [`COUNTED_MAX`].
    pub(crate) each_max: u64,
}

/// All messages of a queue; and of the ready ones that are visible longest, how many, and when the oldest was sent.
const READY: &str = "SELECT (SELECT messages FROM queues WHERE id = ?1), count(*), min(sent_at) FROM
    (SELECT sent_at FROM messages WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at LIMIT ?3)";
const HIDDEN: &str =
    "SELECT count(*) FROM (SELECT 1 FROM messages WHERE queue = ?1 AND visible_at > ?2 LIMIT ?3)";
const LEASED: &str = "SELECT count(*) FROM
    (SELECT 1 FROM messages INDEXED BY messages_leased WHERE queue = ?1 AND leased = 1 AND visible_at > ?2 LIMIT ?3)";

pub(crate) fn read_depth(db: &Connection, of: Counted) -> rusqlite::Result<Depth> {
    // One snapshot for all statements; it only reads, so that it ends by being dropped.
    let snapshot = db.unchecked_transaction()?;
    let limit = i64::try_from(of.each_max).unwrap_or(i64::MAX);
    let values = params![of.queue, ms(of.now), limit];
    let (all, ready, oldest) = snapshot.prepare_cached(READY)?.query_row(values, |row| {
        Ok((count(row, 0)?, count(row, 1)?, row.get::<_, Option<i64>>(2)?))
    })?;
    let counted = |sql| {
        snapshot
            .prepare_cached(sql)?
            .query_row(values, |row| count(row, 0))
    };
    let leased = counted(LEASED)?;
    let (ready, hidden) = if ready < of.each_max {
        (ready, all.saturating_sub(ready))
    } else {
        let hidden = counted(HIDDEN)?;
        (all.saturating_sub(hidden), hidden)
    };
    Ok(Depth {
        ready,
        leased,
        delayed: hidden.saturating_sub(leased),
        oldest_age: oldest.map(|sent| of.now.since(timestamp(sent))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::schema;
    use rusqlite::StatementStatus;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn database() -> (Connection, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default();
        let mut db = schema::connect(&folder.path().join("walkaround.db"), &options).unwrap();
        schema::prepare(&mut db, folder.path(), &options).unwrap();
        (db, folder)
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Hold {
        None,
        Leased,
    }

    /// `n` messages that become visible so many milliseconds from now.
    fn add(db: &Connection, n: u32, from_now: i64, hold: Hold) {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                   INSERT INTO messages (queue, visible_at, sent_at, leased, attributes, body)
                   SELECT 1, ?2, 900000 + i, ?3, '{}', '' FROM n";
        db.execute(sql, params![n, ms(NOW) + from_now, hold == Hold::Leased])
            .unwrap();
    }

    fn depth(db: &Connection, each_max: u64) -> (u64, u64, u64) {
        let depth = read_depth(
            db,
            Counted {
                queue: 1,
                now: NOW,
                each_max,
            },
        );
        let depth = depth.unwrap();
        (depth.ready, depth.leased, depth.delayed)
    }

    /// Steps of SQLite's machine for all statements of a depth.
    fn steps(db: &Connection, each_max: i64) -> i32 {
        let one = |sql| {
            let mut statement = db.prepare(sql).unwrap();
            let values = params![1, ms(NOW), each_max];
            statement.query_row(values, |_| Ok(())).unwrap();
            statement.get_status(StatementStatus::VmStep)
        };
        [READY, HIDDEN, LEASED].into_iter().map(one).sum()
    }

    #[test]
    fn depth_costs_the_same_at_any_backlog() {
        let (db, _folder) = database();
        let mut before = None;
        for n in [1_000, 1_000, 20_000] {
            add(&db, n, -5, Hold::None);
            add(&db, n, 5, Hold::None);
            add(&db, n, 5, Hold::Leased);
            let now = steps(&db, 100);
            assert_eq!(*before.get_or_insert(now), now, "the cost grew with the queue");
        }
    }

    #[test]
    fn depth_is_exact_where_one_side_is_within_the_bound() {
        let (db, _folder) = database();
        add(&db, 30, -5, Hold::None);
        // A lease that ended: ready again.
        add(&db, 5, 0, Hold::Leased);
        add(&db, 400, 5, Hold::None);
        add(&db, 7, 5, Hold::Leased);
        for bound in [36, 100, 500] {
            assert_eq!(depth(&db, bound), (35, 7, 400), "bound {bound}");
        }
        add(&db, 1000, -5, Hold::None);
        assert_eq!(depth(&db, 500), (1035, 7, 400));
        // Both over the bound: the sum is right.
        assert_eq!(depth(&db, 100), (1342, 7, 93));
        db.execute("UPDATE messages SET queue = 2 WHERE visible_at > ?1", [ms(NOW)])
            .unwrap();
        db.execute("DELETE FROM messages WHERE sent_at <= 900010", [])
            .unwrap();
        let all: u64 = [1, 2]
            .map(|queue| {
                let sql =
                    "SELECT messages = (SELECT count(*) FROM messages WHERE queue = ?1), messages FROM queues
                           WHERE id = ?1";
                db.query_row(sql, [queue], |row| {
                    assert!(row.get::<_, bool>(0)?, "the count of queue {queue} is off");
                    count(row, 1)
                })
                .unwrap()
            })
            .iter()
            .sum();
        assert!(all > 1000);
    }
}
