//! Quality: figures on drawn pictures, independence of scale, and the default policy on real photos.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use std::path::PathBuf;

use image::{Rgb, RgbImage, imageops};
use walkaround_domain::ReasonCode;
use walkaround_vision::decode::{Limits, decode};
use walkaround_vision::quality::{Quality, QualityPolicy, measure};

fn codes(pixels: &RgbImage) -> Vec<ReasonCode> {
    QualityPolicy::default()
        .judge(&measure(pixels))
        .into_iter()
        .map(|reason| reason.code)
        .collect()
}

/// Lines, edges and shading at the scale of a photo of `width` pixels.
fn scene(width: u32) -> RgbImage {
    let height = width * 3 / 4;
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(width));
        let panels = if (u * 9.0).fract() < 0.5 { 60.0 } else { 0.0 };
        let texture = 25.0 * (u * 300.0).sin() * (v * 260.0 + u * 40.0).sin();
        let shade = 60.0 + 90.0 * v + panels + texture;
        Rgb([shade as u8, (shade * 0.9) as u8, (shade * 0.8) as u8])
    })
}

#[test]
fn figures_of_drawn_pictures_are_exact() {
    // Columns of 100 and 110 in turn: the Laplacian is 20 and -20, its variance 400.
    let stripes = RgbImage::from_fn(102, 60, |x, _| Rgb([100 + 10 * (x % 2) as u8; 3]));
    let expected = Quality {
        sharpness: 400.0,
        luma_mean: 105.0,
        clipped_dark: 0.0,
        clipped_bright: 0.0,
    };
    assert_eq!(measure(&stripes), expected);
    let quarters = RgbImage::from_fn(80, 40, |x, _| Rgb([[0, 2, 128, 255][(x / 20) as usize]; 3]));
    let quality = measure(&quarters);
    assert_eq!((quality.clipped_dark, quality.clipped_bright), (0.5, 0.25));
    // The weights of red, green and blue.
    for (colour, luma) in [([255, 0, 0], 77.0), ([0, 255, 0], 149.0), ([0, 0, 255], 29.0)] {
        assert_eq!(
            measure(&RgbImage::from_pixel(10, 10, Rgb(colour))).luma_mean,
            luma
        );
    }
}

#[test]
fn tiny_pictures_have_no_sharpness() {
    for (width, height) in [(1, 1), (2, 600), (700, 2)] {
        assert_eq!(measure(&RgbImage::new(width, height)).sharpness, 0.0);
    }
}

#[test]
fn sharpness_does_not_depend_on_the_scale() {
    let full = scene(2400);
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92)
        .encode_image(&full)
        .unwrap();
    let at = |long_side_min| measure(&decode(&bytes, &Limits::default(), long_side_min).unwrap().pixels);
    let reference = at(2400);
    for long_side_min in [1200, 600] {
        let scaled = at(long_side_min);
        let ratio = scaled.sharpness / reference.sharpness;
        assert!(
            (0.83..1.2).contains(&ratio),
            "{long_side_min}: {scaled:?} against {reference:?}"
        );
        assert!((scaled.luma_mean - reference.luma_mean).abs() < 1.0);
    }
}

#[test]
fn a_drawn_scene_passes_and_its_spoilt_versions_fail() {
    let scene = scene(800);
    assert_eq!(codes(&scene), []);
    assert_eq!(codes(&imageops::fast_blur(&scene, 24.0)), [ReasonCode::Blurred]);
    let each = |change: fn(f32) -> f32| {
        let mut copy = scene.clone();
        copy.iter_mut()
            .for_each(|sample| *sample = change(f32::from(*sample)) as u8);
        codes(&copy)
    };
    assert!(each(|sample| sample * 0.06).contains(&ReasonCode::TooDark));
    assert!(each(|sample| 235.0 + sample * 0.1).contains(&ReasonCode::TooBright));
    assert!(each(|sample| sample * 6.0).contains(&ReasonCode::Clipped));
    assert!(each(|sample| if sample > 150.0 { sample } else { 0.0 }).contains(&ReasonCode::Clipped));
}

#[test]
fn each_limit_has_its_reason() {
    let quality = |[sharpness, luma_mean, clipped_dark, clipped_bright]: [f32; 4]| Quality {
        sharpness,
        luma_mean,
        clipped_dark,
        clipped_bright,
    };
    let policy = QualityPolicy {
        sharpness_min: 10.0,
        luma_min: 50.0,
        luma_max: 200.0,
        clipped_max: 0.5,
    };
    assert_eq!(policy.judge(&quality([10.0, 50.0, 0.5, 0.5])), []);
    assert_eq!(policy.judge(&quality([10.0, 200.0, 0.0, 0.0])), []);
    let cases = [
        (
            [9.9, 50.0, 0.5, 0.5],
            ReasonCode::Blurred,
            "sharpness 9.9 is under 10.0",
        ),
        (
            [10.0, 49.0, 0.5, 0.5],
            ReasonCode::TooDark,
            "49 of 255 is under 50",
        ),
        (
            [10.0, 201.0, 0.5, 0.5],
            ReasonCode::TooBright,
            "201 of 255 is over 200",
        ),
        (
            [10.0, 50.0, 0.52, 0.5],
            ReasonCode::Clipped,
            "52 % of the pixels are black",
        ),
        (
            [10.0, 50.0, 0.5, 0.7],
            ReasonCode::Clipped,
            "70 % of the pixels are white",
        ),
    ];
    for (figures, code, words) in cases {
        let reasons = policy.judge(&quality(figures));
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].code, code);
        assert!(reasons[0].detail.contains(words), "{}", reasons[0]);
    }
}

/// The photos of this machine: `WALKAROUND_PHOTOS`, or `../shared/data/photos` beside the workspace.
fn photos() -> Vec<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/photos");
    let root = std::env::var_os("WALKAROUND_PHOTOS").map_or_else(beside, PathBuf::from);
    let mut files: Vec<PathBuf> = ["damaged", "undamaged"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    files.sort();
    files
}

#[test]
fn real_photos_pass_and_their_spoilt_versions_fail() {
    let files = photos();
    if files.is_empty() {
        println!("skipped: no photos (set WALKAROUND_PHOTOS)");
        return;
    }
    let mut refused = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let photo = decode(&std::fs::read(path).unwrap(), &Limits::default(), 512)
            .unwrap()
            .pixels;
        let reasons = codes(&photo);
        if !reasons.is_empty() {
            refused.push((path, reasons));
        }
        if index % 12 == 0 {
            let sigma = 0.03 * photo.width().max(photo.height()) as f32;
            assert!(
                codes(&imageops::fast_blur(&photo, sigma)).contains(&ReasonCode::Blurred),
                "{path:?}"
            );
            let mut dark = photo.clone();
            dark.iter_mut()
                .for_each(|sample| *sample = (f32::from(*sample) * 0.06) as u8);
            assert!(codes(&dark).contains(&ReasonCode::TooDark), "{path:?}");
            let mut pale = photo;
            pale.iter_mut().for_each(|sample| *sample = 235 + *sample / 13);
            assert!(codes(&pale).contains(&ReasonCode::TooBright), "{path:?}");
        }
    }
    assert!(
        refused.len() * 100 <= files.len(),
        "{} of {}: {refused:?}",
        refused.len(),
        files.len()
    );
}
