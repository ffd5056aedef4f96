//! The inspector: batches, whether photo or engine is at fault for a failure, and what a photo's result contains.

use crate::support;
use crate::support::{
    BLACK, CLEAN, DAMAGED, NO_VEHICLE, SUSPECT, TestEngine, WHITE, World, large_picture, picture,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::engine_health::ENGINE_FAILURES_MAX;
use walkaround_domain::{Overlays, ReasonCode, Verdict};
use walkaround_inference::Screening;
use walkaround_messages::PhotoReport;
use walkaround_pipeline::inspection::InspectionSettings;
use walkaround_pipeline::inspector::{
    ActiveInspector, BatchingPolicy, Compute, EngineMonitor, EngineSet, Inspector, InspectorSettings,
    PhotoInProgress, RunError,
};

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
    monitor: Arc<EngineMonitor>,
    inspector: Inspector,
}

impl Bench {
    /// An inspector whose batches close when they have this many photos, or when the clock moves.
    fn new(compute: Compute, photos_max: usize) -> Self {
        Self::with(InspectorSettings {
            compute,
            batch: BatchingPolicy {
                photos_max,
                batch_wait: Duration::from_secs(1),
            },
            ..InspectorSettings::default()
        })
    }

    fn with(settings: InspectorSettings) -> Self {
        let world: Arc<World> = Arc::default();
        let clock = Arc::new(ManualClock::new());
        let monitor = Arc::clone(&settings.monitor);
        let engine = Box::new(TestEngine::new(&world));
        let inspector = Inspector::new(engine, settings, clock.clone());
        Self {
            world,
            clock,
            monitor,
            inspector,
        }
    }

    async fn prepare(&self, bytes: Vec<u8>) -> PhotoInProgress {
        let (bytes, file) = self.inspector.digest(bytes).await;
        self.inspector.prepare(bytes, file).await.unwrap()
    }

    /// Screens three photos of these brightnesses in one batch.
    async fn screen(&self, values: [u8; 3]) -> [Result<Screening, RunError>; 3] {
        let mut photos = Vec::new();
        for value in values {
            photos.push(self.prepare(picture(value)).await);
        }
        let [mut one, mut two, mut three] = photos.try_into().ok().unwrap();
        let answers = tokio::join!(
            self.inspector.screen(&mut one),
            self.inspector.screen(&mut two),
            self.inspector.screen(&mut three),
        );
        [answers.0, answers.1, answers.2]
    }

    /// Screens one photo of this brightness, on an inspector that does not batch.
    async fn screen_one(&self, value: u8) -> Result<Screening, RunError> {
        let mut photo = self.prepare(picture(value)).await;
        self.inspector.screen(&mut photo).await
    }
}

#[tokio::test]
async fn photos_that_wait_together_are_one_batch_and_a_full_batch_waits_for_nothing() {
    let bench = Bench::new(Compute::Pool(2), 3);
    let answers = bench.screen([SUSPECT, CLEAN, NO_VEHICLE]).await;
    let suspect = answers.map(|answer| answer.unwrap().suspect);
    assert_eq!(suspect, [true, false, false], "in order");
    assert_eq!(*bench.world.batches.lock().unwrap(), [3]);
}

#[tokio::test]
async fn a_batch_that_is_not_full_closes_after_its_wait() {
    let bench = Bench::new(Compute::Pool(1), 3);
    let mut photo = bench.prepare(picture(SUSPECT)).await;
    let screening = bench.inspector.screen(&mut photo);
    let time = async {
        support::run_tasks().await;
        assert!(bench.world.batches.lock().unwrap().is_empty());
        bench.clock.advance(Duration::from_secs(1));
    };
    assert!(tokio::join!(screening, time).0.unwrap().suspect);
    assert_eq!(*bench.world.batches.lock().unwrap(), [1]);
}

