//! The client commands on AWS, against an emulator whose queues, table and buckets are made by hand: what each shows,
//! and what it says when something is not set.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[path = "../aws_client/mod.rs"]
mod aws_client;
mod bundles;
mod dataset;
mod review;
mod submit;

use aws_client::{Names, SECRET, TABLE, clients};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use walkaround_aws::{Aws, DynamoRecords, S3Blobs, SqsQueue};
use walkaround_domain::{
    AttemptHistory, BlobRef, FailureCode, Inspection, InspectionId, InspectionRequest, Outcome, Phase,
    PhotoRef, Timestamp, Verdict,
};
use walkaround_emulators::Ministack;
use walkaround_messages::{record_body, utc_day};
use walkaround_ports::{
    BlobAddress, Blobs, Clock, IndexKeys, OutMessage, Precondition, Queue, REDRIVEN, Records, StoredRecord,
    SystemClock,
};

/// An emulator with the names of a stack in it.
struct Bench {
    runtime: Runtime,
    aws: Aws,
    names: Names,
    _ministack: Ministack,
}

impl Bench {
    fn new() -> Self {
        let ministack = Ministack::start();
        let runtime = Runtime::new().unwrap();
        let endpoint = ministack.endpoint();
        let aws = runtime.block_on(clients(&endpoint));
        let names = runtime.block_on(Names::make(&aws, &endpoint));
        Self {
            runtime,
            aws,
            names,
            _ministack: ministack,
        }
    }

    fn queue(&self, variable: &str) -> SqsQueue {
        SqsQueue::new(self.aws.sqs.clone(), self.names.url(variable))
    }

    fn send(&self, variable: &str, messages: &[(&str, &[(&str, &str)])]) {
        let message = |(body, attributes): &(&str, &[(&str, &str)])| OutMessage {
            body: (*body).to_owned(),
            attributes: attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            delay: Duration::ZERO,
        };
        let sent = self.queue(variable);
        let sent = sent.send(messages.iter().map(message).collect());
        assert!(self.runtime.block_on(sent).unwrap().iter().all(Result::is_ok));
    }

    /// Bodies and attributes of what is in a queue; it is empty afterwards.
    fn take(&self, variable: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let queue = self.queue(variable);
        self.runtime.block_on(async {
            let mut all = BTreeMap::new();
            loop {
                let some = queue
                    .receive(10, Duration::from_secs(30), Duration::from_secs(1))
                    .await
                    .unwrap();
                if some.is_empty() {
                    return all;
                }
                let receipts: Vec<_> = some.iter().map(|d| d.receipt.clone()).collect();
                queue.ack(&receipts).await.unwrap();
                all.extend(some.into_iter().map(|d| (d.body, d.attributes)));
            }
        })
    }

    /// Stores a record as a worker would, with its marked picture.
    fn store(&self, id: &str, phase: &Phase, vehicle: &str) {
        self.store_of(id, &format!("{id}.jpg"), phase, vehicle);
    }

    /// The same of the photo under a key.
    fn store_of(&self, id: &str, photo: &str, phase: &Phase, vehicle: &str) {
        let now = SystemClock::new().now();
        let at = BlobAddress {
            bucket: "results".to_owned(),
            key: format!("inspections/{id}/overlay.jpg"),
        };
        let overlay = BlobRef {
            bucket: at.bucket.clone(),
            key: at.key.clone(),
            sha256: [0; 32],
            bytes: 7,
            content_type: "image/jpeg".to_owned(),
        };
        let inspection = inspection(id, photo, phase, vehicle, now, overlay);
        let record = StoredRecord {
            id: inspection.request.id.clone(),
            version: 0,
            updated_at: now,
            keys: IndexKeys {
                phase: phase.as_str().to_owned(),
                verdict: match phase {
                    Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
                    _ => None,
                },
                day: utc_day(now),
                vehicle_id: Some(vehicle.to_owned()),
                reservation_id: Some(format!("r-{vehicle}")),
            },
            body: record_body(&inspection),
        };
        self.runtime.block_on(async {
            let records = DynamoRecords::new(self.aws.dynamodb.clone(), TABLE);
            records.write(&record, Precondition::Absent).await.unwrap();
            let blobs = S3Blobs::new(self.aws.s3.clone());
            blobs.put_if_absent(&at, b"picture", "image/jpeg").await.unwrap();
        });
    }
}

