//! Records in DynamoDB hold what the port promises, on two emulators, and what only this adapter has.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod common;

use aws_sdk_dynamodb::types::{ProjectionType, ScalarAttributeType};
use common::{MOTO_RACES, aws};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use walkaround_aws::{Aws, DynamoRecords, TABLE, create_table};
use walkaround_conformance::{Capabilities, RecordsUnderTest, Report, records_suite};
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_emulators::{Ministack, Moto};
use walkaround_ports::{
    Heartbeat, IndexKeys, PortErrorKind, Precondition, RecordQuery, Records, StoredRecord, WriteOutcome,
};

const NOW: Timestamp = Timestamp(1_795_305_600_123);
const DAY: &str = "2026-11-22";

/// A new table, by name.
async fn table(aws: &Aws) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("walkaround-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    create_table(&aws.dynamodb, &name).await.unwrap();
    name
}

async fn suite(aws: Aws, capabilities: &Capabilities) -> Report {
    let make = || async {
        let records = DynamoRecords::new(aws.dynamodb.clone(), table(&aws).await);
        RecordsUnderTest {
            records: Arc::new(records),
            keep: Box::new(()),
        }
    };
    records_suite(make, capabilities).await.require()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let capabilities = Capabilities::all()
        .without("twenty_writers_lose_no_change", MOTO_RACES)
        .without("twenty_first_writers_have_one_winner", MOTO_RACES);
    println!("{}", suite(aws(moto.endpoint()).await, &capabilities).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ministack() {
    let ministack = Ministack::start();
    let aws = aws(ministack.endpoint()).await;
    println!("{}", suite(aws.clone(), &Capabilities::all()).await);
    the_table_is_what_is_written(&aws).await;
    a_day_is_counted_over_all_shards(&aws).await;
    a_page_is_full_across_shards(&aws).await;
    items_carry_their_end(&aws).await;
    a_record_that_does_not_fit_is_refused(&aws).await;
    a_table_that_is_not_there_is_told(&aws).await;
}

fn record(name: &str) -> StoredRecord {
    StoredRecord {
        id: InspectionId::new(name).unwrap(),
        version: 0,
        updated_at: NOW,
        keys: IndexKeys {
            phase: "accepted".to_owned(),
            day: DAY.to_owned(),
            ..IndexKeys::default()
        },
        body: "{}".to_owned(),
    }
}

async fn the_table_is_what_is_written(aws: &Aws) {
    let name = table(aws).await;
    create_table(&aws.dynamodb, &name)
        .await
        .expect("a table that is there");
    let described = aws
        .dynamodb
        .describe_table()
        .table_name(&name)
        .send()
        .await
        .unwrap();
    let described = described.table.unwrap();
    let texts = described
        .attribute_definitions()
        .iter()
        .all(|a| *a.attribute_type() == ScalarAttributeType::S);
    assert!(texts, "{:?}", described.attribute_definitions());
    let mut indexes: Vec<&str> = Vec::new();
    for index in described.global_secondary_indexes() {
        let keys: Vec<&str> = index.key_schema().iter().map(|k| k.attribute_name()).collect();
        let wanted = TABLE
            .indexes
            .iter()
            .find(|i| Some(i.name) == index.index_name())
            .unwrap();
        assert_eq!(keys, [wanted.key.partition, wanted.key.sort]);
        let projection = index.projection().and_then(|p| p.projection_type());
        assert_eq!(projection, Some(&ProjectionType::KeysOnly));
        indexes.push(wanted.name);
    }
    assert_eq!(indexes.len(), TABLE.indexes.len());
    let ttl = aws
        .dynamodb
        .describe_time_to_live()
        .table_name(&name)
        .send()
        .await
        .unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), Some(TABLE.ttl_attribute));
}

