//! The schema, step by step: a root of an older version is brought to the newest when it is opened.
//!
//! A step that has landed never changes; a change is a new step. `user_version` is the number of steps that were made.

/// All steps, the first for a new database.
pub(crate) const STEPS: [&str; 6] = [FIRST, BOUNDED_COUNTS, LANES, RESULTS, REVIEWS, STATES_OVER];

/// Times are milliseconds since 1970. `visible_at` is when a message may be received (again): in the future
/// it is leased (`leased`) or delayed. `lease_no` grows with every delivery and makes receipts unique.
const FIRST: &str = "
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

-- How many records stand in each phase, so that `status` never counts millions of rows.
CREATE TABLE counts (
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

/// Which inspection has the result of a photo's bytes and a bundle. A result goes with its inspection's record.
const RESULTS: &str = "
CREATE TABLE results (
    photo_sha256 BLOB NOT NULL,
    bundle TEXT NOT NULL,
    version TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (photo_sha256, bundle, version)
) WITHOUT ROWID;
CREATE INDEX results_id ON results (id);
CREATE TRIGGER records_removed_results AFTER DELETE ON records BEGIN
    DELETE FROM results WHERE id = OLD.id;
END;
";

/// Counts that are kept by triggers, whoever writes, so that no reader counts rows; and what `prune` finds old rows by.
///
/// `finishes` has the records that became final in each second of the last two hours (`records::FINISHES_KEPT`).
/// Blobs of before count as put when the root is brought to this version.
const BOUNDED_COUNTS: &str = "
ALTER TABLE queues ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
UPDATE queues SET messages = (SELECT count(*) FROM messages WHERE queue = queues.id);
CREATE INDEX messages_leased ON messages (queue, visible_at) WHERE leased = 1;
CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
    UPDATE queues SET messages = messages + 1 WHERE id = NEW.queue;
END;
CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
    UPDATE queues SET messages = messages - 1 WHERE id = OLD.queue;
END;
CREATE TRIGGER messages_moved AFTER UPDATE OF queue ON messages WHEN OLD.queue != NEW.queue BEGIN
    UPDATE queues SET messages = messages - 1 WHERE id = OLD.queue;
    UPDATE queues SET messages = messages + 1 WHERE id = NEW.queue;
END;

CREATE TABLE finishes (
    second INTEGER NOT NULL,
    phase TEXT NOT NULL,
    verdict TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (second, phase, verdict)
) WITHOUT ROWID;
INSERT INTO finishes SELECT finished_at / 1000, phase, coalesce(verdict, ''), count(*) FROM records
    WHERE finished_at > (SELECT max(finished_at) FROM records) - 7200000 GROUP BY 1, 2, 3;
CREATE TRIGGER records_added AFTER INSERT ON records BEGIN
    INSERT INTO counts VALUES (NEW.phase, coalesce(NEW.verdict, ''), 1)
        ON CONFLICT (phase, verdict) DO UPDATE SET records = records + 1;
    INSERT INTO finishes SELECT NEW.finished_at / 1000, NEW.phase, coalesce(NEW.verdict, ''), 1
        WHERE NEW.finished_at IS NOT NULL
        ON CONFLICT (second, phase, verdict) DO UPDATE SET records = records + 1;
    DELETE FROM finishes WHERE second < NEW.finished_at / 1000 - 7200;
END;
CREATE TRIGGER records_removed AFTER DELETE ON records BEGIN
    UPDATE counts SET records = records - 1 WHERE phase = OLD.phase AND verdict = coalesce(OLD.verdict, '');
    UPDATE finishes SET records = records - 1
        WHERE second = OLD.finished_at / 1000 AND phase = OLD.phase AND verdict = coalesce(OLD.verdict, '');
END;
CREATE TRIGGER records_changed AFTER UPDATE OF phase, verdict, finished_at ON records
    WHEN OLD.phase != NEW.phase OR OLD.verdict IS NOT NEW.verdict OR OLD.finished_at IS NOT NEW.finished_at
BEGIN
    UPDATE counts SET records = records - 1 WHERE phase = OLD.phase AND verdict = coalesce(OLD.verdict, '');
    UPDATE finishes SET records = records - 1
        WHERE second = OLD.finished_at / 1000 AND phase = OLD.phase AND verdict = coalesce(OLD.verdict, '');
    INSERT INTO counts VALUES (NEW.phase, coalesce(NEW.verdict, ''), 1)
        ON CONFLICT (phase, verdict) DO UPDATE SET records = records + 1;
    INSERT INTO finishes SELECT NEW.finished_at / 1000, NEW.phase, coalesce(NEW.verdict, ''), 1
        WHERE NEW.finished_at IS NOT NULL
        ON CONFLICT (second, phase, verdict) DO UPDATE SET records = records + 1;
    DELETE FROM finishes WHERE second < NEW.finished_at / 1000 - 7200;
END;

ALTER TABLE blobs ADD COLUMN put_at INTEGER NOT NULL DEFAULT 0;
UPDATE blobs SET put_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
CREATE INDEX blobs_put ON blobs (bucket, put_at);
CREATE INDEX records_final ON records (updated_at) WHERE phase IN ('done', 'failed');
CREATE INDEX events_at ON events (at);
CREATE INDEX messages_sent_at ON messages (sent_at);
CREATE INDEX records_failed ON records (day DESC, id) WHERE phase = 'failed';
CREATE INDEX messages_parked ON messages (queue, coalesce(parked_at, sent_at));
";

/// Small documents, and when a message was hidden (leased or delayed), by which `hidden` finds those of a wrong clock.
/// What is hidden when the root is brought to this version counts as hidden at its last delivery, or when it was sent.
const LANES: &str = "
CREATE TABLE states (name TEXT PRIMARY KEY, body TEXT NOT NULL, lives_until INTEGER NOT NULL) WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN hidden_at INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET hidden_at = max(sent_at, delivered_at);
DROP INDEX messages_visible;
-- Covers `depth` and the look for wrongly hidden messages, so that neither reads bodies.
CREATE INDEX messages_visible ON messages (queue, visible_at, leased, sent_at, hidden_at);
";

/// Reviews, and one task for each inspection that a person should see. Both go with the inspection's record. `rank` is 0
/// for the most urgent ones, so that lists ascend.
const REVIEWS: &str = "
CREATE TABLE reviews (
    inspection TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (inspection, revision)
) WITHOUT ROWID;
CREATE TABLE review_tasks (
    inspection TEXT PRIMARY KEY,
    done INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rank INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX review_tasks_open ON review_tasks (rank, created_at, inspection) WHERE done = 0;
CREATE INDEX review_tasks_reason ON review_tasks (reason, rank, created_at, inspection) WHERE done = 0;
CREATE TRIGGER records_removed_reviews AFTER DELETE ON records BEGIN
    DELETE FROM reviews WHERE inspection = OLD.id;
    DELETE FROM review_tasks WHERE inspection = OLD.id;
END;
";

/// What every write of a small document finds those by that are over: there is one for each session and each hour.
const STATES_OVER: &str = "
CREATE INDEX states_over ON states (lives_until);
";
