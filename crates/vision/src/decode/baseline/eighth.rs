//! A picture at an eighth of its size, to the last bit as libjpeg gives it: luma is the mean of each block, and of most
//! blocks all but the first code is read over. Where colours are stored at half the size, both ways, four samples are made of
//! each of their blocks (`jpeg_idct_2x2` of libjpeg, whose arithmetic this is).

use super::codes::PUT_PLACES;
use super::frame::{Frame, ZIGZAG};
use super::planes::Planes;
use super::scan::{Block, Coded, VALUE_MAX, walk};
use image::RgbImage;

/// The picture, and its coded data for another decode; none where libjpeg has to be asked.
pub(super) fn decode(bytes: &[u8], frame: &Frame) -> Option<(RgbImage, Coded)> {
    // As libjpeg does: only where both sides are halved.
    let quartered = frame.unit() == (2, 2);
    let colour_samples = if quartered { 2 } else { 1 };
    let mut planes = Planes::new(frame, 1, colour_samples);
    let mut coefficients = [0; PUT_PLACES];
    let coded = walk(bytes, frame, |block| {
        if block.at.component > 0 && quartered {
            quarter(block, frame, &mut coefficients, &mut planes)
        } else {
            let value = block.dc()? * frame.components[block.at.component].steps[0];
            if value.unsigned_abs() > VALUE_MAX {
                return None;
            }
            planes.set(block.at.component, (block.at.x, block.at.y), level(value, 3));
            block.skip_ac()
        }
    })?;
    let scaled = |side: u32| side.div_ceil(8);
    let pixels = planes.into_rgb(scaled(frame.size.width), scaled(frame.size.height))?;
    Some((pixels, coded))
}

/// A value with so many bits behind the point, as a sample.
#[inline(always)]
fn level(value: i32, bits: u32) -> u8 {
    (((value + (1 << (bits - 1))) >> bits) + 128).clamp(0, 255) as u8
}

/// Weights of the odd coefficients 1, 3, 5 and 7, times 2^13.
const ODD: [(usize, i32); 4] = [(1, 29692), (3, -10426), (5, 6967), (7, -5906)];

/// The odd part of one column or row.
#[inline(always)]
fn odd(values: impl Fn(usize) -> i32) -> i32 {
    ODD.iter().map(|&(at, weight)| values(at) * weight).sum()
}

/// Makes four samples of a block.
#[inline(always)]
fn quarter(
    block: &mut Block<'_, '_>,
    frame: &Frame,
    coefficients: &mut [i16; PUT_PLACES],
    planes: &mut Planes,
) -> Option<()> {
    let steps = &frame.components[block.at.component].steps;
    let dc = block.dc()? * steps[0];
    let any = block.ac(63, coefficients)?;
    let mut values = [0_i32; 64];
    let mut bits = dc.unsigned_abs();
    if any {
        for (at, natural) in ZIGZAG.iter().enumerate() {
            let value = i32::from(coefficients[at]) * steps[at];
            bits |= value.unsigned_abs();
            values[usize::from(*natural)] = value;
        }
    }
    if bits > VALUE_MAX {
        return None;
    }
    let (x, y) = (2 * block.at.x, 2 * block.at.y);
    let mut set = |right, down, sample| planes.set(block.at.component, (x + right, y + down), sample);
    if !any {
        let sample = level(dc, 3);
        for (right, down) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            set(right, down, sample);
        }
        return Some(());
    }
    values[0] = dc;
    let mut rows = [[0_i32; 8]; 2];
    for column in [0, 1, 3, 5, 7] {
        let even = values[column] << 15;
        let odd = odd(|row| values[8 * row + column]);
        let descale = |sum: i32| (sum + (1 << 12)) >> 13;
        rows[0][column] = descale(even + odd);
        rows[1][column] = descale(even - odd);
    }
    for (down, row) in rows.iter().enumerate() {
        let even = row[0] << 15;
        let odd = odd(|column| row[column]);
        set(0, down, level(even + odd, 20));
        set(1, down, level(even - odd, 20));
    }
    Some(())
}
