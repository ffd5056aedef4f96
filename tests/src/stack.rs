//! The local stack under test: a root of its own, `up` and `worker` as real processes, and a view from
//! outside at what they left: queues, records, blobs, events, processes.

use crate::places;
use crate::requests::own_bytes;
pub use crate::requests::{
    PHOTOS, as_json, clean, damaged, ids, is_done, photo_address, request, request_for,
};
use crate::running::send_signal;
pub use crate::running::{Running, tail, until};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use walkaround_domain::{BlobRef, Inspection, InspectionRequest, Timestamp};
use walkaround_inference::bundle::hex_sha256;
use walkaround_local::{
    INTAKE, INTAKE_DEAD, LocalStack, Options, Parked, SEGMENTATION, SEGMENTATION_DEAD, SystemClock,
};
use walkaround_messages::{parse_event, parse_heartbeat, parse_record, utc_day};
use walkaround_ports::{BlobAddress, Clock, Depth, OutMessage, RecordQuery};

/// A stack of one test.
pub struct TestStack {
    folder: TempDir,
    program: PathBuf,
    variables: BTreeMap<String, String>,
    local: LocalStack,
    runtime: Runtime,
}

impl TestStack {
    /// A fresh root for `program` with a bundle of tests/bundles; everything that takes time is short.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(program: &str, bundle: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("root");
        let runtime = Runtime::new().expect("a runtime");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let local = {
            let _inside = runtime.enter();
            LocalStack::open(&root, Options::default(), clock).expect("a root can be made")
        };
        let mut variables: BTreeMap<String, String> = DEFAULTS
            .iter()
            .chain(settings)
            .map(|(name, value)| (format!("WALKAROUND_{name}"), (*value).to_owned()))
            .collect();
        let bundle = places::root().join("tests/bundles").join(bundle);
        for (name, path) in [
            ("ROOT", root.as_path()),
            ("BUNDLE", bundle.as_path()),
            ("ONNXRUNTIME", places::onnxruntime().as_path()),
        ] {
            let path = path.canonicalize().expect("the path is there");
            variables.insert(format!("WALKAROUND_{name}"), path.display().to_string());
        }
        Self {
            folder,
            program: program.into(),
            variables,
            local,
            runtime,
        }
    }

    /// A folder of the test beside the root.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Changes one setting for what is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables
            .insert(format!("WALKAROUND_{name}"), value.to_owned());
    }

    /// The opened root.
    pub fn local(&self) -> &LocalStack {
        &self.local
    }

    /// Waits for a future of the stack.
    pub fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Starts a command of the program; its log is `<log>.log` beside the root.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str], log: &str) -> Running {
        let log = self.folder().join(format!("{log}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log can be opened");
        let child = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Running { child, log }
    }

    /// What a command prints, once it has ended.
    ///
    /// # Panics
    /// When it cannot be started, or does not print text.
    pub fn output(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program starts");
        String::from_utf8(output.stdout).expect("commands print text")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WALKAROUND_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .envs(&self.variables)
            .env("NO_COLOR", "1")
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    /// What is logged below the root and beside it, by everything that ran.
    pub fn logs(&self) -> String {
        let folders = [self.folder().to_path_buf(), self.local.root().join("logs")];
        let mut all = String::new();
        for entry in folders
            .iter()
            .filter_map(|f| f.read_dir().ok())
            .flatten()
            .flatten()
        {
            if entry.path().extension().is_some_and(|e| e == "log") {
                all += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default());
            }
        }
        all
    }

    /// The workers that `up` started and that live: their process ids, found by this root in their environment.
    ///
    /// # Panics
    /// When the processes of this machine cannot be listed.
    pub fn workers(&self) -> Vec<i32> {
        let root = format!("WALKAROUND_ROOT={}", self.variables["WALKAROUND_ROOT"]);
        let read = |pid: i32, file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let has = |text: &[u8], part: &str| text.split(|b| *b == 0).any(|p| p == part.as_bytes());
        let all = Path::new("/proc").read_dir().expect("the kernel lists processes");
        all.flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| has(&read(*pid, "cmdline"), "worker") && has(&read(*pid, "environ"), &root))
            .collect()
    }

    /// SIGKILL for every worker of this root; how many.
    pub fn kill_workers(&self) -> usize {
        let workers = self.workers();
        for pid in &workers {
            send_signal(*pid, rustix::process::Signal::KILL);
        }
        workers.len()
    }

    /// Stores photos under keys, all in one bucket, each with [bytes of its own](own_bytes).
    ///
    /// # Panics
    /// When one cannot be stored.
    pub fn store<'a>(&self, photos: impl IntoIterator<Item = (String, &'a [u8])>) {
        for (key, bytes) in photos {
            self.store_as_is(&key, &own_bytes(&key, bytes));
        }
    }

    /// Stores a photo with exactly these bytes.
    ///
    /// # Panics
    /// When it cannot be stored.
    pub fn store_as_is(&self, key: &str, bytes: &[u8]) {
        let blobs = self.local.blobs();
        let at = photo_address(key);
        self.wait_for(blobs.put_if_absent(&at, bytes, "image/jpeg"))
            .expect("a photo is stored");
    }

    /// Sends messages to a queue, ten at a time.
    ///
    /// # Panics
    /// When one is not taken.
    pub fn send(&self, queue: &str, messages: &[OutMessage]) {
        let queue = self.local.queue(queue).expect("the queue is there");
        self.wait_for(async {
            for ten in messages.chunks(10) {
                let answers = queue.send(ten.to_vec()).await.expect("the queue answers");
                assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            }
        });
    }

    /// Sends requests to intake, as JSON.
    pub fn submit(&self, requests: &[InspectionRequest]) {
        self.send(INTAKE, &requests.iter().map(as_json).collect::<Vec<_>>());
    }

    /// How full a queue is.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn depth(&self, queue: &str) -> Depth {
        let queue = self.local.queue(queue).expect("the queue is there");
        self.wait_for(queue.depth()).expect("a depth")
    }

    /// Messages that are in intake and segmentation, in flight or not.
    pub fn messages(&self) -> u64 {
        [INTAKE, SEGMENTATION]
            .map(|queue| self.depth(queue))
            .iter()
            .map(|d| d.ready + d.leased + d.delayed)
            .sum()
    }

    /// Messages that workers have in flight, as their heartbeats say.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn in_flight(&self) -> u32 {
        let beats = self.wait_for(self.local.records().heartbeats(Timestamp(0)));
        let beats = beats.expect("heartbeats are read");
        let read = beats.iter().filter_map(|beat| parse_heartbeat(&beat.body).ok());
        read.map(|beat| beat.in_flight).sum()
    }

    /// Messages that someone holds a lease on.
    pub fn leased(&self) -> u64 {
        self.depth(INTAKE).leased + self.depth(SEGMENTATION).leased
    }

    /// How many records are final.
    ///
    /// # Panics
    /// When they cannot be counted.
    pub fn finished(&self) -> u64 {
        let counts = self.wait_for(self.local.counts()).expect("records are counted");
        counts
            .iter()
            .filter(|t| matches!(t.phase.as_str(), "done" | "failed"))
            .map(|t| t.records)
            .sum()
    }

    /// All records of this test, by id.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn inspections(&self) -> BTreeMap<String, Inspection> {
        let records = self.local.records();
        let now = SystemClock::new().now();
        let days: BTreeSet<String> = [now, now - Duration::from_secs(3600)].map(utc_day).into();
        let mut all = BTreeMap::new();
        for day in days {
            let mut after: Option<String> = None;
            loop {
                let query = RecordQuery::Day(day.clone());
                let page = self
                    .wait_for(records.list(&query, after.as_deref(), 1000))
                    .expect("records are listed");
                for record in page.records {
                    let read = parse_record(&record.body).expect("a record can be read");
                    assert_eq!(read.request.id, record.id);
                    let twice = all.insert(record.id.to_string(), read);
                    assert!(twice.is_none(), "{} is listed twice", record.id);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        all
    }

    /// The ids of the events that were published, by inspection; one entry a publication.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn events(&self) -> BTreeMap<String, Vec<String>> {
        let events = self
            .wait_for(self.local.events_since(0, 1_000_000))
            .expect("events are read");
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for published in events {
            let (id, inspection) = parse_event(&published.event.body).expect("an event can be read");
            assert_eq!(id, published.event.id, "an event has its id inside, too");
            all.entry(inspection.request.id.to_string()).or_default().push(id);
        }
        all
    }

    /// What is parked in both lanes.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn parked(&self) -> Vec<Parked> {
        let read = |queue| self.wait_for(self.local.parked(queue, None, 1000));
        [INTAKE_DEAD, SEGMENTATION_DEAD]
            .into_iter()
            .flat_map(|queue| read(queue).expect("parked messages are listed"))
            .collect()
    }

    /// The keys of an inspection's results that end so.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn results(&self, id: &str, end: &str) -> Vec<String> {
        let at = BlobAddress {
            bucket: "results".into(),
            key: format!("inspections/{id}/"),
        };
        let keys = self.wait_for(self.local.blobs().list(&at, None, 1000));
        let mut keys = keys.expect("results are listed");
        keys.retain(|key| key.ends_with(end));
        keys
    }

    /// Holds a blob against its digest and length on the record.
    ///
    /// # Panics
    /// When it is not there, or another.
    pub fn check_blob(&self, blob: &BlobRef) {
        let at = BlobAddress {
            bucket: blob.bucket.clone(),
            key: blob.key.clone(),
        };
        let bytes = self
            .wait_for(self.local.blobs().get(&at, 64 << 20))
            .unwrap_or_else(|e| panic!("{at}: {e}"));
        let digest = walkaround_domain::hex(&blob.sha256);
        assert_eq!(hex_sha256(&bytes), digest, "{at}");
        assert_eq!(bytes.len() as u64, blob.bytes, "{at}");
    }

    /// Waits until all these are final, their events out and every message gone.
    ///
    /// # Panics
    /// After `bound`, naming what is unfinished and the end of the logs.
    pub fn until_all_final(&self, ids: &BTreeSet<String>, bound: Duration) {
        let done = || self.messages() == 0 && self.finished() >= ids.len() as u64;
        if until(bound, done) {
            return;
        }
        let all = self.inspections();
        let unfinished: Vec<String> = ids
            .iter()
            .filter_map(|id| match all.get(id) {
                None => Some(format!("{id}: no record")),
                Some(i) if i.phase.is_final() => None,
                Some(i) => Some(format!("{id}: {:?}", i.phase)),
            })
            .collect();
        panic!(
            "not finished within {bound:?}: {} of {}:\n{}\nmessages: intake {:?}, segmentation {:?}, workers {:?}\n{}",
            unfinished.len(),
            ids.len(),
            unfinished.join("\n"),
            self.depth(INTAKE),
            self.depth(SEGMENTATION),
            self.workers(),
            tail(&self.logs(), 60),
        );
    }
}

/// Short times; no HTTP surface.
const DEFAULTS: &[(&str, &str)] = &[
    ("LISTEN", ""),
    ("SCALE_EVERY_S", "0.1"),
    ("HEARTBEAT_S", "0.3"),
    ("RETRY_FIRST_S", "0.05"),
    ("HOST_RETRY_MAX_S", "0.2"),
    ("IDLE_EXIT_S", "1"),
    ("DRAIN_TARGET_S", "1"),
    ("LEASE_S", "5"),
];

impl Drop for TestStack {
    /// Nothing of a failed test goes on running.
    fn drop(&mut self) {
        self.kill_workers();
    }
}
