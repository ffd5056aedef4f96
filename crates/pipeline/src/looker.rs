//! The look at photos for asynchronous callers: decoding and rendering on a bounded CPU pool, networks on a
//! thread of their own that gathers photos into batches.
//!
//! [`Compute::Inline`] runs everything on the calling task instead: a simulation stays on one thread.

mod batcher;

use crate::look::{self, LookSettings, Looked, Preparation, Prepared};
use crate::memory::MemoryBudget;
use crate::report::photo_report;
pub use batcher::BatchSettings;
use batcher::Batcher;
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use walkaround_domain::Reason;
use walkaround_inference::{Engine, EngineError, FirstLook};
use walkaround_ports::Clock;
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// Where CPU work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// On blocking threads, at most this many at once.
    Pool(usize),
    /// On the calling task.
    Inline,
}

/// How a [`Looker`] works.
#[derive(Debug, Clone)]
pub struct LookerSettings {
    /// Limits, overlay, classes.
    pub look: LookSettings,
    /// Where CPU work runs.
    pub compute: Compute,
    /// Bytes that decoding may take at once.
    pub decode_bytes_max: u64,
    /// How photos are gathered for the networks.
    pub batch: BatchSettings,
}

impl Default for LookerSettings {
    fn default() -> Self {
        Self {
            look: LookSettings::default(),
            compute: Compute::Pool(2),
            decode_bytes_max: 384 << 20,
            batch: BatchSettings::default(),
        }
    }
}

/// Looks at photos, many at a time.
pub struct Looker {
    settings: LookerSettings,
    bundle: BundleInfo,
    memory: Arc<MemoryBudget>,
    cpu: Arc<Semaphore>,
    batcher: Batcher,
    engines: usize,
    clock: Arc<dyn Clock>,
}

/// The looker in use. A new one takes over between photos: each photo keeps the one that it began with.
pub struct CurrentLooker(RwLock<Arc<Looker>>);

impl CurrentLooker {
    /// Begins with this one.
    pub fn new(looker: Looker) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(looker))))
    }

    /// The one in use now.
    pub fn get(&self) -> Arc<Looker> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in its place. The old one ends with the last photo that has it.
    pub fn replace(&self, looker: Looker) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(looker);
    }
}

/// What the networks' bundle says of itself.
#[derive(Debug, Clone)]
pub struct BundleInfo {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Classes.
    pub classes: Arc<[ClassSpec]>,
    quality: QualityPolicy,
    long_side: u32,
}

/// A photo that was looked at, ready to be stored.
pub struct Finished {
    /// Verdict, findings, timings. The pixels are gone.
    pub looked: Looked,
    /// The photo's file.
    pub photo: FileMark,
    /// Name and version of the bundle that looked.
    pub bundle: (String, String),
    /// The report: findings with outlines and masks, as JSON. The same photo and bundle give the same bytes.
    pub report: Vec<u8>,
    /// The marked picture as JPEG.
    pub overlay: Option<Vec<u8>>,
}

/// A photo's file, once it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMark {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many bytes it had.
    pub bytes: u64,
}

/// A decoded photo on its way through the networks.
pub struct InHand {
    photo: Prepared,
    file: FileMark,
    first_look: Option<FirstLook>,
    segmentation: Segmentation,
}

impl InHand {
    /// Whether quality lets the networks look at it.
    pub fn usable(&self) -> bool {
        self.photo.reasons.is_empty()
    }

    /// What locator and gates said, once asked.
    pub fn first_look(&self) -> Option<FirstLook> {
        self.first_look
    }
}

impl Looker {
    /// A looker on one engine, which moves to the device thread (or stays here with [`Compute::Inline`]).
    pub fn new(engine: Box<dyn Engine>, settings: LookerSettings, clock: Arc<dyn Clock>) -> Self {
        Self::with_engines(engine, Vec::new(), settings, clock)
    }

    /// A looker on several engines of one bundle, each on a thread of its own: on a CPU, one a core.
    pub fn with_engines(
        engine: Box<dyn Engine>,
        more: Vec<Box<dyn Engine>>,
        settings: LookerSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bundle = BundleInfo {
            name: engine.bundle_name().to_owned(),
            version: engine.bundle_version().to_owned(),
            classes: engine.classes().into(),
            quality: *engine.quality(),
            long_side: engine.long_side(),
        };
        let threads = match settings.compute {
            Compute::Pool(n) => n.max(1),
            Compute::Inline => 1,
        };
        Self {
            engines: more.len() + 1,
            bundle,
            memory: Arc::new(MemoryBudget::new(settings.decode_bytes_max)),
            cpu: Arc::new(Semaphore::new(threads)),
            batcher: Batcher::start(
                (engine, more),
                settings.compute,
                settings.batch,
                Arc::clone(&clock),
            ),
            settings,
            clock,
        }
    }

    /// The bundle in use.
    pub fn bundle(&self) -> &BundleInfo {
        &self.bundle
    }

