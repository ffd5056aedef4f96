//! The folder of a data set: same bytes, no metadata, splits, photos that are gone, runs that were cut.

use super::{Bench, COCO, line_of, manifest};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use walkaround_tests::dataset::SECRET;
use walkaround_vision::decode::{Limits, decode};

/// Every file of a folder, by its path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in at.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_path_buf();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_same_query_gives_the_same_bytes() {
    let bench = Bench::new();
    bench.decide("odd", r#"{"kind": "confirm"}"#);
    let options = [
        "--format",
        "yolo",
        "--format",
        "coco",
        "--format",
        "cvat",
        "--format",
        "label-studio",
    ];
    let options = [&options[..], &["--split", "train=0.6,val=0.4"]].concat();
    let (one, other) = (bench.export("one", &options), bench.export("other", &options));
    let first = files(&one);
    assert_eq!(first, files(&other));
    bench.export("one", &options);
    assert_eq!(first, files(&one), "and over an earlier run");
    let names: Vec<String> = first.keys().map(|path| path.display().to_string()).collect();
    let labels = names.iter().filter(|name| name.starts_with("labels/")).count();
    assert_eq!(labels, bench.cases.len(), "{names:?}");
    for name in [
        "README.md",
        "manifest.jsonl",
        "data.yaml",
        "train.txt",
        "coco/val.json",
        "cvat/train.xml",
    ] {
        assert!(names.iter().any(|there| there == name), "{name}: {names:?}");
    }
    let card = String::from_utf8(first[Path::new("README.md")].clone()).unwrap();
    for words in [
        "| train |",
        "| dent |",
        "`yolo` does not carry",
        "holes are filled: 4",
        "| trivial 1 | 7 |",
    ] {
        assert!(card.contains(words), "{words}: {card}");
    }
    // Another query leaves nothing of this one behind.
    bench.export("one", &COCO);
    let left: Vec<String> = files(&one)
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.contains("train") && !name.starts_with("labels")),
        "{left:?}"
    );
}

#[test]
fn photos_are_upright_and_have_no_metadata() {
    let bench = Bench::new();
    let folder = bench.export("stripped", &COCO);
    for (name, bytes) in files(&folder) {
        let holds = |words: &str| {
            bytes
                .windows(words.len())
                .any(|window| window == words.as_bytes())
        };
        assert!(
            !holds(SECRET) && !holds("Exif\0") && !holds("ns.adobe.com"),
            "{}",
            name.display()
        );
        assert!(!holds("B-WA"), "{}: no name of a vehicle", name.display());
    }
    let lines = manifest(&folder);
    for case in &bench.cases {
        let line = line_of(&lines, case.id);
        let bytes = fs::read(folder.join(line["file"].as_str().unwrap())).unwrap();
        if bytes.starts_with(b"\xff\xd8") {
            assert_markers(case.id, &bytes);
        }
        let seen = |bytes: &[u8]| decode(bytes, &Limits::default(), u32::MAX).unwrap();
        let (copy, original) = (seen(&bytes), seen(&case.file));
        assert_eq!(copy.original, case.size(), "{}", case.id);
        let lossless = line["copied"] == "lossless";
        assert_eq!(lossless, case.id != "odd", "{line}");
        if lossless {
            // Turned coefficients are the same ones, and a decoder rounds them otherwise.
            let allowed = if matches!(case.id, "turned" | "single") {
                4
            } else {
                0
            };
            let pairs = copy.pixels.iter().zip(original.pixels.iter());
            let worst = pairs.map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(allowed), "{}: {worst:?}", case.id);
        } else {
            let pairs = copy.pixels.iter().zip(original.pixels.iter());
            let worst = pairs.map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(6), "{}: {worst:?}", case.id);
        }
    }
}

/// Only what a decoder needs (ITU-T T.81, table B.1) stands before the picture, and nothing behind it.
fn assert_markers(id: &str, bytes: &[u8]) {
    let mut at = 2;
    loop {
        assert_eq!(bytes[at], 0xff, "{id}");
        let marker = bytes[at + 1];
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        let body = &bytes[at + 4..at + 2 + length];
        match marker {
            0xe0 => assert!(body.starts_with(b"JFIF\0"), "{id}"),
            0xee => assert!(body.starts_with(b"Adobe"), "{id}"),
            0xc0..=0xc4 | 0xdb | 0xdd => {}
            0xda => break,
            other => panic!("{id}: a segment {other:02x}"),
        }
        at += 2 + length;
    }
    assert!(bytes.ends_with(b"\xff\xd9"), "{id}");
}

