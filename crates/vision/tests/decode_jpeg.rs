//! JPEG: every coding and colour space, scaling, and what libjpeg only warns about.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use support_decode::*;
use turbojpeg::{Colorspace, PixelFormat, Subsamp};
use walkaround_domain::{ReasonCode, Size};
use walkaround_vision::decode::{Format, Limits, decode, inspect_header};

#[test]
fn every_coding_shows_the_picture() {
    let picture = drawn(121, 77);
    for progressive in [false, true] {
        for arithmetic in [false, true] {
            for subsamp in [
                Subsamp::None,
                Subsamp::Sub2x1,
                Subsamp::Sub1x2,
                Subsamp::Sub2x2,
                Subsamp::Sub4x1,
                Subsamp::Sub1x4,
            ] {
                let coding = Coding {
                    progressive,
                    arithmetic,
                    subsamp,
                    colours: None,
                };
                assert_shows(&jpeg(&picture, coding), &picture, 2.5);
            }
        }
    }
    let rgb = Coding {
        subsamp: Subsamp::None,
        colours: Some(Colorspace::RGB),
        ..BASELINE
    };
    assert_shows(&jpeg(&picture, rgb), &picture, 2.5);
}

#[test]
fn files_written_by_pillow_show_the_picture() {
    assert_shows(include_bytes!("data/progressive.jpg"), &drawn(96, 64), 2.5);
    assert_shows(include_bytes!("data/cmyk.jpg"), &drawn(96, 64), 3.0);
}

#[test]
fn grey_becomes_rgb() {
    let picture = image::RgbImage::from_fn(90, 70, |x, y| image::Rgb([(x + y) as u8; 3]));
    let grey = Coding {
        subsamp: Subsamp::Gray,
        ..BASELINE
    };
    assert_shows(&jpeg(&picture, grey), &picture, 1.5);
}

#[test]
fn cmyk_and_ycck_become_rgb() {
    let picture = drawn(90, 70);
    // As Adobe stores it: inverted; black ink of 20 % taken out of the others.
    let inverted: Vec<u8> = picture.pixels().flat_map(|p| [p[0], p[1], p[2], 204]).collect();
    let expected = image::RgbImage::from_fn(90, 70, |x, y| {
        image::Rgb(
            picture
                .get_pixel(x, y)
                .0
                .map(|v| (u32::from(v) * 204 / 255) as u8),
        )
    });
    for colours in [Colorspace::CMYK, Colorspace::YCCK] {
        for progressive in [false, true] {
            let coding = Coding {
                subsamp: Subsamp::None,
                colours: Some(colours),
                progressive,
                ..BASELINE
            };
            assert_shows(
                &raw_jpeg(&inverted, (90, 70), PixelFormat::CMYK, coding),
                &expected,
                3.0,
            );
        }
    }
}

#[test]
fn the_scale_is_the_smallest_that_keeps_the_long_side() {
    let bytes = jpeg(&drawn(1601, 1200), BASELINE);
    let cases = [
        (u32::MAX, 1601),
        (1601, 1601),
        (802, 1601),
        (801, 801),
        (402, 801),
        (401, 401),
        (202, 401),
    ];
    for (long_side_min, width) in cases.into_iter().chain([(201, 201), (1, 201), (0, 201)]) {
        let decoded = decode(&bytes, &Limits::default(), long_side_min).unwrap();
        assert_eq!(decoded.pixels.width(), width, "for {long_side_min}");
        assert_eq!(decoded.original, Size::new(1601, 1200));
        assert_eq!(decoded.format, Format::Jpeg);
        let difference = difference(&decoded.pixels, &drawn(width, decoded.pixels.height()));
        assert!(difference < 2.5, "at {width}: {difference}");
    }
}

