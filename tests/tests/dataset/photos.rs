//! Photos without metadata: every orientation, and every kind of file.

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage};
use std::fs;
use walkaround_tests::files::{encoded, heic, jpeg, multi_picture, with_orientation};
use walkaround_tests::pictures::stored;
use walkaround_tests::places::root;
use walkaround_vision::decode::{Format, Limits, decode};
use walkaround_vision::strip::{Lost, Stripped, strip};

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
    })
}

/// Strips a file; it is what the decoder sees, up to what encoding it again changes.
fn stripped(file: &[u8], name: &str) -> Stripped {
    let copy = strip(file, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {}", e.detail));
    let seen = |bytes: &[u8]| decode(bytes, &Limits::default(), u32::MAX).unwrap();
    let (ours, theirs) = (seen(&copy.bytes), seen(file));
    assert_eq!(
        (ours.original, copy.size),
        (theirs.original, theirs.original),
        "{name}"
    );
    let pairs = ours.pixels.iter().zip(theirs.pixels.iter());
    let apart: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
    let worst = apart.iter().copied().max().unwrap();
    let mean = apart.iter().map(|it| f64::from(*it)).sum::<f64>() / apart.len() as f64;
    // Turned coefficients are the same ones, and a decoder rounds them otherwise.
    assert!(!copy.is_lossless() || worst <= 4, "{name}: {worst}");
    assert!(mean < 2.0, "{name}: {mean}");
    copy
}

#[test]
fn a_jpeg_is_turned_without_loss_where_its_sides_are_whole_blocks() {
    for orientation in 1..=8 {
        let whole = stored(&picture(160, 96), orientation);
        let copy = stripped(&with_orientation(&jpeg(&whole, 90), orientation), "whole blocks");
        assert!(copy.is_lossless() && copy.format == Format::Jpeg, "{orientation}");
        let odd = stored(&picture(157, 93), orientation);
        let copy = stripped(&with_orientation(&jpeg(&odd, 90), orientation), "parts of blocks");
        // Nothing has to move to the other side: as it is, or exchanged along the diagonal.
        assert_eq!(copy.is_lossless(), matches!(orientation, 1 | 5), "{orientation}");
    }
}

#[test]
fn other_files_become_plain_ones() {
    let upright = picture(120, 90);
    let picture = DynamicImage::from(upright.clone());
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
        ImageFormat::WebP,
    ] {
        let copy = stripped(&encoded(&picture, format), &format!("{format:?}"));
        assert!(copy.is_lossless() && copy.format == Format::Png, "{format:?}");
    }
    let copy = stripped(&heic(&upright), "HEIC");
    assert!(!copy.is_lossless() && copy.format == Format::Jpeg);
    for name in ["cmyk.jpg", "progressive.jpg"] {
        let file = fs::read(root().join("tests/fixtures").join(name)).unwrap();
        let copy = stripped(&file, name);
        assert_eq!(copy.is_lossless(), name == "progressive.jpg", "{name}");
    }
}

#[test]
fn what_eight_bits_of_one_picture_cannot_hold_is_named() {
    let upright = picture(96, 72);
    let deep = DynamicImage::from(upright.clone()).into_rgb16();
    let mut clear = DynamicImage::from(upright.clone()).into_rgba8();
    let whole = encoded(&DynamicImage::from(clear.clone()), ImageFormat::Png);
    assert!(stripped(&whole, "alpha that hides nothing").is_lossless());
    clear.get_pixel_mut(3, 4).0[3] = 254;
    let mut animation = Vec::new();
    let mut encoder = GifEncoder::new(&mut animation);
    for _ in 0..2 {
        let frame = DynamicImage::from(upright.clone()).into_rgba8();
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    for (file, lost) in [
        (encoded(&DynamicImage::from(deep), ImageFormat::Png), Lost::Depth),
        (
            encoded(&DynamicImage::from(clear), ImageFormat::Png),
            Lost::Transparency,
        ),
        (animation, Lost::Frames),
        (heic(&upright), Lost::Format),
    ] {
        assert_eq!(stripped(&file, lost.as_str()).lost, Some(lost));
    }
}

#[test]
fn a_second_picture_goes() {
    let (first, second) = (jpeg(&picture(64, 64), 90), jpeg(&picture(96, 96), 90));
    let copy = stripped(&multi_picture(&first, &second), "two pictures");
    assert!(copy.is_lossless());
    let starts = copy
        .bytes
        .windows(3)
        .filter(|window| *window == b"\xff\xd8\xff")
        .count();
    assert_eq!(starts, 1);
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let whole = jpeg(&picture(160, 96), 90);
    for file in [&whole[..whole.len() / 2], b"no picture"] {
        assert!(strip(file, &Limits::default()).is_err());
    }
}
