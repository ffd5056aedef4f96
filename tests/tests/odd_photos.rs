//! The odd set: whatever a folder of photos may hold gets a verdict or a clear reason, in one run, without a
//! panic and within a bound of memory. One test: it measures the memory of its only child process.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use image::{DynamicImage, GenericImageView, ImageFormat};
use nix::sys::resource::{UsageWho, getrusage};
use std::path::{Path, PathBuf};
use walkaround_tests::files::{PngColour, encoded, heic, jpeg, multi_picture, png, put};
use walkaround_tests::pictures::{MARKS, Mark, Scene, VEHICLE, vehicle_with};
use walkaround_tests::places::{root, seven};
use walkaround_tests::program;

/// The bound of the issue, in bytes.
const MEMORY_MAX: i64 = 700_000_000;

/// What is expected of a file: `damaged`, or the code of the one reason.
type Odd = (&'static str, Vec<u8>, &'static str);

#[test]
fn every_odd_file_gets_a_verdict_or_a_reason_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let small: Vec<(PathBuf, &str)> = small_odd_files()
        .into_iter()
        .map(|(name, bytes, expected)| (put(folder.path(), name, &bytes), expected))
        .collect();
    let large = large_odd_files();
    let all: Vec<&(PathBuf, &str)> = small.iter().chain(&large).collect();
    let photos: Vec<&Path> = all.iter().map(|(path, _)| path.as_path()).collect();
    let out = folder.path().join("out");

    let ran = program!().inspect(
        &seven(),
        &photos,
        &["--jobs", "2", "--out", out.to_str().unwrap()],
    );
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() * 1024;
    let reports = ran.succeeded().reports();
    assert_eq!(reports.len(), all.len());
    for ((path, expected), report) in all.into_iter().zip(&reports) {
        let name = path.file_name().unwrap().to_string_lossy();
        let codes: Vec<&str> = report.reasons.iter().map(|r| r.code.as_str()).collect();
        if *expected == "damaged" {
            assert_eq!(
                (report.verdict.as_str(), codes.len()),
                ("damaged", 0),
                "{name}: {codes:?}"
            );
            assert_eq!(report.findings.len(), 5, "{name}");
        } else {
            assert_eq!(
                (report.verdict.as_str(), codes),
                ("unusable", vec![*expected]),
                "{name}"
            );
            let detail = &report.reasons[0].detail;
            assert!(detail.len() > 10 && !detail.contains('\n'), "{name}: `{detail}`");
        }
    }
    println!("{} odd files, peak memory {} MB", reports.len(), peak / 1_000_000);
    assert!(
        (20_000_000..MEMORY_MAX).contains(&peak),
        "peak memory {peak} bytes"
    );
}

fn small_odd_files() -> Vec<Odd> {
    let picture = vehicle_with(&MARKS);
    let whole = jpeg(&picture, 95);
    let as_png = encoded(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png);
    let fixture = |name: &str| std::fs::read(root().join("tests/fixtures").join(name)).unwrap();
    let trailing = [&whole[..], &[0x5a; 5000], &whole[..whole.len() / 3]].concat();
    let page = b"<!doctype html><html><title>404</title></html>".to_vec();
    let tiny = |width, height| {
        jpeg(
            &image::RgbImage::from_pixel(width, height, image::Rgb([9, 99, 199])),
            90,
        )
    };
    let mut files = truncated(&whole);
    files.extend([
        (
            "truncated-50.png",
            as_png[..as_png.len() / 2].to_vec(),
            "cut_short",
        ),
        ("zero-bytes.jpg", Vec::new(), "unreadable"),
        (
            "text.jpg",
            b"this is not a photo\n".to_vec(),
            "unsupported_format",
        ),
        ("page.jpg", page, "unsupported_format"),
        (
            "noise.jpg",
            (0..4000_u32).map(|i| ((i * i * 31) >> 3) as u8).collect(),
            "unsupported_format",
        ),
        ("1x1.jpg", tiny(1, 1), "too_small"),
        ("1600x3.jpg", tiny(1600, 3), "odd_aspect"),
        ("cmyk.jpg", fixture("cmyk.jpg"), "damaged"),
        ("progressive.jpg", fixture("progressive.jpg"), "damaged"),
        ("png-inside.jpg", as_png, "damaged"),
        ("jpeg-inside.png", whole.clone(), "damaged"),
        ("trailing-bytes.jpg", trailing, "damaged"),
        ("no-extension", whole.clone(), "damaged"),
        ("folder.d", whole.clone(), "damaged"),
        ("-dash 'quote\" \u{fc}\n.jpg", whole.clone(), "damaged"),
    ]);
    files.extend(beside_the_first_picture(&whole, &picture));
    files.extend(media_files(&picture));
    files
}

