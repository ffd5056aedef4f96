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
use walkaround_vision::mask::{ClassSpec, ProbabilityMap};
use walkaround_vision::quality::QualityPolicy;

/// See the module.
pub struct LazyEngine {
    runtime: Runtime,
    bundle: Arc<VerifiedBundle>,
    options: EngineOptions,
    first: OnnxEngine,
    whole: Option<OnnxEngine>,
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
            first: OnnxEngine::first_look_only(runtime, bundle, options)?,
            whole: None,
            runtime: runtime.clone(),
            bundle: Arc::clone(bundle),
            options,
        })
    }

    /// Whether the segmenters are loaded.
    pub fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    fn whole(&mut self) -> Result<&mut OnnxEngine, EngineError> {
        if self.whole.is_none() {
            let mut engine = OnnxEngine::new(&self.runtime, &self.bundle, self.options)?;
            engine.require_self_test(&self.bundle)?;
            self.whole = Some(engine);
        }
        // Just filled: the other arm is never taken, and without it nothing would panic either.
        Ok(self.whole.as_mut().unwrap_or(&mut self.first))
    }
}

impl Engine for LazyEngine {
    fn bundle_name(&self) -> &str {
        self.first.bundle_name()
    }

    fn bundle_version(&self) -> &str {
        self.first.bundle_version()
    }

    fn classes(&self) -> &[ClassSpec] {
        self.first.classes()
    }

    fn quality(&self) -> &QualityPolicy {
        self.first.quality()
    }

    fn long_side(&self) -> u32 {
        self.first.long_side()
    }

    fn first_look(&mut self, photos: &[&RgbImage]) -> Result<Vec<FirstLook>, EngineError> {
        self.first.first_look(photos)
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Vec<ProbabilityMap>>, EngineError> {
        self.whole()?.segment(photos)
    }
}
