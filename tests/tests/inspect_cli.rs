//! The command line of `inspect`: what it takes, what it prints, and its exit codes.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::{DENT, SCRATCH, region, vehicle_with};
use walkaround_tests::places::seven;
use walkaround_tests::program;
use walkaround_tests::program::Ran;

/// A folder with a damaged, a clean and an unusable photo.
fn photos() -> (TempDir, [PathBuf; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        put(folder.path(), "a.jpg", &jpeg(&vehicle_with(&[SCRATCH, DENT]), 95)),
        put(folder.path(), "b.jpg", &jpeg(&vehicle_with(&[]), 95)),
        put(folder.path(), "c.jpg", b"no picture"),
    ];
    (folder, paths)
}

fn verdicts(ran: &Ran) -> Vec<String> {
    ran.reports().into_iter().map(|r| r.verdict).collect()
}

fn inspect(photos: &[&Path], options: &[&str]) -> Ran {
    program!().inspect(&seven(), photos, options)
}

#[test]
fn a_missing_path_is_usage() {
    let ran = inspect(&[Path::new("no/such/photo.jpg")], &[]);
    let line = ran.one_line(2);
    assert!(
        line.contains("no/such/photo.jpg") && line.contains("No such file"),
        "{line}"
    );
}

#[test]
fn unknown_flags_and_values_are_usage() {
    let photo = seven().join("self_test.png");
    for options in [
        &["--colour"][..],
        &["--jobs", "0"],
        &["--format", "xml"],
        &["--device", "tpu"],
    ] {
        let ran = inspect(&[&photo], options);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(
            ran.stderr.contains(options[0]) && ran.stdout.is_empty(),
            "{ran:?}"
        );
    }
    assert_eq!(program!().run(["inspect"]).code, 2);
    assert_eq!(program!().run::<&str>([]).code, 2);
}

#[test]
fn a_folder_without_pictures_is_usage() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "notes.txt", b"nothing to see");
    assert!(inspect(&[folder.path()], &[]).one_line(2).contains("no photos"));
    let ran = program!().run_with_input(["inspect", "-", "--bundle", seven().to_str().unwrap()], "\n  \n");
    assert!(ran.one_line(2).contains("no photos"));
}

#[test]
fn folders_files_and_lists_give_the_same() {
    let (folder, paths) = photos();
    let expected = ["damaged", "clean", "unusable"];
    let named: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    assert_eq!(verdicts(&inspect(&named, &[]).succeeded()), expected);
    assert_eq!(verdicts(&inspect(&[folder.path()], &[]).succeeded()), expected);
    let list: String = paths.iter().map(|p| format!("{}\r\n\n", p.display())).collect();
    let options = [
        "inspect",
        "-",
        "--format",
        "json",
        "--bundle",
        seven().to_str().unwrap(),
    ]
    .map(str::to_owned);
    assert_eq!(
        verdicts(&program!().run_with_input(options, &list).succeeded()),
        expected
    );
}

#[test]
fn folders_are_walked_in_order_and_masks_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let clean = jpeg(&vehicle_with(&[]), 90);
    std::fs::create_dir_all(folder.path().join("album.jpg/deep")).unwrap();
    for name in [
        "z.JPEG",
        "album.jpg/b.png",
        "album.jpg/deep/a.jpg",
        "b.mask.png",
        ".hidden.jpg",
        "c.txt",
    ] {
        put(folder.path(), name, &clean);
    }
    let ran = inspect(&[folder.path()], &[]);
    assert!(
        ran.one_line(0).contains("left out 1 hidden file or folder: "),
        "{ran:?}"
    );
    let seen: Vec<String> = ran.reports().into_iter().map(|r| r.photo).collect();
    // The content decides, not the suffix.
    let expected = ["album.jpg/b.png", "album.jpg/deep/a.jpg", "c.txt", "z.JPEG"];
    assert_eq!(
        seen,
        expected.map(|name| folder.path().join(name).display().to_string())
    );
}

