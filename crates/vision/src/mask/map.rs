//! The output of a network for one class.

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
