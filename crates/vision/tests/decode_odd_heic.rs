//! HEIC files as phones write them beside the plain case, and as attackers would: auxiliary pictures, 10 bits, sizes that
//! lie, references in a circle.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use heifer::heifer_hevc_enc::encoder::{EncodedPicture, EncoderConfig, Planes16, encode_picture16};
use heifer::heifer_isobmff::boxes::HevcConfig;
use heifer::heifer_isobmff::writer::{HeifWriter, ImageSpec};
use image::imageops;
use image::{Rgb, RgbImage};
use support_decode::*;
use walkaround_domain::ReasonCode;
use walkaround_vision::decode::{Limits, decode, inspect_header};

fn rgba16(picture: &RgbImage, bits: u8) -> heifer::Image {
    let (width, height) = picture.dimensions();
    let max = (1_u32 << bits) - 1;
    let scaled = |value: u8| (u32::from(value) * max / 255) as u16;
    heifer::Image {
        width,
        height,
        bit_depth: bits,
        has_alpha: false,
        data: picture
            .pixels()
            .flat_map(|Rgb([r, g, b])| [*r, *g, *b, 255].map(scaled))
            .collect(),
    }
}

/// Detail in the brightness alone: colours, which have half the pixels each way, run smoothly.
fn detailed(width: u32, height: u32) -> RgbImage {
    let mut picture = drawn(width, height);
    let mut random = Random(11);
    for pixel in picture.pixels_mut() {
        let noise = random.below(64) as u8;
        pixel.0 = pixel.0.map(|value| value / 2 + noise);
    }
    picture
}

const QUALITY: heifer::EncodeOptions = heifer::EncodeOptions {
    quality: 95,
    max_threads: 1,
};

/// Means of blocks, the last of which may be smaller.
fn shrunk(picture: &RgbImage, factor: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width.div_ceil(factor), height.div_ceil(factor), |x, y| {
        let columns = x * factor..((x + 1) * factor).min(width);
        let rows = y * factor..((y + 1) * factor).min(height);
        let count = columns.len() as u32 * rows.len() as u32;
        let mut sums = [0_u32; 3];
        for y in rows {
            for x in columns.clone() {
                for (sum, value) in sums.iter_mut().zip(picture.get_pixel(x, y).0) {
                    *sum += u32::from(value);
                }
            }
        }
        Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8))
    })
}

/// The whole picture by `heifer`, which converts before anything is shrunk.
fn at_full_size(bytes: &[u8]) -> RgbImage {
    let options = heifer::Options {
        max_threads: 1,
        max_pixels: 0,
    };
    let whole = heifer::decode_rgba8(bytes, &options).unwrap();
    let (width, height) = (whole.width, whole.height);
    RgbImage::from_raw(width, height, whole.into_rgb8()).unwrap()
}

#[test]
fn a_grid_that_is_shrunk_piece_by_piece_is_the_whole_one_shrunk() {
    // Two tiles and a bit each way: blocks reach over the edges of tiles, and the last ones are smaller.
    let picture = detailed(1203, 1041);
    for bits in [8, 10] {
        let bytes = heifer::encode(&rgba16(&picture, bits), &QUALITY).unwrap();
        let expected = at_full_size(&bytes);
        for factor in [1, 2, 3, 4, 7, 100] {
            let decoded = decode(&bytes, &Limits::default(), 1203 / factor).unwrap();
            let expected = shrunk(&expected, factor);
            let difference = difference(&decoded.pixels, &expected);
            // Colours are averaged without being interpolated first.
            assert!(difference <= 0.7, "{bits} bits by {factor}: {difference}");
            if factor == 1 {
                assert_eq!(decoded.pixels, expected, "{bits} bits");
            }
        }
    }
}

