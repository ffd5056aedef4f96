//! Drawn pictures, encoders and byte surgery for the decoder's tests.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use turbojpeg::{Colorspace, Compressor, PixelFormat, Subsamp};
use walkaround_domain::{Reason, ReasonCode};
use walkaround_vision::decode::{Decoded, Limits, decode};

/// Red grows to the right and green downwards; the fixtures in `data/` are the same picture, 96 x 64.
pub(crate) fn drawn(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(255 * x / (width - 1)) as u8, (255 * y / (height - 1)) as u8, 128])
    })
}

/// A picture with detail everywhere, so that its file has some length.
pub(crate) fn busy(width: u32, height: u32) -> RgbImage {
    let mut random = Random(7);
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (random.next() % 64) as u32;
        Rgb([
            (x * 3 + noise) as u8 / 2 + 60,
            (y * 2 + noise) as u8 / 2 + 60,
            ((x + y) / 2 + noise) as u8,
        ])
    })
}

/// splitmix64: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

pub(crate) fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A HEIC of good quality; transparent where `alpha` says so.
pub(crate) fn heic(picture: &RgbImage, alpha: Option<u8>) -> Vec<u8> {
    let options = heifer::EncodeOptions {
        quality: 95,
        max_threads: 1,
    };
    let (width, height) = picture.dimensions();
    match alpha {
        None => heifer::encode_rgb8(width, height, picture.as_raw(), &options),
        Some(alpha) => {
            let rgba: Vec<u8> = picture
                .pixels()
                .flat_map(|Rgb([r, g, b])| [*r, *g, *b, alpha])
                .collect();
            heifer::encode_rgba8(width, height, &rgba, &options)
        }
    }
    .unwrap()
}

/// The same HEIC, turned anti-clockwise by quarters: its container says so (`irot`). The box that says how many bits a
/// sample has is given up for it: both are optional.
pub(crate) fn heic_turned(heic: &[u8], quarters: u8) -> Vec<u8> {
    let mut bytes = heic.to_vec();
    let at = bytes.windows(4).position(|name| name == b"pixi").unwrap();
    let size = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
    // `irot` has one byte; the rest of the room is an ignored box.
    assert!(size >= 16, "{size}");
    bytes[at..at + 4].copy_from_slice(b"irot");
    bytes[at + 4] = quarters;
    bytes
}

/// The same HEIC, mirrored (`imir`): axis 0 exchanges top and bottom. As [`heic_turned`].
pub(crate) fn heic_mirrored(heic: &[u8], axis: u8) -> Vec<u8> {
    let mut bytes = heic_turned(heic, axis);
    let at = bytes.windows(4).position(|name| name == b"irot").unwrap();
    bytes[at..at + 4].copy_from_slice(b"imir");
    bytes
}

/// How a JPEG is coded.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    pub(crate) progressive: bool,
    pub(crate) arithmetic: bool,
    pub(crate) subsamp: Subsamp,
    pub(crate) colours: Option<Colorspace>,
}

pub(crate) const BASELINE: Coding = Coding {
    progressive: false,
    arithmetic: false,
    subsamp: Subsamp::Sub2x2,
    colours: None,
};
pub(crate) const PROGRESSIVE: Coding = Coding {
    progressive: true,
    ..BASELINE
};
pub(crate) const ARITHMETIC: Coding = Coding {
    arithmetic: true,
    ..BASELINE
};

pub(crate) fn jpeg(picture: &RgbImage, coding: Coding) -> Vec<u8> {
    raw_jpeg(
        picture.as_raw(),
        (picture.width(), picture.height()),
        PixelFormat::RGB,
        coding,
    )
}

/// Encodes `pixels` of any format of libjpeg-turbo.
pub(crate) fn raw_jpeg(
    pixels: &[u8],
    (width, height): (u32, u32),
    format: PixelFormat,
    coding: Coding,
) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(92).unwrap();
    compressor.set_subsamp(coding.subsamp).unwrap();
    compressor.set_progressive(coding.progressive).unwrap();
    compressor.set_arithmetic(coding.arithmetic).unwrap();
    if let Some(colours) = coding.colours {
        compressor.set_colorspace(colours).unwrap();
    }
    let (width, height) = (width as usize, height as usize);
    let image = turbojpeg::Image {
        pixels,
        width,
        pitch: width * format.size(),
        height,
        format,
    };
    compressor.compress_to_vec(image).unwrap()
}

/// The same JPEG with `segment` (marker included) right behind its first two bytes.
pub(crate) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
}

/// An EXIF block (TIFF inside, big endian) that holds the orientation only.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

pub(crate) fn jpeg_turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    with_segment(jpeg, 0xe1, &[b"Exif\0\0".as_slice(), &exif(orientation)].concat())
}

