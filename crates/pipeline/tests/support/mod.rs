//! A worker's handler on stores in memory, whose photos, stores and engine do as a test says.

#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use async_trait::async_trait;
use image::{ImageFormat, Rgb, RgbImage};
use std::collections::{BTreeMap, VecDeque};
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::{Inspection, InspectionId, InspectionRequest, PhotoRef, Timestamp, UnitRect};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle};
use walkaround_messages::{parse_record, request_json};
use walkaround_pipeline::consumer::Progress;
use walkaround_pipeline::inspector::{ActiveInspector, Compute, EngineMonitor, Inspector, InspectorSettings};
use walkaround_pipeline::processor::{Isolation, RequestProcessor};
use walkaround_pipeline::retry::{Jitter, RetryPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Clock, Delivery, Depth, FetchError, Heartbeat, KnownContent,
    LeaseOutcome, OutEvent, OutMessage, Page, PhotoSource, PortError, PortErrorKind, Precondition, Publisher,
    PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey, StateStore, StoredRecord, WriteOutcome,
};
use walkaround_vision::mask::{ClassSpec, ProbabilityMap};
use walkaround_vision::quality::QualityPolicy;

/// From a stop to the end.
pub(crate) const DRAIN_BUDGET: Duration = Duration::from_secs(25);
/// Attempts at a photo.
pub(crate) const ATTEMPTS: u32 = 3;

/// What a fetch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Gives a picture of even brightness.
    Picture(u8),
    /// The host does not answer.
    Fails,
    /// It never returns.
    Hangs,
}

/// Everything outside the pipeline.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: Mutex<BTreeMap<InspectionId, StoredRecord>>,
    pub(crate) parked: Mutex<Vec<OutMessage>>,
    pub(crate) fetches: Mutex<BTreeMap<String, VecDeque<Fetch>>>,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) records_away: AtomicBool,
    pub(crate) blobs_away: AtomicBool,
    pub(crate) engine_sick: AtomicBool,
    pub(crate) topic_away: AtomicBool,
    /// Ids of the events that are out.
    pub(crate) events: Mutex<Vec<String>>,
}

fn away<T>(port: &'static str, is_away: &AtomicBool) -> Result<Option<T>, PortError> {
    match is_away.load(Ordering::SeqCst) {
        true => Err(PortError::new((port, "call"), PortErrorKind::Unavailable, "away")),
        false => Ok(None),
    }
}

impl World {
    /// What the fetches of a photo do, one after the other; the last for ever.
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

/// A process on a world.
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
    let engine = Box::new(TestEngine(Arc::clone(world)));
    let time: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let stores = Arc::new(Stores(Arc::clone(world)));
    let processor = RequestProcessor {
        source: Arc::clone(&stores) as Arc<dyn PhotoSource>,
        inspector: ActiveInspector::new(Inspector::new(engine, settings, Arc::clone(&time))),
        settler: Settler {
            store: InspectionStore::new(Arc::clone(&stores) as Arc<dyn Records>),
            blobs: Arc::clone(&stores) as Arc<dyn Blobs>,
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
        telemetry: Arc::new(NoopTelemetry),
        drain_budget: DRAIN_BUDGET,
        queue_name: "segmentation",
    };
    (processor, monitor)
}

struct TestEngine(Arc<World>);

static QUALITY: QualityPolicy = QualityPolicy {
    sharpness_min: 0.0,
    luma_min: 0.0,
    luma_max: 255.0,
    clipped_max: 1.0,
};

impl Engine for TestEngine {
    fn bundle_name(&self) -> &'static str {
        "test"
    }
    fn bundle_version(&self) -> &'static str {
        "1"
    }
    fn classes(&self) -> &[ClassSpec] {
        &[]
    }
    fn quality(&self) -> &QualityPolicy {
        &QUALITY
    }
    fn long_side(&self) -> u32 {
        64
    }
    /// White photos fail; everything does on a sick engine. Light grey ones are suspect.
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        let white = photos.iter().any(|photo| photo.get_pixel(0, 0).0[0] > 250);
        if white || self.0.engine_sick.load(Ordering::SeqCst) {
            return Err(EngineError::Run {
                network: "gate".into(),
                cause: "CUDA failure 719".into(),
            });
        }
        let look = |photo: &&RgbImage| match photo.get_pixel(0, 0).0[0] {
            190..=210 => Screening {
                vehicle: Vehicle::NotAsked,
                gate: Some(0.9),
                suspect: true,
            },
            _ => Screening {
                vehicle: Vehicle::Absent,
                gate: None,
                suspect: false,
            },
        };
        Ok(photos.iter().map(look).collect())
    }
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Vec<ProbabilityMap>>, EngineError> {
        Ok(vec![Vec::new(); photos.len()])
    }
}

