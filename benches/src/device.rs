//! A GPU beside the processor: the same bundle on the same photos, mask against mask, and what the GPU makes of batches.
//!
//! `make gpu-check` (`src/bin/gpu_check.rs`) runs it and writes the report.

use crate::resident_bytes;
use anyhow::{Context, ensure};
use image::RgbImage;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use walkaround_domain::{Rle, Size};
use walkaround_inference::{
    ActiveDevice, BATCH_BUCKETS, Engine, EngineOptions, Head, OnnxEngine, Runtime, VerifiedBundle,
};
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_vision::decode::{Limits, decode};
use walkaround_vision::findings::findings;
use walkaround_vision::rle;
use walkaround_vision::tensor::Element;

/// Least agreement of the masks of a class: shared pixels over all pixels that either device marks, on all photos together.
pub const IOU_MIN: f64 = 0.999;
/// The same, for a class that a network computes in 16 bits.
pub const IOU_MIN_F16: f64 = 0.99;
/// Drawn photos that both devices see, beside the picture of the self-test.
pub const DRAWN: u64 = 21;
/// Photos at each batch size, at least.
const TIMED: usize = 64;
/// How often memory is read on the long run.
const READINGS: usize = 10;
/// Growth of memory from the first reading to the last that still counts as flat.
const GROWTH_MAX: f64 = 1.10;

/// What the driver says of the first GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Memory in use, in MiB.
    pub used_mib: u64,
    /// Memory, in MiB.
    pub total_mib: u64,
}

impl Gpu {
    /// Asks the driver's own program.
    ///
    /// # Errors
    /// Where there is no driver, or no GPU.
    pub fn ask() -> anyhow::Result<Self> {
        let answer = Command::new("nvidia-smi")
            .args([
                "--query-gpu=name,memory.used,memory.total",
                "--format=csv,noheader,nounits",
            ])
            .output()
            .context("nvidia-smi does not run")?;
        let text = String::from_utf8_lossy(&answer.stdout);
        ensure!(answer.status.success(), "nvidia-smi: {}", text.trim());
        Self::parse(&text).with_context(|| format!("nvidia-smi answers `{}`", text.trim()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.lines().next()?.rsplitn(3, ',').map(str::trim);
        let total_mib = fields.next()?.parse().ok()?;
        let used_mib = fields.next()?.parse().ok()?;
        let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
        Some(Self {
            name,
            used_mib,
            total_mib,
        })
    }
}

/// How the masks of one class agree, on all photos together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Pixels that both mark.
    pub both: u64,
    /// Pixels that either marks.
    pub either: u64,
    /// Findings of the processor.
    pub cpu: usize,
    /// Findings of the GPU.
    pub gpu: usize,
}

impl Agreement {
    /// Shared pixels over all; 1 where neither marks any.
    #[must_use]
    pub fn iou(&self) -> f64 {
        match self.either {
            0 => 1.0,
            either => self.both as f64 / either as f64,
        }
    }

    /// Adds one photo: what each device marks of the class.
    ///
    /// # Errors
    /// Masks of different sizes.
    pub fn add(&mut self, size: Size, cpu: &[&Rle], gpu: &[&Rle]) -> anyhow::Result<()> {
        let (on_cpu, on_gpu) = (rle::union(size, cpu)?, rle::union(size, gpu)?);
        let both = rle::intersection_area(&on_cpu, &on_gpu)?;
        self.both += both;
        self.either += on_cpu.area() + on_gpu.area() - both;
        self.cpu += cpu.len();
        self.gpu += gpu.len();
        Ok(())
    }
}

/// What one bundle did on the GPU.
#[derive(Debug, Clone)]
pub struct BundleReport {
    /// Name and version.
    pub bundle: String,
    /// By class: how its masks agree, and what is wanted of them.
    pub classes: BTreeMap<String, ClassReport>,
    /// Largest difference of the gates' answers.
    pub gate_max: f32,
    /// Photos a second by batch size: locator, gates and segmenters.
    pub rates: Vec<(usize, f64)>,
    /// Photos so far, memory of the process and of the GPU in MiB.
    pub memory: Vec<MemoryReading>,
}

/// One class of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct ClassReport {
    /// How its masks agree.
    pub agreement: Agreement,
    /// Least IoU.
    pub wanted: f64,
}

/// Memory at one point of the long run.
#[derive(Debug, Clone, Copy)]
pub struct MemoryReading {
    /// Photos so far.
    pub photos: usize,
    /// Resident memory of the process, MiB.
    pub resident_mib: u64,
    /// Memory of the GPU in use by whomever, MiB; none in a rehearsal.
    pub gpu_mib: Option<u64>,
}

