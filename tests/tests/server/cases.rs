//! What the server answers, whatever the stack: one list of cases.

use crate::bench::{Bench, inspection, request};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, Request, StatusCode};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use walkaround_domain::Verdict;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::Clock;
use walkaround_server::{Concerns, bind, run};

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A named case on a fresh stack.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Bench) -> Running,
}

macro_rules! cases {
    ($($name:path),+ $(,)?) => {
        &[$(Case { name: stringify!($name), run: |bench| Box::pin($name(bench)) }),+]
    };
}

/// All cases.
pub(crate) const CASES: &[Case] = cases![
    health_follows_the_database,
    health_is_asked_of_the_store_once_in_a_while,
    health_follows_the_place_of_the_results,
    health_follows_the_progress_of_triage,
    lists_by_each_index_and_page_by_page,
    bad_queries_are_refused_in_one_line,
    what_is_not_there_is_not_found,
    damaged_records_are_named_not_passed_on,
    blobs_come_with_their_type_and_are_kept,
    health_names_what_cannot_be_got_at,
    only_loopback_names_are_answered_on_loopback,
    only_gets_without_bodies,
    real_connections_are_answered_and_end_with_the_stop,
    crate::metrics::metrics_parse_and_count,
    crate::people::photos_are_shown_as_they_were_inspected,
    crate::people::a_decision_is_stored_once_and_the_second_reviewer_sees_it,
    crate::people::what_cannot_be_decided_is_refused_in_one_line,
    crate::people::a_task_is_claimed_by_one,
    crate::people::a_task_is_done_with_its_decision,
    crate::people::writes_come_from_the_console_alone,
    crate::people::the_console_is_served_under_a_strict_policy,
    crate::people::parked_messages_go_back_and_the_system_is_shown,
    crate::model::a_pass_counts_each_photo_once_whenever_it_was_finished,
    crate::model::a_pass_reads_what_people_decided,
    crate::model::blur_is_drift_and_stays_the_same_alarm,
    crate::sessions::people_sign_in_and_decide_under_their_own_name,
    crate::sessions::a_session_ends_everywhere_within_a_minute,
    crate::sessions::nothing_of_anybodys_is_read_without_a_session,
];

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

async fn health_follows_the_database(bench: Bench) {
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (200, Some("ok")));

    bench.break_records().await;
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("unavailable")));
}

async fn health_is_asked_of_the_store_once_in_a_while(bench: Bench) {
    // Of one process: each of the others of this bench is a new one.
    let router = bench.router();
    let ask = async || {
        let request = request(Method::GET, "/healthz", "127.0.0.1:8600");
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 200);
    bench.break_records().await;
    assert_eq!(
        bench.json("/healthz").await.0,
        503,
        "a process that has not asked"
    );
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(ask().await, 503);
}

async fn health_follows_the_place_of_the_results(bench: Bench) {
    assert_eq!(bench.json("/healthz").await.0, 200);
    bench.break_results().await;
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("unavailable")));
}

async fn health_follows_the_progress_of_triage(bench: Bench) {
    bench.health_clock.advance(Duration::from_secs(150));
    assert_eq!(bench.json("/healthz").await.0, 200);
    bench.health_clock.advance(Duration::from_secs(1));
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("stalled")));
    assert_eq!(body["no_progress_s"], 151);
    bench.progress.progressed(bench.health_clock.ticks());
    assert_eq!(bench.json("/healthz").await.0, 200);
}

async fn health_names_what_cannot_be_got_at(bench: Bench) {
    let hosts = Concerns {
        unresponsive_hosts: vec!["photos.example".to_owned()],
        ..Concerns::default()
    };
    let bench = bench.with_concerns(hosts.clone());
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (200, Some("ok")));
    assert_eq!(body["unresponsive_hosts"][0], "photos.example");
    let bench = bench.with_concerns(Concerns {
        drop_folder: Some("the drop folder /nas/in is away".to_owned()),
        ..hosts
    });
    let (status, body) = bench.json("/healthz").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("unavailable")));
    assert_eq!(body["reason"], "the drop folder /nas/in is away");
}

async fn lists_by_each_index_and_page_by_page(bench: Bench) {
    bench.store("a", "car 1", Some((Verdict::Damaged, b"x"))).await;
    bench.store("b", "car 1", None).await;
    bench.store("c", "car2", Some((Verdict::Clean, b"y"))).await;

    assert_eq!(bench.ids("").await, ["a", "b", "c"]);
    assert_eq!(bench.ids("?limit=1").await.len(), 1);
    assert_eq!(bench.ids("?vehicle_id=car%201").await, ["a", "b"]);
    assert_eq!(bench.ids("?vehicle_id=nobody").await, [""; 0]);
    assert_eq!(bench.ids("?reservation_id=r-car2").await, ["c"]);
    let day = bench.today();
    assert_eq!(bench.ids(&format!("?day={day}")).await, ["a", "b", "c"]);
    assert_eq!(bench.ids(&format!("?day={day}&verdict=damaged")).await, ["a"]);

    let mut after = String::new();
    let mut all = Vec::new();
    for _ in 0..3 {
        let (_, page) = bench
            .json(&format!("/api/inspections?day={day}&limit=1{after}"))
            .await;
        all.push(page["inspections"][0].clone());
        after = match page["next"].as_str() {
            Some(next) => format!("&after={}", percent_encoded(next)),
            None => "end".to_owned(),
        };
    }
    assert_eq!((all.len(), after.as_str()), (3, "end"));
    let (_, one) = bench.json("/api/inspections/b").await;
    assert!(all.contains(&one), "each record is on one page");
}

async fn bad_queries_are_refused_in_one_line(bench: Bench) {
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

async fn what_is_not_there_is_not_found(bench: Bench) {
    bench.store("a", "1", None).await;
    for path in [
        "/none",
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

async fn damaged_records_are_named_not_passed_on(bench: Bench) {
    bench
        .write(&inspection("torn", "1"), "1", "{\"inspec".to_owned())
        .await;
    for path in ["", "?vehicle_id=1", "/torn", "/torn/report"] {
        let (status, body) = bench.json(&format!("/api/inspections{path}")).await;
        let line = body["error"].as_str().unwrap();
        assert!(status == 500 && line.contains("torn"), "{path}: {status} {line}");
    }
}

async fn blobs_come_with_their_type_and_are_kept(bench: Bench) {
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

async fn only_loopback_names_are_answered_on_loopback(bench: Bench) {
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

    let open = bench.beyond_loopback();
    assert_eq!(open.ask(ask("/healthz", "inspect.example")).await.0.as_u16(), 200);
}

async fn only_gets_without_bodies(bench: Bench) {
    let put = request(Method::PUT, "/api/inspections", "localhost");
    assert_eq!(bench.ask(put).await.0.as_u16(), 405);
    // Nobody but the console's page writes, wherever to.
    let post = request(Method::POST, "/api/inspections", "localhost");
    assert_eq!(bench.ask(post).await.0.as_u16(), 403);
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

async fn real_connections_are_answered_and_end_with_the_stop(bench: Bench) {
    let listener = bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stopper, stopping) = shutdown_signal();
    let server = tokio::spawn(run(listener, bench.router(), stopping));

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
