//! Cells of mask grids, and boxes in shares of the view and of the photo.

use walkaround_domain::UnitRect;
use walkaround_vision::mask::ProbabilityMap;

/// From shares of the view to shares of the photo.
pub(super) fn placed(view: UnitRect, covers: UnitRect) -> UnitRect {
    UnitRect {
        x0: covers.x0 + view.x0 * covers.width(),
        y0: covers.y0 + view.y0 * covers.height(),
        x1: covers.x0 + view.x1 * covers.width(),
        y1: covers.y0 + view.y1 * covers.height(),
    }
}

pub(super) fn clipped(rect: UnitRect) -> UnitRect {
    UnitRect {
        x0: rect.x0.clamp(0.0, 1.0),
        y0: rect.y0.clamp(0.0, 1.0),
        x1: rect.x1.clamp(0.0, 1.0),
        y1: rect.y1.clamp(0.0, 1.0),
    }
}

/// Cells of a grid of `side` cells that a span (shares of the grid) touches, and one more on either side: what
/// interpolation inside the span reads.
pub(super) fn cells(from: f32, to: f32, side: usize) -> (usize, usize) {
    let first = (from * side as f32).floor() - 1.0;
    let last = (to * side as f32).ceil() + 1.0;
    let first = first.clamp(0.0, side as f32 - 1.0) as usize;
    (first, (last.max(0.0) as usize).clamp(first + 1, side))
}

/// Cells of a grid.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Part of a grid over the view.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) x: (usize, usize),
    pub(super) y: (usize, usize),
}

impl Cut {
    /// As a mask grid: `values` are those of the cut of a grid of these sides, row by row.
    pub(super) fn grid(self, values: Vec<f32>, whole: Sides, covers: UnitRect) -> ProbabilityMap {
        let share = |cell: usize, side: usize| cell as f32 / side as f32;
        ProbabilityMap {
            class: 0,
            width: self.x.1 - self.x.0,
            height: self.y.1 - self.y.0,
            values,
            covers: placed(
                UnitRect {
                    x0: share(self.x.0, whole.width),
                    y0: share(self.y.0, whole.height),
                    x1: share(self.x.1, whole.width),
                    y1: share(self.y.1, whole.height),
                },
                covers,
            ),
        }
    }
}
