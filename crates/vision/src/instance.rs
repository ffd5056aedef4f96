//! Objects that a network marked one by one: a class, a score, a box and perhaps a mask.
//!
//! An instance becomes one finding, however many parts its mask has, and two instances that touch stay two.

use crate::mask::{Canvas, Field, MaskPolicy, Patch, ProbabilityMap, Window, close, closing_radius, sample};
use walkaround_domain::{Size, UnitRect};

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Index into the bundle's list of classes.
    pub class: usize,
    /// How sure the network is of it, 0 to 1.
    pub score: f32,
    /// Its box in fractions of the upright photo, within it; none where the network gives masks only, and the box is that
    /// around the mask.
    pub bbox: Option<UnitRect>,
    /// Its mask; none where the network gives boxes only.
    pub mask: Option<InstanceMask>,
}

/// The mask of one instance as the network gives it: values are interpolated first and cut afterwards, logits as
/// logits, which is what the published decoders do and what keeps thin shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceMask {
    /// Values over the part of the photo that the grid covers; nothing outside belongs to the mask. Its class index
    /// means nothing.
    pub grid: ProbabilityMap,
    /// Whether the values are logits rather than probabilities.
    pub logits: bool,
    /// Whether nothing outside the box belongs to the mask, whatever the logits say (masks from prototypes).
    pub cropped: bool,
    /// Whether the grid covers whole pixels of the photo, as torchvision pastes masks: the corners of `grid.covers` mean
    /// the pixels in which they lie, both included.
    pub whole_pixels: bool,
}

/// The logit of a probability, bounded so that 0 and 1 stay finite.
pub fn logit(probability: f32) -> f32 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// The mask of one instance on the canvas: its mask above the policy's threshold, closed; its box where it has
/// none. None when no pixel is left. Hysteresis and the least area are not applied here.
pub fn instance_mask(instance: &Instance, policy: &MaskPolicy, canvas: &Canvas) -> Option<Patch> {
    let boxed = instance.bbox.map(|bbox| box_window(bbox, canvas));
    let Some(mask) = &instance.mask else {
        return boxed.filter(|window| !window.is_empty()).map(full);
    };
    let snapped = mask.whole_pixels.then(|| ProbabilityMap {
        covers: to_whole_pixels(mask.grid.covers, canvas.original()),
        ..mask.grid.clone()
    });
    let grid = snapped.as_ref().unwrap_or(&mask.grid);
    let cut = if mask.logits {
        logit(policy.threshold)
    } else {
        policy.threshold
    };
    let mut window = sample::window_above(grid, cut, canvas);
    if let (true, Some(boxed)) = (mask.cropped, boxed) {
        window = window.intersection(boxed);
    }
    if window.is_empty() {
        return None;
    }
    let radius = closing_radius(policy.closing, canvas);
    let field = sample::sample_from(&[grid], canvas, window, f32::NEG_INFINITY);
    let patch = above(&field, cut);
    let patch = if radius == 0 {
        patch
    } else {
        close(widened(&patch, window.grow(2 * radius, canvas)), radius)
    };
    patch.pixels.contains(&1).then_some(patch)
}

/// From the pixel of one corner to that of the other, both included.
fn to_whole_pixels(rect: UnitRect, photo: Size) -> UnitRect {
    let first = |share: f32, side: u32| (share * side as f32).trunc() / side as f32;
    let last = |share: f32, side: u32| ((share * side as f32).trunc() + 1.0) / side as f32;
    UnitRect {
        x0: first(rect.x0, photo.width),
        y0: first(rect.y0, photo.height),
        x1: last(rect.x1, photo.width),
        y1: last(rect.y1, photo.height),
    }
}

/// Canvas pixels of a box: those whose index lies in it, as the families cut theirs (`x0 <= column < x1`).
fn box_window(bbox: UnitRect, canvas: &Canvas) -> Window {
    let size = canvas.size();
    let index = |share: f32, side: u32| (share.clamp(0.0, 1.0) * side as f32).ceil() as usize;
    Window {
        x0: index(bbox.x0, size.width),
        y0: index(bbox.y0, size.height),
        x1: index(bbox.x1, size.width),
        y1: index(bbox.y1, size.height),
    }
}

fn full(window: Window) -> Patch {
    let mut patch = Patch::empty(window);
    patch.pixels.fill(1);
    patch
}

fn above(field: &Field, cut: f32) -> Patch {
    let mut patch = Patch::empty(field.window);
    for (inside, &value) in patch.pixels.iter_mut().zip(&field.values) {
        *inside = u8::from(value > cut);
    }
    patch
}

/// The same mask over a larger window.
fn widened(patch: &Patch, window: Window) -> Patch {
    let mut wide = Patch::empty(window);
    for row in 0..patch.height {
        let from = &patch.pixels[row * patch.width..(row + 1) * patch.width];
        let at = (patch.y + row - wide.y) * wide.width + patch.x - wide.x;
        wide.pixels[at..at + patch.width].copy_from_slice(from);
    }
    wide
}
