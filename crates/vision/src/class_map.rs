//! Maps in which the best class of each place counts: of networks that end in `argmax`, each cell with the number of its
//! class and no probability; or with a score for each class, interpolated before the best is taken.

use crate::mask::{Canvas, Field, MaskPolicy, Patch, Window, close, closing_radius};
use walkaround_domain::UnitRect;

/// A cell that belongs to no class.
pub const NO_CLASS: u8 = u8::MAX;

/// What a network says about all its classes at once: a grid over some part of the photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMap {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// What the network says of each cell.
    pub cells: Cells,
    /// The part of the upright photo that the grid covers (may reach outside it: letterbox).
    pub covers: UnitRect,
}

/// The content of a class map.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// `width * height` indices into the bundle's list of classes, row by row; [`NO_CLASS`] where there is none.
    Numbers(Vec<u8>),
    /// A score for each channel.
    Scores {
        /// The class of each channel; [`NO_CLASS`] for background.
        classes: Vec<u8>,
        /// `width * height` scores of each channel, channel by channel.
        values: Vec<f32>,
        /// Whether the scores are logits of a softmax, which gives the best one's probability. Otherwise they are
        /// probabilities.
        softmax: bool,
    },
}

/// The best class of each pixel of a window of the canvas.
#[derive(Debug, Clone)]
pub struct Labels {
    window: Window,
    classes: Vec<u8>,
    /// Its probability; 1 where the network gives none.
    probabilities: Vec<f32>,
}

impl ClassMap {
    /// The share of the cells whose best class is this one, 0 to 1.
    pub fn share(&self, class: usize) -> f32 {
        let is_own = |&cell: &u8| usize::from(cell) == class;
        let cells = self.width * self.height;
        let own = match &self.cells {
            Cells::Numbers(cells) => cells.iter().filter(|cell| is_own(cell)).count(),
            Cells::Scores { classes, values, .. } => {
                let score = |cell: usize| move |channel: &usize| values[channel * cells + cell];
                let best = |cell: &usize| {
                    let score = score(*cell);
                    (0..classes.len()).max_by(|a, b| score(a).total_cmp(&score(b)))
                };
                let all = (0..cells).filter_map(|cell| best(&cell));
                all.filter(|&channel| is_own(&classes[channel])).count()
            }
        };
        own as f32 / cells.max(1) as f32
    }

    /// Whether there are as many values as the grid and the channels say.
    fn is_whole(&self) -> bool {
        let cells = self.width * self.height;
        let whole = match &self.cells {
            Cells::Numbers(numbers) => numbers.len() == cells,
            Cells::Scores { classes, values, .. } => {
                !classes.is_empty() && values.len() == cells * classes.len()
            }
        };
        whole && cells > 0 && self.covers.width() > 0.0 && self.covers.height() > 0.0
    }

    /// The best class of each canvas pixel that the grid covers: that of the nearest cell, or the best of the scores
    /// interpolated there.
    pub fn labels(&self, canvas: &Canvas) -> Labels {
        let size = canvas.size();
        let axis = |from: f32, length: f32, side: usize, pixels: u32| {
            let all = (0..pixels as usize).map(move |pixel| {
                let share = ((pixel as f32 + 0.5) / pixels as f32 - from) / length;
                (pixel, share * side as f32)
            });
            let inside = all.filter(|&(_, at)| at >= 0.0 && at < side as f32);
            inside.map(|(pixel, at)| Tap::new(pixel, at, side)).collect()
        };
        let covers = self.covers;
        let (columns, rows): (Vec<Tap>, Vec<Tap>) = if self.is_whole() {
            (
                axis(covers.x0, covers.width(), self.width, size.width),
                axis(covers.y0, covers.height(), self.height, size.height),
            )
        } else {
            (vec![], vec![])
        };
        let (Some(left), Some(right)) = (columns.first(), columns.last()) else {
            return Labels::none();
        };
        let (Some(top), Some(bottom)) = (rows.first(), rows.last()) else {
            return Labels::none();
        };
        let mut labels = Labels {
            window: Window {
                x0: left.pixel,
                y0: top.pixel,
                x1: right.pixel + 1,
                y1: bottom.pixel + 1,
            },
            ..Labels::none()
        };
        for row in &rows {
            for column in &columns {
                let (class, probability) = self.best(row, column);
                labels.classes.push(class);
                labels.probabilities.push(probability);
            }
        }
        labels
    }

