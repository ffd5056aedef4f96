//! Networks that read the answer off the first pixel.

use crate::context::Context;
use crate::faulty::Process;
use crate::injected_fault::InjectedFault;
use crate::photos::{Kind, identify};
use crate::planted_bundle::PlantedBundle;
use crate::review_policy::POLICY;
use crate::trace::CoverageEvent;
use image::RgbImage;
use std::sync::{Arc, LazyLock};
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{ClassSpec, MaskPolicy, ProbabilityMap, Report};
use walkaround_vision::quality::QualityPolicy;

/// Looks for one process.
pub(crate) struct SimEngine {
    pub(crate) context: Arc<Context>,
    /// `triage` or `worker`.
    pub(crate) role: &'static str,
    /// Whether it fails every run while trouble lasts.
    pub(crate) sick: bool,
    /// Added to every probability: another device gives slightly other figures.
    pub(crate) device: f32,
    /// What it does as a canary, and the process that it may end.
    pub(crate) planted: Option<(PlantedBundle, Arc<Process>)>,
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
/// First pixel of the picture that the pipeline asks an engine with about its health; no photo begins so.
const OWN_PICTURE: [u8; 3] = [128; 3];
/// Looks that fail before a flaky photo passes.
const FLAKY_RUNS: u32 = 2;

impl SimEngine {
    fn fails(&self, cause: &str) -> EngineError {
        self.context.count(CoverageEvent::EngineFailed);
        EngineError::Run {
            network: "simulated".into(),
            cause: cause.into(),
        }
    }

    /// Fails if the engine is faulty. True for its own test picture: then the failure says nothing about the photo.
    fn is_own(&self, picture: &RgbImage) -> Result<bool, EngineError> {
        let own = picture.get_pixel(0, 0).0 == OWN_PICTURE;
        let passes = own && self.context.plant == Some(InjectedFault::ProbeAlwaysPasses);
        if self.sick && self.context.troubled() && !passes {
            return Err(self.fails("the device is faulty"));
        }
        Ok(own)
    }

    fn gate(&self, picture: &RgbImage) -> Result<Screening, EngineError> {
        if self.is_own(picture)? {
            return Ok(Screening {
                vehicle: Vehicle::NotAsked,
                gate: None,
                suspect: false,
            });
        }
        let (kind, number) = identify(picture);
        if let Some(screening) = self.planted_gate()? {
            return Ok(screening);
        }
        let flaky =
            kind == Kind::Flaky && self.context.facts().count_inspection(number, "flaky") <= FLAKY_RUNS;
        if kind == Kind::FailsFirst || flaky {
            return Err(self.fails("the gate fails on this photo"));
        }
        if self.role == "triage" {
            self.context.facts().count_inspection(number, "triage");
        }
        let vehicle = if kind == Kind::NoVehicle {
            Vehicle::Absent
        } else {
            Vehicle::NotAsked
        };
        let suspect = !matches!(kind, Kind::Clean | Kind::NoVehicle);
        let gate = if suspect { 0.9 } else { 0.1 };
        Ok(Screening {
            vehicle,
            gate: (kind != Kind::NoVehicle).then_some(gate + self.device),
            suspect,
        })
    }

    /// What a planted canary says of any photo; none where it sees what the bundle before sees.
    fn planted_gate(&self) -> Result<Option<Screening>, EngineError> {
        let says = |suspect| Screening {
            vehicle: Vehicle::NotAsked,
            gate: Some(if suspect { 0.9 } else { 0.1 }),
            suspect,
        };
        match &self.planted {
            None | Some((PlantedBundle::Same, _)) => Ok(None),
            Some((PlantedBundle::AllClean, _)) => Ok(Some(says(false))),
            Some((PlantedBundle::AllDamaged, _)) => Ok(Some(says(true))),
            Some((PlantedBundle::Failing, _)) => Err(self.fails("the canary fails")),
            Some((PlantedBundle::Crashing, process)) => {
                // It never comes back from this call.
                process.died.notify_one();
                Err(self.fails("the canary ends its process"))
            }
        }
    }

    fn heavy(&self, picture: &RgbImage) -> Result<Vec<ProbabilityMap>, EngineError> {
        if self.is_own(picture)? {
            return Ok(Vec::new());
        }
        let (kind, number) = identify(picture);
        if kind == Kind::FailsHeavy {
            return Err(self.fails("a segmenter fails on this photo"));
        }
        self.context.count(if self.role == "triage" {
            CoverageEvent::LookInline
        } else {
            CoverageEvent::LookGpu
        });
        if self.role == "worker" {
            self.context.facts().count_inspection(number, "worker");
        }
        let finds_all = matches!(self.planted, Some((PlantedBundle::AllDamaged, _)));
        let damaged = finds_all || matches!(kind, Kind::Damaged | Kind::Flaky);
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
        if self.planted.is_some() { "2" } else { "1" }
    }

    fn classes(&self) -> &[ClassSpec] {
        &CLASSES
    }

    fn quality(&self) -> &QualityPolicy {
        &QUALITY
    }

    fn review(&self) -> &ReviewPolicy {
        &POLICY
    }

    fn long_side(&self) -> u32 {
        crate::photos::SIDE
    }

    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        photos.iter().map(|photo| self.gate(photo)).collect()
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        photos
            .iter()
            .map(|(photo, _)| self.heavy(photo).map(Segmentation::from))
            .collect()
    }
}
