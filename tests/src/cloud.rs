//! The stack on AWS under test: ministack, what the shipped templates make in it, the real functions as zips, and
//! workers as processes.

use crate::cloudformation::{Mapping, bucket, clients, days, deploy, numbers_as_numbers};
use crate::places;
use crate::requests::own_bytes;
use crate::running::Running;
use crate::throttle::Throttle;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use walkaround_aws::{Aws, Connection, DynamoRecords, S3Blobs};
use walkaround_domain::{BlobRef, Inspection};
use walkaround_emulators::Ministack;
use walkaround_inference::bundle::hex_sha256;
use walkaround_messages::{parse_event, parse_record};
use walkaround_ports::{BlobAddress, Blobs, OutMessage, Queue, RecordQuery, Records};

/// How triage is called: as the parameters below say, and the batch by default.
const MAPPING: Mapping = Mapping {
    batch: 10,
    window_s: 0,
    concurrency: 4,
};
/// Stage of the stacks under test.
const PREFIX: &str = "walkaround-test";
const CODE: &str = "code";
/// Before each count of all records.
const COUNT_PAUSE: Duration = Duration::from_secs(2);

/// A deployed stack.
pub struct TestCloud {
    folder: TempDir,
    /// The emulator.
    pub ministack: Ministack,
    /// Clients of it.
    pub aws: Aws,
    /// What the templates say they made.
    pub outputs: BTreeMap<String, String>,
    /// Where futures run.
    pub runtime: Runtime,
    events: String,
    throttle: Option<Throttle>,
    /// Where programs find AWS.
    endpoint: String,
}

/// What a stack is deployed from.
pub struct Deployed<'a> {
    /// Programs of the triage and scaler functions.
    pub triage: &'a str,
    /// See above.
    pub scaler: &'a str,
    /// Folder in tests/bundles.
    pub bundle: &'a str,
    /// Parameters of infra/pipeline.yaml beside those that every test sets.
    pub parameters: &'a [(&'a str, &'a str)],
}