    fn best(&self, row: &Tap, column: &Tap) -> (u8, f32) {
        let (classes, values, softmax) = match &self.cells {
            Cells::Numbers(cells) => return (cells[row.nearest * self.width + column.nearest], 1.0),
            Cells::Scores {
                classes,
                values,
                softmax,
            } => (classes, values, *softmax),
        };
        let score = |channel: usize| {
            let grid = &values[channel * self.width * self.height..];
            let along = |row: usize| {
                let line = &grid[row * self.width..];
                line[column.low] + (line[column.high] - line[column.low]) * column.share
            };
            let upper = along(row.low);
            upper + (along(row.high) - upper) * row.share
        };
        let (mut best, mut top) = (0, f32::NEG_INFINITY);
        for channel in 0..classes.len() {
            let value = score(channel);
            if value > top {
                (best, top) = (channel, value);
            }
        }
        let probability = match (classes[best], softmax) {
            (NO_CLASS, _) => 0.0,
            (_, false) => top,
            (_, true) => 1.0 / (0..classes.len()).map(|c| (score(c) - top).exp()).sum::<f32>(),
        };
        (classes[best], probability)
    }
}

/// Where one canvas pixel lies on one axis of a grid.
struct Tap {
    pixel: usize,
    nearest: usize,
    low: usize,
    high: usize,
    share: f32,
}

impl Tap {
    /// `at` is the place in cells, 0 to `side`.
    fn new(pixel: usize, at: f32, side: usize) -> Self {
        let centre = (at - 0.5).clamp(0.0, side as f32 - 1.0);
        let low = centre.floor() as usize;
        Self {
            pixel,
            nearest: (at as usize).min(side - 1),
            low,
            high: (low + 1).min(side - 1),
            share: centre - low as f32,
        }
    }
}

impl Labels {
    const fn none() -> Self {
        Self {
            window: Window::EMPTY,
            classes: vec![],
            probabilities: vec![],
        }
    }

    /// Each pixel: row and column on the canvas, class, probability.
    fn pixels(&self) -> impl Iterator<Item = (usize, usize, u8, f32)> + '_ {
        let width = self.window.width().max(1);
        let values = self.classes.iter().zip(&self.probabilities);
        values.enumerate().map(move |(i, (&class, &probability))| {
            let (row, column) = (self.window.y0 + i / width, self.window.x0 + i % width);
            (row, column, class, probability)
        })
    }
}

/// The mask of one class on the canvas from the labels of all maps, closed, with the probabilities it was made from. None
/// when no pixel is left. Threshold and hysteresis mean nothing here; the least area is not applied.
pub fn mask_of(
    labels: &[Labels],
    class: usize,
    policy: &MaskPolicy,
    canvas: &Canvas,
) -> Option<(Field, Patch)> {
    let class = u8::try_from(class).ok().filter(|&class| class != NO_CLASS)?;
    let mut own = Window::EMPTY;
    for (row, column, ..) in labels.iter().flat_map(Labels::pixels).filter(|p| p.2 == class) {
        own = own.union(Window {
            x0: column,
            y0: row,
            x1: column + 1,
            y1: row + 1,
        });
    }
    if own.is_empty() {
        return None;
    }
    let radius = closing_radius(policy.closing, canvas);
    let window = own.grow(2 * radius, canvas);
    let mut patch = Patch::empty(window);
    let mut values = vec![0.0_f32; patch.pixels.len()];
    for (row, column, _, p) in labels.iter().flat_map(Labels::pixels).filter(|p| p.2 == class) {
        let at = (row - patch.y) * patch.width + column - patch.x;
        patch.pixels[at] = 1;
        values[at] = values[at].max(p);
    }
    let patch = if radius == 0 { patch } else { close(patch, radius) };
    let field = Field { window, values };
    patch.pixels.contains(&1).then_some((field, patch))
}
