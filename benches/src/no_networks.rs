//! The demonstration bundle without its networks: an engine that prepares the same tensors and answers what it was told.

use image::RgbImage;
use std::hint::black_box;
use walkaround_domain::review::NO_REVIEWS;
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_inference::{Engine, EngineError, Manifest, Screening, Vehicle};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{ClassSpec, ProbabilityMap};
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::{InputSpec, TensorData, prepare};

/// Side of the maps, in cells.
const SIDE: usize = 256;

/// What the networks would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The gate stops the photo.
    Clean,
    /// One round region of about 5 % of the photo.
    OneFinding,
    /// Two hundred small ones.
    ManyFindings,
}

/// An engine without networks.
pub struct NoNetworks {
    classes: Vec<ClassSpec>,
    quality: QualityPolicy,
    input: InputSpec,
    buffer: TensorData,
    answer: Answer,
    map: Vec<f32>,
}

impl NoNetworks {
    /// Of a bundle whose networks share the input of its first one.
    pub fn new(manifest: &Manifest, answer: Answer) -> Self {
        let input = manifest.networks[0].input;
        Self {
            classes: manifest.classes.clone(),
            quality: QualityPolicy {
                sharpness_min: 0.0,
                ..manifest.quality
            },
            buffer: TensorData::new(input.element, input.slot_len()),
            input,
            answer,
            map: values(answer),
        }
    }

    fn tensor(&mut self, photo: &RgbImage, region: UnitRect) {
        let len = self.input.slot_len();
        prepare(photo, region, &self.input, self.buffer.slot(0, len));
        black_box(&self.buffer);
    }

    /// The maps of a photo: regions in the first class, nothing in the others.
    fn maps(&self) -> Vec<ProbabilityMap> {
        let map = |class: usize| ProbabilityMap {
            class,
            width: SIDE,
            height: SIDE,
            values: if class == 0 {
                self.map.clone()
            } else {
                vec![0.01; SIDE * SIDE]
            },
            covers: UnitRect::WHOLE,
        };
        (0..self.classes.len()).map(map).collect()
    }
}

fn values(answer: Answer) -> Vec<f32> {
    let sigmoid = |distance: f32| 1.0 / (1.0 + distance.exp());
    let value = |i: usize| {
        let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
        match answer {
            Answer::Clean => 0.01,
            Answer::OneFinding => sigmoid((x - 100.0).hypot(y - 140.0) / 8.0 - 4.0),
            Answer::ManyFindings => sigmoid((x % 17.0 - 8.0).hypot(y % 17.0 - 8.0) - 5.0),
        }
    };
    (0..SIDE * SIDE).map(value).collect()
}

impl Engine for NoNetworks {
    fn bundle_name(&self) -> &str {
        "none"
    }
    fn bundle_version(&self) -> &str {
        "0"
    }
    fn classes(&self) -> &[ClassSpec] {
        &self.classes
    }
    fn review(&self) -> &ReviewPolicy {
        &NO_REVIEWS
    }
    fn quality(&self) -> &QualityPolicy {
        &self.quality
    }
    fn long_side(&self) -> u32 {
        self.input.size.long_side()
    }
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        for photo in photos {
            self.tensor(photo, UnitRect::WHOLE);
        }
        let suspect = self.answer != Answer::Clean;
        Ok(vec![
            Screening {
                vehicle: Vehicle::NotAsked,
                gate: Some(if suspect { 0.9 } else { 0.1 }),
                suspect,
            };
            photos.len()
        ])
    }
    /// The tensor is that of the screening: the networks of the bundle share it.
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        Ok(vec![self.maps().into(); photos.len()])
    }
}
