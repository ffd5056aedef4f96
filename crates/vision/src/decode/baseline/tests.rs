//! What is decoded here is what libjpeg gives, and nothing is decoded here that libjpeg complains about.

use super::{REDUCED, eighth, reduced};
use crate::decode::jpeg::by_libjpeg;
use crate::decode::markers;
use image::RgbImage;
use std::path::{Path, PathBuf};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

/// Largest mean difference, in levels, of a reduced picture from libjpeg's, which folds in more coefficients: of noise drawn
/// at the worst quality, and of photos.
const DRAWN_OFF_MAX: f64 = 24.0;
const REAL_OFF_MAX: f64 = 5.0;

/// Mean difference of two pictures, in levels.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let pairs = a.as_raw().iter().zip(b.as_raw());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

/// Edges, slopes and noise in all colours.
fn drawn(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 9 & 31;
        let edge = if (x / 23 + y / 17) % 2 == 0 { 40 } else { 190 };
        image::Rgb([
            (edge + noise) as u8,
            (x * 255 / width) as u8,
            ((x + y) % 256) as u8 / 2 + noise as u8,
        ])
    })
}

fn jpeg(picture: &RgbImage, subsamp: Subsamp, quality: i32) -> Vec<u8> {
    let mut compressor = Compressor::new().expect("memory");
    compressor.set_subsamp(subsamp).expect("a subsampling");
    compressor.set_quality(quality).expect("a quality");
    let image = Image {
        pixels: picture.as_raw().as_slice(),
        width: picture.width() as usize,
        pitch: 3 * picture.width() as usize,
        height: picture.height() as usize,
        format: PixelFormat::RGB,
    };
    compressor.compress_to_vec(image).expect("a JPEG")
}

/// Compares with libjpeg at every scale, which may be off by a mean of so many levels; whether the picture was decoded here.
fn compare(bytes: &[u8], name: &str, off_max: f64) -> bool {
    let marks = markers::read(bytes).expect("a JPEG");
    let Some((pixels, coded)) = eighth(bytes, &marks) else {
        return false;
    };
    let expected = by_libjpeg(bytes, &marks, 1).expect("libjpeg decodes it");
    assert!(pixels == expected, "{name}: {}", difference(&pixels, &expected));
    for eighths in REDUCED {
        let pixels = reduced(bytes, &marks, eighths, None).expect("it was decoded before");
        let again = reduced(bytes, &marks, eighths, Some(&coded)).expect("it was decoded before");
        assert!(
            again == pixels,
            "{name} at {eighths} eighths: another picture by its codes"
        );
        let expected = by_libjpeg(bytes, &marks, eighths).expect("libjpeg decodes it");
        let off = difference(&pixels, &expected);
        assert!(off < off_max, "{name} at {eighths} eighths: {off}");
    }
    true
}

#[test]
fn every_size_sampling_and_quality_is_as_libjpeg_gives_it() {
    for (width, height) in [(64, 64), (121, 77), (16, 200), (335, 33), (8, 9)] {
        let picture = drawn(width, height);
        for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2] {
            for quality in [1, 50, 92, 100] {
                let bytes = jpeg(&picture, subsamp, quality);
                let name = format!("{width} x {height}, {subsamp:?}, {quality}");
                // Of few blocks, drawn at random, the mean says nothing.
                let is_large = width.min(height) >= 64;
                let off_max = if is_large { DRAWN_OFF_MAX } else { f64::INFINITY };
                assert!(compare(&bytes, &name, off_max), "{name}: left to libjpeg");
            }
        }
    }
}

#[test]
fn restart_markers_are_followed() {
    let bytes = include_bytes!("../../../tests/data/restart.jpg");
    assert!(compare(bytes, "restart.jpg", DRAWN_OFF_MAX), "left to libjpeg");
}

#[test]
fn codes_of_another_file_are_not_used() {
    let (one, other) = (
        jpeg(&drawn(64, 48), Subsamp::Sub2x2, 90),
        jpeg(&drawn(640, 48), Subsamp::Sub2x2, 90),
    );
    let (_, coded) = eighth(&one, &markers::read(&one).expect("a JPEG")).expect("an ordinary JPEG");
    let marks = markers::read(&other).expect("a JPEG");
    assert!(reduced(&other, &marks, 3, Some(&coded)).is_none());
    assert!(reduced(&other, &marks, 3, None).is_some());
}

