//! The surface over a real stack in a temporary folder.

mod metrics;

use super::{Site, bind, listener, router};
use crate::failure::Failure;
use crate::local::health::Health;
use crate::local::stack::Stack;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use walkaround_conformance::ManualClock;
use walkaround_domain::{
    AttemptHistory, BlobRef, Inspection, InspectionId, InspectionRequest, Outcome, Phase, PhotoRef,
    Timestamp, Verdict,
};
use walkaround_local::{INTAKE, LocalStack, Options, SEGMENTATION_DEAD, SystemClock, WorkerOptions};
use walkaround_messages::{HeartbeatDocument, WorkerState, heartbeat_body, record_body};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::{
    BlobAddress, Clock, Heartbeat, IndexKeys, OutEvent, OutMessage, Precondition, StoredRecord,
};
use walkaround_settings::Settings;

const DAY: &str = "2026-11-22";

struct Bench {
    folder: TempDir,
    stack: Stack,
    router: Router,
    progress: Arc<Progress>,
    health_clock: Arc<ManualClock>,
}

impl Bench {
    async fn new(loopback_only: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let stack = Stack {
            settings: Arc::new(Settings::from_lookup(&|_| None).unwrap()),
            local: LocalStack::open(folder.path(), Options::default(), Arc::clone(&clock)).unwrap(),
            clock,
        };
        let (progress, health_clock) = (Arc::new(Progress::default()), Arc::new(ManualClock::new()));
        let options = WorkerOptions {
            command: vec!["true".to_owned()],
            ..WorkerOptions::default()
        };
        let site = Site {
            stack: stack.clone(),
            capacity: Arc::new(stack.local.capacity(options).await.unwrap()),
            health: Health {
                progress: Arc::clone(&progress),
                clock: Arc::clone(&health_clock) as Arc<dyn Clock>,
                stalled_after: Duration::from_secs(150),
            },
            loopback_only,
        };
        Self {
            folder,
            stack,
            router: router(site),
            progress,
            health_clock,
        }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        (head.status, head.headers, bytes)
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.ask(request(Method::GET, path, "127.0.0.1:8600")).await
    }

    /// Status and JSON.
    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, headers, body) = self.get(path).await;
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{path}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{path}");
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let (status, page) = self.json(&format!("/api/inspections{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        let records = page["inspections"].as_array().unwrap();
        let id = |r: &Value| {
            r["inspection_id"]
                .as_str()
                .or(r["inspectionId"].as_str())
                .unwrap()
                .to_owned()
        };
        records.iter().map(id).collect()
    }

    /// Stores an inspection; a done one with an overlay of these bytes.
    async fn store(&self, id: &str, vehicle: &str, done: Option<(Verdict, &[u8])>) {
        let mut inspection = inspection(id, vehicle);
        if let Some((verdict, bytes)) = done {
            let at = BlobAddress {
                bucket: "results".to_owned(),
                key: format!("inspections/{id}/overlay.jpg"),
            };
            let blobs = self.stack.local.blobs();
            blobs.put_if_absent(&at, bytes, "image/jpeg").await.unwrap();
            inspection.phase = Phase::Done { verdict };
            inspection.outcome = Some(Outcome {
                overlay: Some(BlobRef {
                    bucket: at.bucket,
                    key: at.key,
                    sha256: Sha256::digest(bytes).into(),
                    bytes: bytes.len() as u64,
                    content_type: "image/jpeg".to_owned(),
                }),
                ..Outcome::default()
            });
        }
        let body = record_body(&inspection);
        self.write(&inspection, vehicle, body).await;
    }

    async fn write(&self, inspection: &Inspection, vehicle: &str, body: String) {
        let record = StoredRecord {
            id: inspection.request.id.clone(),
            version: 0,
            updated_at: self.stack.clock.now(),
            keys: IndexKeys {
                phase: inspection.phase.as_str().to_owned(),
                verdict: match inspection.phase {
                    Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
                    _ => None,
                },
                day: DAY.to_owned(),
                vehicle_id: Some(vehicle.to_owned()),
                reservation_id: Some(format!("r-{vehicle}")),
            },
            body,
        };
        let records = self.stack.local.records();
        records.write(&record, Precondition::Absent).await.unwrap();
    }
}

fn request(method: Method, path: &str, host: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(HOST, host);
    request.body(Body::empty()).unwrap()
}