#[test]
fn a_vehicle_is_in_one_part() {
    let bench = Bench::new();
    let folder = bench.export(
        "parts",
        &[&COCO[..], &["--split", "a=0.34,b=0.33,c=0.33"]].concat(),
    );
    let lines = manifest(&folder);
    let of = |id: &str| line_of(&lines, id);
    for (one, other) in [("plain", "turned"), ("odd", "boxed")] {
        assert_eq!(of(one)["group"], of(other)["group"]);
        assert_eq!(of(one)["split"], of(other)["split"]);
    }
    assert_ne!(of("plain")["group"], of("odd")["group"]);
}

#[test]
fn what_is_asked_for_is_what_comes() {
    let bench = Bench::new();
    let ran = bench.run(&["review", "ask", "turned"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    bench.decide("odd", r#"{"kind": "unusable", "why": "blurred"}"#);
    let ids = |name: &str, options: &[&str]| -> Vec<String> {
        let lines = manifest(&bench.export(name, &[&COCO[..], options].concat()));
        let mut ids: Vec<String> = lines
            .iter()
            .filter(|line| line["left_out"].is_null())
            .map(|line| line["inspection_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    // A decision is about a task that was opened for it.
    assert_eq!(ids("asked", &["--reason", "asked"]), ["turned"]);
    assert!(ids("audit", &["--reason", "audit"]).is_empty());
    assert_eq!(ids("crack", &["--class", "crack"]), ["plain", "png", "turned"]);
    let all = manifest(&bench.stack.folder().join("asked"));
    let left_out = line_of(&all, "odd");
    assert_eq!(
        (&left_out["left_out"], &left_out["file"]),
        (&"unusable".into(), &serde_json::Value::Null)
    );
    let into = bench.stack.folder().join("none");
    let into = into.display().to_string();
    let ran = bench.run(&[
        "export",
        &into,
        "--format",
        "coco",
        "--since",
        "2026-11-01",
        "--until",
        "2026-11-02",
    ]);
    assert!(ran.code == 0 && ran.stdout.contains("0 photos in"), "{ran:?}");
}

/// Removes the file of a blob below the root.
fn remove_blobs(bench: &Bench, keep: impl Fn(&Path) -> bool) -> usize {
    let root = bench.stack.local().root().join("blobs/photos/cases");
    let mut removed = 0;
    for entry in root
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", root.display()))
    {
        let path = entry.unwrap().path();
        if path.is_file() && !keep(&path) {
            fs::remove_file(path).unwrap();
            removed += 1;
        }
    }
    removed
}

#[test]
fn a_photo_that_is_gone_is_named() {
    let bench = Bench::new();
    bench.remove_photo("single");
    let into = bench.stack.folder().join("gone");
    let ran = bench.run_export(&into, &COCO);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("single: photo_gone"), "{ran:?}");
    let lines = manifest(&into);
    let line = line_of(&lines, "single");
    assert_eq!(line["left_out"], "photo_gone");
    assert_eq!(lines.len(), bench.cases.len());
    // Addresses of photos may be secrets: neither bucket nor key is anywhere.
    for (name, bytes) in files(&into) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("cases/"), "{}", name.display());
    }
}

#[test]
fn a_record_that_is_gone_since_is_named_and_its_photo_removed() {
    let bench = Bench::new();
    let folder = bench.export("set", &COCO);
    let database = rusqlite::Connection::open(bench.stack.local().root().join("walkaround.db")).unwrap();
    let deleted = database
        .execute("DELETE FROM records WHERE id = 'single'", [])
        .unwrap();
    assert_eq!(deleted, 1);
    let ran = bench.run_export(&folder, &COCO);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("single: record_gone"), "{ran:?}");
    let lines = manifest(&folder);
    let line = line_of(&lines, "single");
    assert_eq!(
        (&line["left_out"], &line["file"]),
        (&"record_gone".into(), &serde_json::Value::Null)
    );
    let photos = folder.join("images").read_dir().unwrap().count();
    assert_eq!(photos, bench.cases.len() - 1);
    let before = files(&folder);
    bench.export("set", &COCO);
    assert_eq!(before, files(&folder), "it stays named");
}

#[test]
fn a_run_that_was_cut_is_gone_on_with() {
    let bench = Bench::new();
    let whole = files(&bench.export("whole", &COCO));
    // The photos are read first, the formats written last: a file in the place of their folder stops the run in between.
    let into = bench.stack.folder().join("cut");
    fs::create_dir_all(&into).unwrap();
    fs::write(into.join(".photos.jsonl"), "").unwrap();
    fs::write(into.join("coco"), "").unwrap();
    let cut = bench.run_export(&into, &COCO);
    assert!(cut.one_line(1).contains("coco"), "{cut:?}");
    assert!(!into.join("manifest.jsonl").exists());
    fs::remove_file(into.join("coco")).unwrap();
    // Half a line, as a kill leaves it.
    let journal = fs::read_to_string(into.join(".photos.jsonl")).unwrap();
    fs::write(into.join(".photos.jsonl"), format!("{journal}{{\"photo_sha")).unwrap();
    assert_eq!(remove_blobs(&bench, |_| false), bench.cases.len());
    let again = bench.run_export(&into, &COCO);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(files(&into), whole, "no photo was read again: they are gone");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let bench = Bench::new();
    let into = bench.stack.folder().join("mine");
    fs::create_dir_all(&into).unwrap();
    fs::write(into.join("notes.txt"), "mine").unwrap();
    let ran = bench.run_export(&into, &COCO);
    assert!(
        ran.one_line(1).contains("is not empty, and holds no data set"),
        "{ran:?}"
    );
    assert_eq!(files(&into).len(), 1);
}

#[test]
fn two_exports_do_not_write_into_one_folder() {
    let bench = Bench::new();
    let into = bench.export("set", &COCO);
    let before = files(&into);
    let other = fs::File::open(&into).unwrap();
    other.lock().unwrap();
    let ran = bench.run_export(&into, &["--format", "cvat"]);
    assert!(ran.one_line(1).contains("another export writes to"), "{ran:?}");
    assert_eq!(files(&into), before);
    drop(other);
    bench.export("set", &["--format", "cvat"]);
}

#[test]
fn a_photo_that_was_damaged_is_read_again_and_parts_of_killed_runs_go() {
    let bench = Bench::new();
    let into = bench.export("set", &COCO);
    let before = files(&into);
    let photo = before.keys().find(|path| path.starts_with("images")).unwrap();
    fs::write(into.join(photo), "half").unwrap();
    for part in [
        "images/.a.jpg.77.part",
        "coco/.all.json.77.part",
        "..annotations.jsonl.77.part",
    ] {
        fs::write(into.join(part), "half").unwrap();
    }
    fs::write(into.join("coco/.mine.part"), "mine").unwrap();
    bench.export("set", &COCO);
    let mine = fs::remove_file(into.join("coco/.mine.part"));
    assert!(mine.is_ok(), "only what is surely ours is removed");
    assert_eq!(files(&into), before);
}

#[test]
fn what_was_exported_before_stays_until_everything_new_is_there() {
    let bench = Bench::new();
    let into = bench.export("set", &["--format", "yolo"]);
    let before = files(&into);
    // Something in the place of the last file but the manifest stops the run.
    fs::remove_file(into.join("README.md")).unwrap();
    fs::create_dir(into.join("README.md")).unwrap();
    let cut = bench.run_export(&into, &COCO);
    assert!(cut.one_line(1).contains("README.md"), "{cut:?}");
    let after = files(&into);
    for name in before.keys().filter(|name| !name.ends_with("README.md")) {
        assert_eq!(after.get(name), before.get(name), "{}", name.display());
    }
    fs::remove_dir(into.join("README.md")).unwrap();
    bench.export("set", &COCO);
    let after = files(&into);
    assert!(
        !after
            .keys()
            .any(|name| name.starts_with("labels") || name.ends_with("data.yaml"))
    );
}
