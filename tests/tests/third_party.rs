//! Networks that nobody here made work from a manifest alone: text detection and direction of the Python
//! package `rapidocr` 3.10.0.
//!
//! Its weights are not committed. Name its wheel in `WALKAROUND_RAPIDOCR`, or install it; without either the
//! test says that it was skipped.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::path::Path;
use std::process::Output;
use walkaround_tests::places::{python, root};
use walkaround_tests::program;

/// What make_third_party.py ends with when the package is not there.
const ABSENT: i32 = 3;

fn make(folder: &Path) -> Output {
    let mut command = python();
    command
        .arg(root().join("tests/bundles/make_third_party.py"))
        .arg(folder);
    if let Some(wheel) = std::env::var_os("WALKAROUND_RAPIDOCR") {
        command.arg("--wheel").arg(wheel);
    }
    command.output().unwrap()
}

#[test]
fn foreign_networks_work_from_a_manifest_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("third-party");
    let made = make(&bundle);
    let words = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    if made.status.code() == Some(ABSENT) {
        assert!(std::env::var_os("WALKAROUND_RAPIDOCR").is_none(), "{words}");
        eprintln!("skipped: {words}; name the wheel in WALKAROUND_RAPIDOCR");
        return;
    }
    assert!(made.status.success(), "{words}");
    let checked = program!()
        .run(["bundle".as_ref(), "check".as_ref(), bundle.as_os_str()])
        .succeeded();
    assert!(
        checked.stdout.contains("self-test (tolerance 0.02)"),
        "{}",
        checked.stdout
    );

    let report = program!().report(&bundle, &bundle.join("self_test.png"), &[]);
    assert_eq!(report.verdict, "damaged", "text is this bundle's only class");
    let lines: Vec<[u32; 4]> = report.findings.iter().map(|f| f.bbox).collect();
    // Lines of text stand from y 100, 280 and 460, each about 50 pixels high.
    for top in [100, 280, 460] {
        let hit = lines.iter().any(|[x, y, width, height]| {
            (80..140).contains(x) && y.abs_diff(top) < 40 && *width > 150 && (20..100).contains(height)
        });
        assert!(hit, "no line at {top}: {lines:?}");
    }
}