#[test]
fn a_file_that_ends_early_is_cut_short() {
    let picture = busy(320, 240);
    for (name, coding) in [
        ("baseline", BASELINE),
        ("progressive", PROGRESSIVE),
        ("arithmetic", ARITHMETIC),
    ] {
        let bytes = jpeg(&picture, coding);
        let all = bytes.len();
        for length in [
            3,
            30,
            200,
            all / 10,
            all / 2,
            all * 8 / 10,
            all * 95 / 100,
            all - 40,
            all - 5,
            all - 3,
        ] {
            assert_eq!(
                code(&bytes[..length]),
                ReasonCode::CutShort,
                "{name} {length} of {all}"
            );
        }
        // Downloads written into a preallocated file end in zeros.
        for kept in [all / 2, all * 95 / 100] {
            let mut zeros = bytes.clone();
            zeros[kept..].fill(0);
            assert_eq!(
                code(&zeros),
                ReasonCode::CutShort,
                "{name} zeros from {kept} of {all}"
            );
        }
    }
}

#[test]
fn with_restart_markers_a_cut_shows_too() {
    let bytes = include_bytes!("data/restart.jpg");
    assert_shows(bytes, &drawn(96, 64), 2.5);
    for length in [bytes.len() * 6 / 10, bytes.len() * 9 / 10, bytes.len() - 3] {
        assert_eq!(code(&bytes[..length]), ReasonCode::CutShort, "{length}");
    }
}

#[test]
fn only_a_missing_end_marker_is_forgiven_where_the_picture_is_whole() {
    let picture = busy(320, 240);
    let bytes = jpeg(&picture, BASELINE);
    let without = &bytes[..bytes.len() - 2];
    assert_eq!(whole(without).unwrap().pixels, whole(&bytes).unwrap().pixels);
    // More passes may have followed in the one, and libjpeg does not notice missing data in the other.
    for coding in [PROGRESSIVE, ARITHMETIC] {
        let bytes = jpeg(&picture, coding);
        assert_eq!(code(&bytes[..bytes.len() - 2]), ReasonCode::CutShort);
    }
}

#[test]
fn oddities_that_do_not_touch_the_picture_are_accepted() {
    for coding in [BASELINE, PROGRESSIVE] {
        let plain = jpeg(&busy(320, 240), coding);
        let expected = whole(&plain).unwrap().pixels;
        let end = plain.len() - 2;
        // The JFIF segment ends at 20.
        let mut jfif = plain.clone();
        assert_eq!(&jfif[6..12], b"JFIF\0\x01");
        jfif[11] = 7;
        let odd = [
            ("trailing text", [&plain, b"and more".as_slice()].concat()),
            ("trailing zeros", [&plain, [0; 5000].as_slice()].concat()),
            ("trailing picture", [&plain, plain.as_slice()].concat()),
            (
                "bytes before the end",
                [&plain[..end], b"\x01\x02\x03\x04", &plain[end..]].concat(),
            ),
            (
                "padding before the end",
                [&plain[..end], &[0; 1000], &plain[end..]].concat(),
            ),
            (
                "stray bytes in the header",
                [&plain[..20], b"stray", &plain[20..]].concat(),
            ),
            (
                "a colour profile without sense",
                with_segment(&plain, 0xe2, b"ICC_PROFILE\0\x05\x02nonsense"),
            ),
            ("an unknown JFIF version", jfif),
            (
                "an unknown Adobe transform",
                with_segment(&plain, 0xee, b"Adobe\0\x64\0\0\0\0\x09"),
            ),
            (
                "a broken EXIF block",
                with_segment(&plain, 0xe1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
            ),
        ];
        for (name, bytes) in odd {
            match whole(&bytes) {
                Ok(decoded) => assert_eq!(decoded.pixels, expected, "{name}"),
                Err(reason) => panic!("{name}: {reason}"),
            }
        }
    }
}

#[test]
fn damaged_data_is_unreadable() {
    for coding in [BASELINE, PROGRESSIVE] {
        let mut bytes = jpeg(&busy(320, 240), coding);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 400].fill(0xfe);
        assert_eq!(code(&bytes), ReasonCode::Unreadable);
    }
    let mut bytes = include_bytes!("data/restart.jpg").to_vec();
    let middle = bytes.len() * 3 / 4;
    bytes[middle..middle + 40].fill(0xff);
    assert_eq!(code(&bytes), ReasonCode::Unreadable);
    // An end marker behind half of the data is no cut file, but no picture either.
    let mut bytes = jpeg(&busy(320, 240), BASELINE);
    bytes.truncate(bytes.len() / 2);
    bytes.extend([0xff, 0xd9]);
    assert_eq!(code(&bytes), ReasonCode::Unreadable);
}

