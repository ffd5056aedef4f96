//! Interpolation between the two nearest pixels along each axis, without antialiasing: in the fixed-point arithmetic
//! of OpenCV's `INTER_LINEAR` on bytes, or in floats as torch's `interpolate`.
//!
//! Both are followed to the last bit of what the families themselves do: half a grey level more or less moves the score
//! of a weak object by several thousandths.

use super::rect::PixelRect;
use image::RgbImage;
use walkaround_domain::Size;

/// OpenCV's weights are shares of 2^11.
const WEIGHT_ONE: f32 = 2048.0;

/// Where the samples of one axis come from: per output index the two pixels and the share of the second.
struct Axis {
    taps: Vec<(usize, usize, f32)>,
}

impl Axis {
    /// `count` samples of the span that begins at `start` and is `length` pixels long, on a side of `side` pixels.
    fn new(start: f64, length: f64, count: u32, side: u32) -> Self {
        let first = start.floor();
        let within = start - first;
        // Neighbours come from the whole pixels that the span touches, as if it had been cut out.
        let last = ((start + length).ceil() - first).min(f64::from(side) - first) - 1.0;
        // OpenCV's own order of divisions.
        let step = 1.0 / (f64::from(count) / length);
        let taps = (0..count).map(|i| {
            let at = ((f64::from(i) + 0.5) * step - 0.5 + within) as f32;
            let below = at.floor();
            let pixel = |index: f32| (first + f64::from(index).clamp(0.0, last.max(0.0))) as usize;
            (pixel(below), pixel(below + 1.0), at - below)
        });
        Self { taps: taps.collect() }
    }

    /// As [`Axis::new`], with the whole weight on the first pixel where there is no second.
    fn clamped(start: f64, length: f64, count: u32, side: u32) -> Self {
        let mut axis = Self::new(start, length, count, side);
        for (low, high, share) in &mut axis.taps {
            if low == high {
                *share = 0.0;
            }
        }
        axis
    }
}

/// The region as `3 * width * height` bytes, row by row: OpenCV's `resize(..., INTER_LINEAR)`.
pub(super) fn bytes(pixels: &RgbImage, source: &PixelRect, size: Size, out: &mut Vec<u8>) {
    out.clear();
    if halves(source, size) {
        return half(pixels, source, size, out);
    }
    let across = Axis::clamped(source.left, source.width, size.width, pixels.width());
    let down = Axis::new(source.top, source.height, size.height, pixels.height());
    let weights = |share: f32| {
        let weight = |w: f32| (w * WEIGHT_ONE).round_ties_even() as i32;
        (weight(1.0 - share), weight(share))
    };
    let columns: Vec<(usize, usize, i32, i32)> = across
        .taps
        .iter()
        .map(|&(low, high, share)| {
            let (first, second) = weights(share);
            (3 * low, 3 * high, first, second)
        })
        .collect();
    let blend = |row: usize, line: &mut Vec<i32>| {
        let from = row_of(pixels, row);
        line.clear();
        line.extend(columns.iter().flat_map(|&(low, high, first, second)| {
            let at = |c: usize| i32::from(from[low + c]) * first + i32::from(from[high + c]) * second;
            [at(0), at(1), at(2)]
        }));
    };
    let mut rows = Rows::new();
    for &(low, high, share) in &down.taps {
        let (first, second) = weights(share);
        let (upper, lower) = rows.pair(low, high, &blend);
        out.extend(upper.iter().zip(lower).map(|(&a, &b)| {
            // Two truncated products, as OpenCV's vector code has them.
            let sum = ((first * (a >> 4)) >> 16) + ((second * (b >> 4)) >> 16);
            ((sum + 2) >> 2).clamp(0, 255) as u8
        }));
    }
}

/// The region as `3 * width * height` numbers from 0 to 255, row by row: torch's `interpolate(mode="bilinear")`.
pub(super) fn floats(pixels: &RgbImage, source: &PixelRect, size: Size, out: &mut Vec<f32>) {
    out.clear();
    let across = Axis::clamped(source.left, source.width, size.width, pixels.width());
    let down = Axis::clamped(source.top, source.height, size.height, pixels.height());
    let blend = |row: usize, line: &mut Vec<f32>| {
        let from = row_of(pixels, row);
        line.clear();
        line.extend(across.taps.iter().flat_map(|&(low, high, share)| {
            let at = |c: usize| {
                f32::from(from[3 * low + c]) * (1.0 - share) + f32::from(from[3 * high + c]) * share
            };
            [at(0), at(1), at(2)]
        }));
    };
    let mut rows = Rows::new();
    for &(low, high, share) in &down.taps {
        let (upper, lower) = rows.pair(low, high, &blend);
        let both = upper.iter().zip(lower);
        out.extend(both.map(|(a, b)| a * (1.0 - share) + b * share));
    }
}

/// OpenCV takes the mean of four pixels where both sides are halved exactly.
fn halves(source: &PixelRect, size: Size) -> bool {
    let whole = |v: f64| v.fract() == 0.0;
    whole(source.left)
        && whole(source.top)
        && source.width == 2.0 * f64::from(size.width)
        && source.height == 2.0 * f64::from(size.height)
}

fn half(pixels: &RgbImage, source: &PixelRect, size: Size, out: &mut Vec<u8>) {
    let (left, top) = (source.left as usize, source.top as usize);
    for y in 0..size.height as usize {
        let row = |at: usize| &row_of(pixels, top + 2 * y + at)[3 * left..];
        let (upper, lower) = (row(0), row(1));
        let pairs = upper.as_chunks::<6>().0.iter().zip(lower.as_chunks::<6>().0);
        out.extend(pairs.take(size.width as usize).flat_map(|(a, b)| {
            let sum =
                |c: usize| u16::from(a[c]) + u16::from(a[c + 3]) + u16::from(b[c]) + u16::from(b[c + 3]);
            let mean = |c: usize| ((sum(c) + 2) >> 2) as u8;
            [mean(0), mean(1), mean(2)]
        }));
    }
}

fn row_of(pixels: &RgbImage, row: usize) -> &[u8] {
    let length = 3 * pixels.width() as usize;
    &pixels.as_raw()[row * length..][..length]
}

/// The last two blended rows: neighbouring output rows mostly need the same.
struct Rows<T> {
    held: [(Option<usize>, Vec<T>); 2],
}

impl<T> Rows<T> {
    fn new() -> Self {
        Self {
            held: [(None, Vec::new()), (None, Vec::new())],
        }
    }

    /// The blended rows `low` and `high`.
    fn pair(&mut self, low: usize, high: usize, blend: &dyn Fn(usize, &mut Vec<T>)) -> (&[T], &[T]) {
        if self.held[0].0 != Some(low) {
            self.held.swap(0, 1);
        }
        for (slot, row) in [low, high].into_iter().enumerate() {
            let (of, line) = &mut self.held[slot];
            if *of != Some(row) {
                blend(row, line);
                *of = Some(row);
            }
        }
        (&self.held[0].1, &self.held[1].1)
    }
}
