//! Which networks a photo gets to see: a gate that says clean, a missing vehicle and bad quality each stop
//! before what costs more. The networks are a fake that counts.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use image::RgbImage;
use image::imageops::FilterType;
use std::time::Duration;
use walkaround_domain::review::NO_REVIEWS;
use walkaround_domain::{ReviewPolicy, UnitRect, Verdict};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle};
use walkaround_pipeline::inspection::{InspectionSettings, PhotoResult, Preparation, Sides, inspect};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_tests::files::jpeg;
use walkaround_tests::pictures::{MARKS, vehicle_with};
use walkaround_vision::decode::Limits;
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{ClassSpec, MaskPolicy, ProbabilityMap, Report};
use walkaround_vision::quality::QualityPolicy;

const AT: UnitRect = UnitRect {
    x0: 0.25,
    y0: 0.25,
    x1: 0.75,
    y1: 0.75,
};

/// Answers as configured, and keeps what it was asked.
struct Fake {
    screening: Screening,
    classes: Vec<ClassSpec>,
    quality: QualityPolicy,
    screenings: usize,
    segmented: Vec<UnitRect>,
    /// Long sides that it can use: of a photo that is screened, and of one that is segmented.
    sides: (u32, u32),
    /// Long sides that it got.
    screened_sides: Vec<u32>,
    segmented_sides: Vec<u32>,
}

impl Fake {
    fn new(vehicle: Vehicle, gate: Option<f32>, suspect: bool) -> Self {
        let class = ClassSpec {
            name: "scratch".into(),
            colour: [200, 0, 0],
            report: Report::Always,
            policy: MaskPolicy {
                threshold: 0.5,
                hysteresis: None,
                closing: 0.0,
                area_min: 0.0,
                grid: 512,
            },
        };
        Self {
            screening: Screening {
                vehicle,
                gate,
                suspect,
            },
            classes: vec![class],
            quality: QualityPolicy {
                sharpness_min: 0.0,
                luma_min: 0.0,
                luma_max: 255.0,
                clipped_max: 1.0,
            },
            screenings: 0,
            segmented: Vec::new(),
            sides: (64, 64),
            screened_sides: Vec::new(),
            segmented_sides: Vec::new(),
        }
    }
}

impl Engine for Fake {
    fn bundle_name(&self) -> &str {
        "fake"
    }
    fn bundle_version(&self) -> &str {
        "1"
    }
    fn classes(&self) -> &[ClassSpec] {
        &self.classes
    }
    fn quality(&self) -> &QualityPolicy {
        &self.quality
    }
    fn review(&self) -> &ReviewPolicy {
        &NO_REVIEWS
    }
    fn long_side(&self) -> u32 {
        self.sides.1
    }
    fn screening_long_side(&self) -> u32 {
        self.sides.0
    }
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        self.screened_sides.extend(photos.iter().map(|p| p.width()));
        self.screenings += photos.len();
        Ok(vec![self.screening; photos.len()])
    }
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        self.segmented.extend(photos.iter().map(|p| p.1));
        self.segmented_sides.extend(photos.iter().map(|p| p.0.width()));
        let certain = |region: &UnitRect| ProbabilityMap {
            class: 0,
            width: 2,
            height: 2,
            values: vec![0.9; 4],
            covers: *region,
        };
        Ok(photos
            .iter()
            .map(|(_, region)| vec![certain(region)].into())
            .collect())
    }
}

fn inspected(engine: &mut Fake, bytes: &[u8]) -> PhotoResult {
    inspected_with(engine, bytes, &InspectionSettings::default())
}

fn inspected_with(engine: &mut Fake, bytes: &[u8], settings: &InspectionSettings) -> PhotoResult {
    let quality = engine.quality;
    let with = Preparation {
        settings,
        quality: &quality,
        sides: Sides::of(engine),
        memory: &MemoryBudget::new(1 << 30),
        ticks: &|| Duration::ZERO,
    };
    inspect(bytes, engine, &with).unwrap()
}

fn photo() -> Vec<u8> {
    jpeg(&vehicle_with(&MARKS), 90)
}

fn found() -> Vehicle {
    Vehicle::Found {
        region: AT,
        score: 0.9,
    }
}

#[test]
fn a_suspect_photo_is_segmented_where_its_vehicle_is() {
    let mut engine = Fake::new(found(), Some(0.8), true);
    let result = inspected(&mut engine, &photo());
    assert_eq!((result.verdict, result.findings.len()), (Verdict::Damaged, 1));
    assert_eq!((engine.screenings, engine.segmented), (1, vec![AT]));
}

