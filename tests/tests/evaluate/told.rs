//! What `evaluate` shows: the page, the table, mistakes.

use crate::{ANNOTATIONS, Set, evaluate};
use image::GenericImageView;
use serde_json::Value;
use std::path::Path;
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::{DENT, HEIGHT, Mark, SPACING, Scene, VEHICLE, WIDTH, vehicle_with};
use walkaround_tests::places::seven;
use walkaround_tests::program;

#[test]
fn the_page_works_from_disk() {
    let mut set = Set::new();
    let name = "<b>&\"q.jpg";
    let large = Scene::new(&[VEHICLE, DENT], 2);
    put(set.path(), name, &jpeg(&large, 90));
    set.image(name, (2 * WIDTH, 2 * HEIGHT));
    set.rectangle("dent", Mark([0; 3], DENT.1.map(|side| side * 2)));
    set.photo("alarm.jpg", &jpeg(&vehicle_with(&[SPACING]), 95));
    set.write();
    let out = tempfile::tempdir().unwrap();
    evaluate(&[set.path()], out.path(), &[]).succeeded();
    let page = std::fs::read_to_string(out.path().join("index.html")).unwrap();
    assert!(!page.contains("http") && !page.contains("{{"), "{page}");
    assert!(page.contains("&lt;b&gt;&amp;&quot;q.jpg") && !page.contains(name));
    let pictures = page.match_indices("<image href=\"pictures/").count();
    assert_eq!(pictures, 3, "best, worst, false alarm");
    for file in ["best-01.jpg", "worst-01.jpg", "false-alarm-01.jpg"] {
        assert!(page.contains(&format!("href=\"pictures/{file}\"")), "{file}");
        let picture = image::open(out.path().join("pictures").join(file)).unwrap();
        assert_eq!(picture.dimensions(), (640, 427), "{file}");
    }
    // The truth, in pixels of the photo; corners lie within one pixel of the copy.
    assert!(page.contains("class=\"truth\" d=\"M10"), "{page}");
    assert_eq!(page.matches("class=\"truth\"").count(), 2);
    assert_eq!(page.matches("class=\"found\"").count(), 3);

    // Photos are personal: a second report into the same folder leaves no picture of the first.
    std::fs::remove_file(set.path().join("alarm.jpg")).unwrap();
    assert_eq!(evaluate(&[set.path()], out.path(), &[]).code, 0);
    assert!(out.path().join("pictures/best-01.jpg").is_file());
    assert!(!out.path().join("pictures/false-alarm-01.jpg").exists());
}

#[test]
fn the_table_shows_every_row_and_the_report() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.write();
    let out = tempfile::tempdir().unwrap();
    let bundle = seven();
    let ran = program!()
        .run([
            "evaluate".as_ref(),
            set.path().as_os_str(),
            "--bundle".as_ref(),
            bundle.as_os_str(),
            "--out".as_ref(),
            out.path().as_os_str(),
        ])
        .succeeded();
    for part in [
        "any damage",
        "class dent",
        "class wear",
        "–",
        "ROC AUC",
        "index.html",
        "dent = dent (1)",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn mistakes_are_told_in_one_line() {
    let out = tempfile::tempdir().unwrap();
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.write();
    let empty = tempfile::tempdir().unwrap();
    put(empty.path(), "a.jpg", &jpeg(&vehicle_with(&[]), 95));
    let usage = |folders: &[&Path], options: &[&str], part: &str| {
        let ran = evaluate(folders, out.path(), options);
        assert!(ran.one_line(2).contains(part), "{part}: {ran:?}");
    };
    usage(&[empty.path()], &[], "no annotations found");
    usage(&[Path::new("no/such/folder")], &[], "no/such/folder");
    usage(
        &[set.path()],
        &["--map", "beule=dent"],
        "no category `beule`; they have dent",
    );
    usage(&[set.path()], &["--map", "dent=dint"], "no class `dint`");
    usage(&[set.path()], &["--map", "dent"], "THEIRS=OURS");
    usage(&[set.path()], &["--ignore", "beule"], "no category `beule`");
    usage(
        &[set.path()],
        &["--map", "dent=dent", "--ignore", "dent"],
        "both mapped and ignored",
    );
    usage(&[set.path()], &["--map-file", "no/such.toml"], "no/such.toml");
    usage(&[set.path(), set.path()], &[], "named twice");
    usage(
        &[set.path()],
        &["--annotations", "no/such.json"],
        "no/such.json: cannot open",
    );
    for (text, part) in [
        ("{\"images\": [", "line 1 column"),
        ("[]", "not a COCO annotation file"),
        (
            r#"{"images":[],"categories":[],"annotations":[{"image_id":7,"category_id":1}]}"#,
            "image 7",
        ),
    ] {
        put(set.path(), ANNOTATIONS, text.as_bytes());
        usage(&[set.path()], &[], part);
    }
}

#[test]
fn annotations_may_lie_elsewhere() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.write();
    let beside = set.evaluate(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("instances_val.json");
    std::fs::rename(set.path().join(ANNOTATIONS), &file).unwrap();
    let out = tempfile::tempdir().unwrap();
    let ran = evaluate(
        &[set.path()],
        out.path(),
        &["--annotations", file.to_str().unwrap()],
    );
    let document: Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
    assert_eq!(document["masks"], beside["masks"]);
}
