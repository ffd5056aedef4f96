//! Inspection for asynchronous callers: decoding and rendering on a bounded CPU pool, networks on device threads that run
//! photos in batches.
//!
//! [`Compute::Inline`] runs everything on the calling task instead: a simulation stays on one thread.

mod active;
mod batcher;
mod complete;
mod engines;
mod monitor;

use crate::inspection::{self, InspectionSettings, PhotoResult, Preparation, Prepared, Rendering, Sides};
use crate::memory::MemoryBudget;
use crate::report::photo_report;
pub use active::{ActiveInspector, Answering, CanaryInUse, CanaryPart};
pub use batcher::BatchingPolicy;
use batcher::{Batcher, Batching, self_test_image};
pub use complete::InspectError;
pub use engines::{Compute, EngineSet};
pub use monitor::{EngineMonitor, RunError};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use walkaround_domain::{BundleId, Overlays, Reason, ReviewPolicy, UnitRect};
use walkaround_inference::{Engine, Screening};
use walkaround_ports::Clock;
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// How a [`Inspector`] works.
#[derive(Debug, Clone)]
pub struct InspectorSettings {
    /// Limits, overlay, classes.
    pub inspection: InspectionSettings,
    /// Where CPU work runs.
    pub compute: Compute,
    /// Bytes that decoding may take at once.
    pub decode_bytes_max: u64,
    /// Batches for the networks.
    pub batch: BatchingPolicy,
    /// Health of the engines.
    pub monitor: Arc<EngineMonitor>,
}

impl Default for InspectorSettings {
    fn default() -> Self {
        Self {
            inspection: InspectionSettings::default(),
            compute: Compute::Pool(2),
            decode_bytes_max: 384 << 20,
            batch: BatchingPolicy::default(),
            monitor: EngineMonitor::new(),
        }
    }
}

/// Inspects photos, many at a time.
pub struct Inspector {
    settings: InspectorSettings,
    bundle: BundleInfo,
    memory: Arc<MemoryBudget>,
    cpu: Arc<Semaphore>,
    batcher: Batcher,
    engines: usize,
    clock: Arc<dyn Clock>,
}

/// Name, classes and bounds of a bundle.
#[derive(Debug, Clone)]
pub struct BundleInfo {
    /// Name and version.
    pub id: BundleId,
    /// The classes that its segmenters find.
    pub classes: Arc<[ClassSpec]>,
    /// Which results a person should see.
    pub review: Arc<ReviewPolicy>,
    quality: QualityPolicy,
    long_side: u32,
    sides: Sides,
}

/// The result of a photo, ready to be stored.
pub struct EncodedResult {
    /// Verdict, findings, timings; without pixels.
    pub result: PhotoResult,
    /// The photo's file.
    pub photo: FileDigest,
    /// The bundle whose networks ran.
    pub bundle: BundleId,
    /// Which of this bundle's results a person should see.
    pub review: Arc<ReviewPolicy>,
    /// The report: findings with outlines and masks, as JSON. The same photo and bundle give the same bytes.
    pub report: Vec<u8>,
    /// The marked picture as JPEG.
    pub overlay: Option<Vec<u8>>,
}

/// Size and digest of a photo's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many bytes it had.
    pub bytes: u64,
}

/// A decoded photo between the steps of its inspection.
pub struct PhotoInProgress {
    photo: Prepared,
    file: FileDigest,
    /// The file itself, where the segmenters or the marked picture need it.
    bytes: Option<Vec<u8>>,
    screening: Option<Screening>,
    segmentation: Segmentation,
}

impl PhotoInProgress {
    /// Whether its quality is good enough for the networks.
    pub fn usable(&self) -> bool {
        self.photo.reasons.is_empty()
    }

    /// Output of locator and gates, once they ran.
    pub fn screening(&self) -> Option<Screening> {
        self.screening
    }
}

impl Inspector {
    /// An inspector on one engine, which moves to the device thread (or stays here with [`Compute::Inline`]).
    pub fn new(engine: Box<dyn Engine>, settings: InspectorSettings, clock: Arc<dyn Clock>) -> Self {
        Self::with_engines(EngineSet::of(engine), settings, clock)
    }

