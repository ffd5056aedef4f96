//! Indexes, pages and heartbeats.

use super::under_test::{DAY, RecordsUnderTest, record};
use crate::suite::{Broken, Outcome, ensure};
use std::collections::BTreeMap;
use walkaround_domain::Timestamp;
use walkaround_ports::{
    Heartbeat, PortErrorKind, Precondition, RECORDS_PAGE_MAX, RecordQuery, StoredRecord, WriteOutcome,
};

/// Pages of a listing before a case says that it never ends.
const PAGES_MAX: usize = 100;
/// Small enough for several pages of few records.
const PAGE: usize = 7;

/// Writes 60 records, of which every third is what `mark` makes it; those.
async fn write_some(
    t: &RecordsUnderTest,
    mark: fn(&mut StoredRecord),
) -> Result<BTreeMap<String, StoredRecord>, Broken> {
    let mut marked = BTreeMap::new();
    for number in 0..60 {
        let mut next = record(&format!("i-{number:02}"))?;
        // Neighbours that a careless prefix or range would take in.
        next.keys.day = "2026-11-21".to_owned();
        next.keys.vehicle_id = Some("veh-1x".to_owned());
        next.keys.verdict = Some("clean".to_owned());
        if number % 3 == 0 {
            mark(&mut next);
        }
        t.records.write(&next, Precondition::Absent).await?;
        if number % 3 == 0 {
            next.version = 1;
            marked.insert(next.id.to_string(), next);
        }
    }
    Ok(marked)
}

