//! Conditional writes.

use super::under_test::{RecordsUnderTest, id, record};
use crate::suite::{Broken, Outcome, ensure};
use walkaround_domain::{BundleId, Timestamp};
use walkaround_ports::{IndexKeys, Precondition, ResultKey, StoredRecord, WriteOutcome};

pub(super) async fn record_reads_back_whole(t: RecordsUnderTest) -> Outcome {
    let absent = t.records.read(&id("first")?).await?;
    ensure!(absent.is_none(), "before any write: {absent:?}");
    let mut next = record("first")?;
    next.body = format!("{{\"text\":\"ü写\\u0000\u{1F697} {}\"}}", "x".repeat(200_000));
    next.keys = IndexKeys {
        phase: "done".to_owned(),
        verdict: Some("damaged".to_owned()),
        day: "2026-11-22".to_owned(),
        vehicle_id: Some("B-MW 1234/ü".to_owned()),
        reservation_id: Some("r#1".to_owned()),
    };
    let written = t.records.write(&next, Precondition::Absent).await?;
    ensure!(written == WriteOutcome::Committed(1), "first write: {written:?}");
    let expected = StoredRecord { version: 1, ..next };
    let read = t.records.read(&expected.id).await?;
    ensure!(
        read.as_ref() == Some(&expected),
        "read: {:?}",
        read.map(|r| (r.version, r.keys))
    );
    Ok(())
}

pub(super) async fn absent_write_conflicts_with_the_first(t: RecordsUnderTest) -> Outcome {
    let first = record("one")?;
    t.records.write(&first, Precondition::Absent).await?;
    let mut second = record("one")?;
    second.body = "second".to_owned();
    let written = t.records.write(&second, Precondition::Absent).await?;
    let standing = StoredRecord { version: 1, ..first };
    ensure!(
        written == WriteOutcome::Conflict(Some(standing.clone())),
        "second write: {written:?}"
    );
    let read = t.records.read(&standing.id).await?;
    ensure!(read == Some(standing), "read: {read:?}");
    Ok(())
}

pub(super) async fn wrong_version_conflicts(t: RecordsUnderTest) -> Outcome {
    let mut next = record("one")?;
    t.records.write(&next, Precondition::Absent).await?;
    next.body = "two".to_owned();
    next.updated_at = Timestamp(1_795_305_601_000);
    let written = t.records.write(&next, Precondition::Version(1)).await?;
    ensure!(written == WriteOutcome::Committed(2), "second write: {written:?}");
    let standing = StoredRecord {
        version: 2,
        ..next.clone()
    };
    next.body = "late".to_owned();
    for stale in [1, 3] {
        let written = t.records.write(&next, Precondition::Version(stale)).await?;
        ensure!(
            written == WriteOutcome::Conflict(Some(standing.clone())),
            "version {stale}: {written:?}"
        );
    }
    Ok(())
}

pub(super) async fn version_of_nothing_conflicts(t: RecordsUnderTest) -> Outcome {
    let next = record("one")?;
    let written = t.records.write(&next, Precondition::Version(1)).await?;
    ensure!(written == WriteOutcome::Conflict(None), "{written:?}");
    let read = t.records.read(&next.id).await?;
    ensure!(read.is_none(), "it was written: {read:?}");
    Ok(())
}

pub(super) async fn twenty_first_writers_have_one_winner(t: RecordsUnderTest) -> Outcome {
    let mut writers = Vec::new();
    for writer in 0..20 {
        let records = t.records.clone();
        let next = StoredRecord {
            body: format!("writer {writer}"),
            ..record("one")?
        };
        writers.push(tokio::spawn(async move {
            let written = records.write(&next, Precondition::Absent).await?;
            Ok::<_, Broken>((next.body, written))
        }));
    }
    let mut winners = Vec::new();
    let mut seen = Vec::new();
    for writer in writers {
        match writer.await?? {
            (body, WriteOutcome::Committed(1)) => winners.push(body),
            (_, WriteOutcome::Conflict(Some(standing))) => seen.push(standing.body),
            other => return Err(Broken(format!("an answer: {other:?}"))),
        }
    }
    ensure!(winners.len() == 1, "winners: {winners:?}");
    ensure!(
        seen.iter().all(|body| *body == winners[0]),
        "the others saw {seen:?}"
    );
    Ok(())
}

