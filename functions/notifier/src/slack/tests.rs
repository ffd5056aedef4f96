//! The message's form, and sending it to a stand-in on this machine.

use super::*;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const LONG: Duration = Duration::from_secs(60);

/// Answers with one status after the other, then with 200; keeps what it got.
#[derive(Clone, Default)]
struct Stub {
    answers: Arc<Mutex<VecDeque<u16>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn serve(answers: &[u16]) -> (Self, Webhook) {
        let stub = Self::default();
        stub.answers.lock().unwrap().extend(answers);
        let app = Router::new()
            .route("/services/{*hush}", post(answer))
            .with_state(stub.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut webhook = Webhook::new(&format!("http://{address}/services/T0/B0/hush\n")).unwrap();
        webhook.delay_first = Duration::from_millis(2);
        (stub, webhook)
    }

    fn got(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

async fn answer(State(stub): State<Stub>, body: String) -> (StatusCode, HeaderMap) {
    stub.got.lock().unwrap().push(body);
    let status = stub.answers.lock().unwrap().pop_front().unwrap_or(200);
    let mut headers = HeaderMap::new();
    if status == 429 {
        headers.insert("retry-after", "0".parse().unwrap());
    }
    if status == 302 {
        headers.insert("location", "/services/elsewhere".parse().unwrap());
    }
    (StatusCode::from_u16(status).unwrap(), headers)
}

fn cause() -> Cause {
    Cause {
        key: "k".into(),
        title: "Alarm <lane>".into(),
        what: "a & b".into(),
        link: "https://console.aws.amazon.com/".into(),
        first_step: "look > here".into(),
        severity: Severity::Fault,
        ends: false,
    }
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again() {
    let (stub, webhook) = Stub::serve(&[429, 503, 500]).await;
    assert_eq!(webhook.send(&message(&cause()), LONG).await, Ok(()));
    assert_eq!(stub.got(), 4);
}

#[tokio::test]
async fn trouble_that_lasts_is_given_up_after_four_attempts() {
    let (stub, webhook) = Stub::serve(&[500; 9]).await;
    let error = webhook.send(&message(&cause()), LONG).await.unwrap_err();
    assert!(
        error.may_pass && error.why.contains("500") && error.why.contains("attempt 4"),
        "{error:?}"
    );
    assert_eq!(stub.got(), 4);
}

#[tokio::test]
async fn a_refusal_and_a_redirect_are_final() {
    for status in [404, 410, 403, 400, 302] {
        let (stub, webhook) = Stub::serve(&[status]).await;
        let error = webhook.send(&message(&cause()), LONG).await.unwrap_err();
        assert!(
            !error.may_pass && error.why.contains(&status.to_string()),
            "{error:?}"
        );
        assert!(!error.why.contains("hush"), "{error:?}");
        assert_eq!(stub.got(), 1, "{status}");
    }
}

#[tokio::test]
async fn no_attempt_begins_that_the_time_left_is_too_short_for() {
    let (stub, webhook) = Stub::serve(&[500; 9]).await;
    let error = webhook
        .send(&message(&cause()), Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(error.may_pass, "{error:?}");
    assert_eq!(stub.got(), 1);
}

#[tokio::test]
async fn a_host_that_is_gone_may_come_back_and_its_url_is_not_told() {
    let (_, mut webhook) = Stub::serve(&[]).await;
    let closed = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    webhook.url.set_port(Some(closed.port())).unwrap();
    let error = webhook.send(&message(&cause()), LONG).await.unwrap_err();
    assert!(error.may_pass && error.why.contains("not reachable"), "{error:?}");
    assert!(
        !error.why.contains("hush") && !error.why.contains("127.0.0.1"),
        "{error:?}"
    );
}

#[test]
fn only_https_is_spoken_except_to_this_machine() {
    for (url, taken) in [
        ("https://hooks.slack.com/services/T0/B0/hush", true),
        ("http://hooks.slack.com/services/T0/B0/hush", false),
        ("http://localhost:1/hush", true),
        ("ftp://localhost/hush", false),
        ("hush", false),
        ("", false),
    ] {
        match Webhook::new(url) {
            Ok(_) => assert!(taken, "{url}"),
            Err(error) => assert!(
                !taken && !error.may_pass && !error.why.contains("hush"),
                "{url}: {error:?}"
            ),
        }
    }
}

#[test]
fn a_message_has_blocks_and_a_line_and_keeps_slacks_limits() {
    let of = message(&cause());
    assert_eq!(of["text"], ":red_circle: Alarm &lt;lane&gt;: a &amp; b");
    assert_eq!(of["blocks"][0]["text"]["text"], ":red_circle: Alarm <lane>");
    assert_eq!(of["blocks"][1]["text"]["text"], "a &amp; b");
    let last = of["blocks"][2]["text"]["text"].as_str().unwrap();
    assert_eq!(
        last,
        "*First thing to try:* look &gt; here\n<https://console.aws.amazon.com/|Open in the AWS console>"
    );
    let ampersands = Cause {
        title: "&".repeat(9000),
        what: "&".repeat(9000),
        first_step: "&".repeat(9000),
        ..cause()
    };
    let long = message(&ampersands.tidy());
    assert!(
        long["blocks"][0]["text"]["text"]
            .as_str()
            .unwrap()
            .chars()
            .count()
            <= 150
    );
    for section in &long["blocks"].as_array().unwrap()[1..] {
        let text = section["text"]["text"].as_str().unwrap();
        assert!(
            text.chars().count() <= SECTION_CHARS_MAX && !text.contains("&am;"),
            "{}",
            text.len()
        );
    }
    let silent = Cause {
        what: String::new(),
        ..cause()
    };
    assert_eq!(message(&silent)["blocks"].as_array().unwrap().len(), 2);
}