/// A PNG chunk with its checksum.
pub(crate) fn png_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let content = [kind.as_slice(), body].concat();
    let crc = !content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (!(crc & 1)).wrapping_add(1))
        })
    });
    [
        &(body.len() as u32).to_be_bytes(),
        content.as_slice(),
        &crc.to_be_bytes(),
    ]
    .concat()
}

/// A PNG with a chunk more, right behind IHDR.
pub(crate) fn with_png_chunk(png: &[u8], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&png[..33], &png_chunk(kind, body), &png[33..]].concat()
}

/// A lossless WebP (one VP8L chunk) in the extended form, with an EXIF chunk.
pub(crate) fn webp_turned(webp: &[u8], (width, height): (u32, u32), orientation: u8) -> Vec<u8> {
    let mut body = b"WEBPVP8X\x0a\0\0\0\x08\0\0\0".to_vec();
    body.extend(&(width - 1).to_le_bytes()[..3]);
    body.extend(&(height - 1).to_le_bytes()[..3]);
    body.extend(&webp[12..]);
    let exif = exif(orientation);
    body.extend(b"EXIF");
    body.extend((exif.len() as u32).to_le_bytes());
    body.extend(&exif);
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// An uncompressed TIFF (little endian) of one strip.
pub(crate) fn tiff_turned(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    tiff(picture, orientation, 0)
}

/// As [`tiff_turned`], with a NewSubfileType (1: a thumbnail).
pub(crate) fn tiff(picture: &RgbImage, orientation: u8, kind: u32) -> Vec<u8> {
    tiff_with(picture, orientation, kind, &[])
}

/// As [`tiff`], with a colour profile, if it is not empty.
pub(crate) fn tiff_with(picture: &RgbImage, orientation: u8, kind: u32, profile: &[u8]) -> Vec<u8> {
    let length = picture.as_raw().len() as u32;
    let mut entries: Vec<(u16, u16, u32, u32)> = vec![
        (254, 4, 1, kind),
        (256, 4, 1, picture.width()),
        (257, 4, 1, picture.height()),
        (258, 3, 3, 8 + length),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (274, 3, 1, orientation.into()),
        (277, 3, 1, 3),
        (278, 4, 1, picture.height()),
        (279, 4, 1, length),
    ];
    if !profile.is_empty() {
        entries.push((34675, 7, profile.len() as u32, 8 + length + 6));
    }
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((8 + length + 6 + profile.len() as u32).to_le_bytes());
    bytes.extend(picture.as_raw());
    bytes.extend([8, 0, 8, 0, 8, 0]);
    bytes.extend(profile);
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// Decodes at full scale with the default limits.
pub(crate) fn whole(bytes: &[u8]) -> Result<Decoded, Reason> {
    decode(bytes, &Limits::default(), u32::MAX)
}

pub(crate) fn code(bytes: &[u8]) -> ReasonCode {
    match whole(bytes) {
        Ok(decoded) => panic!("decoded to {:?}", decoded.pixels.dimensions()),
        Err(reason) => reason.code,
    }
}

/// Mean absolute difference of all samples.
pub(crate) fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.as_raw().len() as f64
}

#[track_caller]
pub(crate) fn assert_shows(bytes: &[u8], expected: &RgbImage, tolerance: f64) {
    let decoded = whole(bytes).unwrap();
    let difference = difference(&decoded.pixels, expected);
    assert!(difference <= tolerance, "differs by {difference}");
}

/// A multi-picture file (CIPA DC-007): the index stands in the first picture, the others behind its end.
pub(crate) fn multi_picture(first: &[u8], others: &[&[u8]]) -> Vec<u8> {
    let count = 1 + others.len();
    // Name, header, one directory of one entry, and what that names.
    let index_bytes = 4 + 8 + 2 + 12 + 4 + 16 * count;
    let first_bytes = first.len() + 4 + index_bytes;
    let mut index = b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x02\0\x07".to_vec();
    let number = |value: usize| (value as u32).to_be_bytes();
    for value in [16 * count, 26, 0] {
        index.extend(number(value));
    }
    let mut at = first_bytes;
    for (i, bytes) in std::iter::once(first_bytes)
        .chain(others.iter().map(|other| other.len()))
        .enumerate()
    {
        // Offsets count from the header behind `MPF`, the ninth byte of the segment behind SOI.
        let offset = if i == 0 { 0 } else { at - 10 };
        for value in [0, bytes, offset, 0] {
            index.extend(number(value));
        }
        at += if i == 0 { 0 } else { bytes };
    }
    assert_eq!(index.len(), index_bytes);
    let mut file = with_segment(first, 0xe2, &index);
    file.extend(others.concat());
    file
}
