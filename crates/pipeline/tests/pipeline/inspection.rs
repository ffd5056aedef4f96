//! The inspection of one photo on the calling thread.

use crate::support::{CLEAN, DAMAGED, NO_VEHICLE, SUSPECT, TestEngine, World, picture};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_domain::Verdict;
use walkaround_inference::Engine;
use walkaround_pipeline::inspection::{InspectionSettings, Preparation, Sides, inspect, vehicle_box};
use walkaround_pipeline::memory::MemoryBudget;

struct InspectCase {
    bytes: Vec<u8>,
    gate_stops: bool,
    verdict: Verdict,
    /// Runs of the engine.
    runs: usize,
}

#[test]
fn screening_decides_whether_a_photo_is_segmented() {
    let case = |bytes, gate_stops, verdict, runs| InspectCase {
        bytes,
        gate_stops,
        verdict,
        runs,
    };
    let cases = [
        case(b"no picture".to_vec(), true, Verdict::Unusable, 0),
        case(picture(NO_VEHICLE), true, Verdict::Unusable, 1),
        case(picture(NO_VEHICLE), false, Verdict::Unusable, 1),
        case(picture(CLEAN), true, Verdict::Clean, 1),
        case(picture(CLEAN), false, Verdict::Clean, 2),
        case(picture(SUSPECT), true, Verdict::Clean, 2),
        case(picture(DAMAGED), true, Verdict::Damaged, 2),
    ];
    for case in cases {
        let world: Arc<World> = Arc::default();
        let mut engine = TestEngine::new(&world);
        let settings = InspectionSettings {
            gate_stops: case.gate_stops,
            ..InspectionSettings::default()
        };
        let quality = *engine.quality();
        let with = Preparation {
            settings: &settings,
            quality: &quality,
            sides: Sides::of(&engine),
            memory: &MemoryBudget::new(1 << 30),
            ticks: &|| Duration::ZERO,
        };
        let result = inspect(&case.bytes, &mut engine, &with).unwrap();
        let runs = world.engine_runs.load(Ordering::SeqCst);
        assert_eq!(
            (result.verdict, runs),
            (case.verdict, case.runs),
            "{:?}",
            result.reasons
        );
        world.engine_unhealthy.store(true, Ordering::SeqCst);
        assert_eq!(inspect(&case.bytes, &mut engine, &with).is_err(), case.runs > 0);
    }
}

#[test]
fn the_box_of_a_vehicle_is_in_pixels_of_the_original() {
    let region = walkaround_domain::UnitRect {
        x0: 0.25,
        y0: 0.5,
        x1: 0.75,
        y1: 1.0,
    };
    let size = walkaround_domain::Size::new(400, 200);
    assert_eq!(vehicle_box(region, size), [100, 100, 200, 100]);
}
