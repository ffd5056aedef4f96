//! Whether photo or engine is at fault when a network fails.

use super::*;
use walkaround_domain::engine_health::ENGINE_FAILURES_MAX;
use walkaround_inference::Vehicle;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// Fails on a batch with a white photo, panics on a black one, and fails on everything when it is sick.
struct Faulty {
    sick: bool,
    runs: u32,
}

static QUALITY: QualityPolicy = QualityPolicy {
    sharpness_min: 0.0,
    luma_min: 0.0,
    luma_max: 255.0,
    clipped_max: 1.0,
};

impl Engine for Faulty {
    fn bundle_name(&self) -> &'static str {
        "faulty"
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
        4
    }
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        self.runs += 1;
        let value = |photo: &&RgbImage| photo.get_pixel(0, 0).0[0];
        assert!(photos.iter().all(|p| value(p) != 0), "a black photo");
        if self.sick || photos.iter().any(|p| value(p) == 255) {
            return Err(failed("planted".to_owned()));
        }
        let look = Screening {
            vehicle: Vehicle::NotAsked,
            gate: None,
            suspect: false,
        };
        Ok(vec![look; photos.len()])
    }
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Vec<ProbabilityMap>>, EngineError> {
        Ok(vec![Vec::new(); photos.len()])
    }
}

/// Runs photos of these brightnesses as one batch.
fn batch(engine: &mut Faulty, monitor: &EngineMonitor, values: &[u8]) -> Vec<Result<Screening, RunError>> {
    let (jobs, answers): (Vec<Job>, Vec<_>) = values
        .iter()
        .map(|value| {
            let (sender, answer) = oneshot::channel();
            (
                Job::Screen(Arc::new(RgbImage::from_pixel(4, 4, Rgb([*value; 3]))), sender),
                answer,
            )
        })
        .unzip();
    Watched::new(engine, monitor).run(jobs);
    answers
        .into_iter()
        .filter_map(|mut a| a.try_recv().ok())
        .collect()
}

#[test]
fn a_photo_that_fails_while_the_self_test_passes_is_at_fault_alone() {
    let (mut engine, monitor) = (Faulty { sick: false, runs: 0 }, EngineMonitor::new());
    for bad in [255, 0] {
        let answers = batch(&mut engine, &monitor, &[90, bad, 91]);
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{bad}");
        assert!(
            matches!(answers[1], Err(RunError::Photo(_))),
            "{bad}: {:?}",
            answers[1]
        );
    }
    for _ in 0..10 {
        assert!(matches!(
            batch(&mut engine, &monitor, &[255])[0],
            Err(RunError::Photo(_))
        ));
    }
    assert!(!monitor.is_sick(), "bad photos do not make an engine unhealthy");
}

#[test]
fn an_unhealthy_engine_fails_no_photo_and_ends_the_process_after_a_few_batches() {
    let (mut engine, monitor) = (Faulty { sick: true, runs: 0 }, EngineMonitor::new());
    for round in 1..=ENGINE_FAILURES_MAX {
        assert!(!monitor.signal().is_set());
        let answers = batch(&mut engine, &monitor, &[90, 91, 92]);
        assert_eq!(answers.len(), 3);
        assert!(
            answers.iter().all(|a| matches!(a, Err(RunError::Engine(_)))),
            "{answers:?}"
        );
        // The batch, one photo alone, the self-test: the rest is not run.
        assert_eq!(engine.runs, round * 3);
    }
    assert!(monitor.is_sick() && monitor.signal().is_set());
}

#[test]
fn single_failures_between_successful_runs_do_not_end_the_process() {
    let (mut engine, monitor) = (Faulty { sick: false, runs: 0 }, EngineMonitor::new());
    for _ in 0..10 {
        engine.sick = true;
        batch(&mut engine, &monitor, &[90]);
        engine.sick = false;
        assert!(batch(&mut engine, &monitor, &[90])[0].is_ok());
    }
    assert!(!monitor.is_sick());
}