#[test]
fn a_clean_gate_stops_before_the_segmenters() {
    let mut engine = Fake::new(found(), Some(0.2), false);
    let result = inspected(&mut engine, &photo());
    assert_eq!((result.verdict, result.findings.len()), (Verdict::Clean, 0));
    assert_eq!((engine.screenings, engine.segmented.len()), (1, 0));
}

#[test]
fn a_photo_without_a_vehicle_stops_before_the_segmenters() {
    let mut engine = Fake::new(Vehicle::Absent, None, false);
    let result = inspected(&mut engine, &photo());
    assert_eq!(result.verdict, Verdict::Unusable);
    assert_eq!(result.reasons[0].code.as_str(), "no_vehicle");
    assert_eq!((engine.screenings, engine.segmented.len()), (1, 0));
}

#[test]
fn without_gate_and_locator_the_whole_photo_is_segmented() {
    let mut engine = Fake::new(Vehicle::NotAsked, None, true);
    let result = inspected(&mut engine, &photo());
    assert_eq!(result.findings[0].area_px, 960 * 640);
    assert_eq!(engine.segmented, [UnitRect::WHOLE]);
}

#[test]
fn bad_quality_stops_before_every_network() {
    let mut engine = Fake::new(found(), Some(0.8), true);
    engine.quality.luma_max = 1.0;
    let result = inspected(&mut engine, &photo());
    assert_eq!(result.verdict, Verdict::Unusable);
    assert_eq!(result.reasons[0].code.as_str(), "too_bright");
    assert_eq!((engine.screenings, engine.segmented.len()), (0, 0));
}

#[test]
fn what_cannot_be_decoded_stops_before_every_network() {
    let mut engine = Fake::new(found(), Some(0.8), true);
    let bytes = photo();
    let result = inspected(&mut engine, &bytes[..bytes.len() / 2]);
    assert_eq!(result.verdict, Verdict::Unusable);
    assert_eq!(result.reasons[0].code.as_str(), "cut_short");
    assert_eq!((engine.screenings, engine.segmented.len()), (0, 0));
}

/// A photo of 3,200 pixels.
fn large_photo() -> Vec<u8> {
    let small = vehicle_with(&MARKS);
    let (width, height) = (3200, 3200 * small.height() / small.width());
    jpeg(
        &image::imageops::resize(&small, width, height, FilterType::Triangle),
        90,
    )
}

#[test]
fn a_photo_is_decoded_small_for_the_gate_and_again_only_if_it_is_suspect() {
    // Long sides that the networks can use; those at which a clean and a suspect photo are decoded.
    for (sides, screened, segmented) in [
        ((64, 64), 800, 800),
        ((64, 1024), 800, 1600),
        ((256, 4096), 800, 3200),
        ((1024, 1024), 1600, 1600),
        ((1024, 2000), 1600, 3200),
        // A gate that can use more than the segmenters makes both see more.
        ((2000, 2000), 3200, 3200),
    ] {
        let mut clean = Fake::new(found(), Some(0.2), false);
        clean.sides = sides;
        assert_eq!(inspected(&mut clean, &large_photo()).verdict, Verdict::Clean);
        assert_eq!(clean.screened_sides, [screened], "{sides:?}");
        assert!(clean.segmented_sides.is_empty());
        let mut suspect = Fake::new(found(), Some(0.8), true);
        suspect.sides = sides;
        let result = inspected(&mut suspect, &large_photo());
        assert_eq!(result.verdict, Verdict::Damaged);
        assert_eq!(suspect.screened_sides, [screened], "{sides:?}");
        assert_eq!(suspect.segmented_sides, [segmented], "{sides:?}");
        assert_eq!(suspect.segmented, [AT]);
    }
}

#[test]
fn a_photo_that_could_not_be_decoded_for_its_segmenters_is_refused_before_its_gate() {
    let mut engine = Fake::new(found(), Some(0.2), false);
    engine.sides = (64, 4096);
    let settings = InspectionSettings {
        limits: Limits {
            // Enough for the small decode, too little for the other.
            decode_bytes_max: 12 << 20,
            ..Limits::default()
        },
        ..InspectionSettings::default()
    };
    let result = inspected_with(&mut engine, &large_photo(), &settings);
    assert_eq!(result.verdict, Verdict::Unusable);
    assert_eq!(result.reasons[0].code.as_str(), "too_large");
    assert!(engine.screened_sides.is_empty());
    engine.sides = (64, 64);
    assert_eq!(
        inspected_with(&mut engine, &large_photo(), &settings).verdict,
        Verdict::Clean
    );
}
