//! AWS Batch as its reference describes it, in memory, behind the SDK's own HTTP interface: what no emulator does.
//! Jobs move on when they are described; calls are recorded; faults are planted.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use walkaround_aws::ATTEMPTS_MAX;
use walkaround_ports::Clock;

/// States that a job goes through by itself.
const WAY: [&str; 4] = ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING"];

/// What happens to one call of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused: HTTP status and code.
    Refused(u16, &'static str),
    /// Carried out, and answered as if it were not.
    AnswerLost,
    /// Refused as wrong, because the job has ended by itself meanwhile.
    EndedMeanwhile,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// As `DescribeJobs` shows them, in the order of their creation.
    pub(crate) jobs: Vec<Value>,
    /// Operation and request of every call.
    pub(crate) calls: Vec<(String, Value)>,
    /// Operation, calls of it that pass before, and what then happens, once.
    pub(crate) faults: Vec<(&'static str, usize, Fault)>,
    /// Jobs of one page; 0 is no bound.
    pub(crate) page: usize,
    /// Whether jobs move on when they are described.
    pub(crate) moving: bool,
    /// Once this status was listed, the job of this id has that status.
    pub(crate) turn: Option<(&'static str, &'static str, &'static str)>,
}

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct FakeBatch {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<HastyClock>,
}

/// A clock that stands still, but for whoever sleeps on it.
#[derive(Debug, Default)]
pub(crate) struct HastyClock(walkaround_conformance::ManualClock);

impl HastyClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

#[async_trait::async_trait]
impl Clock for HastyClock {
    fn now(&self) -> walkaround_domain::Timestamp {
        self.0.now()
    }

    fn ticks(&self) -> Duration {
        self.0.ticks()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

impl FakeBatch {
    pub(crate) fn new(clock: Arc<HastyClock>) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        Self { inner, clock }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A client that tries each call as often as the shipped one does, and waits less.
    pub(crate) fn client(&self) -> aws_sdk_batch::Client {
        let fake = self.clone();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(Duration::from_millis(1));
        let config = aws_sdk_batch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "fake"))
            .retry_config(retries)
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(fake.clone())))
            .build();
        aws_sdk_batch::Client::from_conf(config)
    }

    /// Adds a job; `more` has precedence.
    pub(crate) fn add(&self, id: &str, status: &str, more: Value) {
        let now = self.clock.now().0;
        let mut job = json!({ "jobId": id, "jobName": format!("fleet-1-{}", self.inner().jobs.len()),
            "jobDefinition": "worker:1", "jobQueue": "gpu", "status": status, "createdAt": now, "startedAt": now });
        let (Value::Object(fields), Value::Object(more)) = (&mut job, more) else {
            panic!("not an object");
        };
        fields.extend(more);
        self.inner().jobs.push(job);
    }

    /// Requests of one operation so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let inner = self.inner();
        let calls = inner.calls.iter().filter(|(o, _)| o == operation);
        calls.map(|(_, request)| request.clone()).collect()
    }

    fn answer(&self, operation: &str, request: &Value) -> (u16, Value) {
        let now = self.clock.now().0;
        let mut inner = self.inner();
        inner.calls.push((operation.to_owned(), request.clone()));
        let nth = inner.calls.iter().filter(|(o, _)| o == operation).count();
        let due = |(o, after, _): &(&str, usize, Fault)| *o == operation && *after < nth;
        let fault = inner.faults.iter().position(due);
        match fault.map(|at| inner.faults.remove(at).2) {
            Some(Fault::Refused(status, code)) => (status, json!({ "__type": code, "message": "a fault" })),
            Some(Fault::AnswerLost) => {
                inner.act(operation, request, now);
                (500, json!({ "__type": "ServerException", "message": "lost" }))
            }
            Some(Fault::EndedMeanwhile) => {
                let id = request["jobId"].as_str().unwrap();
                inner.end(id, "Essential container in task exited", now);
                (
                    400,
                    json!({ "__type": "ClientException", "message": "job is over" }),
                )
            }
            None => (200, inner.act(operation, request, now)),
        }
    }
}

impl Inner {
    fn act(&mut self, operation: &str, request: &Value, now: u64) -> Value {
        match operation {
            "submitjob" => {
                let id = format!("job-{}", self.jobs.len());
                let job = json!({ "jobId": id, "jobName": request["jobName"], "jobDefinition": "worker:1",
                    "jobQueue": "gpu", "status": WAY[0], "createdAt": now, "startedAt": now });
                self.jobs.push(job);
                json!({ "jobId": id, "jobName": request["jobName"] })
            }
            "listjobs" => self.list(request),
            "describejobs" => self.describe(request),
            "terminatejob" => {
                self.end(
                    request["jobId"].as_str().unwrap(),
                    request["reason"].as_str().unwrap(),
                    now,
                );
                json!({})
            }
            other => panic!("`{other}` is not called"),
        }
    }

    fn end(&mut self, id: &str, reason: &str, now: u64) {
        let live = |job: &&mut Value| job["jobId"] == id && job["status"] != "FAILED";
        if let Some(job) = self.jobs.iter_mut().find(live) {
            job["status"] = json!("FAILED");
            job["statusReason"] = json!(reason);
            job["stoppedAt"] = json!(now);
        }
    }

    fn list(&mut self, request: &Value) -> Value {
        let after = request["filters"][0]["values"][0].as_str();
        let after: Option<u64> = after.map(|text| text.parse().unwrap());
        // With a filter, the status is ignored.
        let status = request["jobStatus"].as_str().unwrap_or("RUNNING");
        let fits = |job: &&Value| match after {
            Some(moment) => job["createdAt"].as_u64().unwrap() > moment,
            None => job["status"] == status,
        };
        let found: Vec<Value> = self.jobs.iter().rev().filter(fits).cloned().collect();
        let from: usize = request["nextToken"].as_str().map_or(0, |t| t.parse().unwrap());
        let page = if self.page == 0 { found.len() } else { self.page };
        let to = (from + page).min(found.len());
        if let Some((_, id, next)) = self
            .turn
            .filter(|(listed, ..)| after.is_none() && *listed == status)
        {
            let job = self.jobs.iter_mut().find(|job| job["jobId"] == id).unwrap();
            job["status"] = json!(next);
        }
        let more = (to < found.len()).then(|| to.to_string());
        json!({ "jobSummaryList": found[from..to], "nextToken": more })
    }

    fn describe(&mut self, request: &Value) -> Value {
        let wanted = request["jobs"].as_array().unwrap();
        assert!(wanted.len() <= 100, "Batch describes at most 100 jobs");
        let moving = self.moving;
        let found = self.jobs.iter_mut().filter(|job| wanted.contains(&job["jobId"]));
        let found = found.map(|job| {
            let at = WAY
                .iter()
                .position(|s| job["status"] == *s)
                .filter(|at| moving && at + 1 < WAY.len());
            if let Some(at) = at {
                job["status"] = json!(WAY[at + 1]);
            }
            job.clone()
        });
        json!({ "jobs": found.collect::<Vec<_>>() })
    }
}

impl HttpConnector for FakeBatch {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.uri().rsplit('/').next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, answer) = self.answer(&operation, &body);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        if let Some(code) = answer["__type"].as_str() {
            response.headers_mut().insert("x-amzn-errortype", code.to_owned());
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}
