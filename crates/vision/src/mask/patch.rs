//! A binary mask over a part of the canvas.

use super::Window;

/// A binary mask over a window of the canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Left edge on the canvas.
    pub x: usize,
    /// Top edge on the canvas.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` bytes, row by row: 1 inside, 0 outside.
    pub pixels: Vec<u8>,
}

impl Patch {
    /// An empty mask over a window.
    pub fn empty(window: Window) -> Self {
        let (width, height) = (window.width(), window.height());
        Self {
            x: window.x0,
            y: window.y0,
            width,
            height,
            pixels: vec![0; width * height],
        }
    }
}
