//! Samples of the three components, and the pixels that they make.

use super::frame::Frame;
use fearless_simd::{Level, Simd, dispatch};
use image::RgbImage;

/// One component's samples, whole coding units of them.
struct Plane {
    samples: Vec<u8>,
    width: usize,
    /// How often a sample stands for a pixel, across and down.
    repeat: (usize, usize),
}

/// The samples of a picture.
pub(super) struct Planes([Plane; 3]);

impl Planes {
    /// Black planes, of `luma` samples a side of each block of luma and `colour` of each of the colours.
    pub(super) fn new(frame: &Frame, luma: usize, colour: usize) -> Self {
        let (units_across, units_down) = frame.units();
        let unit = frame.unit();
        Self([0, 1, 2].map(|i| {
            let (component, side) = (&frame.components[i], if i == 0 { luma } else { colour });
            let width = units_across * component.across * side;
            let height = units_down * component.down * side;
            Plane {
                samples: vec![0; width * height],
                width,
                repeat: (
                    unit.0 * luma / (component.across * side),
                    unit.1 * luma / (component.down * side),
                ),
            }
        }))
    }

    #[inline(always)]
    pub(super) fn set(&mut self, component: usize, (x, y): (usize, usize), sample: u8) {
        let plane = &mut self.0[component];
        plane.samples[y * plane.width + x] = sample;
    }

    /// A square block of samples, row by row.
    #[inline(always)]
    pub(super) fn put<const N: usize>(
        &mut self,
        component: usize,
        (x, y): (usize, usize),
        block: &[[u8; N]; N],
    ) {
        let plane = &mut self.0[component];
        let mut at = y * plane.width + x;
        for row in block {
            plane.samples[at..at + N].copy_from_slice(row);
            at += plane.width;
        }
    }

    /// The upper left part of this size, as pixels. None for no pixels.
    pub(super) fn into_rgb(self, width: u32, height: u32) -> Option<RgbImage> {
        let level = Level::new();
        let mut pixels = vec![0; 3 * width as usize * height as usize];
        let mut colours = [vec![], vec![]];
        for (y, line) in pixels.chunks_exact_mut(3 * (width as usize).max(1)).enumerate() {
            let [luma, blue, red] = &self.0;
            for (wide, plane) in colours.iter_mut().zip([blue, red]) {
                widen(plane, y, width as usize, wide);
            }
            let luma = &luma.samples[y * luma.width..][..width as usize];
            let [blue, red] = &colours;
            dispatch!(level, simd => to_rgb(simd, luma, blue, red, line));
        }
        RgbImage::from_raw(width, height, pixels)
    }
}

/// The samples of a row of pixels, one for each.
fn widen(plane: &Plane, y: usize, width: usize, wide: &mut Vec<u8>) {
    let row = &plane.samples[y / plane.repeat.1 * plane.width..][..plane.width];
    wide.clear();
    match plane.repeat.0 {
        1 => wide.extend_from_slice(&row[..width]),
        2 => wide.extend(row.iter().flat_map(|&sample| [sample; 2]).take(width)),
        n => wide.extend((0..width).map(|x| row[x / n])),
    }
}

/// Weights of the colours, times 2^16, in the whole numbers of libjpeg (ITU-T T.871).
const RED: i32 = 91_881;
const BLUE: i32 = 116_130;
const GREEN_OF_RED: i32 = 46_802;
const GREEN_OF_BLUE: i32 = 22_554;
const HALF: i32 = 1 << 15;

#[inline(always)]
fn to_rgb<S: Simd>(_: S, luma: &[u8], blue: &[u8], red: &[u8], line: &mut [u8]) {
    let pixels = line.as_chunks_mut::<3>().0;
    for (((pixel, &y), &cb), &cr) in pixels.iter_mut().zip(luma).zip(blue).zip(red) {
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |value: i32| value.clamp(0, 255) as u8;
        *pixel = [
            byte(y + ((RED * cr + HALF) >> 16)),
            byte(y + ((HALF - GREEN_OF_BLUE * cb - GREEN_OF_RED * cr) >> 16)),
            byte(y + ((BLUE * cb + HALF) >> 16)),
        ];
    }
}
