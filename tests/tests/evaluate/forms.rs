//! Annotations as CVAT, Label Studio, Roboflow, pycocotools and converters write them: what is read, and what is left out
//! or refused by name. Never is a damaged photo taken for an undamaged one.

use crate::{ANNOTATIONS, Set, evaluate, ring};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::{DENT, HEIGHT, WIDTH, vehicle_with};

/// A folder with one dented vehicle.
fn dented() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    put(folder.path(), "a.jpg", &jpeg(&vehicle_with(&[DENT]), 95));
    folder
}

/// The annotations of that vehicle.
fn annotated(segmentation: &Value) -> Value {
    json!({
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "dent"}],
        "annotations": [{"id": 17, "image_id": 1, "category_id": 1, "segmentation": segmentation}],
    })
}

fn changed(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).expect("a place in the document") = value;
    document
}

/// The outline of the dent with each coordinate as a share of the photo, times a factor.
fn scaled(factor: f64) -> Vec<f64> {
    let sides = [WIDTH, HEIGHT].map(f64::from);
    let coordinates = ring(DENT).into_iter().enumerate();
    coordinates
        .map(|(at, value)| f64::from(value) / sides[at % 2] * factor)
        .collect()
}

fn pairs() -> Vec<Vec<u32>> {
    ring(DENT).chunks(2).map(<[u32]>::to_vec).collect()
}

fn evaluated(folder: &Path, text: &[u8]) -> Value {
    put(folder, ANNOTATIONS, text);
    let out = tempfile::tempdir().expect("a temporary folder");
    let ran = evaluate(&[folder], out.path(), &[]).succeeded();
    serde_json::from_str(&ran.stdout).expect("standard output is JSON")
}

/// The one line of a refusal as a mistake of the caller.
fn refusal(folder: &Path, text: &[u8]) -> String {
    put(folder, ANNOTATIONS, text);
    let out = tempfile::tempdir().expect("a temporary folder");
    evaluate(&[folder], out.path(), &[]).one_line(2).to_owned()
}

#[test]
fn what_has_one_meaning_is_read_in_every_form() {
    let folder = dented();
    let plain = annotated(&json!([ring(DENT)]));
    let expected = evaluated(folder.path(), plain.to_string().as_bytes());
    assert_eq!(expected["photos"]["damaged"], 1);
    assert_eq!(expected["annotation_remarks"], json!([]));

    let float_size = changed(plain.clone(), "/images/0/width", json!(f64::from(WIDTH)));
    let marked = format!("\u{feff}{plain}");
    let with_nan = plain.to_string().replace("\"id\":17", "\"id\":17,\"area\":NaN");
    assert!(float_size.to_string().contains(".0") && with_nan.contains("NaN"));
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    put(folder.path(), "sub/a.jpg", &jpeg(&vehicle_with(&[DENT]), 95));
    for (what, text) in [
        ("a flat polygon", annotated(&json!(ring(DENT))).to_string()),
        ("points as pairs", annotated(&json!([pairs()])).to_string()),
        ("one ring of pairs", annotated(&json!(pairs())).to_string()),
        ("sizes as floats", float_size.to_string()),
        (
            "an id as text",
            changed(plain.clone(), "/annotations/0/image_id", json!("1")).to_string(),
        ),
        (
            "a backslash",
            changed(plain.clone(), "/images/0/file_name", json!("sub\\a.jpg")).to_string(),
        ),
        ("a byte order mark", marked),
        ("NaN beside what is read", with_nan),
    ] {
        let document = evaluated(folder.path(), text.as_bytes());
        assert_eq!(document["masks"], expected["masks"], "{what}");
    }

    let degenerate = annotated(&json!([ring(DENT), [1, 1, 1, 1]]));
    let document = evaluated(folder.path(), degenerate.to_string().as_bytes());
    assert_eq!(document["masks"], expected["masks"]);
    let remarks = &document["annotation_remarks"];
    assert_eq!(remarks[0]["annotations"], 1, "{remarks}");
    let example = remarks[0]["examples"][0].as_str().expect("an example");
    assert!(
        example.ends_with("_annotations.coco.json: annotation 17 of `a.jpg`"),
        "{example}"
    );
}

