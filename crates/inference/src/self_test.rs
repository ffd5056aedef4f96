//! The self-test: one picture whose answers the manifest pins.
//!
//! It catches what digests cannot: a wrong normalisation in the manifest, a library or processor that
//! computes something else. Segmenters run whatever the gates say, so that all of them are tested.

use crate::bundle::VerifiedBundle;
use crate::engine::Engine;
use crate::error::{BundleError, EngineError};
use crate::onnx::OnnxEngine;
use walkaround_vision::decode::{Limits, decode};

/// One value of the self-test.
#[derive(Debug, Clone)]
pub struct SelfTestLine {
    /// `gate`, or the name of a class.
    pub name: String,
    /// What the manifest expects, if it expects this value.
    pub expected: Option<f32>,
    /// What the networks gave.
    pub actual: f32,
}

/// All values of the self-test.
#[derive(Debug, Clone)]
pub struct SelfTestReport {
    /// Largest allowed absolute difference.
    pub tolerance: f32,
    /// The gate first, then the classes in the order of the manifest.
    pub lines: Vec<SelfTestLine>,
}

impl SelfTestReport {
    /// The values that are further from what is expected than the tolerance.
    pub fn failures(&self) -> Vec<&SelfTestLine> {
        let off = |l: &&SelfTestLine| l.expected.is_some_and(|e| (e - l.actual).abs() > self.tolerance);
        self.lines.iter().filter(off).collect()
    }
}

impl OnnxEngine {
    /// Measures the values that a self-test pins, on any encoded picture.
    ///
    /// # Errors
    /// When the picture cannot be decoded or a network fails.
    pub fn measure(&mut self, picture: &[u8]) -> Result<Vec<SelfTestLine>, EngineError> {
        let limits = Limits {
            side_min: 1,
            ..Limits::default()
        };
        let photo = decode(picture, &limits, u32::MAX)
            .map_err(|reason| BundleError::SelfTest(format!("the picture cannot be used: {reason}")))?
            .pixels;
        let look = self.screen(&[&photo])?.remove(0);
        let segmentation = self.segment(&[(&photo, look.vehicle.region())])?.remove(0);
        let gate = look.gate.map(|actual| SelfTestLine {
            name: "gate".into(),
            expected: None,
            actual,
        });
        let mut lines: Vec<SelfTestLine> = gate.into_iter().collect();
        for (class, spec) in self.classes().iter().enumerate() {
            let mut of_class: Vec<f32> = segmentation
                .maps
                .iter()
                .filter(|m| m.class == class)
                .map(mean)
                .collect();
            let maps = segmentation.class_maps.iter();
            of_class.extend(maps.map(|map| map.share(class)).filter(|&share| share > 0.0));
            // Of instances the best score: the mean over the class's objects would hide one that is lost.
            let best = segmentation
                .instances
                .iter()
                .filter(|i| i.class == class)
                .map(|i| i.score);
            of_class.extend(best.reduce(f32::max));
            if !of_class.is_empty() {
                let actual = of_class.iter().sum::<f32>() / of_class.len() as f32;
                lines.push(SelfTestLine {
                    name: spec.name.clone(),
                    expected: None,
                    actual,
                });
            }
        }
        Ok(lines)
    }

    /// Runs the bundle's own self-test; none when it has none.
    ///
    /// # Errors
    /// As [`OnnxEngine::measure`], and when an expected value is one that the networks do not give.
    pub fn self_test(&mut self, bundle: &VerifiedBundle) -> Result<Option<SelfTestReport>, EngineError> {
        let (Some(spec), Some(picture)) = (&bundle.manifest().self_test, bundle.self_test_picture()) else {
            return Ok(None);
        };
        let mut lines = self.measure(picture)?;
        let classes = spec
            .classes
            .iter()
            .map(|&(c, v)| (bundle.manifest().classes[c].name.clone(), v));
        for (name, value) in spec
            .gate
            .map(|g| ("gate".to_owned(), g))
            .into_iter()
            .chain(classes)
        {
            let line = lines.iter_mut().find(|l| l.name == name).ok_or_else(|| {
                BundleError::SelfTest(format!("the manifest expects `{name}`, which no network gives"))
            })?;
            line.expected = Some(value);
        }
        Ok(Some(SelfTestReport {
            tolerance: spec.tolerance,
            lines,
        }))
    }

    /// Refuses to serve when the self-test disagrees.
    ///
    /// # Errors
    /// [`BundleError::SelfTest`] naming every value that is off.
    pub fn require_self_test(&mut self, bundle: &VerifiedBundle) -> Result<(), EngineError> {
        let Some(report) = self.self_test(bundle)? else {
            return Ok(());
        };
        let off: Vec<String> = report
            .failures()
            .iter()
            .map(|l| {
                format!(
                    "{} is {:.3}, expected {:.3}",
                    l.name,
                    l.actual,
                    l.expected.unwrap_or_default()
                )
            })
            .collect();
        if off.is_empty() {
            return Ok(());
        }
        let text = format!("{} (tolerance {})", off.join("; "), report.tolerance);
        Err(BundleError::SelfTest(text).into())
    }
}

fn mean(map: &walkaround_vision::mask::ProbabilityMap) -> f32 {
    map.values.iter().sum::<f32>() / map.values.len().max(1) as f32
}