impl BundleReport {
    /// What does not hold, a line each.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (class, report) in &self.classes {
            let iou = report.agreement.iou();
            if iou < report.wanted {
                lines.push(format!(
                    "{}: masks of {class} agree at IoU {iou:.4}, wanted {}",
                    self.bundle, report.wanted
                ));
            }
        }
        if self.classes.values().all(|c| c.agreement.cpu == 0) {
            lines.push(format!("{}: no findings to compare", self.bundle));
        }
        let grows = |of: &dyn Fn(&MemoryReading) -> Option<u64>| {
            let first = self.memory.first().and_then(of);
            let last = self.memory.last().and_then(of);
            first
                .zip(last)
                .is_some_and(|(first, last)| last as f64 > first as f64 * GROWTH_MAX)
        };
        if grows(&|m| Some(m.resident_mib)) {
            lines.push(format!("{}: resident memory grows", self.bundle));
        }
        if grows(&|m| m.gpu_mib) {
            lines.push(format!("{}: memory of the GPU grows", self.bundle));
        }
        lines
    }

    /// The report as Markdown.
    ///
    /// # Errors
    /// None in practice: writing to a string.
    pub fn markdown(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "## {}\n", self.bundle)?;
        writeln!(text, "Largest difference of a gate: {:.2e}.\n", self.gate_max)?;
        writeln!(
            text,
            "| class | findings, processor | findings, GPU | IoU | wanted |"
        )?;
        writeln!(text, "| --- | --- | --- | --- | --- |")?;
        for (class, ClassReport { agreement, wanted }) in &self.classes {
            let (cpu, gpu, iou) = (agreement.cpu, agreement.gpu, agreement.iou());
            writeln!(text, "| {class} | {cpu} | {gpu} | {iou:.5} | {wanted} |")?;
        }
        writeln!(text, "\n| batch | photos/s |\n| --- | --- |")?;
        for (batch, rate) in &self.rates {
            writeln!(text, "| {batch} | {rate:.1} |")?;
        }
        writeln!(
            text,
            "\n| photos | resident, MiB | GPU, MiB |\n| --- | --- | --- |"
        )?;
        for reading in &self.memory {
            let gpu = reading.gpu_mib.map_or("-".into(), |mib| mib.to_string());
            writeln!(text, "| {} | {} | {gpu} |", reading.photos, reading.resident_mib)?;
        }
        Ok(text)
    }
}

/// What is compared, and how long.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// Stands for the GPU: itself, or in a rehearsal the processor again.
    pub device: ActiveDevice,
    /// Photos of the long run.
    pub photos: usize,
    /// Told how many photos of the long run are done.
    pub progress: &'a dyn Fn(usize),
}

/// Runs one bundle on the processor and on the GPU.
///
/// # Errors
/// When the bundle is broken, or a network fails.
pub fn check(runtime: &Runtime, folder: &Path, plan: Plan<'_>) -> anyhow::Result<BundleReport> {
    let bundle = VerifiedBundle::load(folder)?;
    let engine = |device| {
        let options = EngineOptions { device, threads: 1 };
        OnnxEngine::new(runtime, &bundle, options)
    };
    let (mut cpu, mut gpu) = (engine(ActiveDevice::Cpu)?, engine(plan.device)?);
    gpu.require_self_test(&bundle)?;
    let photos = photos(&bundle)?;
    let mut classes: BTreeMap<String, ClassReport> = wanted(&bundle);
    let mut gate_max = 0f32;
    for photo in &photos {
        gate_max = gate_max.max(compare(photo, &mut cpu, &mut gpu, &mut classes)?);
    }
    drop(cpu);
    let rates = BATCH_BUCKETS
        .iter()
        .map(|&batch| Ok((batch, rate(&mut gpu, &photos, batch)?)))
        .collect::<anyhow::Result<_>>()?;
    let manifest = bundle.manifest();
    Ok(BundleReport {
        bundle: format!("{} {}", manifest.name, manifest.version),
        classes,
        gate_max,
        rates,
        memory: long_run(&mut gpu, &photos, plan)?,
    })
}

/// Every class, and what is wanted of its masks.
fn wanted(bundle: &VerifiedBundle) -> BTreeMap<String, ClassReport> {
    let manifest = bundle.manifest();
    let networks = manifest.networks.iter();
    let in_16_bits: Vec<usize> = networks
        .filter(|n| n.input.element == Element::F16)
        .flat_map(|n| match &n.head {
            Head::Segmenter { channels, .. } | Head::ClassMap { channels } => channels.clone(),
            _ => Vec::new(),
        })
        .flatten()
        .collect();
    let classes = manifest.classes.iter().enumerate();
    classes
        .map(|(at, class)| {
            let wanted = if in_16_bits.contains(&at) {
                IOU_MIN_F16
            } else {
                IOU_MIN
            };
            let agreement = Agreement::default();
            (class.name.clone(), ClassReport { agreement, wanted })
        })
        .collect()
}

