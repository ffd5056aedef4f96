//! What emulators never answer: a write that is sent again, keys left out, throttling.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_aws::{ATTEMPTS_MAX, Acquired, DynamoRecords, DynamoState, FleetLock, PutIfAbsent};
use walkaround_conformance::ManualClock;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{
    IndexKeys, PortErrorKind, Precondition, RecordQuery, Records, StoredRecord, WriteOutcome,
};

/// The answer to the nth call: status and document.
type Answers = fn(usize, &Value) -> (u16, Value);

#[derive(Debug, Clone)]
struct Recorded {
    answers: Answers,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Recorded {
    fn new(answers: Answers) -> Self {
        let calls = Arc::default();
        Self { answers, calls }
    }

    fn client(&self) -> aws_sdk_dynamodb::Client {
        let recorded = self.clone();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(Duration::from_millis(1));
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "recorded"))
            .retry_config(retries)
            .http_client(http_client_fn(move |_, _| {
                SharedHttpConnector::new(recorded.clone())
            }))
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    fn records(&self) -> DynamoRecords {
        DynamoRecords::new(self.client(), "walkaround")
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

impl HttpConnector for Recorded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut calls = self.calls.lock().unwrap();
        let (status, answer) = (self.answers)(calls.len(), &body);
        calls.push(body);
        let body = SdkBody::from(answer.to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
    }
}

/// The first answer is lost after the write; when it is sent again, the condition meets what it wrote.
fn sent_again(call: usize, request: &Value) -> (u16, Value) {
    match call {
        0 => (500, json!({ "__type": "InternalServerError" })),
        _ => (
            400,
            json!({ "__type": "ConditionalCheckFailedException", "message": "", "Item": request["Item"] }),
        ),
    }
}

fn record() -> StoredRecord {
    StoredRecord {
        id: InspectionId::new("i-1").unwrap(),
        version: 0,
        updated_at: Timestamp(1_795_305_600_123),
        keys: IndexKeys {
            phase: "accepted".to_owned(),
            day: "2026-11-22".to_owned(),
            ..IndexKeys::default()
        },
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn a_write_that_was_sent_again_is_not_beaten_by_itself() {
    for (expect, version) in [(Precondition::Absent, 1), (Precondition::Version(4), 5)] {
        let recorded = Recorded::new(sent_again);
        let written = recorded.records().write(&record(), expect).await.unwrap();
        assert_eq!(written, WriteOutcome::Committed(version));
        assert_eq!(recorded.calls(), 2);
    }
}

#[tokio::test]
async fn the_same_content_by_another_writer_is_a_conflict() {
    let recorded = Recorded::new(|_, request| {
        let mut item = request["Item"].clone();
        item["write_token"] = json!({ "S": "another" });
        (
            400,
            json!({ "__type": "ConditionalCheckFailedException", "Item": item }),
        )
    });
    let written = recorded.records().write(&record(), Precondition::Absent).await;
    let standing = StoredRecord {
        version: 1,
        ..record()
    };
    assert_eq!(written.unwrap(), WriteOutcome::Conflict(Some(standing)));
}

#[tokio::test]
async fn a_lock_or_document_that_was_sent_again_is_the_callers() {
    let (minute, clock) = (Duration::from_secs(60), Arc::new(ManualClock::new()));
    let recorded = Recorded::new(sent_again);
    let lock = FleetLock::new(recorded.client(), "walkaround", clock.clone());
    let acquired = lock.acquire("fleet", "a", minute).await.unwrap();
    assert!(matches!(acquired, Acquired::Held(_)), "{acquired:?}");
    let recorded = Recorded::new(sent_again);
    let state = DynamoState::new(recorded.client(), "walkaround", clock);
    let put = state.put_if_absent("cause", "text", minute).await.unwrap();
    assert_eq!(put, PutIfAbsent::Created);
}

fn item(id: &str) -> Value {
    json!({ "pk": { "S": format!("I#{id}") }, "sk": { "S": "R" }, "id": { "S": id },
        "version": { "N": "1" }, "updated_at": { "N": "1795305600123" }, "phase": { "S": "accepted" },
        "day": { "S": "2026-11-22" }, "vehicle": { "S": "veh-1" }, "body": { "S": "{}" } })
}

fn two_keys() -> Value {
    let key = |id: &str| json!({ "id": { "S": id }, "day_id": { "S": format!("2026-11-22#{id}") } });
    json!({ "Items": [key("b"), key("a")], "Count": 2 })
}

#[tokio::test]
async fn keys_that_were_left_out_are_asked_for_again() {
    let recorded = Recorded::new(|call, request| {
        let keys = &request["RequestItems"]["walkaround"]["Keys"];
        match call {
            0 => (200, two_keys()),
            1 => (
                200,
                json!({ "Responses": { "walkaround": [item("a")] },
                    "UnprocessedKeys": { "walkaround": { "Keys": [keys[0]] } } }),
            ),
            _ => {
                assert_eq!(*keys, json!([{ "pk": { "S": "I#b" }, "sk": { "S": "R" } }]));
                (200, json!({ "Responses": { "walkaround": [item("b")] } }))
            }
        }
    });
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    let page = recorded.records().list(&query, None, 10).await.unwrap();
    let ids: Vec<&str> = page.records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!((ids, page.next), (vec!["b", "a"], None));
}

#[tokio::test]
async fn keys_that_stay_left_out_are_throttling() {
    let recorded = Recorded::new(|call, request| match call {
        0 => (200, two_keys()),
        _ => (
            200,
            json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] }),
        ),
    });
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    let error = recorded.records().list(&query, None, 10).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Throttled);
    assert_eq!(recorded.calls(), 2);
}

