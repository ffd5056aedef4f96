//! The look at photos for asynchronous callers: decoding and rendering on a bounded CPU pool, networks on a
//! thread of their own that gathers photos into batches.
//!
//! [`Compute::Inline`] runs everything on the calling task instead: a simulation stays on one thread.

mod batcher;
mod monitor;

use crate::inspection::{self, InspectionSettings, PhotoResult, Preparation, Prepared, Rendering};
use crate::memory::MemoryBudget;
use crate::report::photo_report;
pub use batcher::BatchingPolicy;
use batcher::{Batcher, Batching, own_picture};
use image::RgbImage;
pub use monitor::{EngineMonitor, RunError};
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use walkaround_domain::{BundleId, Reason, UnitRect};
use walkaround_inference::{Engine, Screening};
use walkaround_ports::Clock;
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

/// How a [`Inspector`] works.
#[derive(Debug, Clone)]
pub struct InspectorSettings {
    /// Limits, overlay, classes.
    pub look: InspectionSettings,
    /// Where CPU work runs.
    pub compute: Compute,
    /// Bytes that decoding may take at once.
    pub decode_bytes_max: u64,
    /// How photos are gathered for the networks.
    pub batch: BatchingPolicy,
    /// Who watches the health of the engines.
    pub monitor: Arc<EngineMonitor>,
}

impl Default for InspectorSettings {
    fn default() -> Self {
        Self {
            look: InspectionSettings::default(),
            compute: Compute::Pool(2),
            decode_bytes_max: 384 << 20,
            batch: BatchingPolicy::default(),
            monitor: EngineMonitor::new(),
        }
    }
}

/// Looks at photos, many at a time.
pub struct Inspector {
    settings: InspectorSettings,
    bundle: BundleInfo,
    memory: Arc<MemoryBudget>,
    cpu: Arc<Semaphore>,
    batcher: Batcher,
    engines: usize,
    clock: Arc<dyn Clock>,
}

/// The looker in use. A new one takes over between photos: each photo keeps the one that it began with.
pub struct ActiveInspector(RwLock<Arc<Inspector>>);

impl ActiveInspector {
    /// Begins with this one.
    pub fn new(inspector: Inspector) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(inspector))))
    }

    /// The one in use now.
    pub fn get(&self) -> Arc<Inspector> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in its place. The old one ends with the last photo that has it.
    pub fn replace(&self, inspector: Inspector) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(inspector);
    }
}

/// What the networks' bundle says of itself.
#[derive(Debug, Clone)]
pub struct BundleInfo {
    /// Name and version.
    pub id: BundleId,
    /// The classes that its segmenters find.
    pub classes: Arc<[ClassSpec]>,
    quality: QualityPolicy,
    long_side: u32,
}

/// A photo that was looked at, ready to be stored.
pub struct EncodedResult {
    /// Verdict, findings, timings. The pixels are gone.
    pub result: PhotoResult,
    /// The photo's file.
    pub photo: FileDigest,
    /// The bundle whose networks ran.
    pub bundle: BundleId,
    /// The report: findings with outlines and masks, as JSON. The same photo and bundle give the same bytes.
    pub report: Vec<u8>,
    /// The marked picture as JPEG.
    pub overlay: Option<Vec<u8>>,
}

/// A photo's file, once it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many bytes it had.
    pub bytes: u64,
}

/// A decoded photo on its way through the networks.
pub struct PhotoInProgress {
    photo: Prepared,
    file: FileDigest,
    /// The file itself, where the marked picture needs it.
    bytes: Option<Vec<u8>>,
    screening: Option<Screening>,
    maps: Vec<walkaround_vision::mask::ProbabilityMap>,
}

impl PhotoInProgress {
    /// Whether quality lets the networks look at it.
    pub fn usable(&self) -> bool {
        self.photo.reasons.is_empty()
    }

    /// What locator and gates said, once asked.
    pub fn screening(&self) -> Option<Screening> {
        self.screening
    }
}

impl Inspector {
    /// A looker on one engine, which moves to the device thread (or stays here with [`Compute::Inline`]).
    pub fn new(engine: Box<dyn Engine>, settings: InspectorSettings, clock: Arc<dyn Clock>) -> Self {
        Self::with_engines(engine, Vec::new(), settings, clock)
    }

