//! One photo and one bundle give one verdict, one gate value and the same findings, digit for digit: from `inspect`, with
//! and without marked pictures, from `evaluate`, from triage and from a worker, whatever else is wanted of them.
//!
//! Always: drawn photos, of which the larger ones are decoded at other scales for people than for networks. Where
//! `../shared` is there: the photo whose verdict once depended on `--out`, and some of the real photos, spread over
//! the folder; all of them with `WALKAROUND_ALL_PHOTOS=1`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests fail and speak as tests do"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use walkaround_domain::{BlobRef, InspectionRequest, Lane};
use walkaround_messages::PhotoReport;
use walkaround_ports::BlobAddress;
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::places::{demo, root};
use walkaround_tests::program;
use walkaround_tests::stack::{TestStack, damaged, ids, request};

/// Real photos that a plain run takes.
const REAL_PHOTOS: usize = 6;
const BOUND: Duration = Duration::from_secs(600);
/// The bundle, as the stack of the tests wants it named.
const BUNDLE: &str = "../../bundles/demo";

/// By name of the photo: all of its report that must not depend on the way it was inspected.
type Essence = BTreeMap<String, Value>;

#[test]
fn every_way_of_looking_says_the_same_of_a_photo() {
    let folder = tempfile::tempdir().unwrap();
    let photos = photos(folder.path());
    let paths: Vec<&Path> = photos.values().map(PathBuf::as_path).collect();

    let plain = essence(&program!().inspect(&demo(), &paths, &[]).succeeded().reports());
    assert_eq!(plain.len(), photos.len());
    let out = folder.path().join("out");
    let marked = program!().inspect(&demo(), &paths, &["--out", out.to_str().unwrap()]);
    assert_same("inspect --out", &plain, &essence(&marked.succeeded().reports()));
    // An evaluation scores what can be decoded, and nothing else.
    let mut decoded = plain.clone();
    decoded.retain(|_, report| report["width"].is_u64());
    assert_same("evaluate", &decoded, &evaluated(folder.path()));
    for overlay in ["findings", "always", "never"] {
        let inline = [("WORKERS_MAX", "0"), ("OVERLAY", overlay)];
        assert_same("triage", &plain, &piped(&photos, &inline, Lane::Inline));
        let gpu = [
            ("WORKERS_MAX", "1"),
            ("INLINE_DRAIN_S", "0"),
            // However slow the machine is, the lane counts as one that comes.
            ("COLD_START_S", "300"),
            ("OVERLAY", overlay),
        ];
        assert_same("worker", &plain, &piped(&photos, &gpu, Lane::Gpu));
    }
    eprintln!("{} photos, each inspected in nine ways", plain.len());
}

/// Photos in a folder of their own, by file name.
fn photos(folder: &Path) -> BTreeMap<String, PathBuf> {
    let folder = folder.join("photos");
    std::fs::create_dir(&folder).unwrap();
    for (seed, kind) in (1..).zip([Kind::Clean, Kind::Scratch, Kind::Dent]) {
        for (width, height) in [(640, 480), (1600, 1200), (4032, 3024)] {
            let spec = SampleSpec {
                seed,
                width,
                height,
                kind,
            };
            let name = format!("drawn-{seed}-{width}.jpg");
            put(&folder, &name, &jpeg(&draw(&spec).picture, 85));
        }
    }
    let mut given = Vec::new();
    collect(&root().join("../shared/cases/scale"), &mut given);
    let mut real = Vec::new();
    collect(&root().join("../shared/data/photos"), &mut real);
    if given.is_empty() || real.is_empty() {
        eprintln!("skipped: the photos of ../shared, which is not there; drawn photos only");
    }
    let all = std::env::var_os("WALKAROUND_ALL_PHOTOS").is_some_and(|v| v == "1");
    let step = if all {
        1
    } else {
        real.len().div_ceil(REAL_PHOTOS).max(1)
    };
    for (number, path) in given.iter().chain(real.iter().step_by(step)).enumerate() {
        let name = format!(
            "given-{number:03}-{}",
            path.file_name().unwrap().to_string_lossy()
        );
        std::fs::copy(path, folder.join(name)).unwrap();
    }
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (name_of(&path), path)).collect()
}

/// All files below a folder, in order; none where it is missing.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg")) {
            found.push(path);
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn essence(reports: &[PhotoReport]) -> Essence {
    let essential = |report: &PhotoReport| {
        let mut value = serde_json::to_value(report).unwrap();
        for own in ["photo", "timings_ms"] {
            value.as_object_mut().unwrap().remove(own);
        }
        (name_of(Path::new(&report.photo)), value)
    };
    reports.iter().map(essential).collect()
}

fn assert_same(way: &str, expected: &Essence, found: &Essence) {
    for (name, report) in found {
        assert_eq!(Some(report), expected.get(name), "{name} differs by {way}");
    }
    assert_eq!(found.len(), expected.len(), "photos are missing from {way}");
}

fn evaluated(folder: &Path) -> Essence {
    let (bundle, out) = (demo(), folder.join("evaluation"));
    // An evaluation wants annotations; these are of no photo, and the photo beside them is not scored.
    let annotated = folder.join("annotated");
    std::fs::create_dir(&annotated).unwrap();
    put(&annotated, "unlisted.jpg", &damaged());
    let nothing = br#"{"images":[],"annotations":[],"categories":[]}"#;
    put(&annotated, "_annotations.coco.json", nothing);
    let photos = folder.join("photos");
    let paths = [
        ("--bundle", bundle.as_path()),
        ("--out", &out),
        ("--undamaged", &photos),
        ("--", &annotated),
    ];
    let paths = paths.map(|(option, path)| [option.as_ref(), path.as_os_str()]);
    let words = ["evaluate", "--format", "json"].map(OsStr::new);
    let ran = program!().run([&words[..], paths.as_flattened()].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines = std::fs::read_to_string(out.join("photos.jsonl")).unwrap();
    let reports: Vec<PhotoReport> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    essence(&reports)
}

/// What the stack on this machine stores of the photos. Those that are segmented must go by `lane`.
fn piped(photos: &BTreeMap<String, PathBuf>, settings: &[(&str, &str)], lane: Lane) -> Essence {
    let stack = walkaround_tests::stack!(BUNDLE, settings);
    for (name, path) in photos {
        let bytes = std::fs::read(path).unwrap();
        stack.store_as_is(name, &bytes);
    }
    let requests: Vec<InspectionRequest> = photos.keys().map(|name| request(name)).collect();
    let mut up = stack.start(&["up"], "up");
    stack.submit(&requests);
    stack.until_all_final(&ids(&requests), BOUND);
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
    let mut reports = Vec::new();
    for inspection in stack.inspections().into_values() {
        if let Some((taken, reason)) = &inspection.route {
            assert_eq!(*taken, lane, "{reason:?}");
        }
        let outcome = inspection.outcome.unwrap();
        reports.push(report(&stack, &outcome.report.unwrap()));
    }
    essence(&reports)
}

fn report(stack: &TestStack, blob: &BlobRef) -> PhotoReport {
    let at = BlobAddress {
        bucket: blob.bucket.clone(),
        key: blob.key.clone(),
    };
    let bytes = stack.wait_for(stack.local().blobs().get(&at, 64 << 20)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
