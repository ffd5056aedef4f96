//! Masks of objects in the three ways that networks give them: from prototypes, over the whole view, over the box.

use super::grid::{Cut, Sides, cells, placed};
use crate::manifest::{Activation, MaskForm, MaskFrame};
use crate::outputs::Raw;
use walkaround_domain::UnitRect;
use walkaround_vision::instance::InstanceMask;
use walkaround_vision::mask::ProbabilityMap;

/// Prototypes `[count, height, width]`, of which each object's mask is a weighted sum.
pub(super) struct Prototypes<'a> {
    pub(super) count: usize,
    height: usize,
    width: usize,
    values: &'a [f32],
}

impl<'a> Prototypes<'a> {
    pub(super) fn of(raw: &Raw<'a>) -> Result<Self, String> {
        match *raw.shape {
            [count, height, width] if height > 0 && width > 0 => Ok(Self {
                count,
                height,
                width,
                values: raw.values,
            }),
            _ => Err(format!(
                "prototypes are [n, count, h, w], not [n, {:?}]",
                raw.shape
            )),
        }
    }

    /// The mask of one object, computed where its box (in shares of the view) is.
    pub(super) fn mask(
        &self,
        own: &[f32],
        view: UnitRect,
        covers: UnitRect,
        form: &MaskForm,
    ) -> InstanceMask {
        let cut = Cut {
            x: cells(view.x0, view.x1, self.width),
            y: cells(view.y0, view.y1, self.height),
        };
        let width = cut.x.1 - cut.x.0;
        let mut values = vec![0.0f32; width * (cut.y.1 - cut.y.0)];
        for (prototype, &weight) in self.values.chunks_exact(self.width * self.height).zip(own) {
            for (y, line) in (cut.y.0..cut.y.1).zip(values.chunks_exact_mut(width)) {
                let row = &prototype[y * self.width + cut.x.0..][..width];
                for (out, &p) in line.iter_mut().zip(row) {
                    *out += weight * p;
                }
            }
        }
        InstanceMask {
            grid: cut.grid(
                values,
                Sides {
                    width: self.width,
                    height: self.height,
                },
                covers,
            ),
            logits: form.activation == Activation::Sigmoid,
            cropped: true,
            whole_pixels: false,
        }
    }
}

/// The mask of one object as the network gives it.
pub(super) struct Plane<'a> {
    pub(super) mask: &'a [f32],
    pub(super) sides: Sides,
}

pub(super) fn plane<'a>(raw: &Raw<'a>, row: usize) -> Result<Plane<'a>, String> {
    let (objects, height, width) = match *raw.shape {
        [objects, height, width] | [objects, 1, height, width] if height > 0 && width > 0 => {
            (objects, height, width)
        }
        _ => return Err(format!("masks are [objects, h, w], not {:?}", raw.shape)),
    };
    if row >= objects {
        return Err(format!("{objects} masks, but object {row} has a row"));
    }
    let mask = &raw.values[row * height * width..][..height * width];
    let sides = Sides { width, height };
    Ok(Plane { mask, sides })
}

/// The mask that a network gives for one object: `[objects, h, w]` or `[objects, 1, h, w]`.
pub(super) fn own_mask(
    raw: &Raw<'_>,
    row: usize,
    view: UnitRect,
    form: &MaskForm,
) -> Result<InstanceMask, String> {
    let Plane { mask, sides } = plane(raw, row)?;
    let logits = form.activation == Activation::Sigmoid;
    let grid = match form.frame {
        MaskFrame::View => over_view(mask, sides, raw.covers, logits),
        MaskFrame::Box | MaskFrame::PixelBox => over_box(mask, sides, placed(view, raw.covers), logits),
    };
    Ok(InstanceMask {
        grid,
        logits,
        cropped: false,
        whole_pixels: form.frame == MaskFrame::PixelBox,
    })
}

/// The part of a mask over the view in which it can be above any threshold that makes sense, and one cell more.
fn over_view(mask: &[f32], sides: Sides, covers: UnitRect, logits: bool) -> ProbabilityMap {
    let Sides { width, height } = sides;
    // Probabilities under this and their logits are nobody's mask; it only bounds what is kept.
    let low = if logits { -6.0 } else { 0.002 };
    let (mut x, mut y) = ((width, 0), (height, 0));
    for (row, line) in mask.chunks_exact(width).enumerate() {
        if let Some(first) = line.iter().position(|&v| v > low) {
            let last = line.iter().rposition(|&v| v > low).unwrap_or(first);
            x = (x.0.min(first), x.1.max(last + 1));
            y = (y.0.min(row), row + 1);
        }
    }
    if x.0 >= x.1 {
        (x, y) = ((0, 1), (0, 1));
    }
    let grown = |span: (usize, usize), side: usize| (span.0.saturating_sub(1), (span.1 + 1).min(side));
    let cut = Cut {
        x: grown(x, width),
        y: grown(y, height),
    };
    let rows = cut.y.0..cut.y.1;
    let values = rows
        .flat_map(|row| &mask[row * width + cut.x.0..row * width + cut.x.1])
        .copied()
        .collect();
    cut.grid(values, sides, covers)
}

/// A mask over its box, with one cell of nothing around it, so that it fades at the box's edge as the families' do
/// (torchvision's `expand_masks`, Detectron2's `grid_sample` with zeros).
fn over_box(mask: &[f32], sides: Sides, bbox: UnitRect, logits: bool) -> ProbabilityMap {
    let Sides { width, height } = sides;
    let nothing = if logits { -20.0 } else { 0.0 };
    let mut values = vec![nothing; (width + 2) * (height + 2)];
    for (row, line) in mask.chunks_exact(width).enumerate() {
        values[(row + 1) * (width + 2) + 1..][..width].copy_from_slice(line);
    }
    let (cell_w, cell_h) = (bbox.width() / width as f32, bbox.height() / height as f32);
    ProbabilityMap {
        class: 0,
        width: width + 2,
        height: height + 2,
        values,
        covers: UnitRect {
            x0: bbox.x0 - cell_w,
            y0: bbox.y0 - cell_h,
            x1: bbox.x1 + cell_w,
            y1: bbox.y1 + cell_h,
        },
    }
}
