//! The grid on which masks are made, and how its pixels stand for pixels of the original photo.

use walkaround_domain::Size;

/// Long side of the canvas where a class does not ask for another, in pixels; smaller photos are their own canvas.
pub const CANVAS_SIDE: u32 = 512;
/// Longest side that a class may ask for: 16 million canvas pixels, 64 MiB of probabilities.
pub const CANVAS_SIDE_MAX: u32 = 4096;

/// A grid over the whole photo, of a given long side and never finer than the photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    original: Size,
    column_starts: Vec<u32>,
    row_starts: Vec<u32>,
}

impl Canvas {
    /// The canvas of a photo, at most [`CANVAS_SIDE`] pixels a side; none for a photo without pixels.
    pub fn of(original: Size) -> Option<Self> {
        Self::with_side(original, CANVAS_SIDE)
    }

    /// The canvas of a photo, at most `side` pixels a side (bounded by [`CANVAS_SIDE_MAX`]); none for a photo
    /// without pixels.
    pub fn with_side(original: Size, side: u32) -> Option<Self> {
        if original.pixels() == 0 {
            return None;
        }
        let side = side.clamp(1, CANVAS_SIDE_MAX);
        let long = original.long_side();
        let size = Size::new(
            canvas_side(original.width, long, side),
            canvas_side(original.height, long, side),
        );
        Some(Self {
            size,
            original,
            column_starts: starts(size.width, original.width),
            row_starts: starts(size.height, original.height),
        })
    }

    /// Size of the grid.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Size of the upright original photo.
    pub fn original(&self) -> Size {
        self.original
    }

    /// First original column of each canvas column, and the original width at the end. Original column X
    /// belongs to the canvas column its centre falls on: floor((X + 0.5) * W / w).
    pub fn column_starts(&self) -> &[u32] {
        &self.column_starts
    }

    /// As [`Canvas::column_starts`], for rows.
    pub fn row_starts(&self) -> &[u32] {
        &self.row_starts
    }
}

/// max(1, round(side * min(1, max / long))), in whole numbers (halves go up).
fn canvas_side(side: u32, long: u32, max: u32) -> u32 {
    if long <= max {
        return side;
    }
    let (side, long, max) = (u64::from(side), u64::from(long), u64::from(max));
    ((2 * side * max + long) / (2 * long)).max(1) as u32
}

/// First original index of each canvas index `c`: the least X with (2X + 1) * canvas >= 2 * c * original.
fn starts(canvas: u32, original: u32) -> Vec<u32> {
    let (canvas, original) = (u64::from(canvas), u64::from(original));
    (0..=canvas)
        .map(|c| {
            (2 * c * original)
                .saturating_sub(canvas)
                .div_ceil(2 * canvas)
                .min(original) as u32
        })
        .collect()
}

/// A rectangle of canvas pixels, ends excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Column after the last.
    pub x1: usize,
    /// Row after the last.
    pub y1: usize,
}

impl Window {
    /// No pixel at all.
    pub const EMPTY: Self = Self {
        x0: 0,
        y0: 0,
        x1: 0,
        y1: 0,
    };

    /// The whole canvas.
    pub fn whole(canvas: &Canvas) -> Self {
        Self {
            x0: 0,
            y0: 0,
            x1: canvas.size.width as usize,
            y1: canvas.size.height as usize,
        }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.x1 - self.x0
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.y1 - self.y0
    }

    /// Whether there is no pixel in it.
    pub fn is_empty(&self) -> bool {
        self.x0 >= self.x1 || self.y0 >= self.y1
    }

    /// What lies in both.
    pub fn intersection(self, other: Self) -> Self {
        let both = Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        if both.is_empty() { Self::EMPTY } else { both }
    }

    /// The smallest window with both in it.
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }

    /// Wider by `margin` on every side, cut off at the canvas.
    pub fn grow(self, margin: usize, canvas: &Canvas) -> Self {
        let whole = Self::whole(canvas);
        Self {
            x0: self.x0.saturating_sub(margin),
            y0: self.y0.saturating_sub(margin),
            x1: (self.x1 + margin).min(whole.x1),
            y1: (self.y1 + margin).min(whole.y1),
        }
    }
}
