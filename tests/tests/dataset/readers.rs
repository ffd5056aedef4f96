//! What others read in an export: pycocotools, CVAT's code of masks, the converter of Label Studio, Pillow.

use super::{Bench, json, manifest};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use walkaround_domain::{PixelBox, Point, Polygon, Rle, Size};
use walkaround_messages::RleDocument;
use walkaround_tests::dataset::Case;
use walkaround_tests::pictures::region;
use walkaround_tests::places::root;
use walkaround_vision::rle::{bounding_box, from_outlines, from_polygons, iou, union};

const ALL: [&str; 8] = [
    "--format",
    "coco",
    "--format",
    "cvat",
    "--format",
    "label-studio",
    "--format",
    "yolo",
];

/// What the readers of others see; none where their packages are not installed.
fn read(folder: &Path) -> Option<Value> {
    let packages = root().join(".tools/formats");
    if !packages.join("pycocotools").is_dir() {
        eprintln!(
            "skipped: no readers of data sets in {}: run `make setup`",
            packages.display()
        );
        return None;
    }
    let output = Command::new("python3")
        .arg(root().join("tests/readers/read_dataset.py"))
        .arg(folder)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The shapes of a photo, in whichever part it is.
fn shapes<'a>(found: &'a Value, format: &str, case: &Case) -> &'a Vec<Value> {
    let parts = found[format].as_object().unwrap();
    let photos: Vec<&Value> = parts
        .values()
        .flat_map(|photos| photos.as_object().unwrap())
        .filter(|(name, _)| name.starts_with(&case.digest()))
        .map(|(_, photo)| photo)
        .collect();
    assert_eq!(photos.len(), 1, "{format}: {} is in one part", case.id);
    let shapes = photos[0]["shapes"].as_array().unwrap();
    let size = case.size();
    if !shapes.is_empty() {
        assert_eq!(photos[0]["size"], serde_json::json!([size.width, size.height]));
    }
    shapes
}

fn mask(shape: &Value, size: Size) -> Rle {
    if shape["rle"].is_object() {
        let document: RleDocument = serde_json::from_value(shape["rle"].clone()).unwrap();
        return region(&document);
    }
    let point = |p: &Value| Point {
        x: p[0].as_f64().unwrap() as f32,
        y: p[1].as_f64().unwrap() as f32,
    };
    let ring = shape["points"].as_array().unwrap().iter().map(point).collect();
    from_polygons(size, &[ring]).unwrap()
}

fn is_box(value: &Value, expected: PixelBox) -> bool {
    let PixelBox { x, y, width, height } = expected;
    let sides: Vec<f64> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|side| side.as_f64().unwrap())
        .collect();
    let expected = [x, y, width, height].map(f64::from);
    sides.len() == 4
        && sides
            .iter()
            .zip(expected)
            .all(|(side, it)| (side - it).abs() < 0.01)
}

/// Every finding is one of the shapes: class, box, and pixels up to an IoU of 0.999.
fn assert_found(case: &Case, shapes: &[Value], format: &str) {
    assert_eq!(
        shapes.len(),
        case.findings.len(),
        "{format}, {}: {shapes:?}",
        case.id
    );
    for finding in &case.findings {
        let fits = |shape: &&Value| {
            if shape["class"] != finding.class.as_str() {
                return false;
            }
            if !finding.outlined {
                return is_box(&shape["bbox"], finding.bbox) && shape["rle"].is_null();
            }
            let mask = mask(shape, case.size());
            let stated = ["bbox", "rle_bbox"]
                .into_iter()
                .filter(|name| shape[name].is_array());
            iou(&mask, &finding.rle).unwrap() >= 0.999
                && bounding_box(&mask).unwrap() == Some(finding.bbox)
                && stated.into_iter().all(|name| is_box(&shape[name], finding.bbox))
        };
        let found = shapes.iter().filter(fits).count();
        assert_eq!(found, 1, "{format}, {}: {} in {shapes:?}", case.id, finding.class);
    }
}

#[test]
fn others_see_what_was_found() {
    let bench = Bench::new();
    let folder = bench.export("all", &[&ALL[..], &["--split", "train=0.5,val=0.5"]].concat());
    let Some(found) = read(&folder) else { return };
    for case in &bench.cases {
        for format in ["coco", "cvat", "label-studio"] {
            assert_found(case, shapes(&found, format, case), format);
        }
        assert_yolo(case, &found);
    }
    let files = found["photos"].as_object().unwrap();
    assert_eq!(files.len(), bench.cases.len());
    for case in &bench.cases {
        let (_, photo) = files
            .iter()
            .find(|(name, _)| name.starts_with(&case.digest()))
            .unwrap();
        let size = case.size();
        assert_eq!(
            photo["size"],
            serde_json::json!([size.width, size.height]),
            "{}",
            case.id
        );
        assert_eq!(photo["metadata"], serde_json::json!([]), "{}", case.id);
        assert_eq!(photo["exif"], serde_json::json!({}), "{}", case.id);
    }
}

