//! The orientation out of an EXIF block, as strangers write it. Nothing else of the block is read.
//!
//! EXIF (CIPA DC-008) is a TIFF structure, and says SHORT for the orientation (tag 0x0112). Writers use any whole
//! number: BYTE, LONG, signed ones, even a fraction; what is meant is clear, and so it counts.

const ORIENTATION: u16 = 0x0112;
/// Entries of the first directory that are read; cameras write about twenty.
const ENTRIES_MAX: usize = 1000;

/// The orientation, 1 to 8, of an EXIF block that begins with its TIFF header. None where there is none, or one
/// that has no meaning.
pub(super) fn orientation(exif: &[u8]) -> Option<u8> {
    // PNG and WebP have the block without JPEG's name in front; some writers put it there all the same.
    let tiff = Tiff::new(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))?;
    let directory = usize::try_from(tiff.u32(4)?).ok()?;
    let count = usize::from(tiff.u16(directory)?).min(ENTRIES_MAX);
    let entries = (0..count).map(|i| directory.saturating_add(2 + 12 * i));
    // Of several, the first with a meaning.
    entries
        .filter(|entry| tiff.u16(*entry) == Some(ORIENTATION))
        .find_map(|entry| tiff.whole_number(entry))
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
}

/// The colour profile of a TIFF (tag 34675, ICC.1:2022, B.3). None where there is none, or not all of it; BigTIFF is not
/// read.
pub(super) fn tiff_profile(bytes: &[u8]) -> Option<&[u8]> {
    const PROFILE: u16 = 34675;
    let tiff = Tiff::new(bytes)?;
    let directory = usize::try_from(tiff.u32(4)?).ok()?;
    let count = usize::from(tiff.u16(directory)?).min(ENTRIES_MAX);
    let mut entries = (0..count).map(|i| directory.saturating_add(2 + 12 * i));
    let entry = entries.find(|entry| tiff.u16(*entry) == Some(PROFILE))?;
    let length = usize::try_from(tiff.u32(entry + 4)?).ok()?;
    let at = usize::try_from(tiff.u32(entry + 8)?).ok()?;
    bytes.get(at..at.checked_add(length)?)
}

struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.first_chunk::<4>()? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { bytes, little })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// The first value of an entry, if it is a whole number that is not negative.
    fn whole_number(&self, entry: usize) -> Option<u32> {
        let (kind, count) = (self.u16(entry + 2)?, self.u32(entry + 4)?);
        let size: u32 = match kind {
            // BYTE, SBYTE.
            1 | 6 => 1,
            // SHORT, SSHORT.
            3 | 8 => 2,
            // LONG, SLONG, IFD.
            4 | 9 | 13 => 4,
            // RATIONAL, SRATIONAL.
            5 | 10 => 8,
            _ => return None,
        };
        let at = match size.checked_mul(count)? {
            0 => return None,
            // Up to four bytes stand in the entry itself, at its front in either byte order.
            1..=4 => entry + 8,
            _ => usize::try_from(self.u32(entry + 8)?).ok()?,
        };
        match size {
            1 => self.bytes.get(at).copied().map(u32::from),
            2 => self.u16(at).map(u32::from),
            4 => self.u32(at),
            _ => {
                let (above, below) = (self.u32(at)?, self.u32(at.checked_add(4)?)?);
                above
                    .checked_rem(below)
                    .filter(|rest| *rest == 0)
                    .map(|_| above / below)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with the orientation as `kind`, its value field given as bytes.
    fn block(little: bool, kind: u16, count: u32, value: &[u8]) -> Vec<u8> {
        let two = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let four = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut bytes: Vec<u8> = if little { b"II*\0" } else { b"MM\0*" }.to_vec();
        bytes.extend(four(8));
        bytes.extend(two(2));
        for (tag, kind, count) in [(0x0100, 3, 1), (ORIENTATION, kind, count)] {
            bytes.extend(two(tag));
            bytes.extend(two(kind));
            bytes.extend(four(count));
            let inline = if tag == ORIENTATION && value.len() <= 4 {
                value
            } else {
                &[]
            };
            if tag == ORIENTATION && value.len() > 4 {
                bytes.extend(four(38));
            } else {
                bytes.extend(inline);
                bytes.resize(bytes.len() + 4 - inline.len(), 0);
            }
        }
        bytes.extend(four(0));
        if value.len() > 4 {
            bytes.extend(value);
        }
        bytes
    }

    #[test]
    fn orientation_of_any_whole_type_in_both_byte_orders() {
        for little in [false, true] {
            let two = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
            let four = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
            let fraction = [four(12), four(2)].concat();
            for (kind, count, value) in [
                (1, 1, &[6][..]),
                (6, 1, &[6]),
                (3, 1, &two(6)),
                (8, 1, &two(6)),
                (3, 2, &[two(6), two(1)].concat()),
                (4, 1, &four(6)),
                (9, 1, &four(6)),
                (3, 3, &[two(6), two(1), two(1)].concat()),
                (5, 1, &fraction),
                (10, 1, &fraction),
            ] {
                let block = block(little, kind, count, value);
                assert_eq!(
                    orientation(&block),
                    Some(6),
                    "type {kind}, {count}, little {little}"
                );
                let named = [b"Exif\0\0", &block[..]].concat();
                assert_eq!(orientation(&named), Some(6));
            }
        }
    }

    #[test]
    fn an_orientation_without_a_meaning_is_none() {
        let cases = [
            block(true, 3, 1, &[0, 0]),
            block(true, 3, 1, &[9, 0]),
            block(true, 3, 0, &[6, 0]),
            block(false, 2, 2, b"6\0"),
            block(false, 9, 1, &(-6_i32).to_be_bytes()),
            block(false, 5, 1, &[0, 0, 0, 6, 0, 0, 0, 0]),
            block(false, 4, 2, &[0; 4]),
            block(false, 3, 1, &[0, 6])[..20].to_vec(),
            b"II*\0\xff\xff\xff\xff".to_vec(),
            b"II*\0".to_vec(),
            Vec::new(),
        ];
        for case in cases {
            assert_eq!(orientation(&case), None, "{case:02x?}");
        }
    }
}
