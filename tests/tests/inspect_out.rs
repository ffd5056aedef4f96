//! The output folder of `inspect`: a document and a marked picture a photo, and a gallery that works from disk.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkaround_messages::PhotoReport;
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::{DENT, Mark, SCRATCH, vehicle_with};
use walkaround_tests::places::seven;
use walkaround_tests::program;
use walkaround_tests::program::Ran;

fn inspect_into(out: &Path, photos: &[&Path]) -> Ran {
    program!().inspect(&seven(), photos, &["--out", out.to_str().unwrap()])
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn document(path: &Path) -> PhotoReport {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Photos of one damaged, one clean, one unreadable; the first with a name that needs care on a page.
fn photos() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = vec![
        put(
            folder.path(),
            "a <b>&\"' ü#1%20?.jpg",
            &jpeg(&vehicle_with(&[SCRATCH, DENT]), 95),
        ),
        put(folder.path(), "clean.jpg", &jpeg(&vehicle_with(&[]), 95)),
        put(folder.path(), "text.jpg", b"no picture"),
    ];
    (folder, paths)
}

#[test]
fn every_photo_has_its_document_and_each_with_findings_its_overlay() {
    let (folder, paths) = photos();
    let out = folder.path().join("deep/out");
    let photos: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let ran = inspect_into(&out, &photos).succeeded();
    for (path, printed) in paths.iter().zip(ran.reports()) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(
            document(&out.join(format!("{stem}.json"))),
            printed,
            "the same document"
        );
        let overlay = out.join(format!("{stem}.overlay.jpg"));
        assert_eq!(
            overlay.is_file(),
            !printed.findings.is_empty(),
            "{}",
            overlay.display()
        );
    }
    assert_eq!(names(&out).len(), 3 + 1 + 1);
}

#[test]
fn overlays_are_of_all_photos_or_of_none_where_that_is_asked_for() {
    let (folder, paths) = photos();
    let photos: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let out = folder.path().join("out");
    // Into the same folder: what an earlier run drew does not stay.
    for (which, overlays) in [("always", 2), ("findings", 1), ("never", 0)] {
        let options = ["--out", out.to_str().unwrap(), "--overlay", which];
        program!().inspect(&seven(), &photos, &options).succeeded();
        let made = names(&out).iter().filter(|n| n.ends_with(".overlay.jpg")).count();
        assert_eq!(made, overlays, "{which}");
    }
    let out = folder.path().join("wrong");
    for (options, word) in [
        (&["--overlay", "always"][..], "--out"),
        (
            &["--out", out.to_str().unwrap(), "--overlay", "true"],
            "findings, always or never",
        ),
    ] {
        let ran = program!().inspect(&seven(), &photos, options);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
}

#[test]
fn marks_are_drawn_where_the_findings_are() {
    let folder = tempfile::tempdir().unwrap();
    let picture = vehicle_with(&[Mark(DENT.0, [400, 200, 560, 320])]);
    let photo = put(folder.path(), "dent.jpg", &jpeg(&picture, 95));
    let out = folder.path().join("out");
    inspect_into(&out, &[&photo]).succeeded();
    let marked = image::open(out.join("dent.overlay.jpg")).unwrap().into_rgb8();
    assert!(marked.width() <= 1600 && marked.width() >= picture.width());
    let scale = f64::from(marked.width()) / f64::from(picture.width());
    let difference = |x: f64, y: f64| {
        let at = marked.get_pixel((x * scale) as u32, (y * scale) as u32);
        let was = picture.get_pixel(x as u32, y as u32);
        at.0.iter()
            .zip(was.0)
            .map(|(a, b)| u32::from(a.abs_diff(b)))
            .sum::<u32>()
    };
    assert!(difference(480.0, 300.0) > 20, "the region is tinted");
    assert!(difference(700.0, 520.0) < 20, "the vehicle beside it is not");
}

#[test]
fn photos_of_one_name_do_not_overwrite_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    let variants: [(&str, &[Mark]); 4] = [
        ("x/car.jpg", &[SCRATCH]),
        ("y/car.jpg", &[]),
        ("y/car.jpeg", &[DENT]),
        ("z/car-2.jpg", &[]),
    ];
    for (name, marks) in variants {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, jpeg(&vehicle_with(marks), 95)).unwrap();
        paths.push(path);
    }
    let out = folder.path().join("out");
    let photos: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    inspect_into(&out, &photos).succeeded();
    let documents: Vec<PhotoReport> = names(&out)
        .iter()
        .filter(|n| n.ends_with(".json"))
        .map(|n| document(&out.join(n)))
        .collect();
    let seen: BTreeSet<&str> = documents.iter().map(|d| d.photo.as_str()).collect();
    assert_eq!(seen, paths.iter().map(|p| p.to_str().unwrap()).collect());
    let overlays = names(&out).iter().filter(|n| n.ends_with(".overlay.jpg")).count();
    assert_eq!((documents.len(), overlays), (4, 2), "two have findings");
}

