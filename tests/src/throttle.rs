//! A proxy between programs and an emulator that answers some calls with throttling, as AWS does on a bad day, or all
//! calls for one bucket.
//!
//! Which calls is drawn from a seed; the refused call never reaches the emulator. Each service gets the form that it
//! throttles in: JSON for SQS and DynamoDB, XML for S3 and SNS.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Largest body that passes.
const BODY_BYTES_MAX: usize = 64 << 20;

struct Inner {
    to: String,
    share: f64,
    jitter: Mutex<fastrand::Rng>,
    client: reqwest::Client,
    /// An unavailable bucket.
    away: Mutex<Option<String>>,
    throttled: AtomicU64,
    passed: AtomicU64,
}

/// A running proxy; it ends with the runtime that it was started on.
pub struct Throttle {
    inner: Arc<Inner>,
    endpoint: String,
}

impl Throttle {
    /// Refuses `share` (0 to 1) of the calls to the emulator at `to`.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(runtime: &Runtime, to: &str, share: f64, seed: u64) -> Self {
        let inner = Arc::new(Inner {
            to: to.to_owned(),
            share,
            jitter: Mutex::new(fastrand::Rng::with_seed(seed)),
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("a client"),
            away: Mutex::new(None),
            throttled: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        });
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { inner, endpoint }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Refuses every call for objects of a bucket from now on, or of none.
    pub fn set_away(&self, bucket: Option<&str>) {
        let mut away = self.inner.away.lock().unwrap_or_else(PoisonError::into_inner);
        *away = bucket.map(str::to_owned);
    }

    /// Calls refused and passed on so far.
    pub fn counts(&self) -> (u64, u64) {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        (load(&self.inner.throttled), load(&self.inner.passed))
    }
}

impl Inner {
    fn is_away(&self, request: &Request) -> bool {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.uri().path().trim_start_matches('/');
        away.as_deref()
            .is_some_and(|bucket| path.split('/').next() == Some(bucket))
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let drawn = inner.jitter.lock().unwrap_or_else(PoisonError::into_inner).f64();
    if drawn < inner.share || inner.is_away(&request) {
        inner.throttled.fetch_add(1, Ordering::Relaxed);
        return refusal(request.headers());
    }
    inner.passed.fetch_add(1, Ordering::Relaxed);
    forward(&inner, request).await.unwrap_or_else(|error| {
        let text = format!("the proxy failed: {error}");
        (StatusCode::BAD_GATEWAY, text).into_response()
    })
}

async fn forward(inner: &Inner, request: Request) -> Result<Response, Box<dyn std::error::Error>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let url = format!("{}{path}", inner.to);
    let mut headers = head.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let bytes = to_bytes(body, BODY_BYTES_MAX).await?;
    let call = inner
        .client
        .request(head.method, url)
        .headers(headers)
        .body(bytes);
    let answer = call.send().await?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != header::TRANSFER_ENCODING && name != header::CONNECTION {
            response = response.header(name, value);
        }
    }
    Ok(response.body(Body::from(answer.bytes().await?))?)
}

fn refusal(headers: &HeaderMap) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|t| t.to_str().ok())
        .unwrap_or_default();
    if target.starts_with("AmazonSQS") {
        let body = r#"{"__type": "com.amazonaws.sqs#RequestThrottled", "message": "injected"}"#;
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/x-amz-json-1.0")],
            body,
        )
            .into_response();
    }
    if target.starts_with("DynamoDB") {
        let body =
            r#"{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "injected"}"#;
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/x-amz-json-1.0")],
            body,
        )
            .into_response();
    }
    let form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let (status, body) = if form {
        (
            StatusCode::BAD_REQUEST,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>injected</Message></Error></ErrorResponse>",
        )
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "<Error><Code>SlowDown</Code><Message>injected</Message></Error>",
        )
    };
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
