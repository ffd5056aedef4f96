//! PNG chunks and RIFF sizes: whether a file is complete, before anything of it is decoded.

use std::borrow::Cow;

use walkaround_domain::Reason;

use super::{cut_short, exif};

/// The chunk that ends every PNG (PNG specification, 11.2.5).
const IEND: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";

/// What the chunks of a PNG say before it is decoded.
pub(super) struct Png<'a> {
    /// The file; with an end put to it where its own is missing.
    pub(super) bytes: Cow<'a, [u8]>,
    /// EXIF orientation (eXIf may stand before or behind the pixels).
    pub(super) orientation: Option<u8>,
}

/// Walks over the chunks of a PNG.
///
/// A PNG that ends inside or before its pixel data is cut short. One whose pixels are all there may lack what follows
/// them: the checksum of the last ones, chunks that hold no pixels, the IEND chunk. Whether the pixels of such a
/// one are whole, decoding shows.
pub(super) fn png(bytes: &[u8]) -> Result<Png<'_>, Reason> {
    let mut at = 8;
    let mut orientation = None;
    let mut pixels = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((length, kind)) = chunk_head(rest) else {
            return ended(bytes, at, pixels, orientation);
        };
        let end = length.saturating_add(8);
        match (kind, rest.get(8..end)) {
            (b"IEND", _) if rest.len() >= IEND.len() => {
                let bytes = Cow::Borrowed(bytes);
                return Ok(Png { bytes, orientation });
            }
            (b"IDAT", None) => return Err(cut_short()),
            (b"IDAT", Some(_)) if rest.len() < end + 4 => {
                let checksum = crc32(&rest[4..end]).to_be_bytes();
                let bytes = Cow::Owned([&bytes[..at + end], &checksum, &IEND].concat());
                return Ok(Png { bytes, orientation });
            }
            (b"IDAT", Some(_)) => pixels = true,
            (b"eXIf", Some(block)) => orientation = exif::orientation(block),
            (_, Some(_)) if rest.len() >= end + 4 => {}
            _ => return ended(bytes, at, pixels, orientation),
        }
        // Four bytes of checksum follow the body.
        at += end + 4;
    }
}

/// The PNG up to `at`, where no whole chunk begins any more.
fn ended(bytes: &[u8], at: usize, pixels: bool, orientation: Option<u8>) -> Result<Png<'_>, Reason> {
    if !pixels {
        return Err(cut_short());
    }
    let bytes = Cow::Owned([&bytes[..at.min(bytes.len())], &IEND].concat());
    Ok(Png { bytes, orientation })
}

/// The checksum of a chunk's name and body (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |sum: u32| {
        if sum & 1 == 1 {
            (sum >> 1) ^ 0xedb8_8320
        } else {
            sum >> 1
        }
    };
    let step = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shift(sum));
    !bytes.iter().fold(!0, step)
}

fn chunk_head(bytes: &[u8]) -> Option<(usize, &[u8; 4])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*length) as usize, rest.first_chunk()?))
}

/// Checks that a WebP file is as long as its RIFF header says (the padding byte at the end may be missing).
pub(super) fn check_riff_length(bytes: &[u8]) -> Result<(), Reason> {
    let size = bytes
        .get(4..8)
        .and_then(|size| size.first_chunk())
        .ok_or_else(cut_short)?;
    let whole = u64::from(u32::from_le_bytes(*size)) + 8;
    if whole > bytes.len() as u64 + 1 {
        Err(cut_short())
    } else {
        Ok(())
    }
}
