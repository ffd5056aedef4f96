//! Damaged files of every format: a picture or a reason, never a panic.

mod support_decode;

use image::ImageFormat;
use support_decode::*;
use walkaround_vision::decode::{Limits, decode};

/// Small, so that a damaged size cannot make the test slow.
const LIMITS: Limits = Limits {
    bytes_max: 1 << 20,
    pixels_max: 2_000_000,
    aspect_max: 64,
    side_min: 16,
    decode_bytes_max: 32 << 20,
};
const VARIANTS: u64 = 400;

/// A few bytes changed, sometimes shortened, sometimes with a piece copied elsewhere.
fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for _ in 0..=random.below(6) {
        // Half of the changes hit the header, where most decisions are made.
        let end = if random.below(2) == 0 {
            copy.len().min(200)
        } else {
            copy.len()
        };
        let at = random.below(end);
        copy[at] = match random.below(4) {
            0 => 0,
            1 => 0xff,
            2 => copy[at] ^ (1 << random.below(8)),
            _ => random.next() as u8,
        };
    }
    if random.below(4) == 0 {
        copy.truncate(1 + random.below(copy.len()));
    }
    if random.below(4) == 0 {
        let (from, to) = (random.below(copy.len()), random.below(copy.len()));
        let length = random.below(64).min(copy.len() - from.max(to));
        copy.copy_within(from..from + length, to);
    }
    copy
}

fn hold_up(name: &str, bytes: &[u8]) {
    assert!(decode(bytes, &LIMITS, 48).is_ok(), "{name}: the undamaged file");
    for seed in 0..VARIANTS {
        let copy = mutated(bytes, &mut Random(seed));
        let long_side_min = if seed % 2 == 0 { 48 } else { 4000 };
        match decode(&copy, &LIMITS, long_side_min) {
            Ok(decoded) => assert!(
                decoded.original.pixels() <= LIMITS.pixels_max,
                "{name}, seed {seed}"
            ),
            Err(reason) => assert!(!reason.detail.contains('\n'), "{name}, seed {seed}: {reason}"),
        }
    }
}

#[test]
fn damaged_jpegs_hold_up() {
    let picture = busy(96, 64);
    hold_up("baseline", &jpeg_turned(&jpeg(&picture, BASELINE), 6));
    hold_up("progressive", &jpeg(&picture, PROGRESSIVE));
    hold_up("arithmetic", &jpeg(&picture, ARITHMETIC));
    hold_up("cmyk", include_bytes!("data/cmyk.jpg"));
    hold_up("restart", include_bytes!("data/restart.jpg"));
    let plain = jpeg(&picture, BASELINE);
    hold_up("two pictures", &multi_picture(&plain, &[&plain]));
}

#[test]
fn damaged_pngs_and_bitmaps_hold_up() {
    hold_up(
        "png",
        &with_png_chunk(&encoded(&busy(96, 64), ImageFormat::Png), b"eXIf", &exif(8)),
    );
    hold_up("palette png", include_bytes!("data/palette.png"));
    hold_up("bmp", &encoded(&busy(96, 64), ImageFormat::Bmp));
    hold_up("palette bmp", include_bytes!("data/palette.bmp"));
}

#[test]
fn damaged_webps_and_gifs_hold_up() {
    hold_up("lossy webp", include_bytes!("data/lossy_turned.webp"));
    hold_up("lossless webp", &encoded(&busy(96, 64), ImageFormat::WebP));
    hold_up("animated webp", include_bytes!("data/animated.webp"));
    hold_up("gif", include_bytes!("data/interlaced.gif"));
    hold_up("animated gif", include_bytes!("data/animated.gif"));
}

#[test]
fn damaged_tiffs_hold_up() {
    hold_up("tiff", &tiff_turned(&busy(96, 64), 3));
    hold_up("lzw tiff", include_bytes!("data/lzw.tif"));
    hold_up("deflate tiff", include_bytes!("data/deflate_turned.tif"));
    hold_up("cmyk tiff", include_bytes!("data/cmyk.tif"));
    hold_up("fax tiff", include_bytes!("data/fax.tif"));
}

#[test]
fn damaged_heics_hold_up() {
    hold_up("heic", &heic(&busy(96, 64), None));
    hold_up("heic with alpha", &heic(&busy(96, 64), Some(77)));
    // Odd sides are cropped; over 512 pixels it is a grid.
    hold_up("cropped heic", &heic(&busy(97, 65), None));
    hold_up("grid heic", &heic(&busy(576, 64), None));
}

#[cfg(feature = "avif")]
#[test]
fn damaged_avifs_hold_up() {
    hold_up("avif", include_bytes!("data/drawn.avif"));
    hold_up("avif with full colours", include_bytes!("data/full_colour.avif"));
    hold_up("avif of 10 bits", include_bytes!("data/ten_bits.avif"));
    hold_up("avif of 12 bits", include_bytes!("data/twelve_bits.avif"));
    hold_up("avif with alpha", include_bytes!("data/alpha.avif"));
}