fn inspection(
    id: &str,
    photo: &str,
    phase: &Phase,
    vehicle: &str,
    now: Timestamp,
    overlay: BlobRef,
) -> Inspection {
    let photo = PhotoRef::S3 {
        bucket: "photos".to_owned(),
        key: photo.to_owned(),
        version: None,
    };
    let mut request = InspectionRequest::of(InspectionId::new(id).unwrap(), photo);
    request.vehicle_id = Some(vehicle.to_owned());
    request.reservation_id = Some(format!("r-{vehicle}"));
    Inspection {
        request,
        phase: phase.clone(),
        route: None,
        outcome: Some(Outcome {
            overlay: Some(overlay),
            ..Outcome::default()
        }),
        accepted_at: now,
        routed_at: None,
        finished_at: Some(now),
        published_at: Some(now),
        attempts: 1,
        history: AttemptHistory::default(),
        photo_history: walkaround_domain::record::PhotoHistory::default(),
    }
}

const fn done(verdict: Verdict) -> Phase {
    Phase::Done { verdict }
}

fn ids(documents: &[serde_json::Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = documents
        .iter()
        .map(|d| d["inspection_id"].as_str().expect("a record has its id"))
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn status_list_and_show_read_the_table() {
    let bench = Bench::new();
    bench.store("one", &done(Verdict::Damaged), "car-1");
    bench.store("two", &done(Verdict::Clean), "car-1");
    bench.store("three", &done(Verdict::Clean), "car-2");
    bench.send("INTAKE_QUEUE", &[("a", &[]), ("b", &[])]);
    bench.send("SEGMENTATION_DEAD_QUEUE", &[("c", &[])]);
    let names = &bench.names;

    let status = &names.documents(&["status"])[0];
    assert_eq!(status["stack"], "aws");
    assert_eq!(status["queues"][0]["ready"], 2);
    assert_eq!(status["queues"][1]["parked"], 1);
    assert_eq!(status["verdicts"], serde_json::json!({"clean": 2, "damaged": 1}));
    let today = utc_day(SystemClock::new().now());
    assert_eq!(status["day"], today.as_str());
    let page = names.run(&["status"]).succeeded().stdout;
    assert!(
        page.contains("today        2 clean, 1 damaged, 0 failed"),
        "{page}"
    );

    assert_eq!(
        ids(&names.documents(&["list", "--vehicle", "car-1"])),
        ["one", "two"]
    );
    assert_eq!(
        ids(&names.documents(&["list", "--reservation", "r-car-2"])),
        ["three"]
    );
    assert_eq!(
        ids(&names.documents(&["list", "--day", &today])),
        ["one", "three", "two"]
    );
    let clean = names.documents(&["list", "--day", &today, "--verdict", "clean"]);
    assert_eq!(ids(&clean), ["three", "two"]);
    let table = names.run(&["list", "--vehicle", "car-1"]).succeeded().stdout;
    assert!(table.contains("damaged") && table.contains("one.jpg"), "{table}");
    assert_eq!(ids(&names.documents(&["list"])), ["one", "three", "two"]);

    let shown = names.run(&["show", "one"]).succeeded().stdout;
    assert!(
        shown.contains("s3://results/inspections/one/overlay.jpg"),
        "{shown}"
    );
    assert!(!shown.contains("X-Amz-Signature"), "{shown}");
    let none = names.run(&["show", "nobody"]);
    assert!(none.one_line(1).contains("no inspection `nobody`"), "{none:?}");
}

#[test]
fn links_are_printed_when_asked_for_and_nothing_secret_is_logged() {
    let bench = Bench::new();
    bench.store("one", &done(Verdict::Damaged), "car-1");
    let loud = bench.names.with("WALKAROUND_LOG", "debug");
    let shown = loud.run(&["show", "one", "--links", "--format", "json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let links: serde_json::Value = serde_json::from_str(shown.stdout.lines().nth(1).unwrap()).unwrap();
    let url = links["links"]["overlay"].as_str().unwrap();
    assert!(
        url.contains("X-Amz-Signature=") && url.contains("X-Amz-Expires=900"),
        "{url}"
    );
    let others = [
        loud.run(&["status"]),
        loud.run(&["parked"]),
        loud.run(&["redrive", "--all"]),
        loud.run(&["bundle", "list"]),
    ];
    for ran in others.iter().chain([&shown]) {
        assert!(ran.stderr.contains("DEBUG"), "the log is on: {ran:?}");
        let lower = ran.stderr.to_lowercase();
        for secret in [SECRET, "x-amz-signature", "signature=", "credential="] {
            assert!(!lower.contains(secret), "`{secret}` in: {}", ran.stderr);
        }
    }
}

#[test]
fn parked_messages_are_shown_and_go_back() {
    let bench = Bench::new();
    let why: &[(&str, &str)] = &[
        ("parked_reason", "not a request"),
        ("parked_from", "intake"),
        ("trace", "t-1"),
    ];
    bench.send(
        "INTAKE_DEAD_QUEUE",
        &[("nonsense 1", why), ("nonsense 2", &[]), ("nonsense 3", &[])],
    );
    bench.send("SEGMENTATION_DEAD_QUEUE", &[("nonsense 4", &[])]);
    let names = &bench.names;
    let parked = names.documents(&["parked"]);
    assert_eq!(parked.len(), 4, "{parked:?}");
    let first = parked.iter().find(|d| d["body"] == "nonsense 1").unwrap();
    assert_eq!(first["reason"], "not a request");
    assert_eq!(first["attributes"], serde_json::json!({"trace": "t-1"}));
    let table = names.run(&["parked", "--queue", "intake"]).succeeded().stdout;
    assert!(
        table.contains("3 messages parked") && table.contains("not a request"),
        "a listing hides nothing from the next: {table}"
    );

    let id = first["message_id"].as_str().unwrap();
    let one = names.run(&["redrive", id, "nobody"]);
    assert_eq!(one.code, 1, "{one:?}");
    assert!(
        one.stdout.contains("1 message sent back") && one.stderr.contains("not parked: nobody"),
        "{one:?}"
    );
    let back = bench.take("INTAKE_QUEUE");
    assert_eq!(
        back,
        BTreeMap::from([(
            "nonsense 1".to_owned(),
            BTreeMap::from([("trace", "t-1"), (REDRIVEN, "true")].map(|(k, v)| (k.to_owned(), v.to_owned())))
        )])
    );
    let all = names.documents(&["redrive", "--all"]);
    assert_eq!(
        all[0],
        serde_json::json!({"sent_back": 3, "missing": [], "refused": [], "more": false})
    );
    assert_eq!(bench.take("INTAKE_QUEUE").len(), 2);
    assert_eq!(bench.take("SEGMENTATION_QUEUE").len(), 1);
    assert!(names.documents(&["parked"]).is_empty());
}

#[test]
fn what_is_missing_is_one_clear_line() {
    let bench = Bench::new();
    let names = &bench.names;
    let today = utc_day(SystemClock::new().now());
    let cases: [(&str, &[&str], i32, &str); 7] = [
        (
            "WALKAROUND_TABLE",
            &["list", "--day", &today],
            2,
            "WALKAROUND_TABLE is not set",
        ),
        (
            "WALKAROUND_INTAKE_DEAD_QUEUE",
            &["parked"],
            2,
            "WALKAROUND_INTAKE_DEAD_QUEUE is not set",
        ),
        ("AWS_REGION", &["status"], 2, "no AWS region"),
        ("AWS_ACCESS_KEY_ID", &["parked"], 1, "no usable AWS credentials"),
        (
            "AWS_ACCESS_KEY_ID",
            &["bundle", "list"],
            1,
            "no usable AWS credentials",
        ),
        (
            "WALKAROUND_STACK",
            &["parked", "--profile", "x"],
            2,
            "--profile works only with --stack aws",
        ),
        (
            "WALKAROUND_STACK",
            &["parked", "--stack", "aws", "--root", "x"],
            2,
            "--root works only with --stack local",
        ),
    ];
    for (without, arguments, code, words) in cases {
        let ran = names.with(without, "").run(arguments);
        assert!(ran.one_line(code).contains(words), "{without}: {ran:?}");
    }
    let ran = names.run(&["parked", "--endpoint-url", "http://127.0.0.1:1"]);
    assert!(
        ran.one_line(1)
            .contains("nothing answers at the AWS endpoint http://127.0.0.1:1"),
        "{ran:?}"
    );
    // Listing jobs needs no definition: what ministack does not know of Batch is the stack's fault, not the settings'.
    let jobs = names
        .with("WALKAROUND_JOB_QUEUE", "gpu")
        .with("WALKAROUND_JOB_PREFIX", "stage-worker")
        .run(&["status"]);
    assert!(!jobs.stderr.contains("WALKAROUND_JOB_DEFINITION"), "{jobs:?}");
}

#[test]
fn retry_reopens_failed_inspections_and_sends_their_messages() {
    let bench = Bench::new();
    let fail = |code| Phase::Failed {
        code,
        detail: "it did".to_owned(),
    };
    bench.store("one", &fail(FailureCode::EngineFailed), "car-1");
    bench.store("two", &fail(FailureCode::PhotoNotFound), "car-1");
    bench.store("three", &done(Verdict::Clean), "car-2");
    let names = &bench.names;
    let states = |arguments: &[&str]| -> BTreeMap<String, String> {
        let of = |d: &serde_json::Value| {
            let text = |field: &str| d[field].as_str().unwrap().to_owned();
            (text("inspection_id"), text("state"))
        };
        names.documents(arguments).iter().map(of).collect()
    };
    let would = states(&["retry", "--failed", "--dry-run"]);
    assert_eq!(
        would,
        [("one", "would_reopen"), ("two", "would_reopen")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into()
    );
    assert_eq!(states(&["retry", "--failed", "--code", "engine_failed"]).len(), 1);
    let shown = &names.documents(&["show", "one"])[0];
    assert_eq!(
        (shown["phase"].as_str(), shown["history"]["reopened"].as_u64()),
        (Some("accepted"), Some(1))
    );
    // Nothing of it is found again, and the rest is.
    assert_eq!(states(&["retry", "--failed"]).keys().collect::<Vec<_>>(), ["two"]);
    assert!(states(&["retry", "--failed"]).is_empty());
    let left = names.run(&["retry", "three", "nobody"]);
    assert_eq!(left.code, 1, "{left:?}");
    assert!(
        left.stdout.contains("it is done") && left.stdout.contains("no such inspection"),
        "{left:?}"
    );
    // Delivered after their delay.
    let mut sent = BTreeMap::new();
    for _ in 0..60 {
        sent.extend(bench.take("INTAKE_QUEUE"));
        if sent.len() == 2 {
            break;
        }
    }
    let photos: Vec<bool> = ["one.jpg", "two.jpg"]
        .map(|name| sent.keys().any(|body| body.contains(name)))
        .into();
    assert_eq!(photos, [true, true], "{sent:?}");
}
