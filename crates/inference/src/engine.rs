//! Networks as the pipeline sees them: a batch of upright photos in, scores and probability maps out.

use crate::error::EngineError;
use image::RgbImage;
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;

/// What the locator says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Vehicle {
    /// The bundle has no locator.
    NotAsked,
    /// No vehicle above the threshold.
    Absent,
    /// The best vehicle: where, and its score.
    Found {
        /// Its box in fractions of the photo.
        region: UnitRect,
        /// 0 to 1.
        score: f32,
    },
}

impl Vehicle {
    /// Where to look when a network wants the vehicle: its box, or the whole photo.
    pub fn region(self) -> UnitRect {
        match self {
            Self::Found { region, .. } => region,
            Self::NotAsked | Self::Absent => UnitRect::WHOLE,
        }
    }
}

/// The outcome of locator and gates for one photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Screening {
    /// The locator's answer.
    pub vehicle: Vehicle,
    /// Highest P(damage) over the gates; none when the bundle has no gate or the vehicle is absent.
    pub gate: Option<f32>,
    /// Whether the segmenters should look: no gate, or one of them at or above its threshold.
    pub suspect: bool,
}

/// Runs the networks of one bundle on the calling thread. Answers are in the order of the photos.
pub trait Engine: Send {
    /// Name of the bundle, for records.
    fn bundle_name(&self) -> &str;
    /// Version of the bundle, for records.
    fn bundle_version(&self) -> &str;
    /// Classes in the order that [`walkaround_vision::mask::ProbabilityMap::class`] counts.
    fn classes(&self) -> &[ClassSpec];
    /// The bundle's bounds on picture quality.
    fn quality(&self) -> &QualityPolicy;
    /// Which results a person should see.
    fn review(&self) -> &ReviewPolicy;
    /// Longest side, in pixels, that any network can use of a photo.
    fn long_side(&self) -> u32;
    /// Longest side, in pixels, that is decoded for locator and gates: that of any network, unless the bundle has suspect
    /// photos decoded again, larger.
    fn screening_long_side(&self) -> u32 {
        self.long_side()
    }
    /// Locator and gates: the screening that stops clean photos.
    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError>;
    /// Segmenters: the segmentation. The second of each pair is where the vehicle is.
    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError>;
    /// Screening of one photo, and its segmentation when `goes_on` says so of the screening; an empty one otherwise.
    ///
    /// An engine may do better than one after the other, knowing that the photo is the same.
    fn screen_and_segment(
        &mut self,
        photo: &RgbImage,
        goes_on: &mut dyn FnMut(&Screening) -> bool,
    ) -> Result<(Screening, Segmentation), EngineError> {
        let first = self.screen(&[photo])?.remove(0);
        let maps = if goes_on(&first) {
            self.segment(&[(photo, first.vehicle.region())])?.remove(0)
        } else {
            Segmentation::default()
        };
        Ok((first, maps))
    }
}
