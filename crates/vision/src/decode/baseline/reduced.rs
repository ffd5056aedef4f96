//! A picture at two, three or four eighths of its size, for people to look at: of each block only the coefficients of low
//! frequency are kept, and colours that are stored at half the size are widened by repeating them.

use super::codes::PUT_PLACES;
use super::frame::{Frame, ZIGZAG};
use super::planes::Planes;
use super::scan::{Block, Coded, VALUE_MAX, walk, walk_again};
use image::RgbImage;

/// Values of the cosines times 2^12, by sample and frequency; those of a frequency above 0 times the square root of two.
type Basis<const N: usize> = [[i32; N]; N];
const TWO: Basis<2> = [[4096, 4096], [4096, -4096]];
const THREE: Basis<3> = [[4096, 5017, 2896], [4096, 0, -5793], [4096, -5017, 2896]];
const FOUR: Basis<4> = [
    [4096, 5352, 4096, 2217],
    [4096, 2217, -4096, -5352],
    [4096, -2217, -4096, 5352],
    [4096, -5352, 4096, -2217],
];

/// Most coefficients of a block that are kept.
const KEPT_MAX: usize = 16;

/// The file of a picture, and its coded data where they were walked over before.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) coded: Option<&'a Coded>,
}

/// The picture at `eighths` eighths; none where libjpeg has to be asked.
pub(super) fn decode(source: Source<'_>, frame: &Frame, eighths: u32) -> Option<RgbImage> {
    let planes = match eighths {
        2 => planes(source, frame, &TWO)?,
        3 => planes(source, frame, &THREE)?,
        4 => planes(source, frame, &FOUR)?,
        _ => return None,
    };
    let scaled = |side: u32| (side * eighths).div_ceil(8);
    planes.into_rgb(scaled(frame.size.width), scaled(frame.size.height))
}

fn planes<const N: usize>(source: Source<'_>, frame: &Frame, basis: &Basis<N>) -> Option<Planes> {
    let mut planes = Planes::new(frame, N, N);
    let kept = kept::<N>();
    let steps = [0, 1, 2].map(|c| kept.map(|at| frame.components[c].steps[usize::from(at)]));
    let mut coefficients = [0; PUT_PLACES];
    let mut one = |block: &mut Block<'_, '_>| {
        let steps = &steps[block.at.component];
        one_block(block, &kept, steps, basis, &mut coefficients, &mut planes)
    };
    match source.coded {
        Some(coded) => walk_again(coded, source.bytes.len(), frame, &mut one)?,
        None => drop(walk(source.bytes, frame, &mut one)?),
    }
    Some(planes)
}

/// Makes the samples of a block.
#[inline(always)]
fn one_block<const N: usize>(
    block: &mut Block<'_, '_>,
    kept: &[u8; KEPT_MAX],
    steps: &[i32; KEPT_MAX],
    basis: &Basis<N>,
    coefficients: &mut [i16; PUT_PLACES],
    planes: &mut Planes,
) -> Option<()> {
    let last = u32::from(kept[..N * N].iter().copied().max()?);
    let dc = block.dc()? * steps[0];
    let any = block.ac(last, coefficients)?;
    let mut values = [0; KEPT_MAX];
    if any {
        for ((value, at), step) in values.iter_mut().zip(kept).zip(steps) {
            *value = i32::from(coefficients[usize::from(*at)]) * step;
        }
    }
    values[0] = dc;
    let bits = values[..N * N]
        .iter()
        .fold(0, |bits, value| bits | value.unsigned_abs());
    if bits > VALUE_MAX {
        return None;
    }
    let at = (block.at.x * N, block.at.y * N);
    if any {
        planes.put(block.at.component, at, &samples(&values, basis));
    } else {
        let sample = (((dc + 4) >> 3) + 128).clamp(0, 255) as u8;
        planes.put(block.at.component, at, &[[sample; N]; N]);
    }
    Some(())
}

/// The numbers, in zigzag order, of the first N by N coefficients, row by row; behind them 0.
fn kept<const N: usize>() -> [u8; KEPT_MAX] {
    let mut kept = [0; KEPT_MAX];
    for (at, natural) in ZIGZAG.iter().enumerate() {
        let (row, column) = (usize::from(*natural) / 8, usize::from(*natural) % 8);
        if row < N && column < N {
            kept[row * N + column] = at as u8;
        }
    }
    kept
}

/// The samples of a block: the cosines along its columns, then along its rows.
#[inline(always)]
fn samples<const N: usize>(values: &[i32; KEPT_MAX], basis: &Basis<N>) -> [[u8; N]; N] {
    let mut block = [[0; N]; N];
    for (line, along_columns) in block.iter_mut().zip(basis) {
        let mut row = [0; N];
        for (v, weight) in along_columns.iter().enumerate() {
            for (sum, value) in row.iter_mut().zip(&values[v * N..][..N]) {
                *sum += weight * value;
            }
        }
        // Three bits stay behind the point.
        for sum in &mut row {
            *sum = (*sum + (1 << 8)) >> 9;
        }
        // Twelve of the cosines, three of the sums, three for the size of the block.
        for (sample, along_rows) in line.iter_mut().zip(basis) {
            let mut sum = (128 << 18) + (1 << 17);
            for (weight, value) in along_rows.iter().zip(&row) {
                sum += weight * value;
            }
            *sample = (sum >> 18).clamp(0, 255) as u8;
        }
    }
    block
}
