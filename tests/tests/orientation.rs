//! A photo stored turned or mirrored, with an EXIF orientation that says so, gives the findings of the upright
//! one: in the same pixels, whatever scale it is decoded at.

use image::RgbImage;
use std::path::{Path, PathBuf};
use walkaround_tests::files::{PngColour, jpeg, png, put, with_orientation};
use walkaround_tests::pictures::{MARKS, Mark, SCRATCH, VEHICLE, agreement, stored, vehicle_with};
use walkaround_tests::places::{demo, seven};
use walkaround_tests::program;

const IOU_MIN: f64 = 0.97;

/// Marks that no turn and no mirroring maps onto themselves, enlarged `scale` times.
fn upright(scale: u32) -> RgbImage {
    let corner = Mark(SCRATCH.0, [700, 120, 830, 150]);
    let marks = [&MARKS[..], &[corner]].concat();
    let small = vehicle_with(&marks);
    assert_eq!(
        VEHICLE.1[0],
        small.width() - VEHICLE.1[2],
        "turns move the marks, not the vehicle"
    );
    image::imageops::resize(
        &small,
        small.width() * scale,
        small.height() * scale,
        image::imageops::FilterType::Nearest,
    )
}

/// Checks files `1.*` to `8.*` against the first.
fn compare(bundle: &Path, files: &[PathBuf], findings_min: usize) {
    let photos: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let reports = program!()
        .inspect(bundle, &photos, &["--all-classes"])
        .succeeded()
        .reports();
    let first = &reports[0];
    assert_eq!(first.verdict, "damaged");
    assert!(
        first.findings.len() >= findings_min,
        "{} findings",
        first.findings.len()
    );
    for (file, report) in files.iter().zip(&reports) {
        assert_eq!(
            (report.width, report.height),
            (first.width, first.height),
            "{}",
            file.display()
        );
        let iou = agreement(first, report);
        assert!(iou >= IOU_MIN, "{}: IoU {iou:.4}", file.display());
    }
}

#[test]
fn all_orientations_of_a_jpeg() {
    let folder = tempfile::tempdir().unwrap();
    let picture = upright(1);
    let files: Vec<PathBuf> = (1..=8)
        .map(|o| {
            let bytes = with_orientation(&jpeg(&stored(&picture, o), 95), o);
            put(folder.path(), &format!("{o}.jpg"), &bytes)
        })
        .collect();
    compare(&seven(), &files, 7);
}

#[test]
fn turned_jpegs_that_are_decoded_at_a_quarter() {
    let folder = tempfile::tempdir().unwrap();
    // 15 megapixels; the networks want 320 pixels of it.
    let picture = upright(5);
    let files: Vec<PathBuf> = [1, 3, 6, 8]
        .into_iter()
        .map(|o| {
            let bytes = with_orientation(&jpeg(&stored(&picture, o), 95), o);
            put(folder.path(), &format!("{o}.jpg"), &bytes)
        })
        .collect();
    compare(&seven(), &files, 7);
}

#[test]
fn all_orientations_of_a_png() {
    let folder = tempfile::tempdir().unwrap();
    let picture = upright(1);
    let files: Vec<PathBuf> = (1..=8)
        .map(|o| {
            let turned = stored(&picture, o);
            let row_length = 3 * turned.width() as usize;
            let bytes = png(turned.dimensions(), PngColour::Rgb, Some(o), &mut |y, row| {
                row.copy_from_slice(&turned.as_raw()[y as usize * row_length..][..row_length]);
            });
            put(folder.path(), &format!("{o}.png"), &bytes)
        })
        .collect();
    compare(&seven(), &files, 7);
}

#[test]
fn turned_samples_with_the_demonstration_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let picture = damaged_sample();
    let files: Vec<PathBuf> = [1, 3, 6, 8]
        .into_iter()
        .map(|o| {
            let bytes = with_orientation(&jpeg(&stored(&picture, o), 95), o);
            put(folder.path(), &format!("{o}.jpg"), &bytes)
        })
        .collect();
    compare(&demo(), &files, 1);
}

fn damaged_sample() -> RgbImage {
    let spec = walkaround_samples::SampleSpec {
        seed: 1,
        kind: walkaround_samples::Kind::Scratch,
        ..walkaround_samples::SampleSpec::default()
    };
    walkaround_samples::draw(&spec).picture
}
