//! Blending onto an RGB buffer: pixels by coverage, spans, and boxes with round corners.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch};
use walkaround_domain::Size;

/// A colour and how much of it goes over what is there, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    pub(super) colour: [u8; 3],
    pub(super) share: f32,
}

impl Ink {
    pub(super) fn opaque(colour: [u8; 3]) -> Self {
        Self { colour, share: 1.0 }
    }

    /// As much of the ink as covers a pixel.
    pub(super) fn covering(self, coverage: f32) -> Self {
        Self {
            share: self.share * coverage,
            ..self
        }
    }
}

/// A rectangle in pixels of the surface, edges between pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x0: f32,
    pub(super) y0: f32,
    pub(super) x1: f32,
    pub(super) y1: f32,
}

impl Rect {
    pub(super) fn at(x: f32, y: f32, (width, height): (f32, f32)) -> Self {
        Self {
            x0: x,
            y0: y,
            x1: x + width,
            y1: y + height,
        }
    }

    pub(super) fn whole(size: Size) -> Self {
        Self {
            x0: 0.0,
            y0: 0.0,
            x1: size.width as f32,
            y1: size.height as f32,
        }
    }

    pub(super) fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    pub(super) fn height(&self) -> f32 {
        self.y1 - self.y0
    }

    pub(super) fn grow(&self, margin: f32) -> Self {
        Self {
            x0: self.x0 - margin,
            y0: self.y0 - margin,
            x1: self.x1 + margin,
            y1: self.y1 + margin,
        }
    }

    /// Area of the overlap with another rectangle.
    pub(super) fn overlap(&self, other: &Self) -> f32 {
        let width = self.x1.min(other.x1) - self.x0.max(other.x0);
        let height = self.y1.min(other.y1) - self.y0.max(other.y0);
        width.max(0.0) * height.max(0.0)
    }

    /// The same rectangle moved inside another, which must be large enough.
    pub(super) fn moved_inside(&self, frame: &Self) -> Self {
        let x = self.x0.min(frame.x1 - self.width()).max(frame.x0);
        let y = self.y0.min(frame.y1 - self.height()).max(frame.y0);
        Self::at(x, y, (self.width(), self.height()))
    }
}

/// An RGB buffer to draw on; whatever lies outside is cut off.
pub(super) struct Surface<'a> {
    pixels: &'a mut [u8],
    size: Size,
    level: Level,
}

impl<'a> Surface<'a> {
    /// `pixels` holds `size.pixels() * 3` bytes.
    pub(super) fn new(pixels: &'a mut [u8], size: Size) -> Self {
        debug_assert_eq!(pixels.len() as u64, size.pixels() * 3, "three bytes a pixel");
        let level = Level::new();
        Self { pixels, size, level }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The whole pixels that a rectangle touches: columns and rows, ends excluded.
    pub(super) fn clip(&self, area: &Rect) -> (Range<u32>, Range<u32>) {
        let clip = |from: f32, to: f32, side: u32| {
            let limit = |position: f32| position.clamp(0.0, side as f32) as u32;
            limit(from.floor())..limit(to.ceil())
        };
        (
            clip(area.x0, area.x1, self.size.width),
            clip(area.y0, area.y1, self.size.height),
        )
    }

    /// Lays ink over one pixel.
    pub(super) fn blend(&mut self, (x, y): (u32, u32), ink: Ink) {
        if x < self.size.width && y < self.size.height {
            let at = (y as usize * self.size.width as usize + x as usize) * 3;
            let share = (ink.share.clamp(0.0, 1.0) * 256.0) as i32;
            for (byte, colour) in self.pixels[at..at + 3].iter_mut().zip(ink.colour) {
                let (from, to) = (i32::from(*byte), i32::from(colour));
                *byte = (from + (((to - from) * share) >> 8)) as u8;
            }
        }
    }

    /// Lays ink over the pixels `columns` of row `y`.
    pub(super) fn blend_span(&mut self, y: u32, columns: Range<u32>, ink: Ink) {
        let (from, to) = (columns.start, columns.end.min(self.size.width));
        if y >= self.size.height || from >= to {
            return;
        }
        let row = y as usize * self.size.width as usize;
        let share = (ink.share.clamp(0.0, 1.0) * 256.0) as u16;
        // The channels in turn, for as many bytes as are blended at once.
        let added = std::array::from_fn(|i| u16::from(ink.colour[i % 3]) * share);
        let span = &mut self.pixels[(row + from as usize) * 3..(row + to as usize) * 3];
        dispatch!(self.level, simd => lay(simd, span, 256 - share, &added));
    }

    /// Fills a rectangle of whole pixels.
    pub(super) fn fill(&mut self, area: Rect, ink: Ink) {
        let (columns, rows) = self.clip(&area);
        for y in rows {
            self.blend_span(y, columns.clone(), ink);
        }
    }

    /// Fills a box with round corners, its edges smoothed.
    pub(super) fn fill_round(&mut self, area: Rect, radius: f32, ink: Ink) {
        let (columns, rows) = self.clip(&area.grow(1.0));
        let (half_width, half_height) = (area.width() / 2.0, area.height() / 2.0);
        let centre = (area.x0 + half_width, area.y0 + half_height);
        for y in rows {
            let dy = ((y as f32 + 0.5 - centre.1).abs() - half_height + radius).max(0.0);
            // Between the corners every pixel of a row is covered alike.
            let straight = if radius - dy + 0.5 >= 1.0 {
                let limit = |x: f32| x.clamp(columns.start as f32, columns.end as f32) as u32;
                limit((area.x0 + radius).ceil())..limit((area.x1 - radius).floor())
            } else {
                0..0
            };
            self.blend_span(y, straight.clone(), ink);
            for x in columns.clone().filter(|x| !straight.contains(x)) {
                let dx = ((x as f32 + 0.5 - centre.0).abs() - half_width + radius).max(0.0);
                let coverage = radius - (dx * dx + dy * dy).sqrt() + 0.5;
                if coverage > 0.0 {
                    self.blend((x, y), ink.covering(coverage.min(1.0)));
                }
            }
        }
    }
}

/// Keeps `keep` 256ths of every byte and adds what comes in turn; a sum is at most 255 * 256: it fits 16 bits.
#[inline(always)]
fn lay<S: Simd>(_: S, span: &mut [u8], keep: u16, added: &[u16; 48]) {
    let (blocks, rest) = span.as_chunks_mut::<48>();
    for block in blocks.iter_mut().map(<[u8; 48]>::as_mut_slice).chain([rest]) {
        for (byte, added) in block.iter_mut().zip(added) {
            *byte = ((u16::from(*byte) * keep + added) >> 8) as u8;
        }
    }
}