#[test]
fn a_photo_whose_damage_is_not_known_is_left_out_by_name() {
    let faults = [
        ("wholly outside", json!([[-400, -300, -100, -300, -100, -200]])),
        ("covers no pixel", json!([[10, 10, 300, 10, 600, 10]])),
        ("in shares", json!([scaled(1.0)])),
        ("in percent", json!([scaled(100.0)])),
        ("a box and no outline", json!([])),
        ("not a number of pixels", json!([[10, 10, 300, null, 300, 300]])),
        ("at least three points", json!([[10, 10, 300, 300]])),
        ("neither polygons", json!("[[10, 10, 300, 10, 300, 300]]")),
        (
            "run-length code of another size",
            json!({"size": [WIDTH, HEIGHT], "counts": [0, WIDTH * HEIGHT]}),
        ),
    ];
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    let [x0, y0, x1, y1] = DENT.1;
    for (at, (_, segmentation)) in faults.iter().enumerate() {
        set.photo(&format!("{at}.jpg"), &jpeg(&vehicle_with(&[DENT]), 95));
        set.region("dent", segmentation);
        let annotation = set.annotations.last_mut().expect("an annotation");
        annotation["bbox"] = json!([x0, y0, x1 - x0, y1 - y0]);
    }
    set.photo("size.jpg", &jpeg(&vehicle_with(&[DENT]), 95));
    set.rectangle("dent", DENT);
    set.images.last_mut().expect("an image")["width"] = json!(-960);

    let document = set.evaluate(&[]);
    assert_eq!(document["photos"]["scored"], 1, "{document:#}");
    assert_eq!(document["photos"]["undamaged"], 0);
    let skipped = document["skipped"].as_array().expect("reasons");
    let reason = |part: &str| {
        let of = skipped
            .iter()
            .find(|it| it["reason"].as_str().expect("words").contains(part));
        of.unwrap_or_else(|| panic!("no reason {part}: {skipped:#?}"))
    };
    for (at, (part, _)) in faults.iter().enumerate() {
        let reason = reason(part);
        assert_eq!(reason["photos"], 1, "{reason}");
        let photo = set.path().join(format!("{at}.jpg"));
        assert_eq!(reason["examples"], json!([photo.to_str().expect("text")]));
        assert_eq!(reason["annotations"], json!([(at + 1).to_string()]));
    }
    let size = reason("a size that no photo has");
    assert_eq!(size["photos"], 1);
    assert_eq!(size["annotations"], Value::Null);
}

#[test]
fn a_file_in_another_unit_is_refused() {
    let folder = dented();
    for (factor, unit) in [
        (1.0, "shares of the photo (0 to 1)"),
        (100.0, "percent of the photo (0 to 100)"),
    ] {
        let line = refusal(
            folder.path(),
            annotated(&json!([scaled(factor)])).to_string().as_bytes(),
        );
        let end = format!(
            "outlines seem to be in {unit}, not in pixels, such as annotation 17 of `a.jpg`; multiply x by"
        );
        assert!(line.contains(&end), "{line}");
    }
}

#[test]
fn annotations_of_no_image_are_counted_unless_all_are() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    let known = set.evaluate(&[]);
    set.annotations
        .push(json!({"id": 998, "image_id": 777, "category_id": 0}));
    let document = set.evaluate(&[]);
    assert_eq!(document["masks"], known["masks"]);
    let remark = &document["annotation_remarks"][0];
    assert_eq!(remark["remark"], "of an image that is not listed: left out");
    assert_eq!(remark["annotations"], 1);
    let example = remark["examples"][0].as_str().expect("an example");
    assert!(example.ends_with("annotation 998, image 777"), "{example}");

    set.annotations.remove(0);
    set.write();
    let out = tempfile::tempdir().expect("a temporary folder");
    let ran = evaluate(&[set.path()], out.path(), &[]);
    let line = ran.one_line(2);
    assert!(
        line.ends_with("no annotation is of a listed image, such as annotation 998 of image 777"),
        "{line}"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_refused_in_one_line() {
    let folder = dented();
    let plain = annotated(&json!([ring(DENT)]));
    let image = json!({"id": 1, "file_name": "b.jpg"});
    let same_id = changed(plain.clone(), "/images", json!([plain["images"][0], image]));
    for (text, part) in [
        (String::new(), "an empty file"),
        ("[]".to_owned(), "expected an object with the lists"),
        (
            changed(plain.clone(), "/annotations", json!(null)).to_string(),
            "no list `annotations`",
        ),
        (
            changed(plain.clone(), "/images", json!({"1": {}})).to_string(),
            "`images` is not a list",
        ),
        (
            changed(plain.clone(), "/annotations/0/category_id", json!(9)).to_string(),
            "annotation 17 of `a.jpg` is of category 9, which is not listed",
        ),
        (
            same_id.to_string(),
            "two images have the id 1: `a.jpg` and `b.jpg`",
        ),
        (
            changed(plain.clone(), "/images/0/file_name", json!(null)).to_string(),
            "image 1 has no `file_name`",
        ),
    ] {
        let line = refusal(folder.path(), text.as_bytes());
        assert!(
            line.contains(ANNOTATIONS) && line.contains(part),
            "{part}: {line}"
        );
    }
    // Nothing is left to score: the line has a photo and its annotation.
    let outside = annotated(&json!([[-9, -9, -1, -9, -1, -1]])).to_string();
    let line = refusal(folder.path(), outside.as_bytes());
    assert!(
        line.contains("no photo could be scored: 1 with an outline wholly outside of the photo"),
        "{line}"
    );
    assert!(line.ends_with("a.jpg, annotation 17)"), "{line}");
}
