//! Coded planes to RGB pixels, shrunk by a whole number: blocks are averaged as they are coded and then converted, which
//! is the same but for rounding, and far less to convert.

use heifer::color::ColorParams;
use heifer::heifer_hevc_dec::recon::Frame;
use image::RgbImage;
use std::ops::Range;
use walkaround_domain::Size;

/// A decoded picture and what its numbers mean.
pub(super) struct Planes<'a> {
    pub(super) frame: &'a Frame,
    pub(super) colours: ColorParams,
}

/// The sums of one row of blocks.
pub(super) struct RowSums {
    factor: usize,
    width: usize,
    height: usize,
    /// Of brightness and both colours, a column of blocks.
    sums: [Vec<u64>; 3],
    /// A row of colours, at the width of the brightness.
    spread: Vec<u16>,
    scale: Option<Scale>,
    /// Rows of the picture that have been added.
    rows: usize,
}

impl RowSums {
    /// For a picture of this size.
    pub(super) fn new(size: Size, factor: u32) -> Self {
        let (factor, width) = (factor as usize, size.width as usize);
        Self {
            factor,
            width,
            height: size.height as usize,
            sums: std::array::from_fn(|_| vec![0; width.div_ceil(factor)]),
            spread: Vec::new(),
            scale: None,
            rows: 0,
        }
    }

    /// Adds row `y` of a tile, which has these columns of the picture.
    pub(super) fn add(&mut self, planes: &Planes<'_>, y: usize, columns: Range<usize>) {
        let Planes { frame, colours } = planes;
        let (count, stride) = (columns.len(), frame.widths[0] as usize);
        // Tiles may differ in what their numbers mean: a row of blocks takes the last one's.
        self.scale = Some(Scale::new(frame, *colours));
        let row = &frame.planes[0][y * stride..y * stride + count];
        add_row(&mut self.sums[0], row, columns.start, self.factor);
        let width = frame.widths[1] as usize;
        if width == 0 || frame.heights[1] == 0 {
            return;
        }
        let across = (stride / width).max(1);
        let down = (frame.heights[0] / frame.heights[1].max(1)).max(1) as usize;
        let line = (y / down).min(frame.heights[1] as usize - 1);
        for plane in 1..3 {
            let row = &frame.planes[plane][line * width..(line + 1) * width];
            self.spread.clear();
            if across == 2 {
                self.spread.extend(row.iter().flat_map(|value| [*value; 2]));
            } else {
                self.spread.extend(row);
            }
            let last = row[width - 1];
            self.spread.resize(count.max(self.spread.len()), last);
            add_row(
                &mut self.sums[plane],
                &self.spread[..count],
                columns.start,
                self.factor,
            );
        }
    }

    /// Ends a row of the picture; where it was the last one of its blocks, writes them.
    pub(super) fn end_row(&mut self, pixels: &mut RgbImage) {
        self.rows += 1;
        let is_last = self.rows == self.height;
        if !self.rows.is_multiple_of(self.factor) && !is_last {
            return;
        }
        let rows = (self.rows - 1) % self.factor + 1;
        let line = (self.rows - 1) / self.factor;
        let out = pixels
            .chunks_exact_mut(3 * self.sums[0].len())
            .nth(line)
            .expect("as many rows as blocks");
        let last_columns = (self.width - 1) % self.factor + 1;
        let last = self.sums[0].len() - 1;
        if let Some(scale) = &self.scale {
            let whole = 1.0 / (rows * self.factor) as f32;
            for (column, to) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let share = if column == last {
                    1.0 / (rows * last_columns) as f32
                } else {
                    whole
                };
                let means = [0, 1, 2].map(|plane| self.sums[plane][column] as f32 * share);
                *to = scale.rgb(means);
            }
        }
        for sums in &mut self.sums {
            sums.fill(0);
        }
    }
}

/// Adds the values of a row, the first of which is column `start` of the picture, to the blocks of `factor` columns.
fn add_row(sums: &mut [u64], row: &[u16], start: usize, factor: usize) {
    let (first, into) = (start / factor, start % factor);
    // A block that began in the tile before.
    let (head, rest) = row.split_at(((factor - into) % factor).min(row.len()));
    let total = |values: &[u16]| values.iter().map(|value| u64::from(*value)).sum::<u64>();
    let mut sums = &mut sums[first..];
    if !head.is_empty() {
        sums[0] += total(head);
        sums = &mut sums[1..];
    }
    if factor == 2 {
        let (pairs, odd) = rest.as_chunks::<2>();
        for (sum, [a, b]) in sums.iter_mut().zip(pairs) {
            *sum += u64::from(*a) + u64::from(*b);
        }
        if let (Some(sum), Some(odd)) = (sums.get_mut(pairs.len()), odd.first()) {
            *sum += u64::from(*odd);
        }
    } else {
        for (sum, values) in sums.iter_mut().zip(rest.chunks(factor)) {
            *sum += total(values);
        }
    }
}

/// From coded numbers to RGB of 8 bits (ITU-T H.273, 8.3).
enum Scale {
    Grey {
        factor: f32,
    },
    /// Green, blue and red, as they are.
    Identity {
        factor: f32,
    },
    Matrix {
        /// What is black, and what a step is.
        brightness: [f32; 2],
        /// What is grey, and what a step is.
        colour: [f32; 2],
        red: f32,
        green: [f32; 2],
        blue: f32,
    },
}

impl Scale {
    fn new(frame: &Frame, colours: ColorParams) -> Self {
        let steps = |bits: u8| ((1_u32 << bits) - 1) as f32;
        let [bits, colour_bits] = frame.bit_depth;
        if frame.widths[1] == 0 {
            return Self::Grey {
                factor: 255.0 / steps(bits),
            };
        }
        if colours.matrix == 0 {
            return Self::Identity {
                factor: 255.0 / steps(bits),
            };
        }
        let (kr, kb) = match colours.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        let kg = 1.0 - kr - kb;
        let (red, blue) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
        let unit = |bits: u8| (1_u32 << (bits - 8)) as f32;
        let (brightness, step) = if colours.full_range {
            ([0.0, 255.0 / steps(bits)], 255.0 / steps(colour_bits))
        } else {
            (
                [16.0 * unit(bits), 255.0 / (219.0 * unit(bits))],
                255.0 / (224.0 * unit(colour_bits)),
            )
        };
        Self::Matrix {
            brightness,
            colour: [(1_u32 << (colour_bits - 1)) as f32, step],
            red,
            green: [kb * blue / kg, kr * red / kg],
            blue,
        }
    }

    fn rgb(&self, means: [f32; 3]) -> [u8; 3] {
        let [y, cb, cr] = means;
        let rgb = match self {
            Self::Grey { factor } => [y * factor; 3],
            Self::Identity { factor } => [cr, y, cb].map(|value| value * factor),
            Self::Matrix {
                brightness: [black, step],
                colour: [grey, colour_step],
                red,
                green,
                blue,
            } => {
                let y = (y - black) * step;
                let (cb, cr) = ((cb - grey) * colour_step, (cr - grey) * colour_step);
                [y + red * cr, y - green[0] * cb - green[1] * cr, y + blue * cb]
            }
        };
        // To the nearest; what is beyond the range is cut off.
        rgb.map(|value| (value + 0.5) as u8)
    }
}