    /// A looker on several engines of one bundle, each on a thread of its own: on a CPU, one a core.
    pub fn with_engines(
        engine: Box<dyn Engine>,
        more: Vec<Box<dyn Engine>>,
        settings: InspectorSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bundle = BundleInfo {
            id: BundleId::new(engine.bundle_name(), engine.bundle_version()),
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
                Batching {
                    compute: settings.compute,
                    settings: settings.batch,
                    monitor: Arc::clone(&settings.monitor),
                },
                Arc::clone(&clock),
            ),
            settings,
            clock,
        }
    }

    /// Whether a marked picture is made of each photo.
    pub fn makes_overlays(&self) -> bool {
        self.settings.look.overlay.is_some()
    }

    /// The bundle in use.
    pub fn bundle(&self) -> &BundleInfo {
        &self.bundle
    }

    /// Size and digest of a photo's file.
    pub async fn digest(&self, bytes: Vec<u8>) -> (Vec<u8>, FileDigest) {
        self.compute(move || {
            let file = FileDigest {
                sha256: Sha256::digest(&bytes).into(),
                bytes: bytes.len() as u64,
            };
            (bytes, file)
        })
        .await
    }

    /// Decodes a photo and measures its quality. `file` is what [`Inspector::digest`] said of its bytes.
    ///
    /// # Errors
    /// The reason why it is unusable; [`Inspector::refused`] makes a result of it.
    pub async fn prepare(&self, bytes: Vec<u8>, file: FileDigest) -> Result<PhotoInProgress, Reason> {
        let (look, bundle) = (self.settings.look.clone(), self.bundle.clone());
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        self.compute(move || {
            let ticks = || clock.ticks();
            let with = Preparation {
                settings: &look,
                quality: &bundle.quality,
                long_side: bundle.long_side,
                memory: &memory,
                ticks: &ticks,
            };
            match inspection::prepare(&bytes, &with) {
                Ok(photo) => Ok(PhotoInProgress {
                    bytes: inspection::keeps_file(&look, &photo, bytes.len()).then_some(bytes),
                    photo,
                    file,
                    screening: None,
                    maps: Vec::new(),
                }),
                Err(reason) => Err(reason),
            }
        })
        .await
    }

    /// Asks locator and gates.
    ///
    /// # Errors
    /// When a network fails; the error says who is at fault.
    pub async fn screen(&self, photo: &mut PhotoInProgress) -> Result<Screening, RunError> {
        let begin = self.clock.ticks();
        let pixels = std::mem::take(&mut photo.photo.pixels);
        let (pixels, answer) = self.batcher.screen(pixels).await;
        photo.photo.pixels = pixels;
        let look = answer?;
        photo.photo.timings.screening = self.clock.ticks() - begin;
        photo.screening = Some(look);
        Ok(look)
    }

    /// Asks the segmenters.
    ///
    /// # Errors
    /// When a network fails; the error says who is at fault.
    pub async fn segment(&self, photo: &mut PhotoInProgress) -> Result<(), RunError> {
        let begin = self.clock.ticks();
        let region = photo.screening.map_or(UnitRect::WHOLE, |l| l.vehicle.region());
        let pixels = std::mem::take(&mut photo.photo.pixels);
        let (pixels, answer) = self.batcher.segment(pixels, region).await;
        photo.photo.pixels = pixels;
        photo.maps = answer?;
        photo.photo.timings.segment = self.clock.ticks() - begin;
        Ok(())
    }

    /// The verdict with its report and marked picture. `name` is the photo's, for the report.
    ///
    /// # Errors
    /// When the marked picture cannot be encoded.
    pub async fn finish(&self, photo: PhotoInProgress, name: String) -> Result<EncodedResult, String> {
        let (settings, bundle) = (self.settings.look.clone(), self.bundle.clone());
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        self.compute(move || {
            let ticks = || clock.ticks();
            let begin = ticks();
            let classes = (&*bundle.classes, settings.all_classes);
            let mut result = inspection::conclude(photo.photo, photo.screening, &photo.maps, classes);
            result.timings.findings = ticks() - begin;
            let label = bundle.id.to_string();
            let with = Rendering {
                file: photo.bytes.as_deref(),
                settings: &settings,
                classes: &bundle.classes,
                bundle: &label,
                memory: &memory,
                ticks: &ticks,
            };
            let overlay = inspection::render(&mut result, &with).map_err(|e| e.to_string())?;
            finished(result, (photo.file, &name), &bundle, overlay)
        })
        .await
    }

    /// The result for a photo that cannot be decoded.
    ///
    /// # Errors
    /// When the report cannot be encoded.
    pub fn refused(&self, reason: Reason, file: FileDigest, name: &str) -> Result<EncodedResult, String> {
        finished(PhotoResult::refused(reason), (file, name), &self.bundle, None)
    }

    /// Time of one segmentation on this machine, measured on the engine's own picture: the shortest of one more than there are
    /// engines, so that one of them is warm by then (its networks loaded, its memory had).
    ///
    /// # Errors
    /// When a network fails.
    pub async fn measure_segment(&self) -> Result<Duration, RunError> {
        let mut shortest = Duration::MAX;
        for _ in 0..=self.engines {
            let begin = self.clock.ticks();
            let (_, answer) = self
                .batcher
                .segment(own_picture(self.bundle.long_side), UnitRect::WHOLE)
                .await;
            answer?;
            shortest = shortest.min(self.clock.ticks() - begin);
        }
        Ok(shortest)
    }

    /// Asks an engine with a picture of its own whether it works.
    ///
    /// # Errors
    /// [`RunError::Engine`] when it does not.
    pub async fn probe(&self) -> Result<(), RunError> {
        self.batcher.probe().await
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
    mut result: PhotoResult,
    (file, name): (FileDigest, &str),
    bundle: &BundleInfo,
    overlay: Option<Vec<u8>>,
) -> Result<EncodedResult, String> {
    // Pixels are the bulk of a result and are not needed any more.
    if let Some(photo) = &mut result.photo {
        photo.pixels = RgbImage::default();
    }
    let report = photo_report(name, Some(&file.sha256), &result, &bundle.id);
    let report = serde_json::to_vec(&report).map_err(|e| e.to_string())?;
    Ok(EncodedResult {
        result,
        photo: file,
        bundle: bundle.id.clone(),
        report,
        overlay,
    })
}
