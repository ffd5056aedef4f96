//! One damaged region of a photo.

use crate::geometry::{PixelBox, Polygon, Rle};

/// One damaged region, in pixels of the upright original photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Name of the damage class, as the bundle's manifest spells it.
    pub class: String,
    /// Mean probability of the class over the region, or the score of the instance; 0 to 1.
    pub probability: f32,
    /// Pixels of the original photo inside the region (`rle.area()`).
    pub area_px: u64,
    /// `area_px` as a share of the photo, 0 to 1.
    pub area_share: f64,
    /// Smallest box around the region; of an instance, the box that the network gave.
    pub bbox: PixelBox,
    /// Whether the region has an outline; networks that give boxes only have none: `polygons` is empty then, and
    /// area and `rle` are those of the box.
    pub outlined: bool,
    /// Outline and holes of each part, simplified; the exact region is `rle`.
    pub polygons: Vec<Polygon>,
    /// The region itself.
    pub rle: Rle,
}