/// HEIC and AVIF.
fn media_files(picture: &image::RgbImage) -> Vec<Odd> {
    let heic = heic(picture);
    let half = heic[..heic.len() / 2].to_vec();
    let trailed = [&heic[..], b"\n"].concat();
    // A canvas of 64 x 48 pixels, with the whole picture on it.
    let mut small_canvas = encoded(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Gif);
    small_canvas[6..10].copy_from_slice(&[64, 0, 48, 0]);
    // Its reader is a feature that is off by default.
    let empty_avif = if cfg!(feature = "avif") {
        "unreadable"
    } else {
        "unsupported_format"
    };
    vec![
        ("iphone.heic", media_file(b"heic", b"mif1heic"), "unreadable"),
        ("heic-inside.jpg", heic, "damaged"),
        ("truncated.heic", half, "cut_short"),
        ("trailer.heic", trailed, "damaged"),
        ("canvas.gif", small_canvas, "damaged"),
        ("photo.avif", media_file(b"avif", b"avifmif1"), empty_avif),
    ]
}

/// What stands beside the first picture of a JPEG: other pictures, and colour profiles that are none.
fn beside_the_first_picture(whole: &[u8], picture: &image::RgbImage) -> Vec<Odd> {
    let other = jpeg(picture, 80);
    let mpo = multi_picture(whole, &other);
    let half = mpo[..mpo.len() - other.len() / 2].to_vec();
    vec![
        ("stereo.mpo", mpo.clone(), "damaged"),
        ("mpo-inside.jpg", mpo, "damaged"),
        ("half-of-the-second.mpo", half, "damaged"),
        ("no-profile.jpg", with_profile(whole, b"no profile"), "damaged"),
        ("profile-of-zeros.jpg", with_profile(whole, &[0; 3000]), "damaged"),
    ]
}

/// A JPEG with a colour profile in one piece.
fn with_profile(jpeg: &[u8], profile: &[u8]) -> Vec<u8> {
    let body = [b"ICC_PROFILE\0\x01\x01".as_slice(), profile].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe2", &length, &body, &jpeg[2..]].concat()
}

/// The same JPEG, cut at several points.
fn truncated(whole: &[u8]) -> Vec<Odd> {
    let cut = |share: usize| whole[..whole.len() * share / 100].to_vec();
    vec![
        ("truncated-0.jpg", whole[..3].to_vec(), "cut_short"),
        ("truncated-1.jpg", cut(1), "cut_short"),
        ("truncated-10.jpg", cut(10), "cut_short"),
        ("truncated-50.jpg", cut(50), "cut_short"),
        ("truncated-90.jpg", cut(90), "cut_short"),
        ("truncated-99.jpg", cut(99), "cut_short"),
    ]
}

/// The head of an ISO base media file: a `ftyp` box with brands, and an empty `meta` box.
fn media_file(major: &[u8; 4], compatible: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + compatible.len()).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(b"ftyp");
    bytes.extend(major);
    bytes.extend([0; 4]);
    bytes.extend(compatible);
    bytes.extend([0, 0, 0, 12]);
    bytes.extend(b"meta\0\0\0\0");
    bytes
}

/// Files that take a second each to write: kept between runs.
fn large_odd_files() -> Vec<(PathBuf, &'static str)> {
    let marks = [&[VEHICLE][..], &MARKS].concat();
    // 12960 x 8640 pixels.
    let scene = Scene::scaled(&marks, 27, 2);
    vec![
        (kept("112-megapixels.jpg", &|| jpeg(&scene, 90)), "damaged"),
        (
            kept("112-megapixels.png", &|| scene_png(&marks, 27, 2)),
            "damaged",
        ),
        (kept("900-megapixels.png", &bomb), "too_large"),
    ]
}

/// 30000 x 30000 black pixels in about 110 KB.
fn bomb() -> Vec<u8> {
    let bytes = png((30_000, 30_000), PngColour::Bit, None, &mut |_, row| row.fill(0));
    assert!((90_000..130_000).contains(&bytes.len()), "{} bytes", bytes.len());
    bytes
}

/// The scene as a PNG: rows are drawn one by one, and a row like the last is copied.
fn scene_png(marks: &[Mark], numerator: u32, denominator: u32) -> Vec<u8> {
    let scene = Scene::scaled(marks, numerator, denominator);
    let mut last = (u32::MAX, Vec::new());
    png(scene.dimensions(), PngColour::Rgb, None, &mut |y, row| {
        let of_recipe = y * denominator / numerator;
        if last.0 != of_recipe {
            let pixels = (0..scene.width()).flat_map(|x| scene.get_pixel(x, y).0);
            last = (of_recipe, pixels.collect());
        }
        row.copy_from_slice(&last.1);
    })
}

/// A file of this name in cargo's folder for tests; written when it is not there yet. The name changes with
/// the content.
fn kept(name: &str, make: &dyn Fn() -> Vec<u8>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("odd-photos-1");
    let path = folder.join(name);
    if !path.is_file() {
        std::fs::create_dir_all(&folder).unwrap();
        let mut file = tempfile::NamedTempFile::new_in(&folder).unwrap();
        std::io::Write::write_all(&mut file, &make()).unwrap();
        file.persist(&path).unwrap();
    }
    path
}
