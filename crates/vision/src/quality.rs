//! Is a photo good enough to judge: sharpness, brightness, clipping.
//!
//! Everything is measured on luma shrunk (never enlarged) to a long side of 512 pixels, so that a figure means
//! the same for a 12-megapixel photo, its scaled decode and its 640-pixel export. Sharpness is the variance of
//! the 3 x 3 Laplacian (0 1 0 / 1 -4 1 / 0 1 0) there.
//!
//! The default policy was set on 554 photos of damaged and undamaged cars (long side 299 to 4608 pixels, most
//! 640): all pass. Their sharpness runs from 18 (1 % under 41, median 385), mean
//! luma from 33 to 195, the clipped share up to 0.49. Every third of them was made worse: Gaussian blur with a
//! sigma of 1 % of the long side leaves a sharpness of at most 5.0 (3 %: 2.7); at 6 % of their brightness the
//! mean luma is at most 11; washed out (235 + a tenth of the value) it is at least 239. All of these fail. The
//! limits lie between, nearer to the bad side: refusing a usable photo is the worse mistake.

use std::cell::RefCell;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use fearless_simd::{Level, Simd, dispatch};
use image::RgbImage;
use walkaround_domain::{Reason, ReasonCode, Size};

use crate::resample;

/// Long side, in pixels, at which everything is measured.
const LONG_SIDE: u32 = 512;
/// Luma up to here counts as clipped dark, and from 255 minus this on as clipped bright.
const CLIPPED: u8 = 2;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Variance of the Laplacian of luma (0 to 255) at a long side of 512 pixels.
    pub sharpness: f32,
    /// Mean luma, 0 to 255.
    pub luma_mean: f32,
    /// Share of pixels at the dark end of the range, 0 to 1.
    pub clipped_dark: f32,
    /// Share of pixels at the bright end of the range, 0 to 1.
    pub clipped_bright: f32,
}

/// What a photo must reach to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityPolicy {
    /// Least sharpness.
    pub sharpness_min: f32,
    /// Least mean luma, 0 to 255.
    pub luma_min: f32,
    /// Largest mean luma, 0 to 255.
    pub luma_max: f32,
    /// Largest share of pixels clipped at either end, 0 to 1.
    pub clipped_max: f32,
}

impl Default for QualityPolicy {
    fn default() -> Self {
        Self {
            sharpness_min: 12.0,
            luma_min: 20.0,
            luma_max: 235.0,
            clipped_max: 0.6,
        }
    }
}

impl QualityPolicy {
    /// Every reason to call the photo unusable; none when it is good enough.
    pub fn judge(&self, q: &Quality) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut found = |code, detail| reasons.push(Reason::new(code, detail));
        if q.sharpness < self.sharpness_min {
            let detail = format!(
                "sharpness {:.1} is under {:.1}: out of focus or shaken",
                q.sharpness, self.sharpness_min
            );
            found(ReasonCode::Blurred, detail);
        }
        if q.luma_mean < self.luma_min {
            found(
                ReasonCode::TooDark,
                format!(
                    "mean brightness {:.0} of 255 is under {:.0}",
                    q.luma_mean, self.luma_min
                ),
            );
        }
        if q.luma_mean > self.luma_max {
            found(
                ReasonCode::TooBright,
                format!(
                    "mean brightness {:.0} of 255 is over {:.0}",
                    q.luma_mean, self.luma_max
                ),
            );
        }
        for (share, end) in [(q.clipped_dark, "black"), (q.clipped_bright, "white")] {
            if share > self.clipped_max {
                let (share, limit) = (share * 100.0, self.clipped_max * 100.0);
                found(
                    ReasonCode::Clipped,
                    format!("{share:.0} % of the pixels are {end}; the limit is {limit:.0} %"),
                );
            }
        }
        reasons
    }
}

/// Measures a photo (upright or not, at any scale from about 512 pixels up).
pub fn measure(pixels: &RgbImage) -> Quality {
    thread_local! {
        // Its buffers are worth keeping between photos.
        static SCRATCH: RefCell<Scratch> = RefCell::default();
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let (luma, size) = scratch.small_luma(pixels);
        let level = Level::new();
        let tally = dispatch!(level, simd => tally(simd, luma));
        let count = luma.len().max(1) as f64;
        let share = |pixels: u64| (pixels as f64 / count) as f32;
        Quality {
            sharpness: laplacian_variance(luma, size),
            luma_mean: (tally.sum as f64 / count) as f32,
            clipped_dark: share(tally.dark),
            clipped_bright: share(tally.bright),
        }
    })
}

