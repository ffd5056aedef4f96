//! Everything but the networks, for one 12-megapixel JPEG with one finding, on one core: digest, decode,
//! quality, tensors, findings, overlay, JPEG, JSON. CPU time, not wall time: the machine may be busy.
//!
//! The networks are replaced by an engine that prepares the same tensors and answers with a fixed map.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use image::RgbImage;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::{Duration, Instant};
use walkaround_benches::{demo_bundle, median_ms, phone_photo, thread_cpu};
use walkaround_domain::review::NO_REVIEWS;
use walkaround_domain::{BundleId, ReviewPolicy, UnitRect};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle, VerifiedBundle};
use walkaround_pipeline::inspection::{InspectionSettings, Preparation, Rendering, inspect, render};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_pipeline::report::photo_report;
use walkaround_samples::Kind;
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::{ClassSpec, ProbabilityMap};
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::{InputSpec, TensorData, prepare};

const ROUNDS: usize = 30;
/// What the Python agent's steps took for the same photo on a machine of this kind (issue 2).
const PYTHON_MS: f64 = 455.0;

/// The demonstration bundle without its networks.
struct NoNetworks {
    classes: Vec<ClassSpec>,
    quality: QualityPolicy,
    input: InputSpec,
    buffer: TensorData,
}

impl NoNetworks {
    fn tensor(&mut self, photo: &RgbImage, region: UnitRect) {
        let len = self.input.slot_len();
        prepare(photo, region, &self.input, self.buffer.slot(0, len));
        black_box(&self.buffer);
    }
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
    fn quality(&self) -> &QualityPolicy {
        &self.quality
    }
    fn review(&self) -> &ReviewPolicy {
        &NO_REVIEWS
    }
    fn long_side(&self) -> u32 {
        self.input.size.long_side()
    }
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        for photo in photos {
            self.tensor(photo, UnitRect::WHOLE);
        }
        Ok(vec![
            Screening {
                vehicle: Vehicle::NotAsked,
                gate: Some(0.9),
                suspect: true
            };
            photos.len()
        ])
    }
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        for (photo, region) in photos {
            self.tensor(photo, *region);
        }
        let maps: Vec<ProbabilityMap> = (0..self.classes.len()).map(map).collect();
        Ok(vec![maps.into(); photos.len()])
    }
}

/// A round region of about 5 % of the photo in the first class, nothing in the others.
fn map(class: usize) -> ProbabilityMap {
    let side = 256usize;
    let values = (0..side * side).map(|i| {
        let (x, y) = ((i % side) as f32 - 100.0, (i / side) as f32 - 140.0);
        if class == 0 {
            1.0 / (1.0 + ((x * x + y * y).sqrt() / 8.0 - 4.0).exp())
        } else {
            0.01
        }
    });
    ProbabilityMap {
        class,
        width: side,
        height: side,
        values: values.collect(),
        covers: UnitRect::WHOLE,
    }
}

fn main() -> anyhow::Result<()> {
    let bundle = VerifiedBundle::load(&demo_bundle())?;
    let manifest = bundle.manifest();
    let input = manifest.networks[0].input;
    let mut engine = NoNetworks {
        classes: manifest.classes.clone(),
        quality: QualityPolicy {
            sharpness_min: 0.0,
            ..manifest.quality
        },
        buffer: TensorData::new(input.element, input.slot_len()),
        input,
    };
    let photo = phone_photo(3, Kind::Scratch)?;
    let settings = InspectionSettings::default();
    let memory = MemoryBudget::new(1 << 30);
    let start = Instant::now();
    let ticks = || start.elapsed();
    let quality = engine.quality;
    let mut spent = Vec::new();
    let mut findings = 0;
    for _ in 0..ROUNDS {
        let begin = thread_cpu();
        let with = Preparation {
            settings: &settings,
            quality: &quality,
            long_side: engine.long_side(),
            memory: &memory,
            ticks: &ticks,
        };
        let sha256: [u8; 32] = Sha256::digest(&photo).into();
        let mut looked = inspect(&photo, &mut engine, &with)?;
        let with = Rendering {
            file: Some(&photo),
            settings: &settings,
            classes: &engine.classes,
            bundle: "none 0",
            memory: &memory,
            ticks: &ticks,
        };
        let jpeg = render(&mut looked, &with)?;
        let report = photo_report("photo.jpg", Some(&sha256), &looked, &BundleId::new("none", "0"));
        black_box((jpeg, serde_json::to_vec(&report)?));
        findings = looked.findings.len();
        spent.push(thread_cpu() - begin);
    }
    println!(
        "everything but the networks, 12-megapixel JPEG of {} KiB, {findings} finding, one core:",
        photo.len() >> 10
    );
    print_times(spent);
    Ok(())
}

fn print_times(spent: Vec<Duration>) {
    let least = spent
        .iter()
        .min()
        .copied()
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
        * 1e3;
    let median = median_ms(spent);
    println!("  {median:.1} ms of CPU (median of {ROUNDS}; least {least:.1}); allowed: 75 ms");
    println!(
        "  Python agent's steps, measured before on such a machine: {PYTHON_MS:.0} ms, {:.1} times as much",
        PYTHON_MS / median
    );
}
