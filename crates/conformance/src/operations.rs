//! Cases of the operator's side of a stack.

use crate::suite::{Broken, Capabilities, Case, Keep, Outcome, Report, cases, ensure, run};
use crate::time::TimeDriver;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{
    AddressKind, BlobAddress, IndexKeys, Operations, OutMessage, PARKED_FROM, PARKED_REASON, ParkedMessage,
    Precondition, Queue, QueueName, REDRIVEN, Records, Redrive, StoredRecord, records_in,
};

/// A fresh, empty stack.
pub struct OperationsUnderTest {
    /// The port.
    pub operations: Arc<dyn Operations>,
    /// Its intake queue.
    pub intake: Arc<dyn Queue>,
    /// The dead letters of the intake queue.
    pub intake_dead: Arc<dyn Queue>,
    /// Its records.
    pub records: Arc<dyn Records>,
    /// A bucket of it.
    pub results: String,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// The day (UTC) on its clock, `2026-11-22`.
    pub today: String,
    /// Whatever has to stay.
    pub keep: Keep,
}

const CASES: &[Case<OperationsUnderTest>] = cases![
    an_empty_stack_has_nothing,
    parked_messages_are_shown_with_their_reason,
    those_that_are_named_go_back_and_the_rest_stays,
    all_go_back,
    counts_follow_the_records,
    the_latest_are_as_many_as_asked_for,
    a_blob_has_an_address,
    a_bucket_that_takes_blobs_has_no_trouble,
];

const LEASE: Duration = Duration::from_secs(30);

/// Runs every case of operations.
pub async fn operations_suite<F: Future<Output = OperationsUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("operations", CASES, make, capabilities).await
}

