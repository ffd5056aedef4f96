//! EXIF in the text of a PNG, as ImageMagick and what stands on it write it: PNG had no chunk for it before 2017.
//!
//! The keyword is `Raw profile type exif` (or `APP1`), the text, in `zTXt` deflated, is the profile's name, its length in
//! decimal, and its bytes in hexadecimal, each on lines of their own (ExifTool's PNG tags, "Raw profile type").

use flate2::read::ZlibDecoder;
use std::io::Read;

const KEYWORDS: [&[u8]; 2] = [b"Raw profile type exif", b"Raw profile type APP1"];

/// Most characters of such a text: an EXIF block of JPEG has at most 64 KiB, in hexadecimal with line ends.
const TEXT_BYTES_MAX: u64 = 160 << 10;

/// The EXIF block in the body of a `tEXt` (or, if `deflated`, `zTXt`) chunk. None where it holds something else.
pub(super) fn exif_in_text(chunk: &[u8], deflated: bool) -> Option<Vec<u8>> {
    let keyword = KEYWORDS.into_iter().find(|keyword| chunk.starts_with(keyword))?;
    let text = chunk[keyword.len()..].strip_prefix(b"\0")?;
    let mut plain = Vec::new();
    if deflated {
        // The one method that there is (PNG specification, 11.3.3.3).
        let packed = text.strip_prefix(b"\0")?;
        let read = ZlibDecoder::new(packed)
            .take(TEXT_BYTES_MAX)
            .read_to_end(&mut plain);
        read.ok()?;
    } else {
        plain.extend(text.iter().take(TEXT_BYTES_MAX as usize));
    }
    let mut words = plain
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let (_name, length) = (words.next()?, words.next()?);
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let digits: Vec<u8> = words.flatten().copied().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let block: Vec<u8> = digits.chunks(2).map_while(byte).collect();
    (block.len() >= length).then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_exif_profile_is_passed_by() {
        for (chunk, deflated) in [
            (&b"Title\0exif 1 ff"[..], false),
            (b"Raw profile type exif", false),
            (b"Raw profile type exif\0", false),
            (b"Raw profile type exif\0exif", false),
            (b"Raw profile type exif\0exif 4 ff", false),
            (b"Raw profile type exif\0exif -1 ff", false),
            (b"Raw profile type exif\0\0no zlib", true),
            (b"Raw profile type exif\0\x01", true),
        ] {
            assert_eq!(exif_in_text(chunk, deflated), None, "{chunk:?}");
        }
        let whole = exif_in_text(b"Raw profile type APP1\0\nAPP1\n       2\nf\nf01\n", false);
        assert_eq!(whole, Some(vec![0xff, 0x01]));
    }
}