fn inspection(id: &str, vehicle: &str) -> Inspection {
    Inspection {
        request: InspectionRequest {
            id: InspectionId::new(id).unwrap(),
            photo: PhotoRef::S3 {
                bucket: "photos".to_owned(),
                key: format!("{id}.jpg"),
                version: None,
            },
            vehicle_id: Some(vehicle.to_owned()),
            reservation_id: Some(format!("r-{vehicle}")),
            occasion: None,
            viewpoint: None,
            taken_at: None,
            deadline: None,
            labels: BTreeMap::new(),
            content: None,
        },
        phase: Phase::Accepted,
        route: None,
        outcome: None,
        accepted_at: Timestamp(1_795_000_000_000),
        routed_at: None,
        finished_at: None,
        published_at: None,
        attempts: 1,
        history: AttemptHistory::default(),
        photo_history: walkaround_domain::record::PhotoHistory::default(),
    }
}

#[tokio::test]
async fn health_follows_the_database() {
    let bench = Bench::new(true).await;
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (200, Some("ok")));

    let database = rusqlite::Connection::open(bench.folder.path().join("walkaround.db")).unwrap();
    database.execute_batch("DROP TABLE counts").unwrap();
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("unavailable")));
}

#[tokio::test]
async fn health_follows_the_progress_of_triage() {
    let bench = Bench::new(true).await;
    bench.health_clock.advance(Duration::from_secs(150));
    assert_eq!(bench.json("/healthz").await.0, 200);
    bench.health_clock.advance(Duration::from_secs(1));
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("stalled")));
    assert_eq!(body["no_progress_s"], 151);
    bench.progress.progressed(bench.health_clock.ticks());
    assert_eq!(bench.json("/healthz").await.0, 200);
}

#[tokio::test]
async fn lists_by_each_index_and_page_by_page() {
    let bench = Bench::new(true).await;
    bench.store("a", "car 1", Some((Verdict::Damaged, b"x"))).await;
    bench.store("b", "car 1", None).await;
    bench.store("c", "car2", Some((Verdict::Clean, b"y"))).await;

    assert_eq!(bench.ids("").await, ["c", "b", "a"]);
    assert_eq!(bench.ids("?limit=1").await, ["c"]);
    assert_eq!(bench.ids("?vehicle_id=car%201").await, ["a", "b"]);
    assert_eq!(bench.ids("?vehicle_id=nobody").await, [""; 0]);
    assert_eq!(bench.ids("?reservation_id=r-car2").await, ["c"]);
    assert_eq!(bench.ids(&format!("?day={DAY}")).await, ["a", "b", "c"]);
    assert_eq!(bench.ids(&format!("?day={DAY}&verdict=damaged")).await, ["a"]);

    let mut after = String::new();
    let mut all = Vec::new();
    for _ in 0..3 {
        let (_, page) = bench
            .json(&format!("/api/inspections?day={DAY}&limit=1{after}"))
            .await;
        all.push(page["inspections"][0].clone());
        after = match page["next"].as_str() {
            Some(next) => format!("&after={}", next.replace(' ', "%20")),
            None => "end".to_owned(),
        };
    }
    assert_eq!((all.len(), after.as_str()), (3, "end"));
    let (_, one) = bench.json("/api/inspections/b").await;
    assert_eq!(all[1], one);
}