async fn park(t: &OperationsUnderTest, bodies: &[&str]) -> Outcome {
    let message = |body: &&str| OutMessage {
        body: (*body).to_owned(),
        attributes: [
            (PARKED_REASON, "not a request"),
            (PARKED_FROM, "intake"),
            ("trace", "t-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        delay: Duration::ZERO,
    };
    for answer in t.intake_dead.send(bodies.iter().map(message).collect()).await? {
        answer?;
    }
    Ok(())
}

async fn parked(t: &OperationsUnderTest) -> Result<Vec<ParkedMessage>, Broken> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = t.operations.parked(QueueName::Intake, after.as_deref()).await?;
        all.extend(page.messages);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// What the intake queue gives, by body.
async fn received(t: &OperationsUnderTest) -> Result<BTreeMap<String, BTreeMap<String, String>>, Broken> {
    let mut all = BTreeMap::new();
    loop {
        let some = t.intake.receive(10, LEASE, t.time.patience()).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some.into_iter().map(|d| (d.body, d.attributes)));
    }
}

async fn write(t: &OperationsUnderTest, id: &str, phase: &str, verdict: Option<&str>) -> Outcome {
    let record = StoredRecord {
        id: InspectionId::new(id).map_err(|e| Broken(e.to_string()))?,
        version: 0,
        updated_at: Timestamp(1_795_000_000_000),
        keys: IndexKeys {
            phase: phase.to_owned(),
            verdict: verdict.map(str::to_owned),
            day: t.today.clone(),
            vehicle_id: None,
            reservation_id: None,
        },
        body: "{}".to_owned(),
    };
    t.records.write(&record, Precondition::Absent).await?;
    Ok(())
}

async fn an_empty_stack_has_nothing(t: OperationsUnderTest) -> Outcome {
    for queue in QueueName::ALL {
        let count = t.operations.parked_count(queue).await?;
        ensure!(count == 0, "{}: {count} parked", queue.as_str());
        let page = t.operations.parked(queue, None).await?;
        ensure!(page.messages.is_empty() && page.next.is_none(), "{page:?}");
    }
    let counts = t.operations.inspection_counts().await?;
    let sum: u64 = counts.standing.iter().map(|count| count.records).sum();
    ensure!(sum == 0, "{counts:?}");
    let (jobs, latest) = (t.operations.jobs().await?, t.operations.latest(10).await?);
    ensure!(jobs.is_empty() && latest.is_empty(), "{jobs:?}, {latest:?}");
    let done = t.operations.redrive(QueueName::Intake, &Redrive::All).await?;
    ensure!(done.moved == 0 && done.missing.is_empty(), "{done:?}");
    Ok(())
}

async fn parked_messages_are_shown_with_their_reason(t: OperationsUnderTest) -> Outcome {
    park(&t, &["one", "two"]).await?;
    let count = t.operations.parked_count(QueueName::Intake).await?;
    ensure!(count == 2, "{count} parked");
    let mut all = parked(&t).await?;
    all.sort_by(|a, b| a.body.cmp(&b.body));
    let bodies: Vec<&str> = all.iter().map(|m| m.body.as_str()).collect();
    ensure!(bodies == ["one", "two"], "{bodies:?}");
    let first = &all[0];
    ensure!(first.reason.as_deref() == Some("not a request"), "{first:?}");
    ensure!(first.queue == "intake", "{first:?}");
    let names: Vec<&String> = first.attributes.keys().collect();
    ensure!(
        names == ["trace"],
        "as sent, without what parking added: {names:?}"
    );
    let other = t.operations.parked_count(QueueName::Segmentation).await?;
    ensure!(other == 0, "{other} parked from the other queue");
    Ok(())
}

async fn those_that_are_named_go_back_and_the_rest_stays(t: OperationsUnderTest) -> Outcome {
    park(&t, &["one", "two"]).await?;
    let all = parked(&t).await?;
    let one = all.iter().find(|m| m.body == "one");
    let id = one
        .map(|m| m.id.clone())
        .ok_or_else(|| Broken(format!("{all:?}")))?;
    let nobody = "4294967295".to_owned();
    let which = Redrive::Ids(vec![id, nobody.clone()]);
    let done = t.operations.redrive(QueueName::Intake, &which).await?;
    ensure!(done.moved == 1 && done.missing == [nobody], "{done:?}");
    let back = received(&t).await?;
    let bodies: Vec<&String> = back.keys().collect();
    ensure!(bodies == ["one"], "{bodies:?}");
    let names: Vec<&String> = back["one"].keys().collect();
    ensure!(names == [REDRIVEN, "trace"], "{names:?}");
    let left = t.operations.parked_count(QueueName::Intake).await?;
    ensure!(left == 1, "{left} left");
    Ok(())
}

async fn all_go_back(t: OperationsUnderTest) -> Outcome {
    park(&t, &["one", "two", "three"]).await?;
    let done = t.operations.redrive(QueueName::Intake, &Redrive::All).await?;
    ensure!(done.moved == 3 && done.refused.is_empty(), "{done:?}");
    let back = received(&t).await?;
    ensure!(back.len() == 3, "{back:?}");
    let left = t.operations.parked_count(QueueName::Intake).await?;
    ensure!(left == 0, "{left} left");
    Ok(())
}

async fn counts_follow_the_records(t: OperationsUnderTest) -> Outcome {
    write(&t, "a", "accepted", None).await?;
    write(&t, "b", "done", Some("clean")).await?;
    write(&t, "c", "done", Some("damaged")).await?;
    write(&t, "d", "done", Some("damaged")).await?;
    let counts = t.operations.inspection_counts().await?;
    let is_today = counts.day.as_ref().is_none_or(|day| *day == t.today);
    ensure!(is_today, "{counts:?}");
    for (phase, verdict, wanted) in [
        ("accepted", None, 1),
        ("done", None, 3),
        ("done", Some("clean"), 1),
        ("done", Some("damaged"), 2),
        ("failed", None, 0),
    ] {
        let count = records_in(&counts.standing, phase, verdict);
        ensure!(count == wanted, "{phase} {verdict:?}: {count}, not {wanted}");
    }
    Ok(())
}

async fn the_latest_are_as_many_as_asked_for(t: OperationsUnderTest) -> Outcome {
    for id in ["a", "b", "c"] {
        write(&t, id, "accepted", None).await?;
    }
    for (max, wanted) in [(0, 0), (2, 2), (10, 3)] {
        let latest = t.operations.latest(max).await?;
        ensure!(latest.len() == wanted, "of {max}: {}", latest.len());
    }
    Ok(())
}

async fn a_blob_has_an_address(t: OperationsUnderTest) -> Outcome {
    let at = BlobAddress {
        bucket: "results".to_owned(),
        key: "inspections/a/overlay.jpg".to_owned(),
    };
    for kind in [AddressKind::Location, AddressKind::Link] {
        let address = t.operations.locate(&at, kind).await?;
        ensure!(address.contains("overlay.jpg"), "{kind:?}: {address}");
    }
    Ok(())
}

async fn a_bucket_that_takes_blobs_has_no_trouble(t: OperationsUnderTest) -> Outcome {
    let trouble = t.operations.bucket_trouble(&t.results).await?;
    ensure!(trouble.is_none(), "{trouble:?}");
    Ok(())
}
