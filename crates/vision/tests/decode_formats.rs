//! Formats other than JPEG, orientation, and what is refused by name.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
};
use std::io::Write;
use support_decode::*;
use walkaround_domain::photo_end::ends_early;
use walkaround_domain::{ReasonCode, Size};
use walkaround_vision::decode::{Format, Limits, decode, inspect_header};

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn lossless_formats_are_exact() {
    let picture = drawn(97, 65);
    let cases = [
        (ImageFormat::Png, Format::Png),
        (ImageFormat::WebP, Format::WebP),
        (ImageFormat::Bmp, Format::Bmp),
        (ImageFormat::Tiff, Format::Tiff),
    ];
    for (encoder, format) in cases {
        let decoded = whole(&encoded(&picture, encoder)).unwrap();
        assert_eq!(decoded.pixels, picture, "{}", format.as_str());
        assert_eq!((decoded.format, decoded.original), (format, Size::new(97, 65)));
    }
}

#[test]
fn files_written_by_pillow_show_the_picture() {
    let picture = drawn(96, 64);
    let files: [(&[u8], f64); 8] = [
        (include_bytes!("data/animated.webp"), 0.0),
        (include_bytes!("data/lzw.tif"), 0.0),
        (include_bytes!("data/cmyk.tif"), 1.0),
        (include_bytes!("data/interlaced.gif"), 6.0),
        (include_bytes!("data/animated.gif"), 6.0),
        (include_bytes!("data/palette.png"), 6.0),
        (include_bytes!("data/palette.bmp"), 25.0),
        (include_bytes!("data/progressive.jpg"), 2.5),
    ];
    for (bytes, tolerance) in files {
        assert_shows(bytes, &picture, tolerance);
    }
    let turned = image::imageops::rotate90(&picture);
    assert_shows(include_bytes!("data/lossy_turned.webp"), &turned, 3.0);
    assert_shows(include_bytes!("data/deflate_turned.tif"), &turned, 0.0);
    assert_shows(include_bytes!("data/exif_turned.png"), &turned, 0.0);
}

#[test]
fn grey_and_sixteen_bits_become_rgb() {
    let grey = ImageBuffer::from_fn(80, 70, |x, y| Luma([(x + 2 * y) as u8]));
    let expected = RgbImage::from_fn(80, 70, |x, y| Rgb([(x + 2 * y) as u8; 3]));
    assert_shows(&png(grey.clone()), &expected, 0.0);
    let deep = ImageBuffer::from_fn(80, 70, |x, y| Luma([(x + 2 * y) as u16 * 257]));
    assert_shows(&png(deep), &expected, 0.0);
    let picture = drawn(80, 70);
    let deep = ImageBuffer::from_fn(80, 70, |x, y| {
        Rgb(picture.get_pixel(x, y).0.map(|v| u16::from(v) * 257))
    });
    assert_shows(&png(deep), &picture, 0.0);
}

#[test]
fn transparent_parts_show_white() {
    let clear = RgbaImage::from_fn(80, 70, |x, _| Rgba([100, 0, 200, if x < 40 { 0 } else { 51 }]));
    let over_white = |x: u32| if x < 40 { [255; 3] } else { [224, 204, 244] };
    let expected = RgbImage::from_fn(80, 70, |x, _| Rgb(over_white(x)));
    assert_shows(&png(clear.clone()), &expected, 0.0);
    let deep = ImageBuffer::from_fn(80, 70, |x, y| {
        Rgba(clear.get_pixel(x, y).0.map(|v| u16::from(v) * 257))
    });
    assert_shows(&png(deep), &expected, 0.0);
    let grey = GrayAlphaImage::from_fn(80, 70, |x, _| LumaA([100, if x < 40 { 0 } else { 51 }]));
    let expected = RgbImage::from_fn(80, 70, |x, _| Rgb([if x < 40 { 255 } else { 224 }; 3]));
    assert_shows(&png(grey), &expected, 0.0);
}

