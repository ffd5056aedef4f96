//! COCO's compressed run-length text: each count in groups of five bits, least significant first, offset by
//! 48 so that all is printable; from the third count on, the difference to the count two before.
//!
//! The format is the one `rleToString` and `rleFrString` of pycocotools write and read.

use walkaround_domain::{Rle, Size};

use super::{RleError, check_size};

/// A count takes at most this many characters: 33 signed bits in groups of five.
const GROUPS_MAX: u32 = 7;

/// COCO's compressed text of a run-length code; `from_string` is the inverse.
pub fn to_string(rle: &Rle) -> String {
    let mut text = String::with_capacity(rle.counts.len() * 2);
    for (index, &count) in rle.counts.iter().enumerate() {
        let before = if index > 2 {
            i64::from(rle.counts[index - 2])
        } else {
            0
        };
        push_count(&mut text, i64::from(count) - before);
    }
    text
}

fn push_count(text: &mut String, mut value: i64) {
    loop {
        let group = (value & 0x1f) as u8;
        value >>= 5;
        // Bit 4 of the last group is the sign: the value is complete once what is left only repeats it.
        let more = if group & 0x10 != 0 {
            value != -1
        } else {
            value != 0
        };
        text.push(char::from(48 + (group | if more { 0x20 } else { 0 })));
        if !more {
            return;
        }
    }
}

/// Reads COCO's compressed text for a mask of the given size.
///
/// # Errors
/// [`RleError::TooLarge`]; [`RleError::Text`] where the text is malformed; [`RleError::Sum`] when the counts
/// do not add up to the size. The counts are bounded by the text's length.
pub fn from_string(size: Size, text: &str) -> Result<Rle, RleError> {
    let pixels = check_size(size)?;
    let bytes = text.as_bytes();
    let mut counts: Vec<u32> = Vec::with_capacity(bytes.len() / 2 + 1);
    let (mut at, mut sum) = (0, 0u64);
    while at < bytes.len() {
        let (difference, next) = read_count(bytes, at)?;
        let before = if counts.len() > 2 {
            i64::from(counts[counts.len() - 2])
        } else {
            0
        };
        let count = u32::try_from(difference + before).map_err(|_| RleError::Text { at })?;
        sum += u64::from(count);
        if sum > pixels {
            return Err(RleError::Sum { sum, pixels });
        }
        counts.push(count);
        at = next;
    }
    if sum == pixels {
        Ok(Rle { size, counts })
    } else {
        Err(RleError::Sum { sum, pixels })
    }
}

/// One signed value and the offset of the byte after it.
fn read_count(bytes: &[u8], from: usize) -> Result<(i64, usize), RleError> {
    let mut value = 0i64;
    for group in 0..GROUPS_MAX {
        let at = from + group as usize;
        let byte = *bytes.get(at).ok_or(RleError::Text { at })?;
        let code = byte
            .checked_sub(48)
            .filter(|&code| code < 64)
            .ok_or(RleError::Text { at })?;
        value |= i64::from(code & 0x1f) << (5 * group);
        if code & 0x20 == 0 {
            if code & 0x10 != 0 {
                value |= -1 << (5 * (group + 1));
            }
            return Ok((value, at + 1));
        }
    }
    Err(RleError::Text { at: from })
}
