//! What triage asks AWS of the lanes, counted over two hundred processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use async_trait::async_trait;
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_aws::{Aws, Connection, DynamoState, SqsQueue};
use walkaround_domain::Timestamp;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_ports::Clock;

const PROCESSES: usize = 200;
const FRESH: Duration = Duration::from_secs(20);
const MINUTES: u64 = 10;
const T0: u64 = 1_795_305_600_000;

#[derive(Default)]
struct TestClock(AtomicU64);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(T0) + self.ticks()
    }

    fn ticks(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

/// Answers each call, and counts it: by the operation that the header names, or by the path.
#[derive(Debug, Clone, Default)]
struct Counting(Arc<Mutex<BTreeMap<String, usize>>>);

impl HttpConnector for Counting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().trim_start_matches("http://recorded").to_owned();
        let operation = request.headers().get("x-amz-target").map_or(path, str::to_owned);
        let answer = match operation.as_str() {
            "DynamoDB_20120810.GetItem" => {
                let at = "2026-11-22T00:00:00Z";
                let lane = format!(
                    r#"{{\"version\":1,\"at\":\"{at}\",\"workers_max\":14,\"live\":3,\"backlog\":7.0}}"#
                );
                format!(
                    r#"{{"Item": {{"body": {{"S": "{lane}"}}, "lives_until": {{"N": "{}"}}}}}}"#,
                    T0 + 86_400_000
                )
            }
            _ => r#"{"Attributes": {"ApproximateNumberOfMessages": "5",
                "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0"}}"#
                .to_owned(),
        };
        *self.0.lock().unwrap().entry(operation).or_default() += 1;
        HttpConnectorFuture::ready(Ok(HttpResponse::new(
            200.try_into().unwrap(),
            SdkBody::from(answer),
        )))
    }
}

async fn recorded() -> (Aws, Counting) {
    let counting = Counting::default();
    let answers = counting.clone();
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some("http://recorded".to_owned()),
        ..Connection::default()
    };
    let loader = connection
        .loader()
        .http_client(http_client_fn(move |_, _| {
            SharedHttpConnector::new(answers.clone())
        }))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new("recorded", "recorded", None, None, "recorded"));
    (Aws::new(&loader.load().await), counting)
}

#[tokio::test]
async fn two_hundred_triage_processes_read_no_batch_and_one_small_item_each_twenty_seconds() {
    let (aws, calls) = recorded().await;
    let clock = Arc::new(TestClock::default());
    let settings = LaneMonitorSettings {
        fresh_for: FRESH,
        scale_every: Duration::from_secs(600),
        ..LaneMonitorSettings::default()
    };
    let lane_monitor = |_| {
        let lanes = Lanes {
            intake: Arc::new(SqsQueue::new(aws.sqs.clone(), "http://recorded/1/intake")),
            state: Arc::new(DynamoState::new(
                aws.dynamodb.clone(),
                "walkaround",
                clock.clone(),
            )),
        };
        LaneMonitor::new(lanes, clock.clone(), settings)
    };
    let processes: Vec<LaneMonitor> = (0..PROCESSES).map(lane_monitor).collect();
    for second in 0..MINUTES * 60 {
        clock.0.store(second, Ordering::Relaxed);
        for process in &processes {
            // Photos at once, also before anything was read.
            let (one, two) = tokio::join!(process.load(), process.load());
            let live = |load: walkaround_domain::routing::Load| load.gpu.map(|gpu| gpu.live);
            assert_eq!((live(one), live(two)), (Some(3), Some(3)));
        }
    }
    let calls = calls.0.lock().unwrap().clone();
    let reads = PROCESSES * usize::try_from(MINUTES * 60 / FRESH.as_secs()).unwrap();
    let expected = BTreeMap::from([
        ("AmazonSQS.GetQueueAttributes".to_owned(), reads),
        ("DynamoDB_20120810.GetItem".to_owned(), reads),
    ]);
    assert_eq!(calls, expected, "and nothing else");
}
