//! What people do through the console, whatever the stack.

use crate::bench::{Bench, PHOTOS, inspection, request};
use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use walkaround_domain::{BlobRef, FindingSummary, Outcome, Phase, PixelBox, Size, Verdict, hex};
use walkaround_messages::record_body;
use walkaround_ports::{BlobAddress, OutMessage, QueueName};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";
const REPORT: [u8; 32] = [7; 32];
const HERE: &str = "127.0.0.1:8600";

/// A write of a reviewer, as the console's page sends it.
fn write(path: &str, by: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header(HOST, HERE)
        .header(CONTENT_TYPE, "application/json")
        .header("origin", format!("http://{HERE}"))
        .header("sec-fetch-site", "same-origin")
        .header("x-walkaround-reviewer", by)
        .body(Body::from(body.to_string()))
        .unwrap()
}

async fn post(bench: &Bench, path: &str, by: &str, body: &Value) -> (u16, Value) {
    let (status, _, bytes) = bench.ask(write(path, by, body)).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap())
}

/// Stores a damaged photo of two findings, and its bytes.
pub(crate) async fn store(bench: &Bench, id: &str, bytes: &[u8]) {
    let at = BlobAddress {
        bucket: PHOTOS.to_owned(),
        key: format!("{id}.jpg"),
    };
    bench
        .site
        .blobs
        .put_if_absent(&at, bytes, "image/jpeg")
        .await
        .unwrap();
    let mut inspection = inspection(id, "car");
    inspection.phase = Phase::Done {
        verdict: Verdict::Damaged,
    };
    let finding = FindingSummary {
        class: "dent".to_owned(),
        probability: 0.9,
        area_px: 25,
        area_share: 0.005,
        bbox: PixelBox {
            x: 1,
            y: 1,
            width: 5,
            height: 5,
        },
    };
    inspection.outcome = Some(Outcome {
        size: Some(Size::new(100, 50)),
        photo_sha256: Some(Sha256::digest(bytes).into()),
        findings: vec![finding.clone(), finding],
        report: Some(BlobRef {
            bucket: bench.results.clone(),
            key: format!("inspections/{id}/report.json"),
            sha256: REPORT,
            bytes: 2,
            content_type: "application/json".to_owned(),
        }),
        ..Outcome::default()
    });
    let body = record_body(&inspection);
    bench.write(&inspection, "car", body).await;
}

pub(crate) fn decision(revision: u32, decision: &Value) -> Value {
    json!({"revision": revision, "based_on": hex(&REPORT), "decision": decision})
}

pub(crate) async fn photos_are_shown_as_they_were_inspected(bench: Bench) {
    store(&bench, "a", JPEG).await;
    let (status, headers, body) = bench.get("/api/inspections/a/photo").await;
    assert_eq!((status.as_u16(), body.as_slice()), (200, JPEG));
    assert_eq!(headers[CONTENT_TYPE], "image/jpeg");

    store(&bench, "script", b"<svg onload='alert(1)'>").await;
    assert_eq!(bench.json("/api/inspections/script/photo").await.0, 415);

    // Its place has other bytes than those that were inspected.
    bench.store("b", "car", Some((Verdict::Clean, b"x"))).await;
    assert_eq!(bench.json("/api/inspections/b/photo").await.0, 404);
    assert_eq!(bench.json("/api/inspections/nobody/photo").await.0, 404);
}