#[tokio::test]
async fn what_the_index_tells_late_is_left_out() {
    let recorded = Recorded::new(|call, _| match call {
        0 => (200, two_keys()),
        _ => {
            let mut moved = item("a");
            moved["vehicle"] = json!({ "S": "veh-2" });
            (200, json!({ "Responses": { "walkaround": [moved, item("b")] } }))
        }
    });
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    let page = recorded.records().list(&query, None, 10).await.unwrap();
    let ids: Vec<&str> = page.records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["b"]);
}

#[tokio::test]
async fn a_listing_that_never_ends_is_cut_and_can_go_on() {
    let recorded = Recorded::new(|_, _| {
        let last = json!({ "day_id": { "S": "2026-11-22#a" } });
        (200, json!({ "Items": [], "Count": 0, "LastEvaluatedKey": last }))
    });
    let query = RecordQuery::Vehicle("veh-1".to_owned());
    let page = recorded.records().list(&query, None, 10).await.unwrap();
    assert_eq!(page.records, []);
    assert_eq!(page.next.as_deref(), Some("0 2026-11-22#a"));
    assert_eq!(recorded.calls(), 32);
}

#[tokio::test]
async fn throttling_says_so_after_the_last_try() {
    let recorded = Recorded::new(|_, _| {
        let code = "ProvisionedThroughputExceededException";
        (400, json!({ "__type": code, "message": "slow down" }))
    });
    let error = recorded.records().read(&record().id).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Throttled);
    assert_eq!(recorded.calls(), ATTEMPTS_MAX as usize);
}

#[tokio::test]
async fn an_item_that_is_no_record_is_corrupt() {
    let recorded = Recorded::new(|_, _| {
        let mut broken = item("a");
        broken["version"] = json!({ "S": "one" });
        (200, json!({ "Item": broken }))
    });
    let error = recorded.records().read(&record().id).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Corrupt);
    assert_eq!(
        error.to_string(),
        "records.read: table walkaround: the item has no `version`"
    );
}

#[tokio::test]
async fn heartbeats_of_hours_gone_by_are_not_read() {
    let recorded = Recorded::new(|_, _| (200, json!({ "Items": [], "Count": 0 })));
    // 10:59:30 of a day: the key of the hour, so that the items of workers before it cost nothing.
    let since = Timestamp(1_795_305_600_000 + (11 * 3600 - 30) * 1000);
    assert!(recorded.records().heartbeats(since).await.unwrap().is_empty());
    let asked = recorded.calls.lock().unwrap()[0].clone();
    assert_eq!(asked["KeyConditionExpression"], "pk = :workers AND sk >= :slot");
    let slot = asked["ExpressionAttributeValues"][":slot"]["S"].clone();
    assert_eq!(slot, (1_795_305_600_000_u64 + 10 * 3_600_000).to_string());
}

#[tokio::test]
async fn a_worker_that_saw_two_hours_is_told_of_once_with_its_latest_heartbeat() {
    fn two_hours(_: usize, _: &Value) -> (u16, Value) {
        let item = |at: u64, body: &str| {
            json!({ "sk": { "S": format!("{at}#w-1") }, "worker": { "S": "w-1" },
                "beat_at": { "N": at.to_string() }, "body": { "S": body } })
        };
        let items = json!([item(1_795_305_600_000, "old"), item(1_795_309_200_000, "new")]);
        (200, json!({ "Items": items, "Count": 2 }))
    }
    let recorded = Recorded::new(two_hours);
    let beats = recorded.records().heartbeats(Timestamp(0)).await.unwrap();
    let bodies: Vec<&str> = beats.iter().map(|b| b.body.as_str()).collect();
    assert_eq!(bodies, ["new"]);
}
