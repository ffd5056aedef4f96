//! Whether a file ends before its picture does, by the frame of its format alone: nothing is decoded.
//!
//! A hint to wait, not a verdict: some cameras leave the end out, and such a file is taken after a longer wait.

/// The shortest frame of those below: RIFF's.
const FRAME_BYTES_MIN: usize = 12;

/// Whether a picture of these bytes lacks its end. Of formats that have none to look for, nothing is said.
pub(super) fn looks_cut(bytes: &[u8]) -> bool {
    match bytes {
        // Too short for any picture.
        _ if bytes.len() < FRAME_BYTES_MIN => true,
        [0xFF, 0xD8, ..] => jpeg(bytes),
        [0x89, b'P', b'N', b'G', ..] => !ends_with_near(bytes, b"IEND"),
        [b'R', b'I', b'F', b'F', size @ ..] => riff(size, bytes.len()),
        _ => false,
    }
}

/// Segments up to the first scan, and behind it the marker of the end (ITU T.81, B.1.1.2 and B.2.1). A thumbnail's end is
/// inside a segment, so it is not taken for the picture's.
fn jpeg(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xDA;
    let mut at = 2;
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
        at += 2 + length.max(2);
        if marker == SCAN {
            break;
        }
    }
    let scan = bytes.get(at..).unwrap_or_default();
    !scan.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// A chunk whose length goes beyond the file (RIFF: length of what follows the first eight bytes).
fn riff(after_name: &[u8], all: usize) -> bool {
    let Some(size) = after_name.first_chunk::<4>() else {
        return true;
    };
    u64::from(u32::from_le_bytes(*size)) + 8 > all as u64
}

/// Within the last kilobyte: something may follow the end.
fn ends_with_near(bytes: &[u8], end: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(1024)..];
    tail.windows(end.len()).any(|part| part == end)
}
