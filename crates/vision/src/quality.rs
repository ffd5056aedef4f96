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

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use walkaround_domain::{Reason, ReasonCode, Size};

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
                    format!("{share:.0} % of the pixels are {end}; at most {limit:.0} % may be"),
                );
            }
        }
        reasons
    }
}

/// Measures a photo (upright or not, at any scale from about 512 pixels up).
pub fn measure(pixels: &RgbImage) -> Quality {
    let (luma, size) = small_luma(pixels);
    let mut histogram = [0_u64; 256];
    for &value in &luma {
        histogram[usize::from(value)] += 1;
    }
    let count = luma.len().max(1) as f64;
    let sum: u64 = (0..).zip(&histogram).map(|(value, n): (u64, _)| value * n).sum();
    let share = |values: &[u64]| (values.iter().sum::<u64>() as f64 / count) as f32;
    Quality {
        sharpness: laplacian_variance(&luma, size),
        luma_mean: (sum as f64 / count) as f32,
        clipped_dark: share(&histogram[..=usize::from(CLIPPED)]),
        clipped_bright: share(&histogram[usize::from(255 - CLIPPED)..]),
    }
}

fn small_luma(pixels: &RgbImage) -> (Vec<u8>, Size) {
    let size = Size::new(pixels.width(), pixels.height());
    if size.long_side() <= LONG_SIDE {
        return (luma(pixels.as_raw()), size);
    }
    let side = |length: u32| {
        let exact = f64::from(length) * f64::from(LONG_SIDE) / f64::from(size.long_side());
        (exact.round() as u32).max(1)
    };
    let small = Size::new(side(size.width), side(size.height));
    (luma(shrink(pixels, small).buffer()), small)
}

fn shrink(pixels: &RgbImage, to: Size) -> Image<'static> {
    thread_local! {
        // Its buffers are worth keeping between photos.
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let from = ImageRef::new(pixels.width(), pixels.height(), pixels.as_raw(), PixelType::U8x3)
        .expect("an RgbImage holds three bytes a pixel");
    let mut small = Image::new(to.width, to.height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(&from, &mut small, &options))
        .expect("both pictures are RGB, and the whole of one is used");
    small
}

/// Luma of ITU-R BT.601 in whole numbers.
fn luma(rgb: &[u8]) -> Vec<u8> {
    let weigh = |[r, g, b]: &[u8; 3]| {
        ((77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b) + 128) >> 8) as u8
    };
    rgb.as_chunks::<3>().0.iter().map(weigh).collect()
}

fn laplacian_variance(luma: &[u8], size: Size) -> f32 {
    let (width, height) = (size.width as usize, size.height as usize);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let (mut sum, mut squares) = (0_i64, 0_i64);
    for y in 1..height - 1 {
        let row = |y: usize| &luma[y * width..(y + 1) * width];
        let (above, here, below) = (row(y - 1), row(y), row(y + 1));
        // A row of at most 512 values of at most 1020 fits 32 bits, squares included.
        let (mut row_sum, mut row_squares) = (0_i32, 0_i32);
        for x in 1..width - 1 {
            let around =
                i32::from(above[x]) + i32::from(below[x]) + i32::from(here[x - 1]) + i32::from(here[x + 1]);
            let value = around - 4 * i32::from(here[x]);
            row_sum += value;
            row_squares += value * value;
        }
        sum += i64::from(row_sum);
        squares += i64::from(row_squares);
    }
    let count = ((width - 2) * (height - 2)) as f64;
    let mean = sum as f64 / count;
    (squares as f64 / count - mean * mean) as f32
}