#[test]
fn all_orientations_are_applied() {
    let stored = drawn(101, 71);
    let (plain_jpeg, plain_png) = (jpeg(&stored, BASELINE), encoded(&stored, ImageFormat::Png));
    let plain_webp = encoded(&stored, ImageFormat::WebP);
    for orientation in 1..=8 {
        let mut upright = DynamicImage::from(stored.clone());
        upright.apply_orientation(Orientation::from_exif(orientation).unwrap());
        let upright = upright.into_rgb8();
        assert_shows(&jpeg_turned(&plain_jpeg, orientation), &upright, 2.5);
        assert_shows(
            &with_png_chunk(&plain_png, b"eXIf", &exif(orientation)),
            &upright,
            0.0,
        );
        assert_shows(&webp_turned(&plain_webp, (101, 71), orientation), &upright, 0.0);
        assert_shows(&tiff_turned(&stored, orientation), &upright, 0.0);
        let header = inspect_header(&tiff_turned(&stored, orientation), &Limits::default(), 512).unwrap();
        assert_eq!(
            (header.stored, header.orientation),
            (Size::new(101, 71), orientation)
        );
        assert_eq!(header.upright, Size::new(upright.width(), upright.height()));
    }
    for nonsense in [0, 9, 255] {
        assert_shows(&jpeg_turned(&plain_jpeg, nonsense), &stored, 2.5);
    }
}

#[test]
fn a_png_orientation_behind_the_pixels_counts() {
    let stored = drawn(101, 71);
    let plain = encoded(&stored, ImageFormat::Png);
    let end = plain.len() - 12;
    let bytes = [&plain[..end], &png_chunk(b"eXIf", &exif(6)), &plain[end..]].concat();
    assert_shows(&bytes, &image::imageops::rotate90(&stored), 0.0);
}

#[test]
fn a_png_orientation_in_a_text_counts_unless_there_is_a_chunk_for_it() {
    let stored = drawn(101, 71);
    let plain = encoded(&stored, ImageFormat::Png);
    let turned = image::imageops::rotate90(&stored);
    for name in ["exif", "APP1"] {
        let block = [b"Exif\0\0".as_slice(), &exif(6)].concat();
        let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines: Vec<&str> = (0..hex.len())
            .step_by(72)
            .map(|at| &hex[at..hex.len().min(at + 72)])
            .collect();
        let text = format!("\n{name}\n{:8}\n{}\n", block.len(), lines.join("\n"));
        let keyword = format!("Raw profile type {name}\0");
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let deflated = [keyword.as_bytes(), b"\0", &packed].concat();
        assert_shows(&with_png_chunk(&plain, b"zTXt", &deflated), &turned, 0.0);
        let plain_text = [keyword.as_bytes(), text.as_bytes()].concat();
        let with_text = with_png_chunk(&plain, b"tEXt", &plain_text);
        assert_shows(&with_text, &turned, 0.0);
        assert_shows(&with_png_chunk(&with_text, b"eXIf", &exif(1)), &stored, 0.0);
        let end = with_text.len() - 12;
        let behind = [
            &with_text[..end],
            &png_chunk(b"eXIf", &exif(1)),
            &with_text[end..],
        ]
        .concat();
        assert_shows(&behind, &stored, 0.0);
    }
}

#[test]
fn large_pictures_are_shrunk_by_a_whole_number() {
    let bytes = encoded(&drawn(1003, 702), ImageFormat::Png);
    for (long_side_min, width, height) in [
        (1003, 1003, 702),
        (502, 1003, 702),
        (501, 502, 351),
        (250, 251, 176),
    ] {
        let decoded = decode(&bytes, &Limits::default(), long_side_min).unwrap();
        assert_eq!(
            decoded.pixels.dimensions(),
            (width, height),
            "for {long_side_min}"
        );
        assert_eq!(decoded.original, Size::new(1003, 702));
        assert!(difference(&decoded.pixels, &drawn(width, height)) < 1.0);
    }
}