pub(super) async fn twenty_writers_lose_no_change(t: RecordsUnderTest) -> Outcome {
    let start = StoredRecord {
        body: String::new(),
        ..record("one")?
    };
    t.records.write(&start, Precondition::Absent).await?;
    let mut writers = Vec::new();
    for writer in 0..20_u8 {
        let (records, id) = (t.records.clone(), start.id.clone());
        writers.push(tokio::spawn(async move {
            let missing = || Broken("the record is gone".to_owned());
            let mut current = records.read(&id).await?.ok_or_else(missing)?;
            loop {
                let version = current.version;
                current.body.push(char::from(b'a' + writer));
                match records.write(&current, Precondition::Version(version)).await? {
                    WriteOutcome::Committed(_) => return Ok::<_, Broken>(()),
                    WriteOutcome::Conflict(standing) => current = standing.ok_or_else(missing)?,
                }
            }
        }));
    }
    for writer in writers {
        writer.await??;
    }
    let last = t.records.read(&start.id).await?;
    let (version, mut marks) = last.map_or((0, Vec::new()), |r| (r.version, r.body.into_bytes()));
    marks.sort_unstable();
    let all: Vec<u8> = (b'a'..=b't').collect();
    ensure!(
        marks == all && version == 21,
        "version {version}, marks {marks:?}"
    );
    Ok(())
}

fn result(byte: u8, bundle: &str, version: &str) -> ResultKey {
    ResultKey {
        photo_sha256: [byte; 32],
        bundle: BundleId::new(bundle, version),
    }
}

/// Kept results are a hint that may lag: they are asked for until they are there.
async fn found(t: &RecordsUnderTest, key: &ResultKey, wanted: &str) -> Result<bool, Broken> {
    for _ in 0..50 {
        let found = t.records.result_of(key).await?;
        if found == Some(id(wanted)?) {
            return Ok(true);
        }
        tokio::task::yield_now().await;
    }
    Ok(false)
}

pub(super) async fn a_result_is_found_by_its_bytes_and_bundle(t: RecordsUnderTest) -> Outcome {
    let key = result(7, "demo", "3");
    let before = t.records.result_of(&key).await?;
    ensure!(before.is_none(), "before any was kept: {before:?}");
    let now = Timestamp(1_795_305_600_123);
    t.records.write(&record("one")?, Precondition::Absent).await?;
    t.records.keep_result(&key, &id("one")?, now).await?;
    ensure!(found(&t, &key, "one").await?, "what was kept is not found");
    for other in [
        result(8, "demo", "3"),
        result(7, "other", "3"),
        result(7, "demo", "4"),
    ] {
        let found = t.records.result_of(&other).await?;
        ensure!(found.is_none(), "{other:?}: {found:?}");
    }
    let standing = t.records.read(&id("one")?).await?;
    ensure!(standing.is_some_and(|r| r.version == 1), "its record was touched");
    Ok(())
}

pub(super) async fn a_later_result_replaces_the_first(t: RecordsUnderTest) -> Outcome {
    let key = result(7, "demo", "3");
    for (name, at) in [("one", 1_795_305_600_123), ("two", 1_795_305_601_000)] {
        t.records.write(&record(name)?, Precondition::Absent).await?;
        t.records.keep_result(&key, &id(name)?, Timestamp(at)).await?;
    }
    ensure!(found(&t, &key, "two").await?, "the later one is not found");
    Ok(())
}