/// Buffers of [`measure`].
#[derive(Default)]
struct Scratch {
    resizer: Resizer,
    luma: Vec<u8>,
    small: Vec<u8>,
}

impl Scratch {
    /// The photo's luma at the size at which everything is measured. Colours go before the picture is shrunk:
    /// one channel is a third of the work.
    fn small_luma(&mut self, pixels: &RgbImage) -> (&[u8], Size) {
        let size = Size::new(pixels.width(), pixels.height());
        self.luma.resize(size.pixels() as usize, 0);
        let level = Level::new();
        dispatch!(level, simd => weigh(simd, pixels.as_raw(), &mut self.luma));
        if size.long_side() <= LONG_SIDE {
            return (&self.luma, size);
        }
        let side = |length: u32| {
            let exact = f64::from(length) * f64::from(LONG_SIDE) / f64::from(size.long_side());
            (exact.round() as u32).max(1)
        };
        let small = Size::new(side(size.width), side(size.height));
        self.shrink(size, small);
        (&self.small, small)
    }

    fn shrink(&mut self, from: Size, to: Size) {
        self.small.resize(to.pixels() as usize, 0);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
        resample::luma(&mut self.resizer, &self.luma, from, &mut self.small, to, &options);
    }
}

/// Luma of ITU-R BT.601 in whole numbers; at most 255 * 256 + 128, which fits 16 bits.
#[inline(always)]
fn weigh<S: Simd>(_: S, rgb: &[u8], luma: &mut [u8]) {
    for (luma, [r, g, b]) in luma.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *luma = ((77 * u16::from(*r) + 150 * u16::from(*g) + 29 * u16::from(*b) + 128) >> 8) as u8;
    }
}

/// Of a picture's luma.
struct Tally {
    sum: u64,
    /// Pixels at the dark end.
    dark: u64,
    /// Pixels at the bright end.
    bright: u64,
}

#[inline(always)]
fn tally<S: Simd>(_: S, luma: &[u8]) -> Tally {
    let (mut sum, mut dark, mut bright) = (0, 0, 0);
    // In pieces whose counts fit 32 bits: narrow numbers, more of them at once.
    for piece in luma.chunks(1 << 16) {
        let (mut piece_sum, mut piece_dark, mut piece_bright) = (0_u32, 0_u32, 0_u32);
        for &value in piece {
            piece_sum += u32::from(value);
            piece_dark += u32::from(value <= CLIPPED);
            piece_bright += u32::from(value >= 255 - CLIPPED);
        }
        sum += u64::from(piece_sum);
        dark += u64::from(piece_dark);
        bright += u64::from(piece_bright);
    }
    Tally { sum, dark, bright }
}

fn laplacian_variance(luma: &[u8], size: Size) -> f32 {
    let (width, height) = (size.width as usize, size.height as usize);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let (mut sum, mut squares) = (0_i64, 0_i64);
    let level = Level::new();
    for y in 1..height - 1 {
        let rows = &luma[(y - 1) * width..(y + 2) * width];
        let (row_sum, row_squares) = dispatch!(level, simd => laplacian_row(simd, rows, width));
        sum += i64::from(row_sum);
        squares += i64::from(row_squares);
    }
    let count = ((width - 2) * (height - 2)) as f64;
    let mean = sum as f64 / count;
    (squares as f64 / count - mean * mean) as f32
}

/// Sum and sum of squares of the Laplacian along the middle one of three rows. A row of at most 512 values of
/// at most 1020 fits 32 bits, squares included.
#[inline(always)]
fn laplacian_row<S: Simd>(_: S, rows: &[u8], width: usize) -> (i32, i32) {
    let (above, rest) = rows.split_at(width);
    let (here, below) = rest.split_at(width);
    let inner = width - 2;
    let (above, below) = (&above[1..][..inner], &below[1..][..inner]);
    let (left, centre, right) = (&here[..inner], &here[1..][..inner], &here[2..][..inner]);
    let (mut sum, mut squares) = (0_i32, 0_i32);
    for x in 0..inner {
        let around = i16::from(above[x]) + i16::from(below[x]) + i16::from(left[x]) + i16::from(right[x]);
        let value = i32::from(around - 4 * i16::from(centre[x]));
        sum += value;
        squares += value * value;
    }
    (sum, squares)
}