#[tokio::test]
async fn a_photo_that_fails_while_the_self_test_passes_is_at_fault_alone() {
    for bad in [WHITE, BLACK] {
        let bench = Bench::new(Compute::Pool(1), 3);
        let answers = bench.screen([SUSPECT, bad, CLEAN]).await;
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{bad}");
        assert!(
            matches!(answers[1], Err(RunError::Photo(_))),
            "{bad}: {:?}",
            answers[1]
        );
        assert!(!bench.monitor.is_sick());
    }
    let bench = Bench::new(Compute::Inline, 1);
    for _ in 0..10 {
        assert!(matches!(bench.screen_one(WHITE).await, Err(RunError::Photo(_))));
    }
    assert!(
        !bench.monitor.is_sick(),
        "bad photos do not make an engine unhealthy"
    );
}

#[tokio::test]
async fn an_unhealthy_engine_fails_no_photo_and_ends_the_process_after_a_few_batches() {
    let bench = Bench::new(Compute::Pool(1), 3);
    bench.world.engine_unhealthy.store(true, Ordering::SeqCst);
    for round in 1..=ENGINE_FAILURES_MAX {
        assert!(!bench.monitor.signal().is_set());
        let answers = bench.screen([SUSPECT, CLEAN, NO_VEHICLE]).await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(RunError::Engine(_)))),
            "{answers:?}"
        );
        // The batch, one photo alone, the self-test: the rest is not run.
        let runs = usize::try_from(round).unwrap() * 3;
        assert_eq!(bench.world.engine_runs.load(Ordering::SeqCst), runs);
    }
    assert!(bench.monitor.is_sick() && bench.monitor.signal().is_set());
}

#[tokio::test]
async fn single_failures_between_successful_runs_do_not_end_the_process() {
    let bench = Bench::new(Compute::Inline, 1);
    for _ in 0..10 {
        bench.world.engine_unhealthy.store(true, Ordering::SeqCst);
        assert!(matches!(bench.screen_one(CLEAN).await, Err(RunError::Engine(_))));
        bench.world.engine_unhealthy.store(false, Ordering::SeqCst);
        assert!(bench.screen_one(CLEAN).await.is_ok());
    }
    assert!(!bench.monitor.is_sick());
}

#[tokio::test]
async fn the_self_test_finds_an_unhealthy_engine_and_segmentation_is_measured_on_it() {
    for compute in [Compute::Inline, Compute::Pool(1)] {
        let bench = Bench::with(InspectorSettings {
            compute,
            ..InspectorSettings::default()
        });
        assert!(bench.inspector.probe().await.is_ok());
        assert_eq!(bench.inspector.measure_segment().await.unwrap(), Duration::ZERO);
        bench.world.segmenters_fail.store(true, Ordering::SeqCst);
        assert!(bench.inspector.measure_segment().await.is_err());
        bench.world.engine_unhealthy.store(true, Ordering::SeqCst);
        assert!(matches!(bench.inspector.probe().await, Err(RunError::Engine(_))));
    }
}

#[tokio::test]
async fn several_engines_share_the_photos() {
    let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
    let mut engines = EngineSet::of(Box::new(TestEngine::new(&world)));
    engines.push(Box::new(TestEngine::new(&world)));
    let inspector = Inspector::with_engines(engines, InspectorSettings::default(), clock);
    inspector.measure_segment().await.unwrap();
    let runs = world.engine_runs.load(Ordering::SeqCst);
    assert_eq!(runs, 3, "one more than there are engines");
}

/// A photo and its result.
struct ResultCase {
    name: &'static str,
    bytes: Vec<u8>,
    verdict: Verdict,
    findings: usize,
}