async fn a_day_is_counted_over_all_shards(aws: &Aws) {
    let records = DynamoRecords::new(aws.dynamodb.clone(), table(aws).await);
    for number in 0..40 {
        let mut next = record(&format!("i-{number}"));
        match number % 4 {
            0 => next.keys.phase = "routed".to_owned(),
            1 => next.keys.phase = "failed".to_owned(),
            _ => {
                next.keys.phase = "done".to_owned();
                next.keys.verdict = Some(if number < 20 { "clean" } else { "damaged" }.to_owned());
            }
        }
        records.write(&next, Precondition::Absent).await.unwrap();
    }
    // It moves from one count to the other.
    let mut moved = record("i-0");
    moved.keys.phase = "done".to_owned();
    moved.keys.verdict = Some("unusable".to_owned());
    records.write(&moved, Precondition::Version(1)).await.unwrap();
    let mut elsewhere = record("other");
    elsewhere.keys.day = "2026-11-23".to_owned();
    records.write(&elsewhere, Precondition::Absent).await.unwrap();
    let counts = records.counts_on_day(DAY).await.unwrap();
    let of = |phase: &str, verdict: Option<&str>| (phase.to_owned(), verdict.map(str::to_owned));
    let expected = BTreeMap::from([
        (of("routed", None), 9),
        (of("failed", None), 10),
        (of("done", Some("clean")), 10),
        (of("done", Some("damaged")), 10),
        (of("done", Some("unusable")), 1),
    ]);
    assert_eq!(counts, expected);
}

async fn a_page_is_full_across_shards(aws: &Aws) {
    let records = DynamoRecords::new(aws.dynamodb.clone(), table(aws).await);
    for number in 0..130 {
        let written = records
            .write(&record(&format!("i-{number}")), Precondition::Absent)
            .await;
        assert_eq!(written.unwrap(), WriteOutcome::Committed(1));
    }
    let query = RecordQuery::Day(DAY.to_owned());
    // More than one `BatchGetItem` takes, and more than any shard has.
    let first = records.list(&query, None, 120).await.unwrap();
    assert_eq!(first.records.len(), 120);
    let rest = records.list(&query, first.next.as_deref(), 120).await.unwrap();
    assert_eq!((rest.records.len(), rest.next), (10, None));
}

async fn items_carry_their_end(aws: &Aws) {
    let name = table(aws).await;
    let month = Duration::from_secs(30 * 86_400);
    let records = DynamoRecords::new(aws.dynamodb.clone(), &name).keep_for(Some(month));
    records.write(&record("i-1"), Precondition::Absent).await.unwrap();
    let beat = Heartbeat {
        worker: "w-1".to_owned(),
        at: NOW,
        body: String::new(),
    };
    records.put_heartbeat(&beat).await.unwrap();
    let items = aws.dynamodb.scan().table_name(&name).send().await.unwrap();
    let ends = items.items().iter().map(|item| {
        let of = |name: &str| item.get(name).cloned().unwrap();
        let end: u64 = of(TABLE.ttl_attribute).as_n().unwrap().parse().unwrap();
        (of("sk").as_s().unwrap().clone(), end - NOW.0.div_ceil(1000))
    });
    let ends: BTreeMap<String, u64> = ends.collect();
    let expected = [
        ("R".to_owned(), 30 * 86_400),
        ("1795305600000#w-1".to_owned(), 86_400),
    ];
    assert_eq!(ends, BTreeMap::from(expected));
}

async fn a_record_that_does_not_fit_is_refused(aws: &Aws) {
    let records = DynamoRecords::new(aws.dynamodb.clone(), table(aws).await);
    let mut next = record("too-long");
    next.body = "x".repeat(2 * 1024 * 1024);
    let error = records.write(&next, Precondition::Absent).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "records.write: too-long: a body of 2097152 bytes, at most 1048576"
    );
    // Far longer than an item may be, and stored all the same.
    next.body = "{\"text\": 1},".repeat(60_000);
    records.write(&next, Precondition::Absent).await.unwrap();
    let read = records.read(&next.id).await.unwrap().unwrap();
    assert!(
        read.body == next.body,
        "another body of {} bytes",
        read.body.len()
    );
}

async fn a_table_that_is_not_there_is_told(aws: &Aws) {
    let records = DynamoRecords::new(aws.dynamodb.clone(), "nowhere");
    let error = records.read(&record("i-1").id).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound);
    assert!(
        error.to_string().starts_with("records.read: table nowhere: "),
        "{error}"
    );
}
