//! Whether the bytes of a picture end before the picture does, by the frame of its format alone: nothing is decoded.
//!
//! A hint to wait or to ask again, not a verdict: some writers leave the end out, or say a wrong length.

mod jpeg;
mod tiff;

/// No picture of any kind is shorter.
const PICTURE_BYTES_MIN: usize = 12;

/// So many zeros at the end are room that is not filled yet: a block of a file system.
const ROOM_BYTES_MIN: usize = 4096;

/// Whether a picture of these bytes lacks its end. Of what is no picture of a kind that is read here, nothing is said.
pub fn ends_early(bytes: &[u8]) -> bool {
    match bytes {
        _ if bytes.len() < PICTURE_BYTES_MIN => true,
        [b'B', b'M', ..] => bmp(bytes).is_none(),
        _ if ends_in_room(bytes) => true,
        [0xFF, 0xD8, ..] => jpeg::ends_early(bytes),
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        [b'R', b'I', b'F', b'F', ..] => little(bytes, 4).is_none_or(|size| size + 8 > bytes.len()),
        [b'G', b'I', b'F', b'8', ..] => gif(bytes).is_none(),
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => tiff::ends_early(bytes),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxes(bytes).is_none(),
        // Room that a writer has made and not begun to fill.
        _ => bytes[..PICTURE_BYTES_MIN].iter().all(|byte| *byte == 0),
    }
}

/// Whether the bytes end in room that a writer has made and not filled yet, as copies over SMB do. Compressed pictures end in
/// no such run of zeros; a bitmap may: it is black there.
fn ends_in_room(bytes: &[u8]) -> bool {
    bytes.len() > 2 * ROOM_BYTES_MIN
        && bytes[bytes.len() - ROOM_BYTES_MIN..]
            .iter()
            .all(|byte| *byte == 0)
}

/// Box by box to the end of the file (ISO/IEC 14496-12, 4.2); none where a box ends behind it, or where there is no media data
/// yet. A box of size 0 goes to the end of the file, wherever that is.
fn boxes(bytes: &[u8]) -> Option<()> {
    let (mut at, mut has_data) = (0_usize, false);
    while at < bytes.len() {
        let head = bytes.get(at..)?.first_chunk::<8>()?;
        let size = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => return Some(()),
            1 => u64::from_be_bytes(*bytes.get(at + 8..)?.first_chunk()?),
            size => u64::from(size),
        };
        if size < 8 {
            // No box: what a vendor has put behind the last one.
            break;
        }
        has_data |= &head[4..] == b"mdat";
        at = at.checked_add(usize::try_from(size).ok()?)?;
    }
    (has_data && at <= bytes.len()).then_some(())
}

/// Chunk by chunk to the last one (PNG 3rd edition, 5.3).
fn png(bytes: &[u8]) -> bool {
    let mut at: usize = 8;
    while let Some(&[a, b, c, d, ref name @ ..]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // Length, name and check sum are twelve bytes.
        at = at.saturating_add(u32::from_be_bytes([a, b, c, d]) as usize + 12);
        if name == b"IEND" {
            return at > bytes.len();
        }
    }
    true
}

/// Block by block to the trailer (GIF89a, 17 to 27); none where the bytes end first.
fn gif(bytes: &[u8]) -> Option<()> {
    const DESCRIPTOR: u8 = 0x2C;
    const EXTENSION: u8 = 0x21;
    const TRAILER: u8 = 0x3B;
    let colours = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let mut at = 13 + colours(*bytes.get(10)?);
    let mut pictures = 0;
    loop {
        match *bytes.get(at)? {
            TRAILER => return Some(()),
            EXTENSION => at += 2,
            DESCRIPTOR => {
                at += 11 + colours(*bytes.get(at + 9)?);
                pictures += 1;
            }
            // Fill behind the pictures; where there is none yet, it is to come.
            _ => return (pictures > 0).then_some(()),
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

/// All rows, where their length follows from the header; else the length that the header says. None where the bytes end
/// first. Writers get that length wrong, so it counts only where the rows are packed.
fn bmp(bytes: &[u8]) -> Option<()> {
    const OLD_HEADER: usize = 12;
    let start = little(bytes, 10)?;
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    let (width, height, bits, packed) = match little(bytes, 14)? {
        OLD_HEADER => (short(18)?, short(20)?, short(24)?, false),
        // 0: rows as they are; 3 and 6: as they are, with masks for the colours.
        _ => (
            little(bytes, 18)?,
            signed(bytes, 22)?,
            short(28)?,
            !matches!(little(bytes, 30)?, 0 | 3 | 6),
        ),
    };
    let needed = if packed {
        little(bytes, 2)?
    } else {
        let row = width.saturating_mul(bits).div_ceil(32).saturating_mul(4);
        start.saturating_add(row.saturating_mul(height))
    };
    (needed <= bytes.len()).then_some(())
}

fn little(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four) as usize)
}

/// How far from zero: rows may be counted downwards.
fn signed(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(i32::from_le_bytes(*four).unsigned_abs() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thumbnail with an end of its own in a segment, a scan, and its end.
    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE1\0\x06\xFF\xD8\xFF\xD9\xFF\xDA\0\x02pixels\xFF\xD9";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x04IDATIENDcccc\0\0\0\0IEND\xAE\x42\x60\x82";
    const GIF: &[u8] =
        b"GIF89a\x01\0\x01\0\x80\0\0rgbrgb!\xF9\x04\0;\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02;A\0;";
    const HEIC: &[u8] = b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\x0cmeta\0\0\0\0\0\0\0\x0emdatpixels";
    const WEBP: &[u8] = b"RIFF\x08\0\0\0WEBPVP8 ";

    /// Four grey pixels a row, two rows; the length that its header says is wrong.
    fn bmp_rows(height: i32) -> Vec<u8> {
        let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x04\0\0\0".to_vec();
        bytes.extend(height.to_le_bytes());
        bytes.extend(b"\x01\0\x08\0");
        bytes.extend([0; 24]);
        bytes.extend(b"12345678");
        bytes
    }

    #[test]
    fn room_that_is_not_filled_yet_is_waited_for() {
        for whole in [JPEG, PNG, GIF, WEBP] {
            let copied = [whole, &[0; 3 * ROOM_BYTES_MIN]].concat();
            assert!(ends_early(&copied), "{whole:?}");
        }
    }

    #[test]
    fn every_cut_of_a_whole_picture_is_seen_and_what_follows_its_end_is_not() {
        for whole in [JPEG, PNG, GIF, WEBP, HEIC, &bmp_rows(2), &bmp_rows(-2)] {
            assert!(!ends_early(whole), "{whole:?}");
            for end in 0..whole.len() {
                assert!(ends_early(&whole[..end]), "{end} of {whole:?}");
            }
            let trailer = [whole, &[0; 2000], b"of a vendor"].concat();
            assert!(!ends_early(&trailer), "{whole:?}");
        }
    }

    #[test]
    fn what_is_no_picture_has_no_end_to_look_for() {
        assert!(!ends_early(b"anything else"));
        assert!(ends_early(&[0; 5000]), "room that was made and not filled");
        assert!(ends_early(b"\xFF") && ends_early(b"\xFF\xD8") && ends_early(b""));
    }

    #[test]
    fn a_packed_bitmap_is_as_long_as_it_says() {
        let mut packed = bmp_rows(2);
        packed[30] = 1;
        packed[2] = packed.len() as u8;
        assert!(!ends_early(&packed));
        assert!(ends_early(&packed[..packed.len() - 1]));
    }
}
