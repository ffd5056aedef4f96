//! The pipeline on ports in memory: photos, stores, queues and an engine that fail as a test says.

mod engine;
mod queue;
mod stores;

pub(crate) use engine::{
    BLACK, CLEAN, DAMAGED, NO_VEHICLE, SUSPECT, TestEngine, WHITE, large_picture, picture,
};
pub(crate) use queue::{Fault, MemoryQueue};
pub(crate) use stores::Stores;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::{ManualClock, MemoryReviews};
use walkaround_domain::{Inspection, InspectionId, InspectionRequest, PhotoRef};
use walkaround_messages::{parse_record, request_json};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::inspector::{ActiveInspector, Compute, EngineMonitor, Inspector, InspectorSettings};
use walkaround_pipeline::processor::{Isolation, RequestProcessor};
use walkaround_pipeline::retry::{Jitter, RetryPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::{PipelineEvent, Telemetry};
use walkaround_ports::{
    BlobAddress, Blobs, Clock, Delivery, Heartbeat, KnownContent, OutMessage, PhotoSource, PortCall,
    PortError, PortErrorKind, Publisher, Queue, Receipt, Records, ResultKey, Reviews, StateStore,
    StoredRecord,
};

/// From a shutdown signal to the end.
pub(crate) const DRAIN_BUDGET: Duration = Duration::from_secs(25);
/// Attempts at a photo.
pub(crate) const ATTEMPTS: u32 = 3;

/// What a fetch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Returns a picture of even brightness.
    Picture(u8),
    /// Returns a picture that is much larger than the input of the networks.
    LargePicture(u8),
    /// Returns bytes that are no picture.
    Garbage,
    /// The host does not answer.
    Fails,
    /// The host has stopped answering, and the photo is not asked for.
    HostBusy,
    /// It never returns.
    Hangs,
    Malformed,
    NotFound,
    Forbidden,
    Denied,
    TooLarge,
    /// A store fails.
    Port(PortErrorKind),
}

/// Everything outside the pipeline.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: Mutex<BTreeMap<InspectionId, StoredRecord>>,
    pub(crate) reviews: Arc<MemoryReviews>,
    pub(crate) results: Mutex<BTreeMap<ResultKey, InspectionId>>,
    pub(crate) blobs: Mutex<BTreeMap<BlobAddress, Vec<u8>>>,
    pub(crate) heartbeats: Mutex<BTreeMap<String, Heartbeat>>,
    pub(crate) documents: Mutex<BTreeMap<String, String>>,
    /// What was sent to the queue of this world.
    pub(crate) parked: Mutex<Vec<OutMessage>>,
    /// What was released to it.
    pub(crate) released: Mutex<Vec<Receipt>>,
    pub(crate) fetches: Mutex<BTreeMap<String, VecDeque<Fetch>>>,
    /// What the photo source knows of any photo.
    pub(crate) known: Mutex<Option<KnownContent>>,
    /// How the photo source fails to identify photos.
    pub(crate) identify_fails: Mutex<Option<Fetch>>,
    /// Names of the pipeline's events, in order.
    pub(crate) recorded: Mutex<Vec<String>>,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) records_away: AtomicBool,
    /// The next write of a record has its effect, and its answer never comes.
    pub(crate) answer_is_lost: AtomicBool,
    pub(crate) results_away: AtomicBool,
    pub(crate) heartbeats_away: AtomicBool,
    pub(crate) heartbeats_hang: AtomicBool,
    pub(crate) state_away: AtomicBool,
    pub(crate) state_is_read_only: AtomicBool,
    pub(crate) blobs_away: AtomicBool,
    pub(crate) blobs_too_large: AtomicBool,
    pub(crate) engine_unhealthy: AtomicBool,
    pub(crate) segmenters_fail: AtomicBool,
    pub(crate) topic_away: AtomicBool,
    pub(crate) queue_away: AtomicBool,
    /// The queue refuses each message.
    pub(crate) queue_refuses: AtomicBool,
    pub(crate) engine_runs: AtomicUsize,
    /// Sizes of the batches that were screened.
    pub(crate) batches: Mutex<Vec<usize>>,
    /// Ids of the published events.
    pub(crate) events: Mutex<Vec<String>>,
}

/// The error of a port that is out of reach.
pub(crate) fn reach(port: &'static str, is_away: &AtomicBool) -> Result<(), PortError> {
    match is_away.load(Ordering::SeqCst) {
        true => Err(PortError::new(
            PortCall::new(port, "call"),
            PortErrorKind::Unavailable,
            "away",
        )),
        false => Ok(()),
    }
}