#[tokio::test]
async fn bad_queries_are_refused_in_one_line() {
    let bench = Bench::new(true).await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "verdict=clean",
        "verdict=nice&day=2026-11-22",
        "day=yesterday",
        "day=2026-11-22&vehicle_id=1",
        "vehicle_id=1&reservation_id=2",
        "vehicle_id=",
        "after=2026-11-22%20a",
        "day=2026-11-22&after=x",
        "colour=red%0A%0Dred",
    ] {
        let (status, body) = bench.json(&format!("/api/inspections?{query}")).await;
        let line = body["error"].as_str().unwrap();
        assert_eq!(status, 400, "{query}: {line}");
        assert!(
            !line.is_empty() && !line.contains(char::is_control),
            "{query}: {line}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let bench = Bench::new(true).await;
    bench.store("a", "1", None).await;
    for path in [
        "/",
        "/api/inspections/none",
        "/api/inspections/..%2F..%2Fetc",
        "/api/inspections/%ff",
        "/api/inspections/none/report",
        "/api/inspections/a/overlay",
        "/api/inspections/a/photo",
    ] {
        let (status, body) = bench.json(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(body["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn damaged_records_are_named_not_passed_on() {
    let bench = Bench::new(true).await;
    bench
        .write(&inspection("torn", "1"), "1", "{\"inspec".to_owned())
        .await;
    for path in ["", "?vehicle_id=1", "/torn", "/torn/report"] {
        let (status, body) = bench.json(&format!("/api/inspections{path}")).await;
        let line = body["error"].as_str().unwrap();
        assert!(status == 500 && line.contains("torn"), "{path}: {status} {line}");
    }
}

#[tokio::test]
async fn blobs_come_with_their_type_and_are_kept() {
    let bench = Bench::new(true).await;
    bench
        .store("a", "1", Some((Verdict::Damaged, b"jpeg bytes")))
        .await;
    let (status, headers, body) = bench.get("/api/inspections/a/overlay").await;
    assert_eq!(
        (status, body.as_slice()),
        (StatusCode::OK, b"jpeg bytes".as_slice())
    );
    assert_eq!(headers[CONTENT_TYPE], "image/jpeg");
    assert_eq!(headers[CACHE_CONTROL], "private, max-age=31536000, immutable");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    // It has a picture and no report.
    assert_eq!(bench.json("/api/inspections/a/report").await.0, 404);
}

#[tokio::test]
async fn only_loopback_names_are_answered_on_loopback() {
    let bench = Bench::new(true).await;
    let ask = |path, host| request(Method::GET, path, host);
    for (path, host, expect) in [
        ("/healthz", "localhost:8600", 200),
        ("/healthz", "[::1]:8600", 200),
        ("/healthz", "rebound.example:8600", 421),
        ("/api/inspections", "10.0.0.5", 421),
        ("http://rebound.example/healthz", "localhost", 421),
        ("http://localhost/healthz", "rebound.example", 421),
    ] {
        assert_eq!(
            bench.ask(ask(path, host)).await.0.as_u16(),
            expect,
            "{path} {host}"
        );
    }
    let nameless = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(bench.ask(nameless).await.0.as_u16(), 421);
    let mut twice = ask("/healthz", "localhost");
    twice
        .headers_mut()
        .append(HOST, "rebound.example".parse().unwrap());
    assert_eq!(bench.ask(twice).await.0.as_u16(), 421);

    let open = Bench::new(false).await;
    assert_eq!(open.ask(ask("/healthz", "inspect.example")).await.0.as_u16(), 200);
}

#[tokio::test]
async fn only_gets_without_bodies() {
    let bench = Bench::new(true).await;
    let post = request(Method::POST, "/api/inspections", "localhost");
    assert_eq!(bench.ask(post).await.0.as_u16(), 405);
    for (name, value) in [("content-length", "5"), ("transfer-encoding", "chunked")] {
        let mut with_body = request(Method::GET, "/healthz", "localhost");
        with_body.headers_mut().insert(name, value.parse().unwrap());
        let (status, headers, _) = bench.ask(with_body).await;
        assert_eq!(
            (status.as_u16(), headers["connection"].as_bytes()),
            (413, b"close".as_slice())
        );
    }
}

#[tokio::test]
async fn real_connections_are_answered_and_end_with_the_stop() {
    let bench = Bench::new(true).await;
    let listener = bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stopper, stopping) = shutdown_signal();
    let server = tokio::spawn(listener::run(listener, bench.router.clone(), stopping));

    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let asked = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with(r#"{"status":"ok"}"#) {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.unwrap();
            assert!(read > 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    // An idle connection does not hold the stop up: it is closed, and the server is over.
    stopper.stop();
    server.await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn addresses_that_cannot_be_listened_on_are_told_in_one_line() {
    let taken = bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let holder = bind(&taken.to_string()).await.unwrap();
    for (address, why) in [
        (holder.local_addr().unwrap().to_string(), "taken"),
        ("nonsense".to_owned(), "host:port"),
        ("127.0.0.1".to_owned(), "host:port"),
        ("127.0.0.1:99999".to_owned(), "host:port"),
        ("192.0.2.1:8600".to_owned(), "no such address"),
    ] {
        match bind(&address).await {
            Err(Failure::Usage(line)) => {
                assert!(line.contains(why) && line.contains(&address), "{line}");
                assert!(!line.contains('\n'), "{line}");
            }
            other => panic!("{address}: {:?}", other.map(|_| "bound")),
        }
    }
}
