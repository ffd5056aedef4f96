//! From a probability map to a binary mask: the mask policy of a class.
//!
//! Maps of any size, over any part of the photo, are sampled onto one [`Canvas`] (long side 512, or what the class asks for), so
//! that a radius and a least area mean the same for every network. Only the [`Window`] of the canvas that can
//! become mask is ever computed: a clean photo costs one scan of each small map.

mod across;
mod canvas;
mod components;
mod map;
mod morphology;
mod patch;
pub(crate) mod sample;

pub(crate) use across::window_across;
pub use canvas::{CANVAS_SIDE, CANVAS_SIDE_MAX, Canvas, Window};
pub use components::{Region, Run, components};
pub use map::ProbabilityMap;
pub use morphology::close;
pub use patch::Patch;
pub use sample::{Field, sample};

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
    /// Long side of the canvas that masks of the class are made on, in pixels: up to [`CANVAS_SIDE_MAX`].
    pub grid: u32,
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

/// The mask of one class from all its maps, with the probabilities it was made from.
///
/// `None` when no map rises above the threshold. Maps whose `values` do not fill `width * height`, or that
/// cover nothing, count as absent. Closing is applied; the least area is not: it needs regions, see
/// [`crate::findings`].
pub fn class_mask(maps: &[&ProbabilityMap], policy: &MaskPolicy, canvas: &Canvas) -> Option<(Field, Patch)> {
    let low = policy
        .hysteresis
        .map_or(policy.threshold, |low| low.min(policy.threshold));
    let radius = closing_radius(policy.closing, canvas);
    let mut window = Window::EMPTY;
    let mut above_threshold = false;
    for map in maps {
        above_threshold |= sample::maximum(map) > policy.threshold;
        window = window.union(sample::window_above(map, low, canvas));
    }
    if !above_threshold || window.is_empty() {
        return None;
    }
    // Dilation reaches one radius out, and the erosion that follows reads one radius further.
    let field = sample(maps, canvas, window.grow(2 * radius, canvas));
    let mask = if low < policy.threshold {
        hysteresis(&field, low, policy.threshold)
    } else {
        above(&field, policy.threshold)
    };
    let mask = close(mask, radius);
    mask.pixels.contains(&1).then_some((field, mask))
}

/// Radius of the closing disc in canvas pixels.
pub(crate) fn closing_radius(closing: f32, canvas: &Canvas) -> usize {
    // A radius beyond the canvas does what one of its size does; negative and NaN become 0.
    let share = f64::from(closing).clamp(0.0, 1.0);
    (share * f64::from(canvas.size().long_side())).round() as usize
}

/// Pixels above a probability.
fn above(field: &Field, threshold: f32) -> Patch {
    let mut mask = Patch::empty(field.window);
    for (inside, &p) in mask.pixels.iter_mut().zip(&field.values) {
        *inside = u8::from(p > threshold);
    }
    mask
}

/// Pixels above `low` that are 8-connected to one above `high`.
fn hysteresis(field: &Field, low: f32, high: f32) -> Patch {
    let mut mask = Patch::empty(field.window);
    for region in components(&above(field, low)) {
        if region
            .runs
            .iter()
            .any(|run| field.row(run).iter().any(|&p| p > high))
        {
            for run in &region.runs {
                let row = (run.y - mask.y) * mask.width;
                mask.pixels[row + run.x0 - mask.x..row + run.x1 - mask.x].fill(1);
            }
        }
    }
    mask
}