impl Telemetry for World {
    fn record(&self, event: PipelineEvent<'_>) {
        let text = match event {
            PipelineEvent::Settled(settled) => format!("settled {}", settled.verdict),
            PipelineEvent::Failed(code) => format!("failed {}", code.as_str()),
            PipelineEvent::SentToGpu => "sent".to_owned(),
            PipelineEvent::Returned => "returned".to_owned(),
            PipelineEvent::Parked => "parked".to_owned(),
            PipelineEvent::NoPhoto(why) => format!("no photo: {why}"),
            PipelineEvent::Reviewed { decision, .. } => format!("reviewed {decision}"),
        };
        self.recorded.lock().unwrap().push(text);
    }
}

impl World {
    /// What the fetches of a photo do, one after the other; the last one repeats.
    pub(crate) fn photo(&self, name: &str, fetches: &[Fetch]) {
        let fetches = fetches.iter().copied().collect();
        self.fetches.lock().unwrap().insert(name.to_owned(), fetches);
    }

    /// The stored inspection.
    pub(crate) fn inspection(&self, name: &str) -> Option<Inspection> {
        let records = self.records.lock().unwrap();
        let record = records.get(&InspectionId::new(name).unwrap())?;
        Some(parse_record(&record.body).unwrap())
    }
}

/// The request for a photo.
pub(crate) fn request(name: &str) -> InspectionRequest {
    InspectionRequest::of(InspectionId::new(name).unwrap(), PhotoRef::File(name.to_owned()))
}

/// A delivery of its message.
pub(crate) fn delivery(name: &str, receive_count: u32, clock: &ManualClock) -> Delivery {
    Delivery {
        receipt: Receipt(format!("{name}/{receive_count}")),
        message_id: name.to_owned(),
        body: request_json(&request(name)),
        attributes: BTreeMap::new(),
        receive_count,
        sent_at: clock.now(),
    }
}

/// A world with the photos `one` and `two`, which are fetched alike, and its clock.
pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bench {
    pub(crate) fn new(fetches: &[Fetch]) -> Self {
        let bench = Self {
            world: Arc::default(),
            clock: Arc::new(ManualClock::new()),
        };
        bench.world.photo("one", fetches);
        bench.world.photo("two", fetches);
        bench
    }

    /// What one process handles requests with.
    pub(crate) fn processor(&self) -> RequestProcessor {
        processor(&self.world, &self.clock).0
    }
}

/// The processor of one process.
pub(crate) fn processor(
    world: &Arc<World>,
    clock: &Arc<ManualClock>,
) -> (RequestProcessor, Arc<EngineMonitor>) {
    let monitor = EngineMonitor::new();
    let settings = InspectorSettings {
        compute: Compute::Inline,
        monitor: Arc::clone(&monitor),
        ..InspectorSettings::default()
    };
    let engine = Box::new(TestEngine::new(world));
    let time: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let stores = Arc::new(Stores(Arc::clone(world)));
    let processor = RequestProcessor {
        source: Arc::clone(&stores) as Arc<dyn PhotoSource>,
        inspector: ActiveInspector::new(Inspector::new(engine, settings, Arc::clone(&time))),
        settler: Settler {
            store: InspectionStore::new(Arc::clone(&stores) as Arc<dyn Records>),
            blobs: Arc::clone(&stores) as Arc<dyn Blobs>,
            reviews: Arc::clone(&world.reviews) as Arc<dyn Reviews>,
            publisher: Arc::clone(&stores) as Arc<dyn Publisher>,
            clock: time,
            bucket: "results".into(),
            worker: "test".into(),
        },
        dead: stores,
        retry: RetryPolicy {
            attempts_max: ATTEMPTS,
            ..RetryPolicy::default()
        },
        jitter: Arc::new(Jitter::seeded(1)),
        photo_bytes_max: 1 << 20,
        isolation: Isolation::default(),
        progress: Arc::new(Progress::default()),
        telemetry: Arc::clone(world) as Arc<dyn Telemetry>,
        drain_budget: DRAIN_BUDGET,
        queue_name: "segmentation",
        shadow: None,
    };
    (processor, monitor)
}

/// Where the state of the GPU lane is stored.
pub(crate) fn state(world: &Arc<World>) -> Arc<dyn StateStore> {
    Arc::new(Stores(Arc::clone(world)))
}

/// The queue of a world.
pub(crate) fn queue(world: &Arc<World>) -> Arc<dyn Queue> {
    Arc::new(Stores(Arc::clone(world)))
}

/// The stored inspections of a world.
pub(crate) fn store(world: &Arc<World>) -> InspectionStore {
    InspectionStore::new(Arc::new(Stores(Arc::clone(world))))
}

/// Lets all tasks run as far as they can.
pub(crate) async fn run_tasks() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
