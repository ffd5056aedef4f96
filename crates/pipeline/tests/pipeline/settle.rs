//! Settling: blobs, record and event, in any order of crashes and of concurrent writers.

use crate::support;
use crate::support::{DAMAGED, Fetch, World, delivery, picture, processor, request, run_tasks, store};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::{BundleId, Event, FailureCode, Inspection, Phase, Verdict};
use walkaround_pipeline::inspector::EncodedResult;
use walkaround_pipeline::processor::{PhotoFailure, RequestProcessor};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::store::{InspectionStoreError, VersionedInspection};
use walkaround_ports::{BlobAddress, Clock, PortErrorKind};

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
    processor: RequestProcessor,
}

impl Bench {
    fn new() -> Self {
        let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
        world.photo("one", &[Fetch::Picture(DAMAGED)]);
        let processor = processor(&world, &clock).0;
        Self {
            world,
            clock,
            processor,
        }
    }

    fn settler(&self) -> &Settler {
        &self.processor.settler
    }

    fn fresh(&self) -> VersionedInspection {
        VersionedInspection {
            inspection: Inspection::accepted(request("one"), self.clock.now()),
            version: 0,
            fetched: None,
        }
    }

    async fn result(&self) -> EncodedResult {
        let inspector = self.processor.inspector.get();
        let (bytes, file) = inspector.digest(picture(DAMAGED)).await;
        let mut photo = inspector.prepare(bytes, file).await.unwrap();
        inspector.screen(&mut photo).await.unwrap();
        inspector.segment(&mut photo).await.unwrap();
        inspector.finish(photo, "one".to_owned()).await.unwrap()
    }

    async fn done(&self) -> Result<(), InspectionStoreError> {
        let result = self.result().await;
        self.settler()
            .done(self.fresh(), result, Duration::from_millis(1500))
            .await
    }

    async fn failed(&self) -> Result<(), InspectionStoreError> {
        let failure = PhotoFailure {
            code: FailureCode::PhotoNotFound,
            detail: "no such photo".into(),
        };
        self.settler()
            .failed(self.fresh(), failure, BundleId::new("test", "1"))
            .await
    }

    fn stored(&self) -> Inspection {
        self.world.inspection("one").unwrap()
    }

    fn keys(&self) -> Vec<String> {
        self.world
            .blobs
            .lock()
            .unwrap()
            .keys()
            .map(|at| at.key.clone())
            .collect()
    }
}

#[tokio::test]
async fn a_result_is_stored_published_and_on_the_record() {
    let bench = Bench::new();
    bench.done().await.unwrap();
    let inspection = bench.stored();
    assert_eq!(
        inspection.phase,
        Phase::Done {
            verdict: Verdict::Damaged
        }
    );
    assert!(inspection.published_at.is_some());
    let outcome = inspection.outcome.unwrap();
    assert_eq!(outcome.bundle, BundleId::new("test", "1"));
    assert_eq!((outcome.findings.len(), outcome.worker.as_str()), (1, "test"));
    assert!((outcome.timings_ms["total"] - 1500.0).abs() < 1e-9);
    assert_eq!(
        bench.keys(),
        [
            "inspections/one/test-1/overlay.jpg",
            "inspections/one/test-1/report.json"
        ]
    );
    assert_eq!(*bench.world.events.lock().unwrap(), ["one.done"]);
}

/// What another process did before this one settles.
struct EarlierCase {
    name: &'static str,
    fault: fn(&World),
    first: &'static str,
    events: &'static [&'static str],
}

