//! PNG chunks and RIFF sizes: whether a file is complete, before anything of it is decoded.

use image::metadata::Orientation;
use walkaround_domain::Reason;

use super::cut_short;

/// Walks over the chunks of a PNG; returns its orientation (eXIf may stand before or behind the pixels).
///
/// A PNG that ends inside or before its pixel data is cut short; one that only lacks the IEND chunk is not.
pub(super) fn png_orientation(bytes: &[u8]) -> Result<Option<u8>, Reason> {
    let mut rest = &bytes[8..];
    let mut orientation = None;
    let mut pixels = false;
    loop {
        let Some((length, kind)) = chunk_head(rest) else {
            return if pixels { Ok(orientation) } else { Err(cut_short()) };
        };
        let body = rest.get(8..).and_then(|body| body.get(..length));
        match (kind, body) {
            (b"IEND", _) => return Ok(orientation),
            (b"IDAT", Some(_)) => pixels = true,
            (b"eXIf", Some(exif)) => {
                orientation = Orientation::from_exif_chunk(exif).map(Orientation::to_exif);
            }
            (_, Some(_)) => {}
            (_, None) => return Err(cut_short()),
        }
        // Four bytes of checksum follow the body.
        rest = rest.get(length + 12..).unwrap_or_default();
    }
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
