//! Picture files: encoders for the drawn pictures, and files that no encoder would write.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GenericImageView, ImageFormat, Rgb, RgbImage};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// A JPEG of any picture, drawn or in memory.
///
/// # Panics
/// When the encoder fails, which in memory it does not.
pub fn jpeg(picture: &impl GenericImageView<Pixel = Rgb<u8>>, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .expect("a drawn picture can be encoded");
    bytes
}

/// A picture in any format.
///
/// # Panics
/// When the format does not take its pixels.
pub fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, format)
        .expect("the format takes such pixels");
    bytes.into_inner()
}

/// A HEIC of good quality: over 512 pixels a side, a grid of tiles, as phones write it.
///
/// # Panics
/// When the encoder fails, which in memory it does not.
pub fn heic(picture: &RgbImage) -> Vec<u8> {
    let options = heifer::EncodeOptions {
        quality: 95,
        max_threads: 1,
    };
    heifer::encode_rgb8(picture.width(), picture.height(), picture.as_raw(), &options)
        .expect("a drawn picture can be encoded")
}

/// Two JPEGs in one file (CIPA DC-007): the index stands in the first, the second behind it.
///
/// # Panics
/// When `first` is no JPEG.
pub fn multi_picture(first: &[u8], second: &[u8]) -> Vec<u8> {
    const INDEX_BYTES: usize = 4 + 8 + 2 + 12 + 4 + 2 * 16;
    let (start, rest) = first.split_at(2);
    assert_eq!(start, b"\xff\xd8", "a JPEG begins so");
    let end_of_first = first.len() + 4 + INDEX_BYTES;
    let mut bytes = [start, b"\xff\xe2\0", &[2 + INDEX_BYTES as u8]].concat();
    // One directory of one entry: so many bytes of entries, behind it.
    bytes.extend(b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x02\0\x07\0\0\0\x20\0\0\0\x1a\0\0\0\0");
    // Offsets count from the tenth byte.
    for (length, offset) in [(end_of_first, 0), (second.len(), end_of_first - 10)] {
        for value in [0, length, offset, 0] {
            bytes.extend(u32::try_from(value).expect("a short file").to_be_bytes());
        }
    }
    assert_eq!(bytes.len(), 2 + 4 + INDEX_BYTES);
    [&bytes[..], rest, second].concat()
}

/// A JPEG with an EXIF block that holds nothing but the orientation.
///
/// # Panics
/// When `jpeg` is no JPEG.
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2);
    assert_eq!(start, b"\xff\xd8", "a JPEG begins so");
    let mut bytes = start.to_vec();
    let tiff = exif(orientation);
    let length = u16::try_from(2 + 6 + tiff.len()).expect("a short block");
    bytes.extend(b"\xff\xe1");
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(rest);
    bytes
}

/// A TIFF header with one entry: tag 0x0112 (orientation), type 3 (short), one value.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    tiff.extend([0, orientation, 0, 0]);
    tiff.extend([0; 4]);
    tiff
}

/// Colour types of PNG that are written here.
#[derive(Debug, Clone, Copy)]
pub enum PngColour {
    /// One bit a pixel, eight pixels a byte.
    Bit,
    /// Three bytes a pixel.
    Rgb,
}

/// A PNG that is never in memory as pixels: `row` fills each row of samples.
///
/// # Panics
/// When memory ends.
pub fn png(
    (width, height): (u32, u32),
    colour: PngColour,
    orientation: Option<u8>,
    row: &mut dyn FnMut(u32, &mut [u8]),
) -> Vec<u8> {
    let (depth, kind, length) = match colour {
        PngColour::Bit => (1, 0, width.div_ceil(8)),
        PngColour::Rgb => (8, 2, width * 3),
    };
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, kind, 0, 0, 0]);
    chunk(&mut bytes, b"IHDR", &header);
    if let Some(orientation) = orientation {
        chunk(&mut bytes, b"eXIf", &exif(orientation));
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    // Each row is preceded by its filter: none.
    let mut line = vec![0; 1 + length as usize];
    for y in 0..height {
        row(y, &mut line[1..]);
        packed.write_all(&line).expect("memory takes it");
    }
    chunk(&mut bytes, b"IDAT", &packed.finish().expect("memory takes it"));
    chunk(&mut bytes, b"IEND", b"");
    bytes
}

fn chunk(bytes: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    bytes.extend(u32::try_from(body.len()).expect("a chunk is short").to_be_bytes());
    let start = bytes.len();
    bytes.extend(kind);
    bytes.extend(body);
    let sum = crc32fast::hash(&bytes[start..]);
    bytes.extend(sum.to_be_bytes());
}

/// Writes a file and returns its path.
///
/// # Panics
/// When it cannot be written.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}
