//! From a probability map to a binary mask: the mask policy of a class.

use walkaround_domain::UnitRect;

/// What a network says about one class: a grid of probabilities over some part of the photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbabilityMap {
    /// Index into the bundle's list of classes.
    pub class: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` probabilities, 0 to 1, row by row.
    pub values: Vec<f32>,
    /// The part of the upright photo that the grid covers (may reach outside it: letterbox).
    pub covers: UnitRect,
}

/// How a probability map becomes a mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaskPolicy {
    /// A pixel belongs to the mask above this probability.
    pub threshold: f32,
    /// Hysteresis: pixels above this lower bound join when connected to one above `threshold`.
    pub hysteresis: Option<f32>,
    /// Closing (dilate, then erode) radius as a share of the photo's long side; 0 for none.
    pub closing: f32,
    /// Regions smaller than this share of the photo are dropped.
    pub area_min: f64,
}

/// When a class is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Every region of the class is a finding.
    Always,
    /// Only regions that touch no region of an `Always` class ("some damage, class unknown").
    Uncovered,
    /// Only when all classes are asked for.
    OnRequest,
}

/// One class of a bundle, as post-processing and rendering need it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSpec {
    /// Name, as in the manifest.
    pub name: String,
    /// Colour on overlays: red, green, blue.
    pub colour: [u8; 3],
    /// When it is reported.
    pub report: Report,
    /// How its map becomes a mask.
    pub policy: MaskPolicy,
}
