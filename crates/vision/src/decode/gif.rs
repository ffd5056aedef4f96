//! The canvas of a GIF, as large as its first frame at least.
//!
//! Some writers declare a canvas that is smaller than the frame; viewers and Pillow show the whole frame, and a decoder that
//! goes by the canvas would show a corner of it (GIF89a specification, sections 18 and 20).

use super::frames::gif_has_more;
use std::borrow::Cow;

/// Header and logical screen descriptor.
const SCREEN_END: usize = 13;
/// Where the width of the canvas stands, little-endian, and its height after it.
const SCREEN_SIZE: usize = 6;
/// Most extension blocks before the first frame.
const BLOCKS_MAX: usize = 1000;

/// The file, with its canvas enlarged where the first frame is larger. A file that cannot be followed is left as it is: the
/// decoder says what is wrong.
pub(super) fn whole_canvas(bytes: &[u8]) -> Cow<'_, [u8]> {
    let grown = || {
        let frame = first_frame(bytes)?;
        let (left, top) = (word(bytes, frame)?, word(bytes, frame + 2)?);
        let (width, height) = (word(bytes, frame + 4)?, word(bytes, frame + 6)?);
        let declared = [word(bytes, SCREEN_SIZE)?, word(bytes, SCREEN_SIZE + 2)?];
        let whole = [
            left.checked_add(width)?.max(declared[0]),
            top.checked_add(height)?.max(declared[1]),
        ];
        (declared != whole).then_some(whole.map(u16::to_le_bytes))
    };
    match grown() {
        None => Cow::Borrowed(bytes),
        Some(size) => {
            let mut copy = bytes.to_vec();
            copy[SCREEN_SIZE..SCREEN_SIZE + 4].copy_from_slice(size.as_flattened());
            Cow::Owned(copy)
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Whether there is a frame behind the first one.
pub(super) fn has_more_frames(bytes: &[u8]) -> bool {
    first_frame(bytes).is_some_and(|first| gif_has_more(bytes, first))
}

/// Where the position of the first frame stands.
fn first_frame(bytes: &[u8]) -> Option<usize> {
    let flags = *bytes.get(10)?;
    let palette = if flags & 0x80 != 0 {
        3 << ((flags & 7) + 1)
    } else {
        0
    };
    let mut at = SCREEN_END + palette;
    for _ in 0..BLOCKS_MAX {
        match *bytes.get(at)? {
            0x2c => return Some(at + 1),
            // An extension: its label, then blocks of up to 255 bytes until one of none.
            0x21 => {
                at += 2;
                loop {
                    let length = usize::from(*bytes.get(at)?);
                    at += 1 + length;
                    if length == 0 {
                        break;
                    }
                }
            }
            _ => return None,
        }
    }
    None
}