#[test]
fn a_cut_file_of_any_format_is_refused() {
    let picture = busy(200, 150);
    for format in [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let bytes = encoded(&picture, format);
        for length in [
            30,
            bytes.len() / 10,
            bytes.len() / 2,
            bytes.len() * 95 / 100,
            bytes.len() - 40,
        ] {
            assert_eq!(
                code(&bytes[..length]),
                ReasonCode::CutShort,
                "{format:?} {length} of {}",
                bytes.len()
            );
            assert!(ends_early(&bytes[..length]), "{format:?} {length}");
        }
        assert!(!ends_early(&bytes), "{format:?}");
    }
    let files: [&[u8]; 4] = [
        include_bytes!("data/lossy_turned.webp"),
        include_bytes!("data/interlaced.gif"),
        include_bytes!("data/lzw.tif"),
        include_bytes!("data/palette.bmp"),
    ];
    for (index, bytes) in files.into_iter().enumerate() {
        for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let code = code(&bytes[..length]);
            assert!(
                matches!(code, ReasonCode::CutShort | ReasonCode::Unreadable),
                "file {index}: {code:?}"
            );
            assert!(ends_early(&bytes[..length]), "file {index}: {length}");
        }
        assert!(!ends_early(bytes), "file {index}");
    }
}

#[test]
fn what_is_not_read_is_named() {
    let cases: [(&[u8], &str); 14] = [
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "a HEIF picture"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"\xff\x0a\x00\x00", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\"/>", "an SVG drawing"),
        (b"<!DOCTYPE html><p>not found</p>", "an HTML page"),
        ("just words, überall".as_bytes(), "a text file"),
        (b"BMW is not a bitmap", "a text file"),
        (b"PK\x03\x04zip", "a ZIP archive"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera raw file"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound or video file"),
        (
            &[0; 64],
            "not a known picture format (starts with 00 00 00 00 00 00 00 00)",
        ),
        (b"\x05", "not a known picture format (starts with 05)"),
    ];
    // Read with the feature `avif`.
    let avifs: [(&[u8], &str); 2] = [
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "an AVIF picture"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "an AVIF picture"),
    ];
    let avifs = if cfg!(feature = "avif") { &[] } else { &avifs[..] };
    for &(bytes, what) in cases.iter().chain(avifs) {
        let reason = whole(bytes).unwrap_err();
        assert_eq!(reason.code, ReasonCode::UnsupportedFormat, "{what}");
        assert_eq!(reason.detail, format!("{what}; send JPEG, PNG or WebP"));
    }
}

#[test]
fn the_thumbnail_of_a_raw_file_is_not_taken_for_the_photo() {
    let picture = drawn(160, 120);
    assert_shows(&tiff(&picture, 1, 0), &picture, 0.0);
    let reason = whole(&tiff(&picture, 1, 1)).unwrap_err();
    assert_eq!(
        reason.detail,
        "a camera raw file, or a TIFF whose first picture is a thumbnail; send JPEG, PNG or WebP"
    );
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let detail = |bytes: &[u8], limits: &Limits| {
        let reason = inspect_header(bytes, limits, 1600).unwrap_err();
        (reason.code, reason.detail)
    };
    let limits = Limits::default();
    assert_eq!(
        detail(b"", &limits),
        (ReasonCode::Unreadable, "the file is empty".into())
    );
    let small = Limits {
        bytes_max: 1 << 20,
        ..limits
    };
    let long = vec![0; (1 << 20) + 1];
    assert_eq!(
        detail(&long, &small),
        (ReasonCode::TooLarge, "1.1 MiB is over the limit of 1 MiB".into())
    );

    let one = encoded(&RgbImage::new(1, 1), ImageFormat::Png);
    assert_eq!(
        detail(&one, &limits),
        (
            ReasonCode::TooSmall,
            "1 x 1 pixels; at least 64 per side are needed".into()
        )
    );
    let strip = jpeg(&RgbImage::new(1600, 3), BASELINE);
    assert_eq!(detail(&strip, &limits).0, ReasonCode::OddAspect);

    let plain = encoded(&drawn(96, 64), ImageFormat::Png);
    let mut size = plain[16..29].to_vec();
    size[..8].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let bomb = [&plain[..8], &png_chunk(b"IHDR", &size), &plain[33..]].concat();
    let expected = "30000 x 30000 pixels is over the limit of 120 megapixels";
    assert_eq!(detail(&bomb, &limits), (ReasonCode::TooLarge, expected.into()));

    // 8 bytes a pixel, 100 megapixels: allowed by size, not by memory.
    let deep = ImageBuffer::from_pixel(80, 70, Rgba([1_u16; 4]));
    let plain = png(deep);
    let mut size = plain[16..29].to_vec();
    size[..8].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    let deep = [&plain[..8], &png_chunk(b"IHDR", &size), &plain[33..]].concat();
    let (code, detail) = detail(&deep, &limits);
    assert_eq!(code, ReasonCode::TooLarge);
    assert!(
        detail.starts_with("decoding this PNG of 10000 x 10000 pixels needs"),
        "{detail}"
    );
}

