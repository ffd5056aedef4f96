//! Pillow's `resize(..., BILINEAR)` to the last bit: a triangle widened with the reduction, in fixed-point numbers of 22
//! bits, rounded to bytes after each of two passes, along the rows first.
//!
//! So does Pillow 11.3. Pillow 13.0 takes the columns first where the width hardly shrinks and the height does, which changes
//! samples of such pictures.
//!
//! The vectorised filter behind `Filter::Bilinear` has shorter weights: a tenth of its samples differ by one.

use super::rect::PixelRect;
use image::RgbImage;
use walkaround_domain::Size;

/// Pillow's `PRECISION_BITS`: 32, less 8 of a sample and 2 for what weights may go over.
const PRECISION: u32 = 32 - 8 - 2;

/// One output sample: the first input sample and the weights from there.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// `count` samples of the span of a side of `side` pixels.
fn taps(start: f64, length: f64, count: u32, side: u32) -> Vec<Taps> {
    let scale = length / f64::from(count);
    let stretch = scale.max(1.0);
    let one = |i: u32| {
        let centre = start + (f64::from(i) + 0.5) * scale;
        // Conversions cut off towards 0, as in C.
        let first = ((centre - stretch + 0.5).max(0.0)) as u32;
        let last = ((centre + stretch + 0.5).max(0.0) as u32).min(side);
        let triangle = |x: f64| (1.0 - x.abs()).max(0.0);
        let weights: Vec<f64> = (first..last)
            .map(|x| triangle((f64::from(x) - centre + 0.5) * (1.0 / stretch)))
            .collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| {
            let normal = if sum == 0.0 { *weight } else { weight / sum };
            (0.5 + normal * f64::from(1_u32 << PRECISION)) as i32
        };
        Taps {
            first: first as usize,
            weights: weights.iter().map(fixed).collect(),
        }
    };
    (0..count).map(one).collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The region as `3 * width * height` bytes, row by row.
pub(super) fn bytes(pixels: &RgbImage, source: &PixelRect, size: Size, out: &mut Vec<u8>) {
    let across = taps(source.left, source.width, size.width, pixels.width());
    let down = taps(source.top, source.height, size.height, pixels.height());
    let half = 1 << (PRECISION - 1);
    let top = down.iter().map(|t| t.first).min().unwrap_or(0);
    let bottom = down.iter().map(|t| t.first + t.weights.len()).max().unwrap_or(0);
    let length = 3 * size.width as usize;
    let mut narrow = Vec::with_capacity((bottom - top) * length);
    for row in top..bottom {
        let line = &pixels.as_raw()[row * 3 * pixels.width() as usize..];
        for taps in &across {
            let mut sums = [half; 3];
            let samples = line[3 * taps.first..].as_chunks::<3>().0;
            for (sample, weight) in samples.iter().zip(&taps.weights) {
                for (sum, value) in sums.iter_mut().zip(sample) {
                    *sum += i32::from(*value) * weight;
                }
            }
            narrow.extend(sums.map(byte));
        }
    }
    out.clear();
    let mut sums = vec![half; length];
    for taps in &down {
        sums.fill(half);
        let lines = narrow[(taps.first - top) * length..].chunks_exact(length);
        for (line, weight) in lines.zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| byte(sum)));
    }
}
