//! A stack with the server on it, for one case.

use crate::aws_client::{clients, make_bucket};
use crate::clock::ShiftedClock;
use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tower::ServiceExt;
use walkaround_aws::{Aws, create_table};
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::photo_source;
use walkaround_conformance::ManualClock;
use walkaround_domain::{
    BlobRef, Inspection, InspectionId, InspectionRequest, Outcome, Phase, PhotoRef, Timestamp, Verdict,
};
use walkaround_emulators::{Ministack, REGION};
use walkaround_local::{LocalStack, Options};
use walkaround_messages::{record_body, utc_day};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::review::ReviewService;
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{
    BlobAddress, Blobs, Clock, IndexKeys, Operations, PhotoSource, Precondition, Publisher, Queue, QueueName,
    StackPorts, StoredRecord,
};
use walkaround_server::{Concerns, People, Pictures, Router, SignIn, Site, router};
use walkaround_settings::Settings;

/// Without progress for longer, the work of the process counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(150);
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Where photos are.
pub(crate) const PHOTOS: &str = "photos";
/// Largest photo that is shown.
const PHOTO_BYTES_MAX: u64 = 1 << 20;

/// Takes the records away.
enum Breaks {
    Local(std::path::PathBuf),
    Aws { aws: Aws, table: String },
}

/// A fresh stack with the server on it.
pub(crate) struct Bench {
    pub(crate) site: Site,
    pub(crate) intake: Arc<dyn Queue>,
    pub(crate) intake_dead: Arc<dyn Queue>,
    pub(crate) segmentation_dead: Arc<dyn Queue>,
    /// Where the stack counts what it publishes.
    pub(crate) publisher: Option<Arc<dyn Publisher>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) health_clock: Arc<ManualClock>,
    pub(crate) results: String,
    pub(crate) clock: Arc<ShiftedClock>,
    /// The stack, where it is on AWS.
    stack: Option<AwsStack>,
    /// Whether requests go through the console function.
    pub(crate) is_function: bool,
    breaks: Breaks,
    _keep: Box<dyn Any>,
}

/// An emulator that fresh stacks are made in.
pub(crate) struct Cloud {
    emulator: Ministack,
    aws: Aws,
    stacks: AtomicU32,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let emulator = Ministack::start();
        let aws = clients(&emulator.endpoint()).await;
        make_bucket(&aws, PHOTOS).await;
        Self {
            emulator,
            aws,
            stacks: AtomicU32::new(0),
        }
    }

    /// A fresh stack, and the names of its table and of its bucket for results.
    async fn stack(&self, clock: Arc<dyn Clock>) -> (AwsStack, String, String) {
        let n = self.stacks.fetch_add(1, Ordering::SeqCst);
        let (aws, endpoint) = (self.aws.clone(), self.emulator.endpoint());
        let (table, results) = (format!("records-{n}"), format!("results-{n}"));
        let mut variables = BTreeMap::from([
            ("AWS_ENDPOINT_URL".to_owned(), endpoint),
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            ("WALKAROUND_TABLE".to_owned(), table.clone()),
        ]);
        for (variable, name) in [
            ("WALKAROUND_INTAKE_QUEUE", "intake"),
            ("WALKAROUND_INTAKE_DEAD_QUEUE", "intake-dead"),
            ("WALKAROUND_SEGMENTATION_QUEUE", "segmentation"),
            ("WALKAROUND_SEGMENTATION_DEAD_QUEUE", "segmentation-dead"),
        ] {
            let create = aws.sqs.create_queue().queue_name(format!("{name}-{n}"));
            let url = create.send().await.unwrap().queue_url.unwrap();
            variables.insert(variable.to_owned(), url);
        }
        let topic = aws
            .sns
            .create_topic()
            .name(format!("events-{n}"))
            .send()
            .await
            .unwrap();
        variables.insert("WALKAROUND_TOPIC".to_owned(), topic.topic_arn.unwrap());
        make_bucket(&aws, &results).await;
        create_table(&aws.dynamodb, &table).await.unwrap();
        let stack = AwsStack {
            aws: aws.clone(),
            settings: Arc::new(Settings::from_lookup(&|name| variables.get(name).cloned()).unwrap()),
            clock,
        };
        (stack, table, results)
    }
}

/// Photos of the bucket that the cases put them into, and of no other place.
fn photos(blobs: &Arc<dyn Blobs>) -> Arc<dyn PhotoSource> {
    let settings = BTreeMap::from([("WALKAROUND_PHOTO_BUCKETS".to_owned(), PHOTOS.to_owned())]);
    let settings = Settings::from_lookup(&|name| settings.get(name).cloned()).unwrap();
    photo_source(&settings, Arc::clone(blobs)).unwrap()
}