/// Drawn photos of every kind, and the picture of the self-test.
fn photos(bundle: &VerifiedBundle) -> anyhow::Result<Vec<RgbImage>> {
    let drawn = (0..DRAWN).zip(Kind::ALL.into_iter().cycle()).map(|(seed, kind)| {
        draw(&SampleSpec {
            seed,
            kind,
            ..SampleSpec::default()
        })
        .picture
    });
    let mut photos: Vec<RgbImage> = drawn.collect();
    if let Some(picture) = bundle.self_test_picture() {
        let limits = Limits {
            side_min: 1,
            ..Limits::default()
        };
        let decoded = decode(picture, &limits, u32::MAX)
            .map_err(|reason| anyhow::anyhow!("the picture of the self-test: {reason}"))?;
        photos.push(decoded.pixels);
    }
    Ok(photos)
}

/// One photo on both, whatever the gates say: the difference of the gates, and the masks by class.
fn compare(
    photo: &RgbImage,
    cpu: &mut OnnxEngine,
    gpu: &mut OnnxEngine,
    classes: &mut BTreeMap<String, ClassReport>,
) -> anyhow::Result<f32> {
    let size = Size::new(photo.width(), photo.height());
    let found = |engine: &mut OnnxEngine| -> anyhow::Result<_> {
        let screening = engine.screen(&[photo])?.remove(0);
        let region = screening.vehicle.region();
        let segmentation = engine.segment(&[(photo, region)])?.remove(0);
        Ok((
            screening.gate,
            findings(&segmentation, engine.classes(), size, true),
        ))
    };
    let ((gate_cpu, on_cpu), (gate_gpu, on_gpu)) = (found(cpu)?, found(gpu)?);
    for (name, report) in classes {
        let of = |found: &'_ [walkaround_domain::Finding]| -> Vec<Rle> {
            let of_class = found.iter().filter(|f| f.class == *name);
            of_class.map(|f| f.rle.clone()).collect()
        };
        let (left, right) = (of(&on_cpu), of(&on_gpu));
        let (left, right): (Vec<_>, Vec<_>) = (left.iter().collect(), right.iter().collect());
        report.agreement.add(size, &left, &right)?;
    }
    ensure!(
        gate_cpu.is_some() == gate_gpu.is_some(),
        "one device sees a vehicle, the other does not"
    );
    Ok(gate_cpu.zip(gate_gpu).map_or(0.0, |(a, b)| (a - b).abs()))
}

/// Every network on so many photos at once.
fn run(engine: &mut OnnxEngine, photos: &[&RgbImage]) -> anyhow::Result<()> {
    let screened = engine.screen(photos)?;
    let with_region: Vec<_> = photos
        .iter()
        .zip(&screened)
        .map(|(photo, s)| (*photo, s.vehicle.region()))
        .collect();
    engine.segment(&with_region)?;
    Ok(())
}

/// Photos a second at one batch size. The first run, in which CUDA makes its kernels, does not count.
fn rate(engine: &mut OnnxEngine, photos: &[RgbImage], batch: usize) -> anyhow::Result<f64> {
    let next: Vec<&RgbImage> = photos.iter().cycle().take(batch).collect();
    run(engine, &next)?;
    let rounds = TIMED.div_ceil(batch);
    let begin = Instant::now();
    for _ in 0..rounds {
        run(engine, &next)?;
    }
    Ok((rounds * batch) as f64 / begin.elapsed().as_secs_f64())
}

/// Memory while many photos pass, in batches of every size.
fn long_run(
    engine: &mut OnnxEngine,
    photos: &[RgbImage],
    plan: Plan<'_>,
) -> anyhow::Result<Vec<MemoryReading>> {
    let mut readings = Vec::new();
    let (mut done, every) = (0, plan.photos.div_ceil(READINGS).max(1));
    let mut batches = BATCH_BUCKETS.iter().copied().cycle();
    let mut shown = photos.iter().cycle();
    while done < plan.photos {
        let batch = batches.next().unwrap_or(1).min(plan.photos - done);
        let next: Vec<&RgbImage> = shown.by_ref().take(batch).collect();
        run(engine, &next)?;
        done += batch;
        if done >= every * (readings.len() + 1) || done == plan.photos {
            let gpu_mib = match plan.device {
                ActiveDevice::Cpu => None,
                ActiveDevice::Cuda => Some(Gpu::ask()?.used_mib),
            };
            readings.push(MemoryReading {
                photos: done,
                resident_mib: resident_bytes() >> 20,
                gpu_mib,
            });
            (plan.progress)(done);
        }
    }
    Ok(readings)
}

#[cfg(test)]
mod tests;
