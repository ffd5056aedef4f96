//! The walk over the coding units of a scan.

use super::bits::{Bits, unstuff};
use super::codes::{AcCodes, DcCodes, END, PUT_PLACES};
use super::frame::Frame;
use crate::decode::markers::{EOI, RST0};

/// The block that is read.
pub(super) struct Block<'a, 'b> {
    /// Its component.
    pub(super) component: usize,
    /// Its place among the blocks of its component.
    pub(super) x: usize,
    pub(super) y: usize,
    bits: &'a mut Bits<'b>,
    dc: &'a DcCodes,
    ac: &'a AcCodes,
    /// The DC value before, of this component.
    last: &'a mut i32,
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

    /// Reads coefficients as [`AcCodes::read`]; the others of the 64 are 0. Whether there is one that is not 0.
    #[inline(always)]
    pub(super) fn ac(&mut self, last: u32, values: &mut [i16; PUT_PLACES]) -> Option<bool> {
        values[..64].fill(0);
        Some(self.ac.read(self.bits, last, values)? != END)
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
) -> Option<()> {
    let (across, down) = frame.units();
    let count = across * down;
    let interval = if frame.restart == 0 { count } else { frame.restart };
    let mut data = Vec::with_capacity(bytes.len().saturating_sub(frame.data_at));
    let mut from = frame.data_at;
    let mut unit = 0;
    let mut restarts = 0_u8;
    while unit < count {
        let marker = unstuff(bytes, from, &mut data)?;
        let mut bits = Bits::new(&data);
        let mut last = [0; 3];
        let end = count.min(unit + interval);
        while unit < end {
            // A row at a time, so that data which end early are not followed to the end of the picture.
            let row_end = end.min((unit / across + 1) * across);
            for at in unit..row_end {
                let place = (at % across, at / across);
                one_unit(frame, place, &mut bits, &mut last, &mut block)?;
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
    Some(())
}

#[inline(always)]
fn one_unit(
    frame: &Frame,
    (x, y): (usize, usize),
    bits: &mut Bits<'_>,
    last: &mut [i32; 3],
    block: &mut impl FnMut(&mut Block<'_, '_>) -> Option<()>,
) -> Option<()> {
    for (component, part) in frame.components.iter().enumerate() {
        let (Some(dc), Some(ac)) = (&frame.dc[part.dc], &frame.ac[part.ac]) else {
            return None;
        };
        for row in 0..part.down {
            for column in 0..part.across {
                block(&mut Block {
                    component,
                    x: x * part.across + column,
                    y: y * part.down + row,
                    bits,
                    dc,
                    ac,
                    last: &mut last[component],
                })?;
            }
        }
    }
    Some(())
}
