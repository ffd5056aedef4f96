//! One line of text in the local font.
//!
//! The font is Inter Medium, cut down to Latin-1 and a few marks (SIL Open Font License, see `assets/`).

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};

use super::paint::{Ink, Surface};

const FONT: &[u8] = include_bytes!("../../assets/Inter-Medium-subset.ttf");

/// Height of capital letters, as a share of the font size.
const CAPITAL_HEIGHT: f32 = 0.727;

/// What to write where.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    /// Where the line begins.
    pub(super) x: f32,
    /// Where its letters stand.
    pub(super) baseline: f32,
    pub(super) colour: [u8; 3],
}

/// The font at one size.
pub(super) struct Text {
    font: FontRef<'static>,
    /// Font size (em) in pixels.
    size: f32,
    scale: PxScale,
}

impl Text {
    /// The font at `size` pixels an em.
    pub(super) fn new(size: f32) -> Self {
        let font = FontRef::try_from_slice(FONT).expect("the local font is sound");
        // ab_glyph scales by the height from descent to ascent, fonts are sized by the em.
        let ems = font
            .units_per_em()
            .map_or(1.0, |units| font.height_unscaled() / units);
        Self {
            font,
            size,
            scale: PxScale::from(size * ems),
        }
    }

    pub(super) fn size(&self) -> f32 {
        self.size
    }

    /// The baseline on which capitals stand in the middle between two heights, on a whole pixel.
    pub(super) fn centred_baseline(&self, top: f32, bottom: f32) -> f32 {
        ((top + bottom + self.size * CAPITAL_HEIGHT) / 2.0).round()
    }

    /// Width of a line in pixels.
    pub(super) fn width(&self, line: &str) -> f32 {
        let mut width = 0.0;
        self.lay_out(line, |_, advance| width += advance);
        width
    }

    /// The line, or as much of it as fits the width with `…` after it; empty when not even that fits.
    pub(super) fn fit(&self, line: &str, width: f32) -> String {
        if self.width(line) <= width {
            return line.to_owned();
        }
        let mut left = width - self.width("…");
        if left < 0.0 {
            return String::new();
        }
        let mut kept = 0;
        self.lay_out(line, |_, advance| {
            left -= advance;
            kept += usize::from(left >= 0.0);
        });
        let start: String = line.chars().take(kept).collect();
        format!("{}…", start.trim_end())
    }

    /// Draws a line.
    pub(super) fn draw(&self, surface: &mut Surface<'_>, line: &Line<'_>) {
        let mut at = line.x;
        self.lay_out(line.text, |id, advance| {
            let glyph = id.with_scale_and_position(self.scale, point(at, line.baseline));
            at += advance;
            if let Some(outline) = self.font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|column, row, coverage| {
                    let (px, py) = (corner.x + column as f32, corner.y + row as f32);
                    if px >= 0.0 && py >= 0.0 {
                        surface.blend(
                            (px as u32, py as u32),
                            Ink::opaque(line.colour).covering(coverage),
                        );
                    }
                });
            }
        });
    }

    /// Calls `emit(glyph, advance)` for every character.
    fn lay_out(&self, line: &str, mut emit: impl FnMut(GlyphId, f32)) {
        let scaled = self.font.as_scaled(self.scale);
        for character in line.chars() {
            let mut id = self.font.glyph_id(character);
            if id.0 == 0 {
                id = self.font.glyph_id('?');
            }
            emit(id, scaled.h_advance(id));
        }
    }
}
