//! Maps of class numbers, of networks that end in `argmax`: each cell is of one class or of none, without a probability.

use crate::mask::{Canvas, MaskPolicy, Patch, Window, close, closing_radius};
use walkaround_domain::UnitRect;

/// What a network says about all its classes at once: a grid of classes over some part of the photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMap {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` indices into the bundle's list of classes, row by row; [`NO_CLASS`] where there is none.
    pub cells: Vec<u8>,
    /// The part of the upright photo that the grid covers (may reach outside it: letterbox).
    pub covers: UnitRect,
}

/// A cell that belongs to no class.
pub const NO_CLASS: u8 = u8::MAX;

impl ClassMap {
    /// The share of the cells that are of a class, 0 to 1.
    pub fn share(&self, class: usize) -> f32 {
        let own = self
            .cells
            .iter()
            .filter(|&&cell| usize::from(cell) == class)
            .count();
        own as f32 / self.cells.len().max(1) as f32
    }

    /// The cell over a place; none outside.
    fn at(&self, x: f32, y: f32) -> Option<u8> {
        let index = |share: f32, from: f32, length: f32, side: usize| {
            let cell = ((share - from) / length * side as f32).floor();
            (cell >= 0.0 && cell < side as f32).then_some(cell as usize)
        };
        let column = index(x, self.covers.x0, self.covers.width(), self.width)?;
        let row = index(y, self.covers.y0, self.covers.height(), self.height)?;
        self.cells.get(row * self.width + column).copied()
    }

    /// Canvas pixels that cells of a class can reach.
    fn window(&self, class: u8, canvas: &Canvas) -> Window {
        let (mut x, mut y) = ((usize::MAX, 0), (usize::MAX, 0));
        for (row, line) in self.cells.chunks_exact(self.width.max(1)).enumerate() {
            if let Some(first) = line.iter().position(|&cell| cell == class) {
                let last = line.iter().rposition(|&cell| cell == class).unwrap_or(first);
                x = (x.0.min(first), x.1.max(last + 1));
                y = (y.0.min(row), row + 1);
            }
        }
        if x.1 == 0 {
            return Window::EMPTY;
        }
        let size = canvas.size();
        let span = |cells: (usize, usize), side: usize, from: f32, length: f32, pixels: u32| {
            let share = |cell: usize| from + length * cell as f32 / side as f32;
            let low = (share(cells.0) * pixels as f32).floor().max(0.0) as usize;
            let high = (share(cells.1) * pixels as f32).ceil().max(0.0) as usize;
            (low.min(pixels as usize), high.min(pixels as usize))
        };
        let (x0, x1) = span(x, self.width, self.covers.x0, self.covers.width(), size.width);
        let (y0, y1) = span(y, self.height, self.covers.y0, self.covers.height(), size.height);
        Window { x0, y0, x1, y1 }
    }
}

/// The mask of one class on the canvas: the nearest cell decides, then it is closed. None when no pixel is left.
/// Threshold and hysteresis mean nothing here; the least area is not applied.
pub fn mask_of(maps: &[ClassMap], class: usize, policy: &MaskPolicy, canvas: &Canvas) -> Option<Patch> {
    let class = u8::try_from(class).ok().filter(|&class| class != NO_CLASS)?;
    let windows = maps.iter().map(|map| map.window(class, canvas));
    let window = windows.fold(Window::EMPTY, Window::union);
    if window.is_empty() {
        return None;
    }
    let radius = closing_radius(policy.closing, canvas);
    let mut patch = Patch::empty(window.grow(2 * radius, canvas));
    let size = canvas.size();
    for row in window.y0..window.y1 {
        for column in window.x0..window.x1 {
            let x = (column as f32 + 0.5) / size.width as f32;
            let y = (row as f32 + 0.5) / size.height as f32;
            if maps.iter().any(|map| map.at(x, y) == Some(class)) {
                patch.pixels[(row - patch.y) * patch.width + column - patch.x] = 1;
            }
        }
    }
    let patch = if radius == 0 { patch } else { close(patch, radius) };
    patch.pixels.contains(&1).then_some(patch)
}