#[test]
fn a_photo_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = put(folder.path(), "a.jpg", &jpeg(&vehicle_with(&[SCRATCH]), 95));
    let bytes = jpeg(&vehicle_with(&[DENT]), 95);
    let other = put(folder.path(), "a.overlay.jpg", &bytes);
    // The photos' own folder is the output folder.
    let ran = inspect_into(folder.path(), &[&scratch, &other]);
    let line = ran.one_line(1);
    assert!(line.contains("a.overlay.jpg is one of the photos"), "{line}");
    assert!(std::fs::read(&other).unwrap() == bytes);
}

#[test]
fn a_second_run_into_the_folder_of_the_photos_sees_the_photos_only() {
    let (folder, _) = photos();
    let run = || {
        inspect_into(folder.path(), &[folder.path()])
            .succeeded()
            .reports()
            .len()
    };
    assert_eq!((run(), run()), (3, 3));
}

#[test]
fn the_gallery_shows_every_photo_and_needs_nothing_else() {
    let (folder, paths) = photos();
    let out = folder.path().join("out");
    let photos: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    inspect_into(&out, &photos).succeeded();
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    for (verdict, count) in [("damaged", 1), ("clean", 1), ("unusable", 1)] {
        assert!(
            page.contains(&format!("data-verdict=\"{verdict}\"")),
            "no filter {verdict}"
        );
        assert_eq!(
            page.matches(&format!("<figure class=\"{verdict}\">")).count(),
            count
        );
    }
    assert!(page.contains("data-verdict=\"all\"") && page.contains("id=\"overlay\""));
    assert!(
        !page.contains("{{") && !page.contains("<b>&\""),
        "placeholders or names broke out"
    );
    let mut links = 0;
    for attribute in ["src", "href", "data-overlay", "data-photo"] {
        for link in page.split(&format!(" {attribute}=\"")).skip(1) {
            let link = link.split('"').next().unwrap();
            let file = out.join(percent_decoded(link));
            assert!(file.is_file(), "{attribute} {link}: no such file");
            links += 1;
        }
    }
    // Two pictures with four links each, and three documents.
    assert_eq!(links, 2 * 4 + 3);
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page works without a network"
    );
}

fn percent_decoded(link: &str) -> String {
    let mut parts = link.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (folder, paths) = photos();
    let file = put(folder.path(), "file", b"");
    let ran = inspect_into(&file.join("out"), &[&paths[1]]);
    let line = ran.one_line(1);
    assert!(
        line.contains("cannot create folder") && line.contains("file/out"),
        "{line}"
    );
    assert_eq!(ran.stdout, "");
    // A folder stands where a document belongs.
    let out = folder.path().join("out");
    std::fs::create_dir_all(out.join("clean.json")).unwrap();
    let line = inspect_into(&out, &[&paths[1]]).one_line(1).to_owned();
    assert!(
        line.contains("is there already") && line.contains("clean.json"),
        "{line}"
    );
}

#[test]
fn what_is_not_an_earlier_result_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let photo = put(folder.path(), "car.jpg", &jpeg(&vehicle_with(&[SCRATCH]), 95));
    for name in ["car.json", "car.overlay.jpg", "index.html"] {
        let mine = put(folder.path(), name, b"{\"shapes\": []}");
        let ran = inspect_into(folder.path(), &[&photo]);
        let line = ran.one_line(1);
        assert!(
            line.contains(name) && line.contains("name another output folder"),
            "{line}"
        );
        assert_eq!(std::fs::read(&mine).unwrap(), b"{\"shapes\": []}", "{name}");
        assert_eq!(names(folder.path()).len(), 2, "nothing was begun");
        std::fs::remove_file(&mine).unwrap();
    }
    inspect_into(folder.path(), &[&photo]).succeeded();
    inspect_into(folder.path(), &[&photo]).succeeded();
}

#[test]
fn a_long_name_has_its_results_and_an_overlay_without_a_document_is_a_photo() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = jpeg(&vehicle_with(&[SCRATCH]), 95);
    let long = put(folder.path(), &format!("{}.jpg", "n".repeat(246)), &bytes);
    let named_so = put(folder.path(), "car.overlay.jpg", &bytes);
    let out = folder.path().join("out");
    let ran = inspect_into(&out, &[folder.path()]).succeeded();
    let seen: BTreeSet<String> = ran.reports().into_iter().map(|report| report.photo).collect();
    let expected = [&long, &named_so].map(|path| path.to_str().unwrap().to_owned());
    assert_eq!(seen, expected.into());
    assert_eq!(names(&out).len(), 2 * 2 + 1);
}
