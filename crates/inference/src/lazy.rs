//! An engine that loads its segmenters when it is first asked for the segmentation.
//!
//! A function that mostly asks the gate starts sooner and smaller that way: its segmenters need not even be in the
//! bundle's folder before. Every file is verified when it is read; the self-test, which needs all networks, runs when
//! the segmenters are loaded: until then the gate's answers rest on the digests alone.

use crate::bundle::VerifiedBundle;
use crate::engine::{Engine, Screening};
use crate::error::{BundleError, EngineError};
use crate::onnx::{EngineOptions, OnnxEngine};
use crate::runtime::Runtime;
use image::RgbImage;
use std::sync::{Arc, Mutex, PoisonError};
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// Brings the files that a bundle's folder lacks, and blocks until they are there.
pub type FetchMissing = Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// A bundle of which the segmenters may be fetched later, once for all engines.
pub struct LazyBundle {
    first: Arc<VerifiedBundle>,
    fetch: FetchMissing,
    whole: Mutex<Option<Arc<VerifiedBundle>>>,
}

impl LazyBundle {
    /// A bundle; `fetch` brings what is missing, and is not called for one that is whole.
    pub fn new(first: Arc<VerifiedBundle>, fetch: FetchMissing) -> Self {
        let whole = Mutex::new(first.is_whole().then(|| Arc::clone(&first)));
        Self { first, fetch, whole }
    }

    /// The bundle as far as it was read at first.
    pub fn first(&self) -> &Arc<VerifiedBundle> {
        &self.first
    }

    /// The bundle with all its files. One caller fetches, others wait for it; what fails is tried again by the next.
    ///
    /// # Errors
    /// [`EngineError::Bundle`]: a file cannot be fetched or read, or is not the one that the manifest pins.
    pub fn whole(&self) -> Result<Arc<VerifiedBundle>, EngineError> {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bundle) = whole.as_ref() {
            return Ok(Arc::clone(bundle));
        }
        let folder = self.first.folder();
        (self.fetch)().map_err(|source| BundleError::Io {
            path: folder.to_path_buf(),
            source,
        })?;
        let bundle = Arc::new(VerifiedBundle::load(folder)?);
        *whole = Some(Arc::clone(&bundle));
        Ok(bundle)
    }
}

/// See the module.
pub struct LazyEngine {
    runtime: Runtime,
    bundle: Arc<LazyBundle>,
    options: EngineOptions,
    /// Locator and gates at first, everything once `is_whole`.
    engine: OnnxEngine,
    is_whole: bool,
}

impl LazyEngine {
    /// Loads locator and gates.
    ///
    /// # Errors
    /// As [`OnnxEngine::new`].
    pub fn new(
        runtime: &Runtime,
        bundle: &Arc<LazyBundle>,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            engine: OnnxEngine::screening_only(runtime, bundle.first(), options)?,
            is_whole: false,
            runtime: runtime.clone(),
            bundle: Arc::clone(bundle),
            options,
        })
    }

    /// Whether the segmenters are loaded.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Puts an engine with all networks in the place of the first, once it has passed its self-test.
    fn complete(&mut self) -> Result<(), EngineError> {
        if !self.is_whole {
            let bundle = self.bundle.whole()?;
            let mut engine = OnnxEngine::new(&self.runtime, &bundle, self.options)?;
            engine.require_self_test(&bundle)?;
            (self.engine, self.is_whole) = (engine, true);
        }
        Ok(())
    }
}

impl Engine for LazyEngine {
    fn bundle_name(&self) -> &str {
        self.engine.bundle_name()
    }

    fn bundle_version(&self) -> &str {
        self.engine.bundle_version()
    }

    fn classes(&self) -> &[ClassSpec] {
        self.engine.classes()
    }

    fn quality(&self) -> &QualityPolicy {
        self.engine.quality()
    }

    fn review(&self) -> &ReviewPolicy {
        self.engine.review()
    }

    fn long_side(&self) -> u32 {
        self.engine.long_side()
    }

    fn screening_long_side(&self) -> u32 {
        self.engine.screening_long_side()
    }

    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        self.engine.screen(photos)
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        self.complete()?;
        self.engine.segment(photos)
    }
}
