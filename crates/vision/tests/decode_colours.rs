//! Colour profiles: Display P3 and Adobe RGB come out as sRGB from every format; sRGB and broken profiles change nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use moxcms::{ColorProfile, Layout, TransformOptions};
use support_decode::*;
use walkaround_vision::decode::{Colours, Decoded};

fn to_profile(picture: &RgbImage, profile: &ColorProfile) -> RgbImage {
    let transform = ColorProfile::new_srgb()
        .create_transform_8bit(Layout::Rgb, profile, Layout::Rgb, TransformOptions::default())
        .unwrap();
    let mut converted = picture.clone();
    transform.transform(picture.as_raw(), &mut converted).unwrap();
    converted
}

fn with_profile(mut encoder: impl ImageEncoder, picture: &RgbImage, profile: &[u8]) {
    encoder.set_icc_profile(profile.to_vec()).unwrap();
    let (width, height) = picture.dimensions();
    encoder
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .unwrap();
}

/// The picture in every format that has profiles, and how far each is off at most.
fn files(picture: &RgbImage, profile: &[u8]) -> Vec<(&'static str, Vec<u8>, f64)> {
    let (mut jpeg, mut png, mut webp) = (Vec::new(), Vec::new(), Vec::new());
    with_profile(JpegEncoder::new_with_quality(&mut jpeg, 98), picture, profile);
    with_profile(PngEncoder::new(&mut png), picture, profile);
    with_profile(WebPEncoder::new_lossless(&mut webp), picture, profile);
    let tiff = tiff_with(picture, 1, 0, profile);
    vec![
        ("JPEG", jpeg, 3.0),
        ("PNG", png, 1.0),
        ("WebP", webp, 1.0),
        ("TIFF", tiff, 1.0),
        #[cfg(feature = "heic")]
        ("HEIC", heic_with_profile(picture, profile), 1.5),
    ]
}

#[cfg(feature = "heic")]
fn heic_with_profile(picture: &RgbImage, profile: &[u8]) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let image = heifer::Image {
        width,
        height,
        bit_depth: 8,
        has_alpha: false,
        data: picture
            .pixels()
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255].map(u16::from))
            .collect(),
    };
    let metadata = heifer::Metadata {
        icc_profile: Some(profile.to_vec()),
        ..heifer::Metadata::default()
    };
    let options = heifer::EncodeOptions {
        quality: 95,
        max_threads: 1,
    };
    heifer::encode_with_metadata(&image, &metadata, &options).unwrap()
}

#[track_caller]
fn shown(bytes: &[u8], expected: &RgbImage, tolerance: f64, what: &str) -> Decoded {
    let decoded = whole(bytes).unwrap();
    let difference = difference(&decoded.pixels, expected);
    assert!(difference <= tolerance, "{what}: differs by {difference}");
    decoded
}

#[test]
fn wide_colours_come_out_as_srgb_from_every_format() {
    // More than 512 pixels: a grid of tiles in HEIC.
    let picture = drawn(640, 400);
    for (name, profile) in [
        ("Display P3", ColorProfile::new_display_p3()),
        ("Adobe RGB", ColorProfile::new_adobe_rgb()),
    ] {
        let coded = to_profile(&picture, &profile);
        assert!(
            difference(&coded, &picture) > 4.0,
            "{name} is no other colour space"
        );
        for (format, bytes, tolerance) in files(&coded, &profile.encode().unwrap()) {
            let decoded = shown(&bytes, &picture, tolerance, &format!("{name} in {format}"));
            assert_eq!(decoded.colours, Colours::Converted, "{name} in {format}");
        }
    }
}

#[test]
fn srgb_stays_as_it_is_to_the_last_bit() {
    let picture = drawn(96, 64);
    let profile = ColorProfile::new_srgb().encode().unwrap();
    for (format, bytes, tolerance) in files(&picture, &profile) {
        let decoded = shown(&bytes, &picture, tolerance, format);
        assert_eq!(decoded.colours, Colours::AsStored, "{format}");
        if tolerance <= 1.0 {
            assert_eq!(decoded.pixels, picture, "{format}");
        }
    }
    assert_eq!(
        whole(&jpeg(&picture, BASELINE)).unwrap().colours,
        Colours::AsStored
    );
}