    /// Decodes a photo and measures its quality.
    ///
    /// # Errors
    /// The reason why it is unusable; [`Looker::refused`] makes a result of it.
    pub async fn prepare(&self, bytes: Vec<u8>) -> Result<InHand, (Reason, FileMark)> {
        let (look, bundle) = (self.settings.look.clone(), self.bundle.clone());
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        self.compute(move || {
            let file = FileMark {
                sha256: Sha256::digest(&bytes).into(),
                bytes: bytes.len() as u64,
            };
            let ticks = || clock.ticks();
            let with = Preparation {
                settings: &look,
                quality: &bundle.quality,
                long_side: bundle.long_side,
                memory: &memory,
                ticks: &ticks,
            };
            match look::prepare(&bytes, &with) {
                Ok(photo) => Ok(InHand {
                    photo,
                    file,
                    first_look: None,
                    segmentation: Segmentation::default(),
                }),
                Err(reason) => Err((reason, file)),
            }
        })
        .await
    }

    /// Asks locator and gates.
    ///
    /// # Errors
    /// When a network fails on this photo.
    pub async fn first_look(&self, photo: &mut InHand) -> Result<FirstLook, EngineError> {
        let begin = self.clock.ticks();
        let pixels = std::mem::take(&mut photo.photo.pixels);
        let (pixels, answer) = self.batcher.first_look(pixels).await;
        photo.photo.pixels = pixels;
        let look = answer?;
        photo.photo.timings.first_look = self.clock.ticks() - begin;
        photo.first_look = Some(look);
        Ok(look)
    }

    /// Asks the segmenters.
    ///
    /// # Errors
    /// When a network fails on this photo.
    pub async fn segment(&self, photo: &mut InHand) -> Result<(), EngineError> {
        let begin = self.clock.ticks();
        let region = photo
            .first_look
            .map_or(walkaround_domain::UnitRect::WHOLE, |l| l.vehicle.region());
        let pixels = std::mem::take(&mut photo.photo.pixels);
        let (pixels, answer) = self.batcher.segment(pixels, region).await;
        photo.photo.pixels = pixels;
        photo.segmentation = answer?;
        photo.photo.timings.segment = self.clock.ticks() - begin;
        Ok(())
    }

    /// The verdict with its report and marked picture. `name` is the photo's, for the report.
    ///
    /// # Errors
    /// When the marked picture cannot be encoded.
    pub async fn finish(&self, photo: InHand, name: String) -> Result<Finished, String> {
        let (settings, bundle) = (self.settings.look.clone(), self.bundle.clone());
        let clock = Arc::clone(&self.clock);
        self.compute(move || {
            let ticks = || clock.ticks();
            let begin = ticks();
            let classes = (&*bundle.classes, settings.all_classes);
            let mut looked = look::conclude(photo.photo, photo.first_look, &photo.segmentation, classes);
            looked.timings.findings = ticks() - begin;
            let label = format!("{} {}", bundle.name, bundle.version);
            let overlay = look::render(&mut looked, &settings, (&bundle.classes, &label), &ticks)
                .map_err(|e| e.to_string())?;
            finished(looked, (photo.file, &name), &bundle, overlay)
        })
        .await
    }

    /// The result for a photo that cannot be decoded.
    ///
    /// # Errors
    /// When the report cannot be encoded.
    pub fn refused(&self, reason: Reason, file: FileMark, name: &str) -> Result<Finished, String> {
        finished(Looked::refused(reason), (file, name), &self.bundle, None)
    }

    /// Time of one heavy look on this machine, measured on an empty picture: the shortest of one more than there are
    /// engines, so that one of them is warm by then (its networks loaded, its memory had).
    ///
    /// # Errors
    /// When a network fails.
    pub async fn measure_segment(&self) -> Result<Duration, EngineError> {
        let mut shortest = Duration::MAX;
        for _ in 0..=self.engines {
            let side = self.bundle.long_side.max(1);
            let begin = self.clock.ticks();
            let (_, answer) = self
                .batcher
                .segment(RgbImage::new(side, side), walkaround_domain::UnitRect::WHOLE)
                .await;
            answer?;
            shortest = shortest.min(self.clock.ticks() - begin);
        }
        Ok(shortest)
    }

    async fn compute<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        if self.settings.compute == Compute::Inline {
            return work();
        }
        // The semaphore is never closed: the error cannot happen, and without a permit nothing is unbounded.
        let permit = Arc::clone(&self.cpu).acquire_owned().await;
        let outcome = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await;
        match outcome {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn finished(
    mut looked: Looked,
    (file, name): (FileMark, &str),
    bundle: &BundleInfo,
    overlay: Option<Vec<u8>>,
) -> Result<Finished, String> {
    // Pixels are the bulk of a result and are not needed any more.
    if let Some(photo) = &mut looked.photo {
        photo.pixels = RgbImage::default();
    }
    let report = photo_report(name, Some(&file.sha256), &looked, (&bundle.name, &bundle.version));
    let report = serde_json::to_vec(&report).map_err(|e| e.to_string())?;
    Ok(Finished {
        looked,
        photo: file,
        bundle: (bundle.name.clone(), bundle.version.clone()),
        report,
        overlay,
    })
}