/// All pages; an error when a record comes twice, or a page is too long.
async fn list_all(
    t: &RecordsUnderTest,
    query: &RecordQuery,
) -> Result<BTreeMap<String, StoredRecord>, Broken> {
    let mut all = BTreeMap::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = t.records.list(query, after.as_deref(), PAGE).await?;
        ensure!(page.records.len() <= PAGE, "a page of {}", page.records.len());
        for record in page.records {
            let name = record.id.to_string();
            ensure!(
                all.insert(name.clone(), record).is_none(),
                "`{name}` was listed twice"
            );
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
    Err(Broken("the listing does not end".to_owned()))
}

async fn lists_all(t: &RecordsUnderTest, query: RecordQuery, mark: fn(&mut StoredRecord)) -> Outcome {
    let expected = write_some(t, mark).await?;
    let listed = list_all(t, &query).await?;
    ensure!(
        listed == expected,
        "{query:?} lists {:?} instead of {:?}",
        listed.keys(),
        expected.keys()
    );
    Ok(())
}

pub(super) async fn vehicle_index_lists_all(t: RecordsUnderTest) -> Outcome {
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    lists_all(&t, query, |r| r.keys.vehicle_id = Some("veh-1".to_owned())).await
}

pub(super) async fn reservation_index_lists_all(t: RecordsUnderTest) -> Outcome {
    let query = RecordQuery::Reservation("res/7 ü".to_owned());
    lists_all(&t, query, |r| r.keys.reservation_id = Some("res/7 ü".to_owned())).await
}

pub(super) async fn verdict_index_lists_all(t: RecordsUnderTest) -> Outcome {
    let query = RecordQuery::VerdictOnDay {
        verdict: "damaged".to_owned(),
        day: "2026-11-21".to_owned(),
    };
    lists_all(&t, query, |r| r.keys.verdict = Some("damaged".to_owned())).await
}

pub(super) async fn day_index_lists_all(t: RecordsUnderTest) -> Outcome {
    lists_all(&t, RecordQuery::Day(DAY.to_owned()), |r| {
        r.keys.day = DAY.to_owned();
    })
    .await
}

pub(super) async fn failed_of_a_day_lists_all(t: RecordsUnderTest) -> Outcome {
    lists_all(&t, RecordQuery::FailedOnDay(DAY.to_owned()), |r| {
        r.keys.phase = "failed".to_owned();
        r.keys.verdict = None;
        r.keys.day = DAY.to_owned();
    })
    .await?;
    // One of the day that has not failed, and one of another day that has.
    for (name, phase, day) in [("j-1", "accepted", DAY), ("j-2", "failed", "2026-11-21")] {
        let mut next = record(name)?;
        next.keys.phase = phase.to_owned();
        next.keys.day = day.to_owned();
        t.records.write(&next, Precondition::Absent).await?;
    }
    let listed = list_all(&t, &RecordQuery::FailedOnDay(DAY.to_owned())).await?;
    ensure!(listed.len() == 20, "{:?} are listed", listed.keys());
    Ok(())
}

pub(super) async fn unknown_key_lists_nothing(t: RecordsUnderTest) -> Outcome {
    write_some(&t, |_| ()).await?;
    let queries = [
        RecordQuery::Vehicle("nobody".to_owned()),
        RecordQuery::Reservation("none".to_owned()),
        RecordQuery::VerdictOnDay {
            verdict: "clean".to_owned(),
            day: "2026-11-20".to_owned(),
        },
        RecordQuery::Day("2026-11-20".to_owned()),
    ];
    for query in queries {
        let listed = list_all(&t, &query).await?;
        ensure!(listed.is_empty(), "{query:?} lists {:?}", listed.keys());
    }
    Ok(())
}

pub(super) async fn index_follows_a_change(t: RecordsUnderTest) -> Outcome {
    let mut next = record("one")?;
    next.keys.vehicle_id = Some("old".to_owned());
    t.records.write(&next, Precondition::Absent).await?;
    next.keys.phase = "done".to_owned();
    next.keys.verdict = Some("damaged".to_owned());
    next.keys.vehicle_id = Some("new".to_owned());
    t.records.write(&next, Precondition::Version(1)).await?;
    let damaged = RecordQuery::VerdictOnDay {
        verdict: "damaged".to_owned(),
        day: DAY.to_owned(),
    };
    let counts = [
        (RecordQuery::Vehicle("old".to_owned()), 0),
        (RecordQuery::Vehicle("new".to_owned()), 1),
        (damaged, 1),
    ];
    for (query, count) in counts {
        let listed = list_all(&t, &query).await?;
        ensure!(listed.len() == count, "{query:?} lists {:?}", listed.keys());
    }
    Ok(())
}

pub(super) async fn pages_stay_complete_while_records_change(t: RecordsUnderTest) -> Outcome {
    let expected = write_some(&t, |r| r.keys.vehicle_id = Some("veh-1".to_owned())).await?;
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    let mut listed = BTreeMap::new();
    let mut after: Option<String> = None;
    for page_number in 0..PAGES_MAX {
        let page = t.records.list(&query, after.as_deref(), PAGE).await?;
        for record in page.records {
            *listed.entry(record.id.to_string()).or_insert(0) += 1;
        }
        // Between two pages every listed record is written again, and a new one comes.
        for record in expected.values() {
            let version = page_number as u64 + 1;
            let written = t.records.write(record, Precondition::Version(version)).await?;
            ensure!(
                written == WriteOutcome::Committed(version + 1),
                "a change: {written:?}"
            );
        }
        let mut new = record(&format!("h-{page_number}"))?;
        new.keys.vehicle_id = Some("veh-1".to_owned());
        t.records.write(&new, Precondition::Absent).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure!(after.is_none(), "the listing does not end");
    for name in expected.keys() {
        let times = listed.get(name).copied().unwrap_or(0);
        ensure!(times == 1, "`{name}` was listed {times} times");
    }
    Ok(())
}

pub(super) async fn a_page_has_its_bounds(t: RecordsUnderTest) -> Outcome {
    let query = RecordQuery::Day(DAY.to_owned());
    for max in [0, RECORDS_PAGE_MAX + 1] {
        let kind = t.records.list(&query, None, max).await.err().map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::Invalid), "a page of {max}: {kind:?}");
    }
    let kind = t
        .records
        .list(&query, Some("no-token"), 5)
        .await
        .err()
        .map(|e| e.kind);
    ensure!(
        kind == Some(PortErrorKind::Invalid),
        "a token from nowhere: {kind:?}"
    );
    Ok(())
}

fn beat(worker: &str, at: u64, body: &str) -> Heartbeat {
    Heartbeat {
        worker: worker.to_owned(),
        at: Timestamp(at),
        body: body.to_owned(),
    }
}

pub(super) async fn heartbeats_are_replaced(t: RecordsUnderTest) -> Outcome {
    for (worker, at) in [("w-1", 1_000), ("w-2", 2_000), ("w-1", 3_000)] {
        t.records
            .put_heartbeat(&beat(worker, at, &format!("at {at}")))
            .await?;
    }
    let mut beats = t.records.heartbeats(Timestamp(0)).await?;
    beats.sort_by(|a, b| a.worker.cmp(&b.worker));
    let expected = [beat("w-1", 3_000, "at 3000"), beat("w-2", 2_000, "at 2000")];
    ensure!(beats == expected, "heartbeats: {beats:?}");
    Ok(())
}

pub(super) async fn heartbeats_since_a_moment(t: RecordsUnderTest) -> Outcome {
    for (worker, at) in [("w-1", 1_000), ("w-2", 2_000), ("w-3", 3_000)] {
        t.records.put_heartbeat(&beat(worker, at, "")).await?;
    }
    let beats = t.records.heartbeats(Timestamp(2_000)).await?;
    let mut workers: Vec<String> = beats.into_iter().map(|b| b.worker).collect();
    workers.sort();
    ensure!(workers == ["w-2", "w-3"], "since 2000: {workers:?}");
    Ok(())
}