#[tokio::test]
async fn verdict_report_and_marked_picture() {
    let cases = [
        ResultCase {
            name: "damaged",
            bytes: picture(DAMAGED),
            verdict: Verdict::Damaged,
            findings: 1,
        },
        ResultCase {
            name: "larger than the networks' input: its file is decoded again for the picture",
            bytes: large_picture(DAMAGED),
            verdict: Verdict::Damaged,
            findings: 1,
        },
        ResultCase {
            name: "clean",
            bytes: picture(CLEAN),
            verdict: Verdict::Clean,
            findings: 0,
        },
        ResultCase {
            name: "no vehicle",
            bytes: picture(NO_VEHICLE),
            verdict: Verdict::Unusable,
            findings: 0,
        },
    ];
    for case in cases {
        let name = case.name;
        let bench = Bench::with(InspectorSettings::default());
        let mut photo = bench.prepare(case.bytes).await;
        assert!(photo.usable() && photo.screening().is_none(), "{name}");
        if bench.inspector.screen(&mut photo).await.unwrap().suspect {
            bench.inspector.segment(&mut photo).await.unwrap();
        }
        let result = bench.inspector.finish(photo, "p.jpg".to_owned()).await.unwrap();
        assert_eq!(result.result.verdict, case.verdict, "{name}");
        let report: PhotoReport = serde_json::from_slice(&result.report).unwrap();
        assert_eq!(
            (report.photo.as_str(), report.findings.len()),
            ("p.jpg", case.findings),
            "{name}"
        );
        let overlay = result.overlay.is_some_and(|jpeg| jpeg.starts_with(&[0xff, 0xd8]));
        assert_eq!(
            overlay,
            case.findings > 0,
            "{name}: where there is something to see"
        );
    }
}

/// Most bytes that are stored of a clean photo, whose name is as long as a key of S3 may be.
const CLEAN_BYTES_MAX: usize = 4096;
const KEY_BYTES_MAX: usize = 1024;

#[tokio::test]
async fn little_is_stored_of_a_clean_photo() {
    for bytes in [picture(CLEAN), large_picture(CLEAN)] {
        let bench = Bench::with(InspectorSettings::default());
        let mut photo = bench.prepare(bytes).await;
        bench.inspector.screen(&mut photo).await.unwrap();
        let result = bench
            .inspector
            .finish(photo, "k".repeat(KEY_BYTES_MAX))
            .await
            .unwrap();
        assert_eq!(result.result.verdict, Verdict::Clean);
        assert!(result.overlay.is_none());
        let stored = result.report.len();
        assert!(
            (KEY_BYTES_MAX..=CLEAN_BYTES_MAX).contains(&stored),
            "{stored} bytes"
        );
    }
}

#[tokio::test]
async fn a_photo_that_cannot_be_decoded_has_a_report_and_no_picture() {
    let bench = Bench::with(InspectorSettings::default());
    let (bytes, file) = bench.inspector.digest(b"no picture".to_vec()).await;
    let Err(reason) = bench.inspector.prepare(bytes, file).await else {
        panic!("it was decoded");
    };
    let result = bench.inspector.refused(reason, file, "p.jpg").unwrap();
    assert_eq!(result.result.verdict, Verdict::Unusable);
    assert_ne!(result.result.reasons[0].code, ReasonCode::NoVehicle);
    assert!(result.overlay.is_none() && !result.report.is_empty());
}

#[tokio::test]
async fn overlays_are_made_as_wanted_and_photos_keep_the_inspector_that_they_began_with() {
    let bench = Bench::with(InspectorSettings::default());
    let active = ActiveInspector::new(bench.inspector);
    let first = active.get();
    for (overlays, of_clean) in [
        (Overlays::Findings, false),
        (Overlays::Always, true),
        (Overlays::Never, false),
    ] {
        active.replace(Inspector::new(
            Box::new(TestEngine::new(&bench.world)),
            InspectorSettings {
                inspection: InspectionSettings {
                    overlays,
                    ..InspectionSettings::default()
                },
                ..InspectorSettings::default()
            },
            bench.clock.clone(),
        ));
        assert_eq!(first.overlays(), Overlays::Findings);
        let inspector = active.get();
        let (bytes, file) = inspector.digest(picture(CLEAN)).await;
        let mut photo = inspector.prepare(bytes, file).await.unwrap();
        inspector.screen(&mut photo).await.unwrap();
        let result = inspector.finish(photo, "p.jpg".to_owned()).await.unwrap();
        assert_eq!(result.overlay.is_some(), of_clean, "{overlays}");
    }
}
