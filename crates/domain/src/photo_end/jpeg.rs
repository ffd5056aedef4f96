//! JPEG, and the pictures behind the first one that a multi-picture file names (CIPA DC-007): the other eye of a stereo
//! camera (MPO), the gain map of an Ultra HDR photo, a preview.

use super::tiff;

const START_OF_SCAN: u8 = 0xDA;
const APP2: u8 = 0xE2;

/// What an APP2 segment with the index of the pictures begins with; offsets count from behind it.
const MULTI_PICTURE: &[u8] = b"MPF\0";
/// The tag of the entries, and the bytes that each has: attributes, length, offset, and two dependent pictures.
const ENTRIES: u64 = 0xB002;
const ENTRY_BYTES: usize = 16;

/// Segments up to the first scan, and behind it the marker of the end (ITU T.81, B.1.1.2 and B.2.1). A thumbnail's end is
/// inside a segment, so it is not taken for the picture's. Pictures that an index names must be there, too.
pub(super) fn ends_early(bytes: &[u8]) -> bool {
    let mut at = 2;
    let mut end_of_pictures = 0;
    loop {
        let (Some(0xFF), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) else {
            // Not a frame that is known here, or cut between segments.
            return at + 1 >= bytes.len();
        };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
            return true;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = at + 4;
        at += 2 + length.max(2);
        if marker == START_OF_SCAN {
            break;
        }
        let index = bytes
            .get(body..at)
            .and_then(|body| body.strip_prefix(MULTI_PICTURE));
        if let (APP2, Some(index)) = (marker, index) {
            let start = body + MULTI_PICTURE.len();
            end_of_pictures = end_of_pictures.max(end_of_named(index, start as u64).unwrap_or(0));
        }
    }
    let scan = bytes.get(at..).unwrap_or_default();
    end_of_pictures > bytes.len() as u64 || !scan.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// Where the last of the pictures ends that an index at `start` names, in bytes from the start of the file. None where it
/// is no index.
fn end_of_named(index: &[u8], start: u64) -> Option<u64> {
    let entries = tiff::bytes_of_first_directory(index, ENTRIES)?;
    let little = index.starts_with(b"II");
    let number = |four: &[u8; 4]| -> u64 {
        if little {
            u32::from_le_bytes(*four).into()
        } else {
            u32::from_be_bytes(*four).into()
        }
    };
    let ends = entries.chunks_exact(ENTRY_BYTES).filter_map(|entry| {
        let (length, offset) = (
            number(entry[4..].first_chunk()?),
            number(entry[8..].first_chunk()?),
        );
        // The first picture begins where the file does, and says 0.
        let from = if offset == 0 { 0 } else { start + offset };
        Some(from + length)
    });
    ends.max()
}

#[cfg(test)]
mod tests {
    use crate::photo_end::ends_early;

    const SEGMENTS_BYTES: usize = 2 + 2 + 2 + 4 + 8 + 2 + 12 + 4 + 2 * 16;
    const SCAN: &[u8] = b"\xFF\xDA\0\x02pixels\xFF\xD9";
    const SECOND: &[u8] = b"\xFF\xD8\xFF\xDA\0\x02more\xFF\xD9";

    /// Two pictures; the index is written in either byte order.
    fn two_pictures(little: bool) -> Vec<u8> {
        let two = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let four = |v: usize| {
            let v = u32::try_from(v).unwrap_or_default();
            if little { v.to_le_bytes() } else { v.to_be_bytes() }
        };
        let first = SEGMENTS_BYTES + SCAN.len();
        // Offsets count from the eleventh byte of the file.
        let offset = first - 10;
        let index = [
            if little { b"MPF\0II*\0" } else { b"MPF\0MM\0*" }.as_slice(),
            &four(8),
            &two(1),
            &two(0xB002),
            &two(7),
            &four(32),
            &four(26),
            &four(0),
            &[four(0x0003_0000), four(first), four(0), four(0)].concat(),
            &[four(0), four(SECOND.len()), four(offset), four(0)].concat(),
        ]
        .concat();
        let length = u16::try_from(index.len() + 2).unwrap_or_default();
        [
            b"\xFF\xD8\xFF\xE2",
            &length.to_be_bytes()[..],
            &index,
            SCAN,
            SECOND,
        ]
        .concat()
    }

    #[test]
    fn a_file_of_several_pictures_is_whole_at_the_end_of_the_last() {
        for little in [false, true] {
            let whole = two_pictures(little);
            assert!(!ends_early(&whole), "little {little}");
            assert!(!ends_early(&[&whole[..], b"of a vendor"].concat()));
            for end in 0..whole.len() {
                assert!(ends_early(&whole[..end]), "{end}, little {little}");
            }
        }
    }

    #[test]
    fn an_index_that_makes_no_sense_is_passed_by() {
        let whole = two_pictures(false);
        let first = &whole[..whole.len() - SECOND.len()];
        for (at, value) in [(6, b'X'), (10, b'X'), (17, 200), (23, 3), (27, 4)] {
            let mut odd = first.to_vec();
            odd[at] = value;
            assert!(!ends_early(&odd), "{at}");
        }
    }
}