/// What people do, on these ports.
fn people(ports: &StackPorts, clock: &Arc<dyn Clock>) -> People {
    let service = ReviewService {
        store: InspectionStore::new(Arc::clone(&ports.records)),
        blobs: Arc::clone(&ports.blobs),
        reviews: Arc::clone(&ports.reviews),
        publisher: Arc::clone(&ports.publisher),
        clock: Arc::clone(clock),
    };
    People::new(service, photos(&ports.blobs), PHOTO_BYTES_MAX)
}

/// The work of a process, as the server is asked for its health.
fn health() -> (
    Arc<Progress>,
    Arc<ManualClock>,
    Arc<walkaround_server::StalledFor>,
) {
    let (progress, clock) = (Arc::new(Progress::default()), Arc::new(ManualClock::new()));
    let (seen, ticks) = (Arc::clone(&progress), Arc::clone(&clock));
    let stalled_for = move || {
        let without = ticks.ticks().saturating_sub(seen.last_progress());
        (without > STALLED_AFTER).then_some(without)
    };
    (progress, clock, Arc::new(stalled_for))
}

impl Bench {
    pub(crate) fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shifted = Arc::new(ShiftedClock::new());
        let clock: Arc<dyn Clock> = shifted.clone();
        let local = LocalStack::open(folder.path(), Options::default(), Arc::clone(&clock)).unwrap();
        let ports = local.ports().unwrap();
        let people = people(&ports, &clock);
        let (progress, health_clock, stalled_for) = health();
        Self {
            site: Site {
                records: ports.records,
                blobs: ports.blobs,
                results_bucket: "results".to_owned(),
                state: ports.state,
                queues: vec![
                    (QueueName::Intake, Arc::clone(&ports.intake.queue)),
                    (QueueName::Segmentation, ports.segmentation.queue),
                ],
                operations: Arc::new(local) as Arc<dyn Operations>,
                clock,
                heartbeat_age_max: Duration::from_secs(45),
                version: "0",
                resident_bytes: || 1,
                stalled_for: Some(stalled_for),
                concerns: None,
                people: Some(people),
                sign_in: None,
                pictures: Pictures::Bytes,
                loopback_only: true,
            },
            intake: ports.intake.queue,
            intake_dead: ports.intake.dead,
            segmentation_dead: ports.segmentation.dead,
            publisher: Some(ports.publisher),
            progress,
            health_clock,
            results: "results".to_owned(),
            clock: shifted,
            stack: None,
            is_function: false,
            breaks: Breaks::Local(folder.path().join("walkaround.db")),
            _keep: Box::new(folder),
        }
    }

    pub(crate) async fn aws(cloud: &Cloud) -> Self {
        let clock = Arc::new(ShiftedClock::new());
        let (stack, table, results) = cloud.stack(clock.clone()).await;
        let (aws, kept) = (stack.aws.clone(), stack.clone());
        let ports = stack.ports().unwrap();
        let people = people(&ports, &stack.clock);
        let (progress, health_clock, stalled_for) = health();
        Self {
            site: Site {
                records: ports.records,
                blobs: ports.blobs,
                results_bucket: results.clone(),
                state: ports.state,
                queues: vec![
                    (QueueName::Intake, Arc::clone(&ports.intake.queue)),
                    (QueueName::Segmentation, ports.segmentation.queue),
                ],
                clock: Arc::clone(&stack.clock),
                operations: Arc::new(stack),
                heartbeat_age_max: Duration::from_secs(45),
                version: "0",
                resident_bytes: || 1,
                stalled_for: Some(stalled_for),
                concerns: None,
                people: Some(people),
                sign_in: None,
                pictures: Pictures::Bytes,
                loopback_only: true,
            },
            intake: ports.intake.queue,
            intake_dead: ports.intake.dead,
            segmentation_dead: ports.segmentation.dead,
            publisher: None,
            progress,
            health_clock,
            results,
            clock,
            stack: Some(kept),
            is_function: false,
            breaks: Breaks::Aws { aws, table },
            _keep: Box::new(()),
        }
    }

    pub(crate) fn router(&self) -> Router {
        router(self.site.clone())
    }

    /// The same, in a process whose work cannot get at something.
    pub(crate) fn with_concerns(self, concerns: Concerns) -> Self {
        let site = Site {
            concerns: Some(Arc::new(move || concerns.clone())),
            ..self.site.clone()
        };
        Self { site, ..self }
    }

    /// An instance of the server on this stack whose people sign in, beyond loopback.
    pub(crate) fn with_sign_in(&self, sign_in: SignIn) -> Router {
        router(Site {
            sign_in: Some(Arc::new(sign_in)),
            loopback_only: false,
            ..self.site.clone()
        })
    }

    /// The same, listening beyond loopback.
    pub(crate) fn beyond_loopback(self) -> Self {
        let site = Site {
            loopback_only: false,
            ..self.site.clone()
        };
        Self { site, ..self }
    }

    pub(crate) fn today(&self) -> String {
        utc_day(self.site.clock.now())
    }

    /// Takes the place of the results away.
    pub(crate) async fn break_results(&self) {
        match &self.breaks {
            Breaks::Local(file) => {
                // Something else lies in its place.
                let folder = file.with_file_name("blobs");
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(&self.results), "no folder").unwrap();
            }
            Breaks::Aws { aws, .. } => {
                aws.s3.delete_bucket().bucket(&self.results).send().await.unwrap();
            }
        }
    }

    /// Takes the records away, as a database that is broken does.
    pub(crate) async fn break_records(&self) {
        match &self.breaks {
            Breaks::Local(file) => {
                let database = rusqlite::Connection::open(file).unwrap();
                database.execute_batch("DROP TABLE counts").unwrap();
            }
            Breaks::Aws { aws, table } => {
                aws.dynamodb
                    .delete_table()
                    .table_name(table)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    /// The same, where requests go through the console function.
    pub(crate) fn behind_the_function(self) -> Self {
        Self {
            is_function: true,
            ..self
        }
    }

    /// The stack on AWS with other settings: the buckets of this bench among them.
    pub(crate) fn stack_with(&self, change: impl FnOnce(&mut Settings)) -> AwsStack {
        let stack = self.stack.clone().unwrap();
        let mut settings = Settings::clone(&stack.settings);
        settings.results_bucket.clone_from(&self.results);
        settings.photo_buckets = vec![PHOTOS.to_owned()];
        change(&mut settings);
        AwsStack {
            settings: Arc::new(settings),
            ..stack
        }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        if self.is_function {
            return crate::function::ask(self.router(), request).await;
        }
        let answer = self.router().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap().to_vec();
        (head.status, head.headers, bytes)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.ask(request(Method::GET, path, "127.0.0.1:8600")).await
    }

    /// Status and JSON.
    pub(crate) async fn json(&self, path: &str) -> (u16, Value) {
        let (status, headers, body) = self.get(path).await;
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{path}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{path}");
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    /// Ids of a list, in alphabetical order: within a day, stacks have orders of their own.
    pub(crate) async fn ids(&self, query: &str) -> Vec<String> {
        let (status, page) = self.json(&format!("/api/inspections{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        let records = page["inspections"].as_array().unwrap();
        let id = |r: &Value| r["inspection_id"].as_str().unwrap().to_owned();
        let mut ids: Vec<String> = records.iter().map(id).collect();
        ids.sort();
        ids
    }

    /// Stores an inspection; a done one with an overlay of these bytes.
    pub(crate) async fn store(&self, id: &str, vehicle: &str, done: Option<(Verdict, &[u8])>) {
        let mut inspection = inspection(id, vehicle);
        if let Some((verdict, bytes)) = done {
            let at = BlobAddress {
                bucket: self.results.clone(),
                key: format!("inspections/{id}/overlay.jpg"),
            };
            let blobs = &self.site.blobs;
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

    pub(crate) async fn write(&self, inspection: &Inspection, vehicle: &str, body: String) {
        let record = StoredRecord {
            id: inspection.request.id.clone(),
            version: 0,
            updated_at: self.site.clock.now(),
            keys: IndexKeys {
                phase: inspection.phase.as_str().to_owned(),
                verdict: match inspection.phase {
                    Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
                    _ => None,
                },
                day: self.today(),
                vehicle_id: Some(vehicle.to_owned()),
                reservation_id: Some(format!("r-{vehicle}")),
            },
            body,
        };
        self.site
            .records
            .write(&record, Precondition::Absent)
            .await
            .unwrap();
    }
}

/// A request under a host name.
pub(crate) fn request(method: Method, path: &str, host: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(HOST, host);
    request.body(Body::empty()).unwrap()
}

/// An accepted inspection.
pub(crate) fn inspection(id: &str, vehicle: &str) -> Inspection {
    let photo = PhotoRef::S3 {
        bucket: PHOTOS.to_owned(),
        key: format!("{id}.jpg"),
        version: None,
    };
    let request = InspectionRequest {
        vehicle_id: Some(vehicle.to_owned()),
        reservation_id: Some(format!("r-{vehicle}")),
        ..InspectionRequest::of(InspectionId::new(id).unwrap(), photo)
    };
    Inspection::accepted(request, Timestamp(1_795_000_000_000))
}