pub(crate) async fn a_decision_is_stored_once_and_the_second_reviewer_sees_it(bench: Bench) {
    store(&bench, "a", JPEG).await;
    let path = "/api/inspections/a/reviews";
    let reject =
        json!({"kind": "findings", "findings": [{"finding": 1, "decision": "reject", "why": "dirt"}]});
    let (status, answer) = post(&bench, path, "Ada%20Park", &decision(1, &reject)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["review"]["by"], "Ada Park");
    // Without an answer it is sent again.
    let (status, again) = post(&bench, path, "Ada%20Park", &decision(1, &reject)).await;
    assert_eq!((status, &again), (200, &answer));
    let confirm = json!({"kind": "confirm"});
    let (status, conflict) = post(&bench, path, "%EA%B9%80", &decision(1, &confirm)).await;
    assert_eq!((status, &conflict["last"]), (409, &answer["review"]));
    let (status, _) = post(&bench, path, "%EA%B9%80", &decision(2, &confirm)).await;
    assert_eq!(status, 200);
    let (_, history) = bench.json(path).await;
    let by: Vec<&str> = history["reviews"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["by"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["Ada Park", "김"]);
    let (_, photos) = bench.json("/api/walkaround?reservation_id=r-car").await;
    assert_eq!(photos["reviews"][0]["kind"], "confirmed");
    assert_eq!(photos["reviews"][0]["verdict"], "damaged");
    let (_, photos) = bench.json("/api/vehicle?vehicle_id=car").await;
    assert_eq!(photos["inspections"].as_array().unwrap().len(), 1);
    // Each decision counts once, however often it was sent.
    let figures = crate::metrics::figures(&bench).await;
    for (series, expected) in [
        (r#"walkaround_reviews_total{decision="findings"}"#, 1.0),
        (r#"walkaround_reviews_total{decision="confirm"}"#, 1.0),
        ("walkaround_reviews_last_day", 2.0),
    ] {
        assert_eq!(figures.get(series), Some(&expected), "{series}");
    }
}

/// A decision that is refused: of which inspection, with which status, and a word of the line that says why.
struct Refused {
    id: &'static str,
    body: Value,
    status: u16,
    word: &'static str,
}

fn refused() -> Vec<Refused> {
    let case = |id, body, status, word| Refused {
        id,
        body,
        status,
        word,
    };
    let confirm = || json!({"kind": "confirm"});
    let third = json!({"kind": "findings", "findings": [{"finding": 2, "decision": "accept"}]});
    let other = json!({"revision": 1, "based_on": hex(&[1; 32]), "decision": confirm()});
    let no_digest = json!({"revision": 1, "based_on": "x", "decision": confirm()});
    let boring = json!({"kind": "unusable", "why": "boring"});
    let itself = json!({"kind": "undo", "revision": 1});
    vec![
        case("a", decision(1, &boring), 400, "why"),
        case("a", decision(1, &itself), 400, "undo"),
        case("a", decision(1, &third), 400, "finding 2"),
        case("a", other, 409, "report"),
        case("a", no_digest, 400, "based_on"),
        case(
            "a",
            json!({"decision": {"kind": "dance"}}),
            422,
            "unknown variant",
        ),
        case("pending", decision(1, &confirm()), 409, "only one that is done"),
        case("nobody", decision(1, &confirm()), 404, "no such"),
    ]
}

pub(crate) async fn what_cannot_be_decided_is_refused_in_one_line(bench: Bench) {
    store(&bench, "a", JPEG).await;
    bench.store("pending", "car", None).await;
    for Refused {
        id,
        body,
        status: expected,
        word,
    } in refused()
    {
        let (status, answer) = post(&bench, &format!("/api/inspections/{id}/reviews"), "Ada", &body).await;
        let line = answer["error"].as_str().unwrap();
        assert!(
            status == expected && line.contains(word),
            "{body}: {status} {line}"
        );
    }
    let confirm = decision(1, &json!({"kind": "confirm"}));
    let (status, answer) = post(&bench, "/api/inspections/a/reviews", "", &confirm).await;
    assert_eq!(status, 400, "{answer}");
}

/// Two photos that somebody asked to be reviewed.
async fn asked(bench: &Bench) {
    for id in ["a", "b"] {
        store(bench, id, JPEG).await;
        assert_eq!(step(bench, id, "ask", "Care").await.0, 200);
    }
    let listed = listed(bench, 2).await;
    let open = |task: &Value| task["reason"] == "asked" && task["state"] == "open";
    assert!(listed.iter().all(open), "{listed:?}");
}

async fn step(bench: &Bench, id: &str, step: &str, by: &str) -> (u16, Value) {
    post(bench, &format!("/api/tasks/{id}/{step}"), by, &json!({})).await
}

async fn next(bench: &Bench, by: &str, body: &Value) -> Value {
    post(bench, "/api/tasks/claim", by, body).await.1["task"].clone()
}

pub(crate) async fn a_task_is_claimed_by_one(bench: Bench) {
    asked(&bench).await;
    let (_, counts) = bench.json("/api/tasks/counts").await;
    assert_eq!(
        (&counts["open"], &counts["by_reason"][0]["reason"]),
        (&json!(2), &json!("asked"))
    );
    let first = next(&bench, "Ada", &json!({})).await;
    let second = next(&bench, "Min", &json!({})).await;
    assert_ne!(first["inspection_id"], second["inspection_id"]);
    assert_eq!(next(&bench, "Eve", &json!({})).await, Value::Null);
    let again = next(&bench, "Ada", &json!({})).await;
    assert_eq!(again["inspection_id"], first["inspection_id"]);
    let skip = json!({"skip": [first["inspection_id"]]});
    assert_eq!(next(&bench, "Ada", &skip).await, Value::Null);
    assert_eq!(
        next(&bench, "Ada", &json!({"vehicle_id": "another"})).await,
        Value::Null
    );
    let id = first["inspection_id"].as_str().unwrap();
    let (status, held) = step(&bench, id, "claim", "Min").await;
    assert_eq!((status, &held["claimed_by"]), (409, &json!("Ada")));
    for (word, by) in [("extend", "Ada"), ("release", "Ada"), ("claim", "Min")] {
        assert_eq!(step(&bench, id, word, by).await.0, 200, "{word}");
    }
}

pub(crate) async fn a_task_is_done_with_its_decision(bench: Bench) {
    asked(&bench).await;
    let reviews = "/api/inspections/a/reviews";
    let confirm = decision(1, &json!({"kind": "confirm"}));
    assert_eq!(post(&bench, reviews, "Min", &confirm).await.0, 200);
    listed(&bench, 1).await;
    let (status, claimed) = step(&bench, "a", "claim", "Ada").await;
    assert_eq!((status, &claimed["task"]), (200, &Value::Null));
    let undo = decision(2, &json!({"kind": "undo", "revision": 1}));
    assert_eq!(post(&bench, reviews, "Min", &undo).await.0, 200);
    listed(&bench, 2).await;
}

/// The tasks that are listed, once there are as many: a page may lag behind the writes.
async fn listed(bench: &Bench, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let (status, page) = bench.json("/api/tasks").await;
        assert_eq!(status, 200, "{page}");
        let tasks = page["tasks"].as_array().unwrap().clone();
        if tasks.len() == count {
            return tasks;
        }
        bench.site.clock.sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("there are never {count} tasks");
}

pub(crate) async fn writes_come_from_the_console_alone(bench: Bench) {
    store(&bench, "a", JPEG).await;
    let good = || write("/api/tasks/a/ask", "Ada", &json!({}));
    let changed = |name: &'static str, value: &'static str| {
        let mut request = good();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (name, value, expected) in [
        ("content-type", "text/plain", 403),
        ("content-type", "application/x-www-form-urlencoded", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("host", "evil.example", 421),
        ("content-type", "application/json; charset=utf-8", 200),
    ] {
        let (status, _, _) = bench.ask(changed(name, value)).await;
        assert_eq!(status.as_u16(), expected, "{name}: {value}");
    }
    let mut nameless = good();
    nameless.headers_mut().remove("x-walkaround-reviewer");
    assert_eq!(bench.ask(nameless).await.0.as_u16(), 403);

    let open = bench.beyond_loopback();
    assert_eq!(open.ask(good()).await.0.as_u16(), 403);
    for path in [
        "/api/session",
        "/api/inspections",
        "/api/inspections/a",
        "/metrics",
        "/api/tasks",
        "/api/inspections/a/photo",
        "/api/system",
        "/api/model",
        "/api/vehicle?vehicle_id=car",
    ] {
        let asked = request(Method::GET, path, "inspect.example");
        assert_eq!(open.ask(asked).await.0.as_u16(), 403, "{path}");
    }
}

pub(crate) async fn the_console_is_served_under_a_strict_policy(bench: Bench) {
    let (status, headers, body) = bench.get("/console/").await;
    assert_eq!(status.as_u16(), 200);
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = String::from_utf8(body).unwrap();
    let is_whole = page.contains("/console/assets/console.js");
    assert!(
        is_whole || page.contains("this program was built without the console: make console"),
        "{page}"
    );
    assert_eq!(bench.get("/").await.0.as_u16(), 307);
    assert_eq!(bench.get("/console").await.0.as_u16(), 307);
    assert_eq!(bench.json("/console/..%2fsecret").await.0, 404);
    assert_eq!(bench.json("/console/nothing.js").await.0, 404);
    let (_, session) = bench.json("/api/session").await;
    assert_eq!(session["reviewer"], Value::Null);
}

pub(crate) async fn parked_messages_go_back_and_the_system_is_shown(bench: Bench) {
    let message = OutMessage {
        body: "not a request".to_owned(),
        ..OutMessage::default()
    };
    for sent in bench.intake_dead.send(vec![message]).await.unwrap() {
        sent.unwrap();
    }
    let mut parked = Value::Null;
    for _ in 0..100 {
        parked = bench.json("/api/parked?queue=intake").await.1;
        if parked["messages"][0]["id"].is_string() {
            break;
        }
        bench.site.clock.sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(parked["messages"][0]["excerpt"], "not a request", "{parked}");
    let (status, system) = bench.json("/api/system").await;
    assert_eq!(
        (status, &system["queues"][0]["name"]),
        (200, &json!(QueueName::Intake.as_str()))
    );
    assert_eq!(bench.json("/api/parked?queue=lost").await.0, 400);
    let (status, done) = post(&bench, "/api/parked/redrive", "Ada", &json!({"queue": "intake"})).await;
    assert_eq!((status, &done["moved"]), (200, &json!(1)), "{done}");
    let (status, done) = post(&bench, "/api/retry", "Ada", &json!({"ids": ["nobody"]})).await;
    assert_eq!(
        (status, &done["inspections"][0]["state"]),
        (200, &json!("unknown"))
    );
    assert_eq!(
        post(&bench, "/api/retry", "Ada", &json!({"ids": []})).await.0,
        400
    );
}