#[test]
fn what_is_unusual_is_left_to_libjpeg() {
    let picture = drawn(64, 48);
    for subsamp in [Subsamp::Gray, Subsamp::Sub1x2, Subsamp::Sub4x1] {
        let bytes = jpeg(&picture, subsamp, 90);
        let marks = markers::read(&bytes).expect("a JPEG");
        assert!(eighth(&bytes, &marks).is_none(), "{subsamp:?}");
    }
    let progressive = include_bytes!("../../../tests/data/progressive.jpg");
    let marks = markers::read(progressive).expect("a JPEG");
    assert!(eighth(progressive, &marks).is_none());
}

/// Where a segment begins, and its length with its marker.
fn segment(bytes: &[u8], marker: u8) -> (usize, usize) {
    let at = bytes
        .windows(2)
        .position(|two| two == [0xff, marker])
        .expect("the segment");
    let length = u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]);
    (at, usize::from(length) + 2)
}

#[test]
fn tables_that_are_defined_twice_or_too_large_are_left_to_libjpeg() {
    let bytes = jpeg(&drawn(64, 48), Subsamp::Sub2x2, 90);
    let (at, length) = segment(&bytes, markers::DHT);
    let table = bytes[at..at + length].to_vec();
    // 100 symbols of 15 bits and 200 of 16.
    let mut large = vec![0xff, markers::DHT, 1, 63, 0x13];
    large.extend([0; 14]);
    large.extend([100, 200]);
    large.extend((0..300).map(|n| n as u8));
    let interval = vec![0xff, markers::DRI, 0, 5, 0, 0, 0];
    for more in [table, large, interval] {
        let mut file = bytes.clone();
        file.splice(at..at, more);
        let marks = markers::read(&file).expect("a JPEG");
        assert!(eighth(&file, &marks).is_none());
    }
    let marks = markers::read(&bytes).expect("a JPEG");
    assert!(
        eighth(&bytes, &marks).is_some(),
        "without them it is decoded here"
    );
}

/// A generator of numbers that are not random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % end
    }
}

#[test]
fn a_damaged_file_is_decoded_here_only_if_libjpeg_does_not_complain() {
    let mut numbers = Numbers(7);
    let files = [
        jpeg(&drawn(150, 90), Subsamp::Sub2x2, 90),
        jpeg(&drawn(90, 70), Subsamp::Sub2x1, 70),
        include_bytes!("../../../tests/data/restart.jpg").to_vec(),
    ];
    let (mut here, mut there) = (0, 0);
    for round in 0..6000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=numbers.below(2) {
            let at = 2 + numbers.below(bytes.len() - 2);
            match numbers.below(4) {
                0 => bytes.truncate(at.max(4)),
                1 => drop(bytes.remove(at.min(bytes.len() - 1))),
                2 => bytes.insert(at.min(bytes.len()), numbers.below(256) as u8),
                _ => {
                    let at = at.min(bytes.len() - 1);
                    bytes[at] ^= 1 << numbers.below(8);
                }
            }
        }
        let Ok(marks) = markers::read(&bytes) else {
            continue;
        };
        if marks.size.pixels() > 1 << 20 || marks.size.pixels() == 0 {
            continue;
        }
        match eighth(&bytes, &marks) {
            Some((pixels, _)) => {
                here += 1;
                let expected = by_libjpeg(&bytes, &marks, 1);
                assert!(
                    expected.as_ref() == Ok(&pixels),
                    "round {round}: {:?}",
                    expected.err()
                );
            }
            None => there += 1,
        }
    }
    assert!(here > 500 && there > 500, "{here} decoded here, {there} left");
}

/// All JPEG files below a folder.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg")) {
            found.push(path);
        }
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a test says what it skipped")]
fn real_photos_are_as_libjpeg_gives_them() {
    let named = std::env::var_os("WALKAROUND_PHOTOS").map(PathBuf::from);
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/photos");
    let mut photos = Vec::new();
    collect(&named.unwrap_or_else(|| shared.into()), &mut photos);
    if photos.is_empty() {
        eprintln!("skipped: no real photos");
        return;
    }
    let mut here = 0;
    for path in &photos {
        let bytes = std::fs::read(path).expect("a photo");
        here += usize::from(compare(&bytes, &path.display().to_string(), REAL_OFF_MAX));
    }
    eprintln!("{here} of {} photos are decoded here", photos.len());
    assert!(here * 10 > photos.len() * 8, "{here} of {}", photos.len());
}
