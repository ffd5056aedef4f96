//! What the segments of a JPEG say before its only scan.

use super::codes::{AcCodes, Codes, DcCodes};
use crate::decode::markers::{APP0, APP14, DHT, DQT, DRI, Marks, SOS, Segments};
use walkaround_domain::Size;

const SOF0: u8 = 0xc0;
const SOF1: u8 = 0xc1;
const COM: u8 = 0xfe;
const APP15: u8 = 0xef;
/// Longest side that libjpeg takes, in pixels (`JPEG_MAX_DIMENSION`).
const SIDE_MAX: u32 = 65_500;
/// Most symbols of a code table: there are no more bytes.
const SYMBOLS_MAX: usize = 256;

/// Where each coefficient stands in its block, row by row (T.81, figure A.6).
#[rustfmt::skip]
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// One component of the picture: luma, blue or red.
pub(super) struct Component {
    /// Blocks of it in a coding unit.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Steps of the coefficients, in zigzag order.
    pub(super) steps: [i32; 64],
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// A picture of three components in one scan, coded by Huffman codes.
pub(super) struct Frame {
    pub(super) size: Size,
    pub(super) components: [Component; 3],
    pub(super) dc: [Option<DcCodes>; 4],
    pub(super) ac: [Option<AcCodes>; 4],
    /// Coding units between two restart markers; 0 without them.
    pub(super) restart: usize,
    /// Where the coded data begin.
    pub(super) data_at: usize,
}

impl Frame {
    /// Luma blocks of a coding unit.
    pub(super) const fn unit(&self) -> (usize, usize) {
        (self.components[0].across, self.components[0].down)
    }

    /// Coding units of the picture.
    pub(super) const fn units(&self) -> (usize, usize) {
        let (across, down) = self.unit();
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        (width.div_ceil(8 * across), height.div_ceil(8 * down))
    }

    /// Blocks of the picture, of all components.
    pub(super) fn blocks(&self) -> usize {
        let (across, down) = self.units();
        let of_unit: usize = self.components.iter().map(|part| part.across * part.down).sum();
        across * down * of_unit
    }

    /// None where anything is unusual.
    pub(super) fn read(bytes: &[u8], marks: &Marks) -> Option<Self> {
        let sampling = <[(u8, u8); 3]>::try_from(&marks.sampling[..]).ok()?;
        let [luma, blue, red] = sampling;
        let plain = !marks.progressive && !marks.arithmetic && marks.interleaved && !marks.strays;
        let usual = matches!(luma, (1, 1) | (2, 1) | (2, 2)) && blue == (1, 1) && red == (1, 1);
        if !plain || !usual || marks.ids != [1, 2, 3] || marks.size.long_side() > SIDE_MAX {
            return None;
        }
        let mut found = Found::default();
        let mut segments = Segments { bytes, at: 2 };
        loop {
            let segment = segments.next().ok()?;
            match segment.marker {
                SOF0 | SOF1 => found.frame(segment.body)?,
                DQT => found.steps(segment.body)?,
                DHT => found.codes(segment.body)?,
                DRI => found.restart = u16::from_be_bytes(segment.body.try_into().ok()?).into(),
                // Colours that are not transformed, or as nobody knows.
                APP14 if segment.body.starts_with(b"Adobe") && segment.body.get(11) != Some(&1) => {
                    return None;
                }
                APP0..=APP15 | COM => {}
                SOS => {
                    let components = found.components(segment.body, sampling)?;
                    return Some(Self {
                        size: marks.size,
                        components,
                        dc: found.dc,
                        ac: found.ac,
                        restart: found.restart,
                        data_at: segments.at,
                    });
                }
                _ => return None,
            }
        }
    }
}

/// What was found on the way to the scan.
#[derive(Default)]
struct Found {
    /// By component: its table of steps. None before the frame header.
    tables: Option<[u8; 3]>,
    steps: [Option<[i32; 64]>; 4],
    dc: [Option<DcCodes>; 4],
    ac: [Option<AcCodes>; 4],
    restart: usize,
}

impl Found {
    fn frame(&mut self, body: &[u8]) -> Option<()> {
        if self.tables.is_some() || body.len() != 15 {
            return None;
        }
        self.tables = Some([body[8], body[11], body[14]]);
        Some(())
    }

    fn steps(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let wide = match head >> 4 {
                0 => false,
                1 => true,
                _ => return None,
            };
            let (values, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let value = |i: usize| match wide {
                true => i32::from(u16::from_be_bytes([values[2 * i], values[2 * i + 1]])),
                false => i32::from(values[i]),
            };
            *self.steps.get_mut(usize::from(head & 15))? = Some(std::array::from_fn(value));
            body = rest;
        }
        Some(())
    }

    fn codes(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let length: usize = counts.iter().map(|&count| usize::from(count)).sum();
            if length > SYMBOLS_MAX {
                return None;
            }
            let (symbols, rest) = rest.split_at_checked(length)?;
            let codes = Codes::new(counts, symbols)?;
            let at = usize::from(head & 15);
            // Each table once, as cameras write them: a file could define one a million times, and each is expanded.
            match head >> 4 {
                0 if self.dc.get(at)?.is_none() => self.dc[at] = Some(DcCodes::new(codes)?),
                1 if self.ac.get(at)?.is_none() => self.ac[at] = Some(AcCodes::new(codes)),
                _ => return None,
            }
            body = rest;
        }
        Some(())
    }

    /// From the scan header: number of components, their names and tables, band and bits.
    fn components(&self, scan: &[u8], sampling: [(u8, u8); 3]) -> Option<[Component; 3]> {
        let &[3, 1, luma, 2, blue, 3, red, 0, 63, 0] = scan else {
            return None;
        };
        let tables = self.tables?;
        let one = |i: usize, codes: u8| {
            let component = Component {
                across: sampling[i].0.into(),
                down: sampling[i].1.into(),
                steps: self.steps.get(usize::from(tables[i])).copied().flatten()?,
                dc: usize::from(codes >> 4),
                ac: usize::from(codes & 15),
            };
            let known = self.dc.get(component.dc)?.is_some() && self.ac.get(component.ac)?.is_some();
            known.then_some(component)
        };
        Some([one(0, luma)?, one(1, blue)?, one(2, red)?])
    }
}