#[test]
fn results_keep_the_order_of_the_photos_whatever_the_number_of_jobs() {
    let (_folder, [damaged, clean, odd]) = photos();
    let mut list: Vec<&Path> = Vec::new();
    for _ in 0..6 {
        list.extend([damaged.as_path(), &odd, &clean, &odd]);
    }
    let ran = inspect(&list, &["--jobs", "4"]).succeeded();
    let seen: Vec<String> = ran.reports().into_iter().map(|r| r.photo).collect();
    let expected: Vec<String> = list.iter().map(|p| p.display().to_string()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn one_photo_that_cannot_be_read_does_not_stop_the_others() {
    let (folder, [damaged, clean, _]) = photos();
    // A regular file that cannot be read, not even by root: nothing is mapped at the begin of a process's memory.
    std::os::unix::fs::symlink("/proc/self/mem", folder.path().join("b2.jpg")).unwrap();
    let ran = inspect(&[folder.path()], &[]);
    assert!(ran.one_line(1).contains("b2.jpg"), "{ran:?}");
    let seen: Vec<String> = ran.reports().into_iter().map(|r| r.photo).collect();
    assert!(seen.contains(&damaged.display().to_string()) && seen.contains(&clean.display().to_string()));
    assert_eq!(seen.len(), 3);
    let table = program!().run([
        "inspect",
        folder.path().to_str().unwrap(),
        "--bundle",
        seven().to_str().unwrap(),
    ]);
    assert!(table.one_line(1).contains("b2.jpg"));
    assert!(table.stdout.contains("1 FAILED"), "{}", table.stdout);
}

#[test]
fn a_table_for_people() {
    let (folder, _) = photos();
    let ran = program!().run([
        "inspect",
        folder.path().to_str().unwrap(),
        "--bundle",
        seven().to_str().unwrap(),
    ]);
    let out = ran.succeeded().stdout;
    let row = |name: &str| {
        out.lines()
            .find(|l| l.contains(name))
            .unwrap_or_else(|| panic!("no {name}: {out}"))
    };
    assert!(
        row("a.jpg").contains("damaged") && row("a.jpg").contains("dent, scratch"),
        "{out}"
    );
    assert!(row("b.jpg").contains("clean"), "{out}");
    assert!(
        row("c.jpg").contains("unusable") && row("c.jpg").contains("a text file"),
        "{out}"
    );
    assert!(out.contains("3 photos: 1 clean, 1 damaged, 1 unusable"), "{out}");
    assert!(out.contains("seven 1.0.0"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn documents_hold_what_they_promise() {
    let (_folder, [damaged, clean, odd]) = photos();
    let ran = inspect(&[&damaged, &clean, &odd], &[]).succeeded();
    let [a, b, c] = ran.reports().try_into().unwrap();
    for (report, path) in [(&a, &damaged), (&b, &clean), (&c, &odd)] {
        assert_eq!(report.schema, "walkaround.photo/1");
        assert_eq!(report.photo, path.display().to_string());
        let digest = walkaround_inference::bundle::hex_sha256(&std::fs::read(path).unwrap());
        assert_eq!(report.sha256.as_deref(), Some(digest.as_str()));
        assert_eq!(
            (report.bundle.name.as_str(), report.bundle.version.as_str()),
            ("seven", "1.0.0")
        );
        let stages = [
            "decode",
            "findings",
            "overlay",
            "quality",
            "screening",
            "segment",
            "total",
        ];
        assert!(report.timings_ms.keys().eq(stages));
        assert_eq!(report.verdict == "unusable", !report.reasons.is_empty());
        assert_eq!(report.verdict == "damaged", !report.findings.is_empty());
    }
    assert_eq!((a.findings.len(), b.findings.len(), c.findings.len()), (2, 0, 0));
    assert!(a.quality.is_some() && b.gate.is_some() && b.vehicle.is_some());
    assert_eq!((c.width, c.quality, c.gate), (None, None, None));
    assert_eq!(c.reasons[0].code, "unsupported_format");
    for finding in &a.findings {
        let rle = region(&finding.rle);
        assert_eq!(rle.area(), finding.area_px);
        let bounds = walkaround_vision::rle::bounding_box(&rle).unwrap().unwrap();
        assert_eq!(finding.bbox, [bounds.x, bounds.y, bounds.width, bounds.height]);
        assert!(!finding.polygons.is_empty() && finding.polygons[0].outer.len() >= 3);
        assert!((0.0..=1.0).contains(&finding.probability));
    }
}

#[test]
fn coco_documents_are_whole() {
    let (_folder, [damaged, clean, odd]) = photos();
    let photos = [&damaged, &clean, &odd].map(|p| p.to_str().unwrap());
    let options = [
        "inspect",
        "--format",
        "coco",
        "--bundle",
        seven().to_str().unwrap(),
    ]
    .map(str::to_owned);
    let ran = program!()
        .run(options.into_iter().chain(photos.map(str::to_owned)))
        .succeeded();
    let coco: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let list = |key: &str| coco[key].as_array().unwrap().clone();
    let ids = |key: &str| {
        list(key)
            .iter()
            .map(|e| e["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (ids("images"), ids("annotations"), ids("categories")),
        (vec![1, 2, 3], vec![1, 2], vec![1, 2, 3, 4, 5])
    );
    let files: Vec<String> = list("images")
        .iter()
        .map(|i| i["file_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, photos);
    assert_eq!(list("images")[0]["width"], 960);
    let names: Vec<String> = list("categories")
        .iter()
        .map(|c| c["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["scratch", "dent", "spacing", "glass", "wear"]);
    for (annotation, category) in list("annotations").iter().zip([1, 2]) {
        assert_eq!(
            (&annotation["image_id"], &annotation["category_id"]),
            (&1.into(), &category.into())
        );
        assert_eq!(annotation["iscrowd"], 0);
        let rle = region(&serde_json::from_value(annotation["segmentation"].clone()).unwrap());
        assert_eq!((rle.size.width, rle.size.height), (960, 640));
        assert_eq!(annotation["area"], rle.area());
        let b = walkaround_vision::rle::bounding_box(&rle).unwrap().unwrap();
        assert_eq!(
            annotation["bbox"],
            serde_json::json!([b.x, b.y, b.width, b.height])
        );
        assert!(annotation["score"].as_f64().unwrap() > 0.5);
    }
}

#[test]
fn help_and_version_are_answers() {
    let help = program!().run(["inspect", "--help"]).succeeded().stdout;
    for option in [
        "--bundle",
        "--out",
        "--format",
        "--device",
        "--jobs",
        "--threads",
        "--all-classes",
    ] {
        assert!(help.contains(option), "no {option}: {help}");
    }
    let version = program!().run(["--version"]).succeeded().stdout;
    assert_eq!(version, format!("walkaround {}\n", env!("CARGO_PKG_VERSION")));
}