fn picture(value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(256, 256, Rgb([value; 3]));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// All ports of a world.
struct Stores(Arc<World>);

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl PhotoSource for Stores {
    async fn identify(&self, _: &PhotoRef) -> Result<Option<KnownContent>, FetchError> {
        Ok(None)
    }
    async fn fetch(&self, photo: &PhotoRef, _: u64) -> Result<Vec<u8>, FetchError> {
        let next = {
            let mut fetches = self.0.fetches.lock().unwrap();
            let of_photo = fetches.get_mut(&photo.to_string()).expect("a photo of the test");
            match of_photo.len() {
                1 => of_photo[0],
                _ => of_photo.pop_front().expect("a fetch is left"),
            }
        };
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        let _counted = InFlight(&self.0.in_flight);
        match next {
            Fetch::Picture(value) => Ok(picture(value)),
            Fetch::Fails => Err(FetchError::Unreachable("no answer".into())),
            Fetch::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Records for Stores {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        away::<()>("records", &self.0.records_away)?;
        Ok(self.0.records.lock().unwrap().get(id).cloned())
    }
    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        away::<()>("records", &self.0.records_away)?;
        let mut records = self.0.records.lock().unwrap();
        let current = records.get(&next.id);
        let holds = match (expect, current) {
            (Precondition::Absent, None) => true,
            (Precondition::Version(wanted), Some(current)) => current.version == wanted,
            _ => false,
        };
        if !holds {
            return Ok(WriteOutcome::Conflict(current.cloned()));
        }
        let version = current.map_or(0, |c| c.version) + 1;
        let stored = StoredRecord {
            version,
            ..next.clone()
        };
        records.insert(next.id.clone(), stored);
        Ok(WriteOutcome::Committed(version))
    }
    async fn list(&self, _: &RecordQuery, _: Option<&str>, _: usize) -> Result<Page, PortError> {
        Ok(Page::default())
    }
    async fn result_of(&self, _: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        Ok(None)
    }
    async fn keep_result(&self, _: &ResultKey, _: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
    async fn put_heartbeat(&self, _: &Heartbeat) -> Result<(), PortError> {
        Ok(())
    }
    async fn heartbeats(&self, _: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Blobs for Stores {
    async fn head(&self, _: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        away("blobs", &self.0.blobs_away)
    }
    async fn get(&self, _: &BlobAddress, _: u64) -> Result<Vec<u8>, PortError> {
        panic!("no test reads results")
    }
    async fn get_version(&self, _: &BlobAddress, _: &str, _: u64) -> Result<Vec<u8>, PortError> {
        panic!("no test reads results")
    }
    async fn put_if_absent(&self, _: &BlobAddress, _: &[u8], _: &str) -> Result<PutOutcome, PortError> {
        away::<()>("blobs", &self.0.blobs_away)?;
        Ok(PutOutcome::Created)
    }
    async fn download(&self, _: &BlobAddress, _: &[u8; 32], _: &Path) -> Result<(), PortError> {
        panic!("no test downloads")
    }
    async fn list(&self, _: &BlobAddress, _: Option<&str>, _: usize) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Publisher for Stores {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        away::<()>("publisher", &self.0.topic_away)?;
        self.0.events.lock().unwrap().push(event.id.clone());
        Ok(())
    }
}

/// Nothing is known of the GPU lane.
#[async_trait]
impl StateStore for Stores {
    async fn read(&self, _: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }
    async fn write(&self, _: &str, _: &str, _: Duration) -> Result<(), PortError> {
        panic!("no test writes state")
    }
}

/// The dead-letter queue, and the queue of an invocation: nothing is received.
#[async_trait]
impl Queue for Stores {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        let answers = messages.iter().map(|_| Ok(())).collect();
        self.0.parked.lock().unwrap().extend(messages);
        Ok(answers)
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, PortError> {
        Ok(Vec::new())
    }
    async fn extend(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        Ok(LeaseOutcome::Held)
    }
    async fn release(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        Ok(LeaseOutcome::Held)
    }
    async fn ack(&self, _: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        Ok(Vec::new())
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        Ok(Depth::default())
    }
}

/// What is stored of the GPU lane's state: nothing.
pub(crate) fn state(world: &Arc<World>) -> Arc<dyn StateStore> {
    Arc::new(Stores(Arc::clone(world)))
}

/// The queue that an invocation gives back to.
pub(crate) fn queue(world: &Arc<World>) -> Arc<dyn Queue> {
    Arc::new(Stores(Arc::clone(world)))
}
