//! What a file is, by its first bytes. Formats that are not read here are named, so that a person knows what
//! to change.

use walkaround_domain::Reason;

use super::{Format, unsupported};

/// The format of a file that is read here, or what it is instead.
pub(super) fn format(bytes: &[u8]) -> Result<Format, Reason> {
    if let Some(format) = supported(bytes) {
        return Ok(format);
    }
    if is_tiff(bytes)
        && let Some(what) = unread_tiff(bytes)
    {
        return Err(unsupported(what));
    }
    if let Some(what) = by_signature(bytes)
        .or_else(|| by_brand(bytes))
        .or_else(|| by_text(bytes))
    {
        return Err(unsupported(what));
    }
    let start: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Err(unsupported(format_args!(
        "not a known picture format (starts with {})",
        start.join(" ")
    )))
}

const HEIC: &str = "a HEIC picture";
const AVIF: &str = "an AVIF picture";

fn is_tiff(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];
    MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

/// Whether the first bytes are those of a picture, of whichever kind.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    let named = || by_signature(bytes).or_else(|| by_brand(bytes));
    supported(bytes).is_some() || named().is_some_and(|what| what.ends_with(" picture"))
}

fn supported(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(Format::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(Format::Png);
    }
    if bytes.starts_with(b"RIFF") && at(bytes, 8, b"WEBP") {
        return Some(Format::WebP);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Some(Format::Gif);
    }
    if is_tiff(bytes) && unread_tiff(bytes).is_none() {
        return Some(Format::Tiff);
    }
    #[cfg(feature = "heic")]
    if by_brand(bytes) == Some(HEIC) {
        return Some(Format::Heic);
    }
    #[cfg(feature = "avif")]
    if by_brand(bytes) == Some(AVIF) {
        return Some(Format::Avif);
    }
    // Two letters are not much of a signature: the length of the header that follows must be a known one.
    const BMP_HEADERS: [u8; 7] = [12, 40, 52, 56, 64, 108, 124];
    let bmp = bytes.starts_with(b"BM") && at(bytes, 15, &[0, 0, 0]);
    (bmp && BMP_HEADERS.contains(&bytes[14])).then_some(Format::Bmp)
}

fn at(bytes: &[u8], offset: usize, what: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|rest| rest.starts_with(what))
}

/// Camera raw files are TIFFs whose first picture is a thumbnail. They say so: NewSubfileType (254) has its
/// lowest bit set, or there is a DNGVersion (50706), or Canon's mark behind the header. Other TIFFs may begin with a
/// thumbnail, too: what follows it is not looked for.
fn unread_tiff(bytes: &[u8]) -> Option<&'static str> {
    let little = bytes.starts_with(b"II");
    let number = |offset: usize, length: usize| -> Option<usize> {
        let bytes = bytes.get(offset..offset.checked_add(length)?)?.iter();
        let join = |sum: usize, byte: &u8| (sum << 8) | usize::from(*byte);
        Some(if little {
            bytes.rev().fold(0, join)
        } else {
            bytes.fold(0, join)
        })
    };
    let first = number(4, 4).unwrap_or(usize::MAX >> 1);
    let entries = number(first, 2).unwrap_or(0);
    let mut entries = (0..entries).map(|i| first + 2 + 12 * i);
    if at(bytes, 8, b"CR") || entries.clone().any(|entry| number(entry, 2) == Some(50706)) {
        return Some("a camera raw file");
    }
    let is_thumbnail = |entry: usize| {
        number(entry, 2) == Some(254) && number(entry + 8, 4).is_some_and(|kind| kind & 1 == 1)
    };
    entries
        .any(is_thumbnail)
        .then_some("a camera raw file, or a TIFF whose first picture is a thumbnail")
}

fn by_signature(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(usize, &[u8], &str); 20] = [
        (0, b"\xff\x0a", "a JPEG XL picture"),
        (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (0, b"II\xbc\x01", "a JPEG XR picture"),
        (0, b"IIRO", "a camera raw file"),
        (0, b"IIU\0", "a camera raw file"),
        (0, b"FUJIFILM", "a camera raw file"),
        (0, b"8BPS", "a Photoshop document"),
        (0, b"\0\0\x01\0", "an icon file"),
        (0, b"%PDF", "a PDF document"),
        (0, b"PK\x03\x04", "a ZIP archive"),
        (0, b"\x1f\x8b", "a gzip archive"),
        (0, b"7z\xbc\xaf", "a 7z archive"),
        (0, b"\xd0\xcf\x11\xe0", "an Office document"),
        (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
        (0, b"OggS", "an Ogg file"),
        (0, b"\x7fELF", "a program"),
        (0, b"MZ", "a program"),
        (0, b"RIFF", "a sound or video file"),
    ];
    SIGNATURES
        .iter()
        .find(|(offset, magic, _)| at(bytes, *offset, magic))
        .map(|(_, _, what)| *what)
}

/// ISO base media files (HEIC, AVIF, MP4 ...) say what they are in their `ftyp` box: a major brand and, behind
/// the version, compatible ones. `mif1` and `msf1` only mean "some picture", so the others are read too.
fn by_brand(bytes: &[u8]) -> Option<&'static str> {
    if !at(bytes, 4, b"ftyp") {
        return None;
    }
    let size = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let content = &bytes[8..bytes.len().min(size.clamp(12, 256))];
    let mut brands = content
        .chunks_exact(4)
        .enumerate()
        .filter(|(i, _)| *i != 1)
        .map(|(_, brand)| brand);
    let what = brands.find_map(|brand| match brand {
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"hevm" | b"hevs" => Some(HEIC),
        b"avif" | b"avis" => Some(AVIF),
        b"crx " => Some("a camera raw file"),
        b"jxl " => Some("a JPEG XL picture"),
        b"qt  " | b"isom" | b"iso2" | b"mp41" | b"mp42" | b"avc1" | b"M4V " | b"3gp4" | b"3gp5" => {
            Some("a video")
        }
        _ => None,
    });
    if what.is_none() && (content.starts_with(b"mif1") || content.starts_with(b"msf1")) {
        return Some("a HEIF picture");
    }
    Some(what.unwrap_or("a video or another ISO media file"))
}

fn by_text(bytes: &[u8]) -> Option<&'static str> {
    let start = &bytes[..bytes.len().min(512)];
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The window may end inside a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let lower = valid.to_ascii_lowercase();
    if lower.contains("<svg") {
        return Some("an SVG drawing");
    }
    if lower.contains("<html") || lower.contains("<!doctype html") {
        return Some("an HTML page");
    }
    Some("a text file")
}
