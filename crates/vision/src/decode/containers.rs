//! PNG chunks and RIFF sizes: whether a file is complete, before anything of it is decoded.

use std::borrow::Cow;
use std::ops::Range;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use walkaround_domain::Reason;

use super::png_text::exif_in_text;
use super::{cut_short, exif};

/// The chunk that ends every PNG (PNG specification, 11.2.5).
const IEND: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Most bytes of pixels that are inflated to see whether they are whole: eight a pixel of the largest pictures.
const INFLATED_BYTES_MAX: u64 = 1 << 30;

/// What the chunks of a PNG say before it is decoded.
pub(super) struct Png<'a> {
    /// The file; with an end put to it where its own is missing, and with checksums of the pixels that are right.
    pub(super) bytes: Cow<'a, [u8]>,
    /// EXIF orientation (eXIf may stand before or behind the pixels; older writers have it in a text).
    pub(super) orientation: Option<u8>,
}

/// The pixels of a PNG, as its chunks hold them.
#[derive(Default)]
struct Pixels {
    chunks: Vec<Range<usize>>,
    /// Of chunks whose checksum is wrong: where it stands, and what it should be.
    wrong: Vec<Wrong>,
}

struct Wrong {
    at: usize,
    checksum: [u8; 4],
}

/// Reads the chunks of a PNG. Checksums of pixels that are wrong are put right where the pixels have another one of
/// their own (zlib's) which is right: then no pixel is.
pub(super) fn png(bytes: &[u8]) -> Result<Png<'_>, Reason> {
    let mut pixels = Pixels::default();
    let mut png = chunks(bytes, &mut pixels)?;
    if !pixels.wrong.is_empty() && pixels.are_whole(bytes) {
        let copy = png.bytes.to_mut();
        for Wrong { at, checksum } in pixels.wrong {
            if let Some(stored) = copy.get_mut(at..at + 4) {
                stored.copy_from_slice(&checksum);
            }
        }
    }
    Ok(png)
}

impl Pixels {
    fn add(&mut self, bytes: &[u8], chunk: Range<usize>) {
        let checksum = crc32(&bytes[chunk.start - 4..chunk.end]).to_be_bytes();
        let at = chunk.end;
        if bytes.get(at..at + 4).is_some_and(|stored| *stored != checksum) {
            self.wrong.push(Wrong { at, checksum });
        }
        self.chunks.push(chunk);
    }

    /// Whether they inflate to their end, where zlib compares its own checksum.
    fn are_whole(&self, bytes: &[u8]) -> bool {
        let mut zlib = Decompress::new(true);
        let mut out = vec![0; 64 << 10];
        for chunk in &self.chunks {
            let mut rest = &bytes[chunk.clone()];
            loop {
                let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
                match zlib.decompress(rest, &mut out, FlushDecompress::None) {
                    Ok(Status::StreamEnd) => return true,
                    Ok(_) if zlib.total_out() <= INFLATED_BYTES_MAX => {}
                    Ok(_) | Err(_) => return false,
                }
                let taken = (zlib.total_in() - before_in) as usize;
                rest = &rest[taken..];
                if taken == 0 && zlib.total_out() == before_out {
                    break;
                }
            }
        }
        false
    }
}

/// Walks over the chunks of a PNG.
///
/// A PNG that ends inside or before its pixel data is cut short. One whose pixels are all there may lack what follows
/// them: the checksum of the last ones, chunks that hold no pixels, the IEND chunk. Whether the pixels of such a
/// one are whole, decoding shows.
fn chunks<'a>(bytes: &'a [u8], pixels: &mut Pixels) -> Result<Png<'a>, Reason> {
    let mut at = 8;
    let mut orientation = None;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((length, kind)) = chunk_head(rest) else {
            return ended(bytes, at, !pixels.chunks.is_empty(), orientation);
        };
        let end = length.saturating_add(8);
        match (kind, rest.get(8..end)) {
            (b"IEND", _) if rest.len() >= IEND.len() => {
                let bytes = Cow::Borrowed(bytes);
                return Ok(Png { bytes, orientation });
            }
            (b"IDAT", None) => return Err(cut_short()),
            (b"IDAT", Some(_)) if rest.len() < end + 4 => {
                pixels.add(bytes, at + 8..at + end);
                let checksum = crc32(&rest[4..end]).to_be_bytes();
                let bytes = Cow::Owned([&bytes[..at + end], &checksum, &IEND].concat());
                return Ok(Png { bytes, orientation });
            }
            (b"IDAT", Some(_)) => pixels.add(bytes, at + 8..at + end),
            (b"eXIf", Some(block)) => orientation = exif::orientation(block).or(orientation),
            (b"tEXt" | b"zTXt", Some(text)) if rest.len() >= end + 4 => {
                let block = exif_in_text(text, kind == b"zTXt");
                orientation = orientation.or(block.and_then(|block| exif::orientation(&block)));
            }
            (_, Some(_)) if rest.len() >= end + 4 => {}
            _ => return ended(bytes, at, !pixels.chunks.is_empty(), orientation),
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
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
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