#[tokio::test]
async fn settling_twice_has_one_effect_and_the_first_final_state_is_kept() {
    let cases = [
        EarlierCase {
            name: "the same result",
            fault: |_| {},
            first: "done",
            events: &["one.done"],
        },
        EarlierCase {
            name: "a crash before the event",
            fault: |world| world.topic_away.store(true, Ordering::SeqCst),
            first: "done",
            events: &["one.done"],
        },
        EarlierCase {
            name: "a failure",
            fault: |_| {},
            first: "failed",
            events: &["one.failed"],
        },
    ];
    for case in cases {
        let bench = Bench::new();
        (case.fault)(&bench.world);
        let first = match case.first {
            "done" => bench.done().await,
            _ => bench.failed().await,
        };
        assert_eq!(
            first.is_err(),
            bench.world.topic_away.load(Ordering::SeqCst),
            "{}",
            case.name
        );
        bench.world.topic_away.store(false, Ordering::SeqCst);
        bench.done().await.unwrap();
        assert_eq!(bench.stored().phase.as_str(), case.first, "{}", case.name);
        assert_eq!(*bench.world.events.lock().unwrap(), case.events, "{}", case.name);
    }
}

#[tokio::test]
async fn other_bytes_under_the_key_of_a_blob_lead_to_a_key_with_the_digest_and_then_to_an_error() {
    let bench = Bench::new();
    let at = |key: &str| BlobAddress {
        bucket: "results".into(),
        key: key.to_owned(),
    };
    let taken = at("inspections/one/test-1/report.json");
    bench
        .world
        .blobs
        .lock()
        .unwrap()
        .insert(taken.clone(), b"other".to_vec());
    bench.done().await.unwrap();
    let report = bench.stored().outcome.unwrap().report.unwrap();
    assert!(report.key.ends_with("-report.json"), "{}", report.key);
    bench.world.records.lock().unwrap().clear();
    bench
        .world
        .blobs
        .lock()
        .unwrap()
        .insert(at(&report.key), b"other".to_vec());
    let Err(InspectionStoreError::Port(error)) = bench.done().await else {
        panic!("it was stored");
    };
    assert_eq!(error.kind, PortErrorKind::Corrupt);
}

#[tokio::test]
async fn nothing_is_published_before_the_end_or_twice() {
    let bench = Bench::new();
    bench.settler().publish(bench.fresh()).await.unwrap();
    assert!(bench.world.events.lock().unwrap().is_empty());
    bench.done().await.unwrap();
    let id = request("one").id;
    let stored = store(&bench.world).read(&id).await.unwrap().unwrap();
    bench.settler().publish(stored).await.unwrap();
    assert_eq!(*bench.world.events.lock().unwrap(), ["one.done"]);
}

#[tokio::test]
async fn a_request_is_accepted_once() {
    let bench = Bench::new();
    let store = store(&bench.world);
    let now = bench.clock.now();
    let first = store.accept(bench.fresh(), now).await.unwrap();
    assert_eq!(first.version, 1);
    assert_eq!(
        store.accept(first.clone(), now).await.unwrap().version,
        1,
        "it is stored"
    );
    let started = store
        .advance(first, &Event::Start { alone: false }, now)
        .await
        .unwrap();
    assert!(started.changed);
    let second = store.accept(bench.fresh(), now).await.unwrap();
    assert_eq!(second.version, 2, "another writer was first");
}

#[tokio::test]
async fn an_attempt_is_interrupted_shortly_before_the_end_of_its_process() {
    use walkaround_pipeline::consumer::{Disposition, Handler};
    let bench = Bench::new();
    bench.world.photo("one", &[Fetch::Hangs]);
    let worker = walkaround_pipeline::segmentation::Segmentation {
        processor: processor(&bench.world, &bench.clock).0,
    };
    let (trigger, stop) = walkaround_pipeline::shutdown::shutdown_signal();
    let one = delivery("one", 1, &bench.clock);
    let handled = tokio::spawn(async move { worker.handle(&one, &stop).await });
    run_tasks().await;
    trigger.stop();
    run_tasks().await;
    bench.clock.advance(support::DRAIN_BUDGET);
    assert_eq!(handled.await.unwrap(), Disposition::Retry(Duration::ZERO));
}