    /// An inspector on several engines, each on a thread of its own: on a CPU, one a core.
    pub fn with_engines(engines: EngineSet, settings: InspectorSettings, clock: Arc<dyn Clock>) -> Self {
        let engine = &engines.first;
        let bundle = BundleInfo {
            id: BundleId::new(engine.bundle_name(), engine.bundle_version()),
            classes: engine.classes().into(),
            review: Arc::new(engine.review().clone()),
            quality: *engine.quality(),
            long_side: engine.long_side(),
            sides: Sides::of(engine.as_ref()),
        };
        let threads = match settings.compute {
            Compute::Pool(n) => n.max(1),
            Compute::Inline => 1,
        };
        Self {
            engines: engines.len(),
            bundle,
            memory: Arc::new(MemoryBudget::new(settings.decode_bytes_max)),
            cpu: Arc::new(Semaphore::new(threads)),
            batcher: Batcher::start(
                engines,
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

    /// Which photos get an overlay.
    pub const fn overlays(&self) -> Overlays {
        self.settings.inspection.overlays
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

    /// Decodes a photo and measures its quality. `file` is what [`Inspector::digest`] returned for its bytes.
    ///
    /// # Errors
    /// The reason why it is unusable; [`Inspector::refused`] makes a result of it.
    pub async fn prepare(&self, bytes: Vec<u8>, file: FileDigest) -> Result<PhotoInProgress, Reason> {
        let settings = self.settings.inspection.clone();
        self.with_preparation(move |with| {
            let photo = inspection::prepare(&bytes, with)?;
            Ok(PhotoInProgress {
                bytes: inspection::keeps_file(&settings, &photo, bytes.len()).then_some(bytes),
                photo,
                file,
                screening: None,
                segmentation: Segmentation::default(),
            })
        })
        .await
    }

    /// Runs work on the CPU pool that decodes.
    async fn with_preparation<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Preparation<'_>) -> R + Send + 'static,
    ) -> R {
        let (inspection, bundle) = (self.settings.inspection.clone(), self.bundle.clone());
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        self.compute(move || {
            work(&Preparation {
                settings: &inspection,
                quality: &bundle.quality,
                sides: bundle.sides,
                memory: &memory,
                ticks: &|| clock.ticks(),
            })
        })
        .await
    }

    /// Decodes a photo again, if its segmenters use more pixels than those that were screened.
    async fn enlarge(&self, photo: &mut PhotoInProgress) {
        if photo.photo.larger.is_none() {
            return;
        }
        let (mut prepared, file) = (photo.photo.clone(), photo.bytes.take());
        (photo.photo, photo.bytes) = self
            .with_preparation(move |with| {
                inspection::enlarge(&mut prepared, file.as_deref().unwrap_or_default(), with);
                (prepared, file)
            })
            .await;
    }

    /// Runs locator and gates.
    ///
    /// # Errors
    /// When a network fails; the error says whether photo or engine is at fault.
    pub async fn screen(&self, photo: &mut PhotoInProgress) -> Result<Screening, RunError> {
        let begin = self.clock.ticks();
        let screening = self.batcher.screen(Arc::clone(&photo.photo.pixels)).await?;
        photo.photo.timings.screening = self.clock.ticks() - begin;
        photo.screening = Some(screening);
        Ok(screening)
    }

    /// Runs the segmenters, on a larger decode where they use one. A photo that cannot be decoded again becomes unusable.
    ///
    /// # Errors
    /// When a network fails; the error says whether photo or engine is at fault.
    pub async fn segment(&self, photo: &mut PhotoInProgress) -> Result<(), RunError> {
        self.enlarge(photo).await;
        if !photo.usable() {
            return Ok(());
        }
        let begin = self.clock.ticks();
        let region = photo.screening.map_or(UnitRect::WHOLE, |l| l.vehicle.region());
        photo.segmentation = self
            .batcher
            .segment(Arc::clone(&photo.photo.pixels), region)
            .await?;
        photo.photo.timings.segment = self.clock.ticks() - begin;
        Ok(())
    }

    /// The verdict with its report and marked picture. `name` is the photo's, for the report.
    ///
    /// # Errors
    /// When the overlay cannot be encoded.
    pub async fn finish(&self, photo: PhotoInProgress, name: String) -> Result<EncodedResult, String> {
        let (settings, bundle) = (self.settings.inspection.clone(), self.bundle.clone());
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        self.compute(move || {
            let ticks = || clock.ticks();
            let begin = ticks();
            let mut result = inspection::conclude(
                photo.photo,
                photo.screening,
                &photo.segmentation,
                &bundle.classes,
                settings.all_classes,
            );
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
            encode(result, photo.file, &name, &bundle, overlay)
        })
        .await
    }

    /// The result for a photo that cannot be decoded.
    ///
    /// # Errors
    /// When the report cannot be encoded.
    pub fn refused(&self, reason: Reason, file: FileDigest, name: &str) -> Result<EncodedResult, String> {
        encode(PhotoResult::refused(reason), file, name, &self.bundle, None)
    }

    /// Time of one segmentation on this machine, measured on the self-test image: the shortest of one run more than there
    /// are engines, so that at least one run is on a warm engine.
    ///
    /// # Errors
    /// When a network fails.
    pub async fn measure_segment(&self) -> Result<Duration, RunError> {
        let mut shortest = Duration::MAX;
        for _ in 0..=self.engines {
            let begin = self.clock.ticks();
            let image = Arc::new(self_test_image(self.bundle.long_side));
            self.batcher.segment(image, UnitRect::WHOLE).await?;
            shortest = shortest.min(self.clock.ticks() - begin);
        }
        Ok(shortest)
    }

    /// Runs an engine on the self-test image.
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

fn encode(
    mut result: PhotoResult,
    file: FileDigest,
    name: &str,
    bundle: &BundleInfo,
    overlay: Option<Vec<u8>>,
) -> Result<EncodedResult, String> {
    // Pixels are most of the memory of a result and are no longer needed.
    if let Some(photo) = &mut result.photo {
        photo.pixels = Arc::default();
    }
    let report = photo_report(name, Some(&file.sha256), &result, &bundle.id);
    let report = serde_json::to_vec(&report).map_err(|e| e.to_string())?;
    Ok(EncodedResult {
        result,
        photo: file,
        bundle: bundle.id.clone(),
        review: Arc::clone(&bundle.review),
        report,
        overlay,
    })
}