impl TestCloud {
    /// Starts an emulator and deploys infra/storage.yaml and infra/pipeline.yaml in it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn deploy(of: &Deployed<'_>) -> Self {
        Self::start(of, |_, _| None)
    }

    /// As [`TestCloud::deploy`], and the functions call AWS through a proxy; the test's own calls do not.
    ///
    /// # Panics
    /// When it cannot.
    pub fn deploy_behind(proxy: impl FnOnce(&Runtime, &str) -> Throttle, of: &Deployed<'_>) -> Self {
        Self::start(of, |runtime, endpoint| Some(proxy(runtime, endpoint)))
    }

    fn start(of: &Deployed<'_>, proxy: impl FnOnce(&Runtime, &str) -> Option<Throttle>) -> Self {
        let ministack = Ministack::start();
        let runtime = Runtime::new().expect("a runtime");
        let own = ministack.endpoint();
        let aws = runtime.block_on(clients(&own, &Connection::default()));
        let throttle = proxy(&runtime, &own);
        let endpoint = throttle.as_ref().map_or(own.clone(), |t| t.endpoint().to_owned());
        let folder = tempfile::tempdir().expect("a temporary folder");
        put_code(&runtime, &aws, of, folder.path());
        let infra = places::root().join("infra");
        let events = if throttle.is_some() { "None" } else { "Queue" };
        let storage = [
            ("Prefix", PREFIX),
            ("DeletionProtection", "false"),
            ("PhotoEvents", events),
        ];
        let mut outputs = deploy(&runtime, &own, &infra.join("storage.yaml"), "storage", &storage);
        let bundle = places::root().join("tests/bundles").join(of.bundle);
        let (bundle, library) = (
            bundle.display().to_string(),
            places::onnxruntime().display().to_string(),
        );
        let mut parameters = vec![
            ("Prefix", PREFIX),
            ("Packaging", "Zip"),
            ("CodeBucket", CODE),
            ("OnnxRuntimePath", &library),
            ("BundleLocation", &bundle),
            ("BatchWindowS", "0"),
            ("TriageConcurrency", "4"),
            ("EndpointUrl", &endpoint),
        ];
        parameters.extend_from_slice(of.parameters);
        outputs.extend(deploy(
            &runtime,
            &own,
            &infra.join("pipeline.yaml"),
            "pipeline",
            &parameters,
        ));
        runtime.block_on(numbers_as_numbers(&own, &MAPPING));
        let events = runtime.block_on(subscribed(&aws, &outputs["TopicArn"]));
        Self {
            folder,
            ministack,
            aws,
            outputs,
            runtime,
            events,
            throttle,
            endpoint,
        }
    }

    /// Where programs find AWS: the emulator, or the proxy before it.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The proxy, if there is one.
    pub fn proxy(&self) -> Option<&Throttle> {
        self.throttle.as_ref()
    }

    /// A name among the outputs.
    ///
    /// # Panics
    /// When the templates do not give it.
    pub fn output(&self, name: &str) -> &str {
        self.outputs
            .get(name)
            .unwrap_or_else(|| panic!("no output {name}"))
    }

    /// Leaves what a scaler would of a lane with one worker.
    pub fn leave_lane_state(&self) {
        let left = crate::lane::leave_lane_state(&self.aws, self.output("TableName"), 1);
        self.runtime.block_on(left);
    }

    /// A worker process on this stack, or through another endpoint.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn worker(&self, program: &str, name: &str, bundle: &str, more: &[(&str, &str)]) -> Running {
        let log = self.folder.path().join(format!("{name}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log can be opened");
        let mut command = Command::new(program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("WALKAROUND_") {
                command.env_remove(variable);
            }
        }
        self.ministack.apply(&mut command);
        let bundle = places::root().join("tests/bundles").join(bundle);
        let variables = [
            ("WALKAROUND_INTAKE_QUEUE", self.output("IntakeQueueUrl")),
            ("WALKAROUND_INTAKE_DEAD_QUEUE", self.output("IntakeDeadQueueUrl")),
            (
                "WALKAROUND_SEGMENTATION_QUEUE",
                self.output("SegmentationQueueUrl"),
            ),
            (
                "WALKAROUND_SEGMENTATION_DEAD_QUEUE",
                self.output("SegmentationDeadQueueUrl"),
            ),
            ("WALKAROUND_TABLE", self.output("TableName")),
            ("WALKAROUND_TOPIC", self.output("TopicArn")),
            ("WALKAROUND_PHOTO_BUCKETS", self.output("PhotosBucket")),
            ("WALKAROUND_RESULTS_BUCKET", self.output("ResultsBucket")),
            ("WALKAROUND_LEASE_S", "5"),
            ("WALKAROUND_RETRY_FIRST_S", "1"),
            ("WALKAROUND_HEARTBEAT_S", "1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_BATCH_JOB_ID", name),
        ];
        let child = command
            .envs(variables)
            .env("WALKAROUND_BUNDLE", bundle)
            .env("WALKAROUND_ONNXRUNTIME", places::onnxruntime())
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("the worker starts");
        Running { child, log }
    }

    /// Puts a photo into the photos bucket; S3 notifies the intake queue by itself.
    ///
    /// # Panics
    /// When it cannot.
    pub fn put_photo(&self, key: &str, bytes: &[u8]) {
        let put = self
            .aws
            .s3
            .put_object()
            .bucket(self.output("PhotosBucket"))
            .key(key);
        let sent = put.body(own_bytes(key, bytes).into()).send();
        self.runtime.block_on(sent).expect("the photo is put");
    }

    /// Puts many photos, some at a time.
    ///
    /// # Panics
    /// When one cannot be put.
    pub fn put_photos(&self, photos: impl Iterator<Item = (String, Vec<u8>)>) {
        let photos: Vec<_> = photos.collect();
        for part in photos.chunks(50) {
            let puts = part.iter().map(|(key, bytes)| {
                let put = self
                    .aws
                    .s3
                    .put_object()
                    .bucket(self.output("PhotosBucket"))
                    .key(key);
                self.runtime.spawn(put.body(own_bytes(key, bytes).into()).send())
            });
            for put in puts.collect::<Vec<_>>() {
                self.runtime
                    .block_on(put)
                    .expect("no panic")
                    .expect("the photo is put");
            }
        }
    }

    /// Records that are final, after a pause: counted by indexes, which takes the emulator a hundred queries, so whoever
    /// waits with this must not keep it from its work.
    ///
    /// # Panics
    /// When they cannot be counted.
    pub fn finished(&self) -> usize {
        std::thread::sleep(COUNT_PAUSE);
        let records = DynamoRecords::new(self.aws.dynamodb.clone(), self.output("TableName"));
        self.runtime.block_on(async {
            let mut finished = 0;
            for day in days() {
                let counts = records.counts_on_day(&day).await.expect("counts");
                let of_final = counts
                    .iter()
                    .filter(|((phase, _), _)| phase == "done" || phase == "failed");
                finished += of_final
                    .map(|(_, n)| usize::try_from(*n).expect("few"))
                    .sum::<usize>();
            }
            finished
        })
    }

    /// Sends messages to the queue of this output.
    ///
    /// # Panics
    /// When one is refused.
    pub fn send(&self, queue: &str, messages: Vec<OutMessage>) {
        let queue = walkaround_aws::SqsQueue::new(self.aws.sqs.clone(), self.output(queue));
        let answers = self
            .runtime
            .block_on(queue.send(messages))
            .expect("messages are taken");
        for answer in answers {
            answer.expect("the message is taken");
        }
    }

    /// Messages in the queue of this output: ready, leased, delayed.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn messages(&self, queue: &str) -> u64 {
        let queue = walkaround_aws::SqsQueue::new(self.aws.sqs.clone(), self.output(queue));
        let depth = self.runtime.block_on(queue.depth()).expect("a depth");
        depth.ready + depth.leased + depth.delayed
    }

    /// Bodies and attributes of all messages of a dead-letter queue. They stay leased for a while.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn dead_letters(&self, queue: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let queue = walkaround_aws::SqsQueue::new(self.aws.sqs.clone(), self.output(queue));
        self.runtime.block_on(drain(&queue))
    }

    /// All records of today and yesterday, by id.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn inspections(&self) -> BTreeMap<String, Inspection> {
        let records = DynamoRecords::new(self.aws.dynamodb.clone(), self.output("TableName"));
        self.runtime.block_on(async {
            let mut all = BTreeMap::new();
            for day in days() {
                let mut after = None;
                loop {
                    let query = RecordQuery::Day(day.clone());
                    let page = records
                        .list(&query, after.as_deref(), 1000)
                        .await
                        .expect("a page");
                    for record in page.records {
                        let inspection = parse_record(&record.body).expect("a record is readable");
                        all.insert(record.id.to_string(), inspection);
                    }
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
            all
        })
    }

    /// Ids that events name, each with the ids of its events.
    ///
    /// # Panics
    /// When an event cannot be read.
    pub fn events(&self) -> BTreeMap<String, BTreeSet<String>> {
        let queue = walkaround_aws::SqsQueue::new(self.aws.sqs.clone(), &self.events);
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (body, _) in self.runtime.block_on(drain(&queue)) {
            assert!(!body.contains("X-Amz-"), "an event keeps a signed query: {body}");
            let (event, inspection) = parse_event(&body).expect("an event is readable");
            all.entry(inspection.request.id.to_string())
                .or_default()
                .insert(event);
        }
        all
    }

    /// Fails unless the blob is there with its digest.
    ///
    /// # Panics
    /// When it is not.
    pub fn check_blob(&self, blob: &BlobRef) {
        let blobs = S3Blobs::new(self.aws.s3.clone());
        let at = BlobAddress {
            bucket: blob.bucket.clone(),
            key: blob.key.clone(),
        };
        let bytes = self
            .runtime
            .block_on(blobs.get(&at, 64 << 20))
            .expect("the blob is there");
        let wanted = walkaround_domain::hex(&blob.sha256);
        assert_eq!(hex_sha256(&bytes), wanted, "{at}");
    }

    /// What all workers have logged.
    pub fn logs(&self) -> String {
        let mut all = self.ministack.log();
        for entry in self.folder.path().read_dir().into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|e| e == "log") {
                all += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default());
            }
        }
        all
    }
}

