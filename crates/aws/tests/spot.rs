//! The watch for Spot notices, on a metadata service of the test's own.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, put};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use walkaround_aws::SpotWatch;
use walkaround_conformance::ManualClock;

const NOTICE: &str = r#"{"action": "terminate", "time": "2026-11-22T20:02:00Z"}"#;

/// Answers one check after the other: not yet, errors four times, then the notice. IMDSv2: a token first.
async fn service(checks: Arc<AtomicUsize>) -> String {
    let token = || async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token") };
    let notice = move || async move {
        match checks.fetch_add(1, Ordering::SeqCst) {
            0 => (StatusCode::NOT_FOUND, ""),
            1..=4 => (StatusCode::INTERNAL_SERVER_ERROR, ""),
            _ => (StatusCode::OK, NOTICE),
        }
    };
    let router = Router::new()
        .route("/latest/api/token", put(token))
        .route("/latest/meta-data/spot/instance-action", get(notice));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

#[tokio::test]
async fn trouble_after_the_first_answer_does_not_end_the_watch() {
    let checks = Arc::new(AtomicUsize::new(0));
    let clock = Arc::new(ManualClock::new());
    let watch = SpotWatch::at(&service(Arc::clone(&checks)).await, clock.clone()).expect("a URI");
    let watching = tokio::spawn(watch.notice());
    while !watching.is_finished() {
        clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said = watching.await.expect("no panic");
    assert!(said.contains("terminate"), "{said}");
    assert_eq!(checks.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn where_there_is_no_such_service_the_watch_is_silent() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", nobody.local_addr().expect("it is bound"));
    drop(nobody);
    let clock = Arc::new(ManualClock::new());
    let watch = SpotWatch::at(&endpoint, clock.clone()).expect("a URI");
    let watching = tokio::spawn(watch.notice());
    for _ in 0..100 {
        clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!watching.is_finished(), "a notice that nobody gave");
    watching.abort();
}