#[test]
fn a_picture_that_is_turned_and_shrunk_is_the_turned_one_shrunk() {
    let picture = drawn(300, 200);
    let bytes = heic(&picture, None);
    for (quarters, turned) in [
        (1, imageops::rotate270(&picture)),
        (2, imageops::rotate180(&picture)),
        (3, imageops::rotate90(&picture)),
    ] {
        let bytes = heic_turned(&bytes, quarters);
        let decoded = decode(&bytes, &Limits::default(), 150).unwrap();
        let difference = difference(&decoded.pixels, &shrunk(&turned, 2));
        assert!(difference <= 3.0, "{quarters} quarters: {difference}");
    }
    for (axis, mirrored) in [
        (0, imageops::flip_vertical(&picture)),
        (1, imageops::flip_horizontal(&picture)),
    ] {
        let bytes = heic_mirrored(&bytes, axis);
        for (long_side_min, expected) in [(300, mirrored.clone()), (150, shrunk(&mirrored, 2))] {
            let decoded = decode(&bytes, &Limits::default(), long_side_min).unwrap();
            let difference = difference(&decoded.pixels, &expected);
            assert!(difference <= 3.0, "axis {axis}: {difference}");
        }
    }
}

#[test]
fn ten_bits_show_the_picture() {
    for (width, height) in [(300, 200), (700, 300)] {
        let picture = drawn(width, height);
        let bytes = heifer::encode(&rgba16(&picture, 10), &QUALITY).unwrap();
        assert_shows(&bytes, &picture, 3.0);
    }
}

#[test]
fn exif_does_not_turn_what_the_container_says_stands_upright() {
    let picture = drawn(300, 200);
    let metadata = heifer::Metadata {
        exif: Some(exif(6)),
        ..heifer::Metadata::default()
    };
    let mut bytes = heifer::encode_with_metadata(&rgba16(&picture, 8), &metadata, &QUALITY).unwrap();
    // The encoder writes 1, as its pixels stand upright: back to what a phone would have written.
    let block = exif(1);
    let at = bytes
        .windows(block.len())
        .position(|found| found == block)
        .unwrap();
    bytes[at..at + block.len()].copy_from_slice(&exif(6));
    assert_shows(&bytes, &picture, 3.0);
    let turned = heic_turned(&bytes, 3);
    assert_shows(&turned, &imageops::rotate90(&picture), 3.0);
}

#[test]
fn gain_maps_and_depth_maps_are_not_looked_at() {
    let picture = drawn(640, 320);
    let base = rgba16(&picture, 8);
    let hdr = heifer::HdrImage {
        width: 640,
        height: 320,
        headroom: 4.0,
        data: picture
            .pixels()
            .flat_map(|p| p.0.map(|v| f32::from(v) / 64.0))
            .collect(),
    };
    let with_gain_map = heifer::encode_hdr(&base, &hdr, &QUALITY).unwrap();
    let plain = heifer::encode(&base, &QUALITY).unwrap();
    assert_eq!(
        whole(&with_gain_map).unwrap().pixels,
        whole(&plain).unwrap().pixels
    );

    let (photo, map) = (coded(&picture), coded(&shrunk(&picture, 2)));
    for kind in [
        "urn:com:apple:photo:2020:aux:hdrgainmap",
        "urn:mpeg:hevc:2015:auxid:2",
        "urn:com:apple:photo:2018:aux:portraiteffectsmatte",
    ] {
        let mut writer = HeifWriter::new();
        let primary = writer.add_image(&spec(&photo, 640, 320));
        let auxiliary = writer.add_image(&ImageSpec {
            auxiliary_type: Some(kind),
            hidden: true,
            ..spec(&map, 320, 160)
        });
        writer.add_reference(*b"auxl", auxiliary, &[primary]);
        assert_shows(&writer.finish(), &grey(&picture), 3.0);
    }
}

/// A picture of the brightness that [`coded`] codes.
fn grey(picture: &RgbImage) -> RgbImage {
    let mut grey = picture.clone();
    for pixel in grey.pixels_mut() {
        *pixel = Rgb([pixel[1]; 3]);
    }
    grey
}

/// The green of a picture as one coded picture, grey.
fn coded(picture: &RgbImage) -> EncodedPicture {
    let (width, height) = picture.dimensions();
    let luma: Vec<u16> = picture.pixels().map(|pixel| pixel[1].into()).collect();
    let chroma = vec![128; (width.div_ceil(2) * height.div_ceil(2)) as usize];
    let planes = Planes16 {
        y: &luma,
        chroma: Some((&chroma, &chroma)),
        bit_depth: 8,
    };
    let config = EncoderConfig {
        qp: 10,
        ..EncoderConfig::default()
    };
    encode_picture16(width, height, planes, &config).unwrap()
}