/// Puts the functions' zips where the templates find them.
fn put_code(runtime: &Runtime, aws: &Aws, of: &Deployed<'_>, folder: &Path) {
    let triage = crate::code::zipped(Path::new(of.triage), folder);
    let scaler = crate::code::zipped(Path::new(of.scaler), folder);
    runtime.block_on(async {
        bucket(aws, CODE).await;
        for (key, zip) in [
            ("triage.zip", &triage),
            ("scaler.zip", &scaler),
            ("notifier.zip", &scaler),
            ("monitor.zip", &scaler),
        ] {
            // Nothing happens here that the notifier or the monitor is invoked for.
            let put = aws.s3.put_object().bucket(CODE).key(key);
            put.body(std::fs::read(zip).expect("the zip").into())
                .send()
                .await
                .expect("code is put");
        }
    });
}

/// A queue that gets every event of the topic, as it was published.
async fn subscribed(aws: &Aws, topic: &str) -> String {
    let made = aws
        .sqs
        .create_queue()
        .queue_name("events-under-test")
        .send()
        .await
        .expect("a queue");
    let url = made.queue_url().expect("a queue has a URL").to_owned();
    let arn = format!(
        "arn:aws:sqs:{}:{}:events-under-test",
        walkaround_emulators::REGION,
        walkaround_emulators::ACCOUNT
    );
    let subscribe = aws.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
    subscribe
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .expect("a subscription");
    url
}

/// All messages, each leased for a minute.
async fn drain(queue: &walkaround_aws::SqsQueue) -> Vec<(String, BTreeMap<String, String>)> {
    let mut all = Vec::new();
    loop {
        let got = queue
            .receive(10, Duration::from_secs(60), Duration::ZERO)
            .await
            .expect("a receive");
        if got.is_empty() {
            return all;
        }
        all.extend(got.into_iter().map(|d| (d.body, d.attributes)));
    }
}
