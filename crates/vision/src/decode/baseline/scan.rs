//! The walk over the coding units of a scan.

use super::bits::{Bits, unstuff};
use super::codes::{AcCodes, DcCodes, END, PUT_PLACES};
use super::frame::Frame;
use crate::decode::markers::{EOI, RST0};

/// Where a block is in its picture.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) component: usize,
    /// Its place among the blocks of its component.
    pub(super) x: usize,
    pub(super) y: usize,
}

/// The block that is read.
pub(super) struct Block<'a, 'b> {
    pub(super) at: Place,
    bits: &'a mut Bits<'b>,
    dc: &'a DcCodes,
    ac: &'a AcCodes,
    /// The DC value before, of this component.
    last: &'a mut i32,
    /// Whether it is known where the next block begins.
    next_known: bool,
}

/// The coded data of a picture that is whole and regular, without their stuffing, and where in them each block begins. With
/// it, another decode of the picture reads no code that it does not use.
#[derive(Debug)]
pub struct Coded {
    data: Vec<u8>,
    /// By block, in the order of the file: its first bit in `data`.
    starts: Vec<u32>,
    /// Length of the file.
    file: usize,
}

/// Largest file of which places are kept: they are numbers of bits, in 32 bits.
const CODED_FILE_MAX: usize = 1 << 28;

impl Coded {
    /// Memory that is kept for a file of so many bytes and blocks, in bytes.
    pub(crate) const fn bytes(file: u64, blocks: u64) -> u64 {
        file + 4 * blocks
    }
}

/// Largest coefficient times its step, without its sign, of a picture that somebody took: 1,024 and a half step more. All bits
/// are ones, so that it bounds values that are joined bit by bit. Beyond, libjpeg's arithmetic wraps around or saturates, and
/// it shall say what comes of that.
pub(super) const VALUE_MAX: u32 = (1 << 11) - 1;

impl Block<'_, '_> {
    /// The DC value, in steps. To be asked first.
    #[inline(always)]
    pub(super) fn dc(&mut self) -> Option<i32> {
        *self.last = self.last.checked_add(self.dc.next(self.bits)?)?;
        Some(*self.last)
    }

    /// Reads coefficients as [`AcCodes::first`]; the others of the 64 are 0. Whether there is one that is not 0.
    #[inline(always)]
    pub(super) fn ac(&mut self, last: u32, values: &mut [i16; PUT_PLACES]) -> Option<bool> {
        values[..64].fill(0);
        let read = self.ac.first(self.bits, last, values)?;
        if read < END && !self.next_known {
            self.ac.skip_from(self.bits, read)?;
        }
        Some(read != END)
    }

    /// Reads over the coefficients.
    #[inline(always)]
    pub(super) fn skip_ac(&mut self) -> Option<()> {
        self.ac.skip(self.bits)
    }
}

/// Calls `block` with every block, in the order of the file. None where the data are anything but whole and regular: each
/// block there, each restart marker where it should be, and the end marker right behind.
#[inline(always)]
pub(super) fn walk(
    bytes: &[u8],
    frame: &Frame,
    mut block: impl FnMut(&mut Block<'_, '_>) -> Option<()>,
) -> Option<Coded> {
    if bytes.len() > CODED_FILE_MAX {
        return None;
    }
    let (across, down) = frame.units();
    let count = across * down;
    let interval = if frame.restart == 0 { count } else { frame.restart };
    let mut coded = Coded {
        data: Vec::with_capacity(bytes.len().saturating_sub(frame.data_at)),
        starts: Vec::with_capacity(frame.blocks()),
        file: bytes.len(),
    };
    let mut from = frame.data_at;
    let mut unit = 0;
    let mut restarts = 0_u8;
    while unit < count {
        let begin = coded.data.len();
        let marker = unstuff(bytes, from, &mut coded.data)?;
        let mut bits = Bits::new(&coded.data[begin..]);
        let mut last = [0; 3];
        let end = count.min(unit + interval);
        while unit < end {
            // A row at a time, so that data which end early are not followed to the end of the picture.
            let row_end = end.min((unit / across + 1) * across);
            for at in unit..row_end {
                one_unit(frame, at, &mut |at, dc, ac| {
                    coded.starts.push((8 * begin + bits.taken()) as u32);
                    let last = &mut last[at.component];
                    block(&mut Block {
                        at,
                        bits: &mut bits,
                        dc,
                        ac,
                        last,
                        next_known: false,
                    })
                })?;
            }
            unit = row_end;
            if bits.overran() {
                return None;
            }
        }
        let expected = if unit == count { EOI } else { RST0 + restarts % 8 };
        if !bits.ended() || bytes.get(marker + 1) != Some(&expected) {
            return None;
        }
        restarts = restarts.wrapping_add(1);
        from = marker + 2;
    }
    Some(coded)
}

/// Calls `block` with every block of a picture that was walked over before, of a file of so many bytes. None where it was
/// another file.
#[inline(always)]
pub(super) fn walk_again(
    coded: &Coded,
    file: usize,
    frame: &Frame,
    mut block: impl FnMut(&mut Block<'_, '_>) -> Option<()>,
) -> Option<()> {
    let count = frame.blocks();
    if coded.file != file || coded.starts.len() != count {
        return None;
    }
    let mut starts = coded.starts.iter();
    let mut last = [0; 3];
    let (across, down) = frame.units();
    for unit in 0..across * down {
        if frame.restart > 0 && unit % frame.restart == 0 {
            last = [0; 3];
        }
        one_unit(frame, unit, &mut |at, dc, ac| {
            let mut bits = Bits::from_bit(&coded.data, *starts.next()? as usize);
            let last = &mut last[at.component];
            block(&mut Block {
                at,
                bits: &mut bits,
                dc,
                ac,
                last,
                next_known: true,
            })
        })?;
    }
    Some(())
}

/// Visits the blocks of a coding unit, each with its code tables.
#[inline(always)]
fn one_unit(
    frame: &Frame,
    unit: usize,
    visit: &mut impl FnMut(Place, &DcCodes, &AcCodes) -> Option<()>,
) -> Option<()> {
    let (across, _) = frame.units();
    let (x, y) = (unit % across, unit / across);
    for (component, part) in frame.components.iter().enumerate() {
        let (Some(dc), Some(ac)) = (&frame.dc[part.dc], &frame.ac[part.ac]) else {
            return None;
        };
        for row in 0..part.down {
            for column in 0..part.across {
                let (x, y) = (x * part.across + column, y * part.down + row);
                visit(Place { component, x, y }, dc, ac)?;
            }
        }
    }
    Some(())
}
