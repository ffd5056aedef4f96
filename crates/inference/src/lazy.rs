//! An engine that loads its segmenters when it is first asked for the heavy look.
//!
//! A function that mostly asks the gate starts sooner and smaller that way. The bundle's files are verified before;
//! its self-test, which needs all networks, runs when the segmenters are loaded: until then the gate's answers rest
//! on the digests alone.

use crate::bundle::VerifiedBundle;
use crate::engine::{Engine, FirstLook};
use crate::error::EngineError;
use crate::onnx::{EngineOptions, OnnxEngine};
use crate::runtime::Runtime;
use image::RgbImage;
use std::sync::Arc;
use walkaround_domain::UnitRect;
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// See the module.
pub struct LazyEngine {
    runtime: Runtime,
    bundle: Arc<VerifiedBundle>,
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
        bundle: &Arc<VerifiedBundle>,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            engine: OnnxEngine::first_look_only(runtime, bundle, options)?,
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
            let mut engine = OnnxEngine::new(&self.runtime, &self.bundle, self.options)?;
            engine.require_self_test(&self.bundle)?;
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

    fn long_side(&self) -> u32 {
        self.engine.long_side()
    }

    fn first_look(&mut self, photos: &[&RgbImage]) -> Result<Vec<FirstLook>, EngineError> {
        self.engine.first_look(photos)
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        self.complete()?;
        self.engine.segment(photos)
    }
}