/// Offset of the frame header's marker.
fn frame(bytes: &[u8]) -> usize {
    bytes
        .windows(2)
        .position(|w| w[0] == 0xff && matches!(w[1], 0xc0 | 0xc2))
        .unwrap()
}

fn resized_header(mut bytes: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let at = frame(&bytes);
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let plain = jpeg(&drawn(96, 64), BASELINE);
    let at = frame(&plain);
    for (offset, value, what) in [
        (1, 0xc3, "lossless"),
        (1, 0xc5, "hierarchical"),
        (4, 12, "12 bits"),
        (9, 2, "2 colour components"),
    ] {
        let mut bytes = plain.clone();
        bytes[at + offset] = value;
        let reason = whole(&bytes).unwrap_err();
        assert_eq!(reason.code, ReasonCode::UnsupportedFormat);
        assert!(reason.detail.contains(what), "{reason}");
    }
    let reason = whole(&resized_header(plain, 96, 0)).unwrap_err();
    assert_eq!(
        (reason.code, reason.detail.as_str()),
        (ReasonCode::Unreadable, "the header says 96 x 0 pixels")
    );
}

#[test]
fn a_tiny_file_with_a_huge_header_is_not_painted() {
    for coding in [BASELINE, PROGRESSIVE] {
        let bytes = resized_header(jpeg(&drawn(96, 64), coding), 10_000, 10_000);
        let reason = decode(&bytes, &Limits::default(), 512).unwrap_err();
        assert_eq!(reason.code, ReasonCode::CutShort, "{reason}");
    }
}

#[test]
fn the_memory_of_a_decode_is_known_from_the_header() {
    let limits = Limits::default();
    let full = Coding {
        subsamp: Subsamp::None,
        ..PROGRESSIVE
    };
    let bytes = resized_header(jpeg(&drawn(96, 64), full), 12_000, 9_000);
    let reason = inspect_header(&bytes, &limits, 1600).unwrap_err();
    assert_eq!(reason.code, ReasonCode::TooLarge);
    assert!(
        reason.detail.contains("12000 x 9000") && reason.detail.contains("the limit is 512 MiB"),
        "{reason}"
    );
    let bytes = resized_header(jpeg(&drawn(96, 64), PROGRESSIVE), 12_000, 9_000);
    let half = inspect_header(&bytes, &limits, 1600).unwrap().decode_bytes;
    assert!((324_000_000..360_000_000).contains(&half), "{half}");
    let bytes = resized_header(jpeg(&drawn(96, 64), BASELINE), 12_000, 9_000);
    let baseline = inspect_header(&bytes, &limits, 1600).unwrap();
    assert!(baseline.decode_bytes < 32_000_000, "{baseline:?}");
    assert_eq!(
        (baseline.stored, baseline.orientation),
        (Size::new(12_000, 9_000), 1)
    );
}

#[test]
fn a_photo_of_108_megapixels_decodes_scaled() {
    let grey: Vec<u8> = (0..12_000_u32 * 9_000)
        .map(|i| ((i % 12_000) / 64 + i / 1_000_000) as u8)
        .collect();
    let coding = Coding {
        subsamp: Subsamp::Gray,
        ..BASELINE
    };
    let bytes = raw_jpeg(&grey, (12_000, 9_000), PixelFormat::GRAY, coding);
    let decoded = decode(&bytes, &Limits::default(), 1500).unwrap();
    assert_eq!(decoded.pixels.dimensions(), (1500, 1125));
    assert_eq!(decoded.original, Size::new(12_000, 9_000));
}