/// A PNG whose pixels take several IDAT chunks, and where the last of them begins and ends.
fn png_in_pieces() -> (Vec<u8>, usize, usize) {
    let plain = encoded(&busy(200, 150), ImageFormat::Png);
    let mut pixels = Vec::new();
    let mut at = 33;
    while &plain[at + 4..at + 8] != b"IEND" {
        let length = u32::from_be_bytes(plain[at..at + 4].try_into().unwrap()) as usize;
        pixels.extend(&plain[at + 8..at + 8 + length]);
        at += 12 + length;
    }
    let (first, last) = pixels.split_at(pixels.len() / 2);
    let head = [&plain[..33], &png_chunk(b"IDAT", first)].concat();
    let whole = [&head, &png_chunk(b"IDAT", last)[..], &png_chunk(b"IEND", b"")].concat();
    let end = whole.len() - 12;
    (whole, head.len(), end)
}

#[test]
fn a_png_is_whole_when_its_pixels_are() {
    let (png, _, end) = png_in_pieces();
    let expected = whole(&png).unwrap().pixels;
    let cut_text = [&100_u32.to_be_bytes()[..], b"tEXtComment\0cut"].concat();
    for (name, bytes) in [
        ("no IEND", png[..end].to_vec()),
        ("half an IEND", png[..end + 7].to_vec()),
        ("no checksum of the pixels either", png[..end - 4].to_vec()),
        ("half of that checksum", png[..end - 2].to_vec()),
        (
            "bytes in place of IEND",
            [&png[..end], &b"camera trailer "[..]].concat(),
        ),
        ("zeros in place of IEND", [&png[..end], &[0; 500][..]].concat()),
        ("bytes behind IEND", [&png[..], &[0xff; 500]].concat()),
        ("a text that is cut", [&png[..end], &cut_text].concat()),
    ] {
        match whole(&bytes) {
            Ok(decoded) => assert_eq!(decoded.pixels, expected, "{name}"),
            Err(reason) => panic!("{name}: {reason}"),
        }
    }
}

#[test]
fn a_wrong_checksum_of_pixels_that_are_right_does_no_harm() {
    let (png, last, end) = png_in_pieces();
    let expected = whole(&png).unwrap().pixels;
    let without_end = png[..end].to_vec();
    // That of the first piece, of the last, and of both.
    for (name, file, at) in [
        ("the first", &png, vec![last - 1]),
        ("the last", &png, vec![end - 4]),
        ("both", &png, vec![last - 2, end - 1]),
        ("both, and no IEND", &without_end, vec![last - 2, end - 1]),
    ] {
        let mut odd = file.clone();
        for at in at {
            odd[at] ^= 0x55;
        }
        match whole(&odd) {
            Ok(decoded) => assert_eq!(decoded.pixels, expected, "{name}"),
            Err(reason) => panic!("{name}: {reason}"),
        }
        // It is the pixels that are wrong.
        odd[last / 2] ^= 0x01;
        assert!(whole(&odd).is_err(), "{name}");
    }
}

#[test]
fn a_png_that_lacks_pixels_stays_unusable() {
    let (png, last, end) = png_in_pieces();
    for (name, bytes) in [
        ("cut in the first piece", png[..last / 2].to_vec()),
        ("cut between two pieces", png[..last].to_vec()),
        ("the last piece is missing", [&png[..last], &png[end..]].concat()),
        ("cut in the last piece", png[..end - 30].to_vec()),
        ("no pixels at all", [&png[..33], &png[end..]].concat()),
    ] {
        let reason = whole(&bytes).unwrap_err();
        assert!(
            matches!(reason.code, ReasonCode::CutShort | ReasonCode::Unreadable),
            "{name}: {reason}"
        );
    }
}
