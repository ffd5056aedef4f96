//! Whether a file has more pictures than the one that is decoded.

/// Most blocks of a GIF that are walked over, and most pages of a TIFF's table.
const BLOCKS_MAX: usize = 1 << 20;

/// What was given up of a picture to have it as RGB of 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduced {
    /// More than 8 bits a channel.
    Depth,
    /// Transparent parts: they show white.
    Transparency,
    /// Pictures behind the first one.
    Frames,
}

/// Whether a GIF has a second frame (GIF89a specification, sections 18 to 23); `first` is where the position of the first
/// one stands.
pub(super) fn gif_has_more(bytes: &[u8], first: usize) -> bool {
    let second = || {
        let flags = *bytes.get(first + 8)?;
        let palette = if flags & 0x80 != 0 {
            3 << ((flags & 7) + 1)
        } else {
            0
        };
        // Behind the size of the codes: blocks of up to 255 bytes until one of none, of data and of extensions.
        let mut at = first + 9 + palette + 1;
        for _ in 0..BLOCKS_MAX {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length > 0 {
                continue;
            }
            match *bytes.get(at)? {
                0x2c => return Some(()),
                0x21 => at += 2,
                _ => return None,
            }
        }
        None
    };
    second().is_some()
}

/// Whether a TIFF names a second page behind its first one (TIFF 6.0, section 2).
pub(super) fn tiff_has_more(bytes: &[u8]) -> bool {
    let little = bytes.starts_with(b"II*\0");
    if !little && !bytes.starts_with(b"MM\0*") {
        // BigTIFF, whose pages are counted by nobody here.
        return false;
    }
    let number = |at: usize, length: usize| -> Option<usize> {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
        Some(if little {
            digits.iter().rev().fold(0, add)
        } else {
            digits.iter().fold(0, add)
        })
    };
    let next = || {
        let page = number(4, 4)?;
        let entries = number(page, 2)?;
        number(page + 2 + entries * 12, 4)
    };
    next().is_some_and(|page| page != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_page_is_seen_in_both_orders_of_bytes() {
        for (start, numbers) in [
            (*b"II*\0", u32::to_le_bytes as fn(u32) -> [u8; 4]),
            (*b"MM\0*", u32::to_be_bytes),
        ] {
            for next in [0, 26] {
                // No entry in the table of the first page.
                let file = [&start[..], &numbers(8), &[0, 0], &numbers(next)].concat();
                assert_eq!(tiff_has_more(&file), next != 0);
                assert!(!tiff_has_more(&file[..12]));
            }
        }
    }
}
