//! As many objects as are kept, each a ragged mask over much of a photo of 48 megapixels, on the finest grid: in bounded
//! memory, and with a report of bounded size. One test: it measures the memory of its only large child process.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use image::RgbImage;
use nix::sys::resource::{UsageWho, getrusage};
use walkaround_tests::places::{python, root};
use walkaround_tests::program;
use walkaround_vision::overlay::encode_jpeg;

/// The bound of the odd files holds here, too.
const MEMORY_MAX: i64 = 700_000_000;
/// Largest report of one photo.
const REPORT_MAX: u64 = 64_000_000;

#[test]
fn three_hundred_ragged_objects_on_48_megapixels_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = python()
        .arg(root().join("tests/bundles/make_objects.py"))
        .arg(at("objects.onnx"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let photo = RgbImage::from_fn(8000, 6000, |x, y| {
        let tile = 80 + 60 * ((x / 100 + y / 100) % 3) as u8;
        image::Rgb([tile, tile, 140])
    });
    std::fs::write(at("photo.jpg"), encode_jpeg(&photo, 85).unwrap()).unwrap();
    drop(photo);

    let bundle = at("bundle");
    let ran = program!().run([
        "bundle".as_ref(),
        "init".as_ref(),
        at("objects.onnx").as_os_str(),
        "--out".as_ref(),
        bundle.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let manifest = bundle.join("bundle.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("grid = 2048"), "{text}");
    std::fs::write(&manifest, text.replace("grid = 2048", "grid = 4096")).unwrap();

    let out = at("out");
    let options = ["--jobs", "1", "--out", out.to_str().unwrap()];
    let ran = program!()
        .inspect(&bundle, &[&at("photo.jpg")], &options)
        .succeeded();
    let report = &ran.reports()[0];
    assert_eq!(report.verdict, "damaged");
    assert_eq!(report.findings.len(), 200, "the largest of 300");
    let outlined = report.findings.iter().filter(|finding| !finding.box_only).count();
    assert!(
        (1..200).contains(&outlined),
        "some are too ragged: {outlined} are outlined"
    );
    let written = std::fs::metadata(out.join("photo.json")).unwrap().len();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() * 1024;
    println!(
        "300 objects: peak memory {} MB, report {} MB, {outlined} outlined",
        peak / 1_000_000,
        written / 1_000_000
    );
    assert!(written < REPORT_MAX, "{written} bytes");
    assert!(peak < MEMORY_MAX, "{peak} bytes");
}