/// A coded picture whose container says that it has this size.
fn spec(coded: &EncodedPicture, width: u32, height: u32) -> ImageSpec<'_> {
    let config = HevcConfig {
        profile_idc: coded.profile_idc,
        level_idc: coded.level_idc,
        chroma_format: coded.chroma_format,
        bit_depth_luma: 8,
        bit_depth_chroma: 8,
        nal_length_size: 4,
        nal_units: coded.parameter_sets.clone(),
    };
    ImageSpec::new(width, height, config, &coded.slices)
}

fn refused(bytes: &[u8], what: &str) {
    let reason = whole(bytes).unwrap_err();
    assert_eq!(reason.code, ReasonCode::Unreadable, "{what}: {reason}");
}

#[test]
fn references_in_a_circle_end() {
    let picture = drawn(96, 64);
    let coded = coded(&picture);
    let mut writer = HeifWriter::new();
    let first = writer.add_image(&spec(&coded, 96, 64));
    let second = writer.add_image(&spec(&coded, 96, 64));
    writer.add_reference(*b"dimg", first, &[second]);
    writer.add_reference(*b"dimg", second, &[first]);
    // What it is made of does not matter to a coded picture.
    assert_shows(&writer.finish(), &grey(&picture), 3.0);

    let mut writer = HeifWriter::new();
    let tile = writer.add_image(&spec(&coded, 96, 64));
    // Items are numbered one by one.
    let inner = writer.add_grid(1, 1, 96, 64, &[tile + 2], None, None);
    let outer = writer.add_grid(1, 1, 96, 64, &[inner], None, None);
    assert_eq!(outer, tile + 2);
    writer.set_primary(outer);
    refused(&writer.finish(), "two grids of each other");
}

#[test]
fn a_grid_that_would_be_decoded_for_nothing_is_refused() {
    let (small, large) = (coded(&drawn(96, 64)), coded(&drawn(640, 320)));
    let grid_of = |coded, rows: u16, columns: u16, tile: (u32, u32), whole: (u32, u32), crop: bool| {
        let mut writer = HeifWriter::new();
        let tile = writer.add_image(&ImageSpec {
            crop: crop.then_some((tile.0 - 2, tile.1 - 2)),
            ..spec(coded, tile.0, tile.1)
        });
        let tiles = vec![tile; usize::from(rows) * usize::from(columns)];
        let grid = writer.add_grid(rows, columns, whole.0, whole.1, &tiles, None, None);
        writer.set_primary(grid);
        writer.finish()
    };
    let grid = |rows, columns, tile, whole, crop| grid_of(&small, rows, columns, tile, whole, crop);
    assert!(whole(&grid(2, 2, (96, 64), (192, 128), false)).is_ok());
    assert!(
        whole(&grid(2, 2, (96, 64), (190, 100), false)).is_ok(),
        "the last tiles are cut"
    );
    let cases = [
        (
            "tiles beside the picture",
            grid(200, 200, (96, 64), (96, 64), false),
        ),
        ("too few tiles", grid(1, 1, (96, 64), (192, 128), false)),
        ("a row too many", grid(3, 2, (96, 64), (192, 128), false)),
    ];
    for (what, bytes) in cases {
        let reason = inspect_header(&bytes, &Limits::default(), 96).unwrap_err();
        assert_eq!(reason.code, ReasonCode::Unreadable, "{what}: {reason}");
    }
    let tiny = inspect_header(
        &grid(40, 40, (16, 64), (640, 2560), false),
        &Limits::default(),
        96,
    );
    assert_eq!(
        tiny.unwrap_err().code,
        ReasonCode::Unreadable,
        "tiles under 64 pixels"
    );
    // Each claims a fiftieth of what it is: as many pictures would be decoded for one.
    let lies = grid_of(&large, 5, 10, (64, 64), (640, 320), false);
    refused(&lies, "tiles that are larger than they say");
    let parts = inspect_header(&grid(12, 12, (96, 64), (1128, 744), true), &Limits::default(), 96);
    assert_eq!(
        parts.unwrap_err().code,
        ReasonCode::Unreadable,
        "144 cropped tiles"
    );
}
