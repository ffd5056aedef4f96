//! What functions need around them, on ministack: queues, table, buckets, topic and secret, with nothing that calls the
//! functions. For tests that invoke them, and for `make invoke`. (What the shipped templates make is another test's.)

use crate::cloudformation::{bucket, clients};
use crate::places;
use crate::runtime_api::{Function, Setup};
use crate::slack::SlackStub;
use std::collections::BTreeMap;
use std::path::Path;
use walkaround_aws::{Aws, Connection, DynamoRecords, S3Blobs, SqsQueue, create_table};
use walkaround_domain::Inspection;
use walkaround_emulators::{ACCOUNT, Ministack, REGION};
use walkaround_messages::parse_record;
use walkaround_ports::{BlobAddress, Blobs, Depth, Queue, RecordQuery, Records};

/// Day on which the messages of the events were sent.
pub const DAY: &str = "2026-11-22";
/// Bucket of the photos that events name.
pub const PHOTOS: &str = "photos";
/// Bucket of results.
pub const RESULTS: &str = "results";
/// The table.
pub const TABLE: &str = "walkaround";
const TOPIC: &str = "walkaround-events";
const ALERT_SECRET: &str = "walkaround/alert-webhook";
/// Queues, each with the variable that names it.
const QUEUES: [(&str, &str); 4] = [
    ("walkaround-intake", "WALKAROUND_INTAKE_QUEUE"),
    ("walkaround-intake-dead", "WALKAROUND_INTAKE_DEAD_QUEUE"),
    ("walkaround-segmentation", "WALKAROUND_SEGMENTATION_QUEUE"),
    (
        "walkaround-segmentation-dead",
        "WALKAROUND_SEGMENTATION_DEAD_QUEUE",
    ),
];

/// Keys of the photos that the events name.
pub fn photo_keys() -> Vec<String> {
    let views = ["front left", "front right", "rear left", "rear right", "left"];
    let views = views.map(|view| format!("samples/B-WA 1234/{view}.jpg"));
    let batch = (1..10).map(|n| format!("samples/batch/{n}.jpg"));
    views.into_iter().chain(batch).collect()
}

/// The emulator with everything in it.
pub struct FunctionStack {
    /// The emulator.
    pub ministack: Ministack,
    /// Clients of it.
    pub aws: Aws,
    /// Where alerts go.
    pub slack: SlackStub,
    bundle: String,
    urls: BTreeMap<&'static str, String>,
    runtime: tokio::runtime::Runtime,
}

impl FunctionStack {
    /// Starts an emulator and makes everything; functions will look with this bundle.
    ///
    /// # Panics
    /// When it cannot.
    pub fn start(bundle: &Path) -> Self {
        let ministack = Ministack::start();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let aws = runtime.block_on(clients(&ministack.endpoint(), &Connection::default()));
        let slack = SlackStub::start();
        let urls = runtime.block_on(made(&aws, &slack.url()));
        let bundle = bundle
            .canonicalize()
            .expect("the bundle is there")
            .display()
            .to_string();
        Self {
            ministack,
            aws,
            slack,
            bundle,
            urls,
            runtime,
        }
    }

    /// Variables of the functions on this stack. The GPU lane is closed: every look is triage's.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self
            .ministack
            .environment()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        all.extend(
            self.urls
                .iter()
                .map(|(name, url)| ((*name).to_owned(), url.clone())),
        );
        let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}");
        let library = places::onnxruntime().display().to_string();
        let settings = [
            ("WALKAROUND_STACK", "aws"),
            ("WALKAROUND_TABLE", TABLE),
            ("WALKAROUND_TOPIC", &topic),
            ("WALKAROUND_PHOTOS_BUCKET", PHOTOS),
            ("WALKAROUND_PHOTO_BUCKETS", PHOTOS),
            ("WALKAROUND_RESULTS_BUCKET", RESULTS),
            ("WALKAROUND_JOB_QUEUE", "walkaround-workers"),
            ("WALKAROUND_JOB_DEFINITION", "walkaround-worker"),
            ("WALKAROUND_WORKERS_MAX", "0"),
            ("WALKAROUND_ALERT_SECRET", ALERT_SECRET),
            ("WALKAROUND_BUNDLE", &self.bundle),
            ("WALKAROUND_ONNXRUNTIME", &library),
        ];
        all.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        all
    }

    /// Starts a function on this stack, with more variables, which win.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn function(&self, program: &str, more: &[(&str, &str)]) -> Function {
        let mut variables = self.environment();
        variables.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let setup = Setup {
            variables,
            memory_mib: 0,
        };
        Function::start(program, &setup)
    }

    /// Puts a photo where events name it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn put_photo(&self, key: &str, bytes: &[u8]) {
        let at = BlobAddress {
            bucket: PHOTOS.into(),
            key: key.into(),
        };
        let blobs = S3Blobs::new(self.aws.s3.clone());
        let put = self
            .runtime
            .block_on(blobs.put_if_absent(&at, bytes, "image/jpeg"));
        put.expect("the photo is put");
    }

    /// The records of a day (`2026-11-22`; that of the messages' sending), by id.
    ///
    /// # Panics
    /// When one cannot be read, or they are over a thousand.
    pub fn inspections(&self, day: &str) -> BTreeMap<String, Inspection> {
        let records = DynamoRecords::new(self.aws.dynamodb.clone(), TABLE);
        let query = RecordQuery::Day(day.to_owned());
        let page = self
            .runtime
            .block_on(records.list(&query, None, 1000))
            .expect("a page");
        assert!(page.next.is_none(), "over a thousand records");
        let read = page.records.into_iter().map(|record| {
            (
                record.id.to_string(),
                parse_record(&record.body).expect("a record is readable"),
            )
        });
        read.collect()
    }

    /// Waits for what the emulator's clients do.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// How full the queue of this variable is.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn depth(&self, variable: &str) -> Depth {
        let queue = SqsQueue::new(self.aws.sqs.clone(), self.urls[variable].clone());
        self.runtime.block_on(queue.depth()).expect("a depth")
    }
}

/// Makes everything; the URLs of the queues.
async fn made(aws: &Aws, webhook: &str) -> BTreeMap<&'static str, String> {
    let mut urls = BTreeMap::new();
    for (name, variable) in QUEUES {
        let queue = aws
            .sqs
            .create_queue()
            .queue_name(name)
            .send()
            .await
            .expect("a queue");
        urls.insert(variable, queue.queue_url().expect("a queue has a URL").to_owned());
    }
    for name in [PHOTOS, RESULTS] {
        bucket(aws, name).await;
    }
    create_table(&aws.dynamodb, TABLE).await.expect("a table");
    aws.sns.create_topic().name(TOPIC).send().await.expect("a topic");
    let secret = aws
        .secrets
        .create_secret()
        .name(ALERT_SECRET)
        .secret_string(webhook);
    secret.send().await.expect("a secret");
    urls
}