/// YOLO has neither holes nor parts: every outline is an object, and all of a class together cover its findings.
fn assert_yolo(case: &Case, found: &Value) {
    let photos = found["yolo"].as_object().unwrap();
    let (_, photo) = photos
        .iter()
        .find(|(name, _)| name.starts_with(&case.digest()))
        .unwrap();
    let shapes = photo["shapes"].as_array().unwrap();
    let outlines: usize = case
        .findings
        .iter()
        .map(|finding| finding.polygons.len().max(1))
        .sum();
    assert_eq!(shapes.len(), outlines, "{}: {shapes:?}", case.id);
    for finding in &case.findings {
        let size = case.size();
        let filled: Vec<Vec<Point>> = finding
            .polygons
            .iter()
            .map(|outline| outline.outer.clone())
            .collect();
        let own = if finding.outlined {
            from_polygons(size, &filled).unwrap()
        } else {
            finding.rle.clone()
        };
        let of_class = shapes
            .iter()
            .filter(|shape| shape["class"] == finding.class.as_str());
        let masks: Vec<Rle> = of_class.map(|shape| mask(shape, size)).collect();
        // Those of the class that lie in this finding.
        let inside: Vec<&Rle> = masks
            .iter()
            .filter(|mask| iou(mask, &own).unwrap() > 0.0)
            .collect();
        let all = union(size, &inside).unwrap();
        assert!(
            iou(&all, &own).unwrap() >= 0.999,
            "{}: {}",
            case.id,
            finding.class
        );
    }
}

#[test]
fn others_see_what_people_decided() {
    let bench = Bench::new();
    bench.decide(
        "plain",
        r#"{"kind": "findings", "findings": [
            {"finding": 0, "decision": "reject", "why": "dirt"},
            {"finding": 1, "decision": "reclassify", "class": "crack"},
            {"finding": 3, "decision": "reshape", "polygons": [
                {"outer": [[150, 100], [180, 100], [180, 130], [150, 130]], "holes": [[[160, 110], [160, 120], [170, 120], [170, 110]]]},
                {"outer": [[20, 120.5], [40, 120.5], [40, 140.25]], "holes": []}]}],
          "added": [{"class": "dent", "polygons": [{"outer": [[70, 110], [100, 112], [80, 140.5]], "holes": []}]}]}"#,
    );
    let folder = bench.export("decided", &[&ALL[..], &["--reviewed"]].concat());
    let lines = manifest(&folder);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (
            &lines[0]["inspection_id"],
            &lines[0]["judgement"],
            &lines[0]["reviewer"],
            &lines[0]["revision"]
        ),
        (&"plain".into(), &"corrected".into(), &"ann".into(), &1.into())
    );
    let case = bench.case("plain");
    let Some(found) = read(&folder) else { return };
    for format in ["coco", "cvat", "label-studio"] {
        let shapes = shapes(&found, format, case);
        let mut classes: Vec<&str> = shapes
            .iter()
            .map(|shape| shape["class"].as_str().unwrap())
            .collect();
        classes.sort_unstable();
        assert_eq!(classes, ["crack", "crack", "dent", "dent"], "{format}");
        let (frame, added) = drawn(case.size());
        for expected in [frame, added, case.findings[1].rle.clone()] {
            let near = shapes
                .iter()
                .filter(|shape| iou(&mask(shape, case.size()), &expected).unwrap() >= 0.999);
            assert_eq!(near.count(), 1, "{format}: {shapes:?}");
        }
    }
}

/// What the decision above reshapes, and what it adds.
fn drawn(size: Size) -> (Rle, Rle) {
    let ring = |points: &[[f32; 2]]| points.iter().map(|&[x, y]| Point { x, y }).collect::<Vec<_>>();
    let frame = Polygon {
        outer: ring(&[[150.0, 100.0], [180.0, 100.0], [180.0, 130.0], [150.0, 130.0]]),
        holes: vec![ring(&[
            [160.0, 110.0],
            [160.0, 120.0],
            [170.0, 120.0],
            [170.0, 110.0],
        ])],
    };
    let triangle = Polygon {
        outer: ring(&[[20.0, 120.5], [40.0, 120.5], [40.0, 140.25]]),
        holes: Vec::new(),
    };
    let added = ring(&[[70.0, 110.0], [100.0, 112.0], [80.0, 140.5]]);
    (
        from_outlines(size, &[frame, triangle]).unwrap(),
        from_polygons(size, &[added]).unwrap(),
    )
}

#[test]
fn what_is_not_reviewed_is_marked_so() {
    let bench = Bench::new();
    bench.decide("single", r#"{"kind": "confirm"}"#);
    let folder = bench.export("marked", &ALL);
    let coco = json(&folder.join("coco/all.json"));
    for image in coco["images"].as_array().unwrap() {
        let is_single = image["file_name"]
            .as_str()
            .unwrap()
            .starts_with(&bench.case("single").digest());
        assert_eq!(image["reviewed"], is_single, "{image}");
    }
    let tasks = json(&folder.join("label-studio/all.json"));
    for task in tasks.as_array().unwrap() {
        let reviewed = task["data"]["reviewed"].as_bool().unwrap();
        assert_eq!(task["annotations"].is_array(), reviewed, "{task}");
        assert_eq!(task["predictions"].is_array(), !reviewed, "{task}");
    }
}
