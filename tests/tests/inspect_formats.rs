//! The same drawn picture in every format and depth that is read: the same findings.

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use std::path::PathBuf;
use walkaround_tests::files::{encoded, heic, jpeg, multi_picture, put};
use walkaround_tests::pictures::{DENT, MARKS, Mark, VEHICLE, agreement, vehicle_with};
use walkaround_tests::places::seven;
use walkaround_tests::program;

/// Lossless formats differ by nothing; GIF's palette and JPEG by a little.
const IOU_MIN: f64 = 0.98;

#[test]
fn every_format_and_depth_gives_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    // Grey pictures cannot show coloured damage: here only what colour formats share.
    let picture = DynamicImage::ImageRgb8(vehicle_with(&[DENT, Mark([30, 30, 220], [600, 200, 632, 440])]));
    let deep = DynamicImage::ImageRgb16(picture.to_rgb16());
    // The other eye of a stereo camera, which is not looked at.
    let other = vehicle_with(&MARKS);
    let files: Vec<PathBuf> = [
        ("rgb8.png", encoded(&picture, ImageFormat::Png)),
        ("rgb16.png", encoded(&deep, ImageFormat::Png)),
        ("rgba8.png", encoded(&on_glass(&picture), ImageFormat::Png)),
        ("rgb8.webp", encoded(&picture, ImageFormat::WebP)),
        ("rgba8.webp", encoded(&on_glass(&picture), ImageFormat::WebP)),
        ("rgb8.bmp", encoded(&picture, ImageFormat::Bmp)),
        ("rgb8.tiff", encoded(&picture, ImageFormat::Tiff)),
        ("rgb16.tiff", encoded(&deep, ImageFormat::Tiff)),
        ("palette.gif", encoded(&picture, ImageFormat::Gif)),
        ("ycc.jpg", jpeg(&picture.to_rgb8(), 95)),
        ("grid.heic", heic(&picture.to_rgb8())),
        (
            "two-pictures.mpo",
            multi_picture(&jpeg(&picture.to_rgb8(), 95), &jpeg(&other, 95)),
        ),
    ]
    .map(|(name, bytes)| put(folder.path(), name, &bytes))
    .into();
    let photos: Vec<&std::path::Path> = files.iter().map(PathBuf::as_path).collect();
    let reports = program!().inspect(&seven(), &photos, &[]).succeeded().reports();
    let classes: Vec<&str> = reports[0].findings.iter().map(|f| f.class.as_str()).collect();
    assert_eq!(classes, ["dent", "spacing"]);
    for report in &reports {
        let iou = agreement(&reports[0], report);
        assert!(iou >= IOU_MIN, "{}: IoU {iou:.4}", report.photo);
    }
}

#[test]
fn a_grey_photo_is_looked_at_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let grey = DynamicImage::ImageLuma8(DynamicImage::ImageRgb8(vehicle_with(&[DENT])).to_luma8());
    for (name, format) in [("grey.jpg", ImageFormat::Jpeg), ("grey.png", ImageFormat::Png)] {
        let photo = put(folder.path(), name, &encoded(&grey, format));
        let report = program!().report(&seven(), &photo, &[]);
        assert_eq!(report.verdict, "clean", "the colours that mean damage are gone");
        assert!(report.vehicle.is_some(), "the dark vehicle is there");
    }
}

/// The picture with its background transparent, over black that must not show through.
fn on_glass(picture: &DynamicImage) -> DynamicImage {
    let [x0, y0, x1, y1] = VEHICLE.1;
    let mut rgba: RgbaImage = picture.to_rgba8();
    for (x, y, pixel) in rgba.enumerate_pixels_mut() {
        if !((x0..x1).contains(&x) && (y0..y1).contains(&y)) {
            *pixel = Rgba([0, 0, 0, 0]);
        }
    }
    DynamicImage::ImageRgba8(rgba)
}
