//! An engine whose output depends on the brightness of a photo.

use super::World;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{CANVAS_SIDE, ClassSpec, MaskPolicy, ProbabilityMap, Report};
use walkaround_vision::overlay::encode_jpeg;
use walkaround_vision::quality::QualityPolicy;

/// The engine panics.
pub(crate) const BLACK: u8 = 0;
/// No damage.
pub(crate) const CLEAN: u8 = 105;
/// No vehicle; as most values.
pub(crate) const NO_VEHICLE: u8 = 120;
/// Suspect, but without damage.
pub(crate) const SUSPECT: u8 = 200;
/// Damaged.
pub(crate) const DAMAGED: u8 = 208;
/// The engine fails.
pub(crate) const WHITE: u8 = 255;

pub(crate) static QUALITY: QualityPolicy = QualityPolicy {
    sharpness_min: 0.0,
    luma_min: 0.0,
    luma_max: 255.0,
    clipped_max: 1.0,
};

pub(crate) struct TestEngine {
    world: Arc<World>,
    classes: Vec<ClassSpec>,
    review: ReviewPolicy,
}

impl TestEngine {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        let policy = MaskPolicy {
            threshold: 0.5,
            hysteresis: None,
            closing: 0.0,
            area_min: 0.0,
            grid: CANVAS_SIDE,
        };
        Self {
            world: Arc::clone(world),
            review: ReviewPolicy {
                // Every damaged photo.
                band: 0.5,
                class_thresholds: [("dent".to_owned(), 0.5)].into(),
                audit_share: 0.0,
                ..ReviewPolicy::default()
            },
            classes: vec![ClassSpec {
                name: "dent".to_owned(),
                colour: [200, 30, 30],
                report: Report::Always,
                policy,
            }],
        }
    }

    fn fail_if(&self, fails: bool) -> Result<(), EngineError> {
        self.world.engine_runs.fetch_add(1, Ordering::SeqCst);
        match fails || self.world.engine_unhealthy.load(Ordering::SeqCst) {
            true => Err(EngineError::Run {
                network: "gate".into(),
                cause: "CUDA failure 719".into(),
            }),
            false => Ok(()),
        }
    }
}

fn value(photo: &RgbImage) -> u8 {
    photo.get_pixel(0, 0).0[0]
}

impl Engine for TestEngine {
    fn bundle_name(&self) -> &'static str {
        "test"
    }
    fn bundle_version(&self) -> &'static str {
        "1"
    }
    fn classes(&self) -> &[ClassSpec] {
        &self.classes
    }
    fn quality(&self) -> &QualityPolicy {
        &QUALITY
    }
    fn review(&self) -> &ReviewPolicy {
        &self.review
    }
    fn long_side(&self) -> u32 {
        64
    }
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        self.world.batches.lock().unwrap().push(photos.len());
        self.fail_if(photos.iter().any(|photo| value(photo) > 250))?;
        assert!(photos.iter().all(|photo| value(photo) > 5), "a black photo");
        let screening = |photo: &&RgbImage| match value(photo) {
            190..=210 => Screening {
                vehicle: Vehicle::NotAsked,
                gate: Some(0.9),
                suspect: true,
            },
            100..=110 => Screening {
                vehicle: Vehicle::NotAsked,
                gate: Some(0.1),
                suspect: false,
            },
            _ => Screening {
                vehicle: Vehicle::Absent,
                gate: None,
                suspect: false,
            },
        };
        Ok(photos.iter().map(screening).collect())
    }
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        self.fail_if(self.world.segmenters_fail.load(Ordering::SeqCst))?;
        let map = |photo: &RgbImage| ProbabilityMap {
            class: 0,
            width: 4,
            height: 4,
            values: vec![if value(photo) > 204 { 0.9 } else { 0.1 }; 16],
            covers: UnitRect::WHOLE,
        };
        Ok(photos.iter().map(|(photo, _)| vec![map(photo)].into()).collect())
    }
}

/// A PNG of even brightness.
pub(crate) fn picture(value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(256, 256, Rgb([value; 3]));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A JPEG that is much larger than the input of the networks.
pub(crate) fn large_picture(value: u8) -> Vec<u8> {
    encode_jpeg(&RgbImage::from_pixel(2400, 1600, Rgb([value; 3])), 90).unwrap()
}
