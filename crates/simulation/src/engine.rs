//! Networks that read the answer off the first pixel.

use crate::context::Context;
use crate::photos::{Kind, identify};
use crate::trace::Happening;
use image::RgbImage;
use std::sync::{Arc, LazyLock};
use walkaround_domain::UnitRect;
use walkaround_inference::{Engine, EngineError, FirstLook, Vehicle};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{ClassSpec, MaskPolicy, ProbabilityMap, Report};
use walkaround_vision::quality::QualityPolicy;

/// Looks for one process.
pub(crate) struct SimEngine {
    pub(crate) context: Arc<Context>,
    /// `triage` or `worker`.
    pub(crate) role: &'static str,
    /// Added to every probability: another device gives slightly other figures.
    pub(crate) device: f32,
}

static CLASSES: LazyLock<Vec<ClassSpec>> = LazyLock::new(|| {
    vec![ClassSpec {
        name: "scratch".into(),
        colour: [255, 0, 0],
        report: Report::Always,
        policy: MaskPolicy {
            threshold: 0.5,
            hysteresis: None,
            closing: 0.0,
            area_min: 0.0,
            grid: 512,
        },
    }]
});

/// Refuses only black.
static QUALITY: QualityPolicy = QualityPolicy {
    sharpness_min: 0.0,
    luma_min: 5.0,
    luma_max: 255.0,
    clipped_max: 1.0,
};

/// Side of a probability map, in cells.
const CELLS: usize = 4;
/// Looks that fail before a flaky photo passes.
const FLAKY_LOOKS: u32 = 2;

impl SimEngine {
    fn fails(&self, cause: &str) -> EngineError {
        self.context.count(Happening::EngineFailed);
        EngineError::Run {
            network: "simulated".into(),
            cause: cause.into(),
        }
    }

    fn gate(&self, picture: &RgbImage) -> Result<FirstLook, EngineError> {
        let (kind, number) = identify(picture);
        let flaky = kind == Kind::Flaky && self.context.facts().looked(number, "flaky") <= FLAKY_LOOKS;
        if kind == Kind::FailsFirst || flaky {
            return Err(self.fails("the gate fails on this photo"));
        }
        if self.role == "triage" {
            self.context.facts().looked(number, "triage");
        }
        let vehicle = if kind == Kind::NoVehicle {
            Vehicle::Absent
        } else {
            Vehicle::NotAsked
        };
        let suspect = !matches!(kind, Kind::Clean | Kind::NoVehicle);
        let gate = if suspect { 0.9 } else { 0.1 };
        Ok(FirstLook {
            vehicle,
            gate: (kind != Kind::NoVehicle).then_some(gate + self.device),
            suspect,
        })
    }

    fn heavy(&self, picture: &RgbImage) -> Result<Vec<ProbabilityMap>, EngineError> {
        let (kind, number) = identify(picture);
        if kind == Kind::FailsHeavy {
            return Err(self.fails("a segmenter fails on this photo"));
        }
        self.context.count(if self.role == "triage" {
            Happening::LookInline
        } else {
            Happening::LookGpu
        });
        if self.role == "worker" {
            self.context.facts().looked(number, "worker");
        }
        let damaged = matches!(kind, Kind::Damaged | Kind::Flaky);
        let mut values = vec![0.0; CELLS * CELLS];
        if damaged {
            values[CELLS..2 * CELLS].fill(0.8 + self.device);
        }
        Ok(vec![ProbabilityMap {
            class: 0,
            width: CELLS,
            height: CELLS,
            values,
            covers: UnitRect::WHOLE,
        }])
    }
}

impl Engine for SimEngine {
    fn bundle_name(&self) -> &'static str {
        "simulated"
    }

    fn bundle_version(&self) -> &'static str {
        "1"
    }

    fn classes(&self) -> &[ClassSpec] {
        &CLASSES
    }

    fn quality(&self) -> &QualityPolicy {
        &QUALITY
    }

    fn long_side(&self) -> u32 {
        crate::photos::SIDE
    }

    fn first_look(&mut self, photos: &[&RgbImage]) -> Result<Vec<FirstLook>, EngineError> {
        photos.iter().map(|photo| self.gate(photo)).collect()
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        photos
            .iter()
            .map(|(photo, _)| self.heavy(photo).map(Segmentation::from))
            .collect()
    }
}