/// Adobe writes the pieces of a JPEG's profile in any order; some writers leave one out.
#[test]
fn a_profile_in_pieces_is_put_together() {
    let picture = drawn(96, 64);
    let p3 = ColorProfile::new_display_p3();
    let coded = to_profile(&picture, &p3);
    let profile = p3.encode().unwrap();
    let plain = jpeg(&coded, BASELINE);
    let piece =
        |number: u8, count: u8, bytes: &[u8]| [b"ICC_PROFILE\0".as_slice(), &[number, count], bytes].concat();
    let (one, two, three) = (&profile[..100], &profile[100..250], &profile[250..]);
    let with = |pieces: &[Vec<u8>]| {
        pieces
            .iter()
            .rev()
            .fold(plain.clone(), |file, piece| with_segment(&file, 0xe2, piece))
    };
    let (a, b, c) = (piece(1, 3, one), piece(2, 3, two), piece(3, 3, three));
    for order in [[&a, &b, &c], [&c, &a, &b], [&b, &c, &a]] {
        let decoded = shown(&with(&order.map(Clone::clone)), &picture, 3.0, "in pieces");
        assert_eq!(decoded.colours, Colours::Converted);
    }
    let as_coded = whole(&plain).unwrap().pixels;
    let too_long = vec![piece(1, 17, &[7; 65_000]); 17];
    for (what, pieces) in [
        ("one is missing", vec![a.clone(), c.clone()]),
        ("one stands twice", vec![a.clone(), b.clone(), b.clone()]),
        (
            "their count is wrong",
            vec![piece(1, 2, one), b.clone(), c.clone()],
        ),
        (
            "their numbers begin at 0",
            vec![piece(0, 3, one), piece(1, 3, two), piece(2, 3, three)],
        ),
        ("they are too long", too_long),
        ("there are too many", vec![piece(1, 1, one); 300]),
    ] {
        let decoded = whole(&with(&pieces)).unwrap();
        assert_eq!(
            (decoded.colours, &decoded.pixels),
            (Colours::ProfileIgnored, &as_coded),
            "{what}"
        );
    }
}

#[test]
fn a_profile_that_is_broken_or_of_another_kind_is_ignored() {
    let picture = drawn(96, 64);
    let grey = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    for (what, profile) in [
        ("no profile", b"anything".to_vec()),
        ("a grey one", grey),
        ("a cut one", p3[..200].to_vec()),
        ("zeros", vec![0; 600]),
    ] {
        for (format, bytes, tolerance) in files(&picture, &profile) {
            let decoded = shown(&bytes, &picture, tolerance, &format!("{what} in {format}"));
            assert_eq!(decoded.colours, Colours::ProfileIgnored, "{what} in {format}");
        }
    }
}

#[test]
fn damaged_profiles_hold_up() {
    let picture = drawn(64, 64);
    let plain = jpeg(&picture, BASELINE);
    for profile in [
        ColorProfile::new_display_p3(),
        ColorProfile::new_adobe_rgb(),
        ColorProfile::new_bt2020_pq(),
    ] {
        let profile = profile.encode().unwrap();
        for seed in 0..1500 {
            let mut random = Random(seed);
            let mut odd = profile.clone();
            for _ in 0..=random.below(8) {
                let at = random.below(odd.len());
                odd[at] = [0, 0xff, random.next() as u8, odd[at] ^ 1][random.below(4)];
            }
            let body = [b"ICC_PROFILE\0\x01\x01".as_slice(), &odd].concat();
            let decoded = whole(&with_segment(&plain, 0xe2, &body)).unwrap();
            assert_eq!(decoded.pixels.dimensions(), (64, 64), "seed {seed}");
        }
    }
}
