//! How sure a network is of a mask: the factor that families without boxes put on an object's score.

use super::grid::Sides;
use super::masks::{Plane, plane};
use crate::manifest::{Activation, MaskForm};
use crate::outputs::{Raw, sigmoid};

/// Points along each side of the view on which masks are judged: Hugging Face's image processor resizes them to this size
/// whatever the model (`post_process_instance_segmentation`).
const POINTS: usize = 384;

/// The mean probability of the points that are above one half in the mask of an object, 0 where none is:
/// `mask_scores_per_image` of Mask2Former's instance inference (Cheng et al., 2022, arXiv:2112.01527).
pub(super) fn mask_score(raw: &Raw<'_>, row: usize, form: &MaskForm) -> Result<f32, String> {
    let Plane { mask, sides } = plane(raw, row)?;
    let logits = form.activation == Activation::Sigmoid;
    let cut = if logits { 0.0 } else { 0.5 };
    let across = lines(sides.width);
    let (mut sum, mut count) = (0.0f64, 0usize);
    for down in lines(sides.height) {
        for point in &across {
            let value = between(mask, sides, *point, down);
            if value > cut {
                sum += f64::from(if logits { sigmoid(value) } else { value });
                count += 1;
            }
        }
    }
    Ok(if count == 0 {
        0.0
    } else {
        (sum / count as f64) as f32
    })
}

/// A point between two cells of one axis.
#[derive(Clone, Copy)]
struct Point {
    from: usize,
    to: usize,
    share: f32,
}

/// The points of one axis, held at the edges (`align_corners=False`).
fn lines(side: usize) -> Vec<Point> {
    let point = |at: usize| {
        let place = ((at as f32 + 0.5) * side as f32 / POINTS as f32 - 0.5).max(0.0);
        let from = (place as usize).min(side - 1);
        Point {
            from,
            to: (from + 1).min(side - 1),
            share: place - from as f32,
        }
    };
    (0..POINTS).map(point).collect()
}

fn between(mask: &[f32], sides: Sides, x: Point, y: Point) -> f32 {
    let line = |row: usize| {
        let (a, b) = (mask[row * sides.width + x.from], mask[row * sides.width + x.to]);
        a + (b - a) * x.share
    };
    let (top, bottom) = (line(y.from), line(y.to));
    top + (bottom - top) * y.share
}
