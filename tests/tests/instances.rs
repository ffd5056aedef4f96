//! Real exports of the common families against the families' own answers: boxes, scores, classes and masks.
//!
//! The exports are not part of the project. Name their folder in `WALKAROUND_LAB`, or put it beside the checkout as
//! `shared/lab`; without it the tests say that they were skipped. Its form: tests/bundles/make_lab.py.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]
#![allow(
    clippy::print_stderr,
    reason = "what was skipped, and how close the families are"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkaround_domain::{Finding, Size, UnitRect};
use walkaround_inference::{Engine, OnnxEngine, Vehicle};
use walkaround_tests::places::{engine, lab, python, root};
use walkaround_vision::decode::{Decoded, Limits, decode};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::rle::{from_string, iou, union};

/// Least agreement of a mask with the family's own.
const IOU_MIN: f64 = 0.99;
/// Largest distance of a score from the family's own.
const SCORE_MAX: f32 = 1e-3;
/// Largest distance of an edge of a box, in pixels of the photo.
const EDGE_MAX: f32 = 1.0;

/// The bundles of all families, or none where there are no exports.
fn bundles() -> Option<(PathBuf, TempDir)> {
    let Some(lab) = lab() else {
        eprintln!("skipped: no folder of exports; name it in WALKAROUND_LAB");
        return None;
    };
    let out = tempfile::tempdir().unwrap();
    let made = python()
        .arg(root().join("tests/bundles/make_lab.py"))
        .args([&lab, out.path()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some((lab, out))
}

/// One photo with what the family itself says of it.
struct Photo {
    name: String,
    decoded: Decoded,
    expected: Vec<Value>,
    /// Class number and mask, of families that give maps.
    class_masks: Value,
}

impl Photo {
    fn all(lab: &Path, reference: &Path) -> Vec<Self> {
        let text = std::fs::read(reference).unwrap();
        let reference: Value = serde_json::from_slice(&text).unwrap();
        let one = |photo: &Value| {
            let name = photo["file"].as_str().unwrap().to_owned();
            let bytes = std::fs::read(lab.join("photos").join(&name)).unwrap();
            Self {
                decoded: decode(&bytes, &Limits::default(), u32::MAX).unwrap(),
                expected: photo["instances"].as_array().cloned().unwrap_or_default(),
                class_masks: photo["class_masks"].clone(),
                name,
            }
        };
        reference["photos"].as_array().unwrap().iter().map(one).collect()
    }
}

/// The worst of all instances of a family.
#[derive(Debug)]
struct Worst {
    instances: usize,
    score: f32,
    edge: f32,
    iou: f64,
}

/// The largest distance between edges, in pixels of the photo; expected edges outside of it count as its own.
fn distance(found: &UnitRect, expected: &Value, size: Size) -> f32 {
    let (width, height) = (size.width as f32, size.height as f32);
    let found = [
        found.x0 * width,
        found.y0 * height,
        found.x1 * width,
        found.y1 * height,
    ];
    let ends = [width, height, width, height];
    let edges = expected.as_array().unwrap().iter().zip(ends);
    let expected = edges.map(|(edge, end)| (edge.as_f64().unwrap() as f32).clamp(0.0, end));
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// Each expected instance has its own found one, and there are no others.
fn compare(worst: &mut Worst, photo: &Photo, found: &Segmentation, results: &[Finding]) {
    let size = photo.decoded.original;
    let mut left: Vec<_> = found.instances.iter().collect();
    assert_eq!(left.len(), photo.expected.len(), "{}", photo.name);
    assert_eq!(
        results.len(),
        photo.expected.len(),
        "{}: one finding each",
        photo.name
    );
    for expected in &photo.expected {
        let class = expected["class"].as_u64().unwrap() as usize;
        let apart = |rect: &UnitRect| distance(rect, &expected["box"], size);
        let nearest = left
            .iter()
            .enumerate()
            .filter(|(_, instance)| instance.class == class)
            .min_by(|a, b| apart(&a.1.bbox).total_cmp(&apart(&b.1.bbox)));
        let (at, _) = nearest.unwrap_or_else(|| panic!("{}: no instance of class {class}", photo.name));
        let instance = left.swap_remove(at);
        let score = expected["score"].as_f64().unwrap() as f32;
        worst.instances += 1;
        worst.edge = worst.edge.max(apart(&instance.bbox));
        worst.score = worst.score.max((instance.score - score).abs());
        if let Some(counts) = expected["mask"]["counts"].as_str() {
            let mask = from_string(size, counts).unwrap();
            let same = results
                .iter()
                .filter(|f| (f.probability - instance.score).abs() < 1e-6);
            let best = same.map(|f| iou(&f.rle, &mask).unwrap()).fold(0.0, f64::max);
            worst.iou = worst.iou.min(best);
        } else {
            assert!(results.iter().all(|f| !f.outlined && f.polygons.is_empty()));
        }
    }
}

/// Runs so many photos in one call.
fn run(engine: &mut OnnxEngine, photos: &[Photo], worst: &mut Worst) {
    let views: Vec<_> = photos
        .iter()
        .map(|p| (&p.decoded.pixels, UnitRect::WHOLE))
        .collect();
    let segmentations = engine.segment(&views).unwrap();
    for (photo, found) in photos.iter().zip(&segmentations) {
        let results = findings(found, engine.classes(), photo.decoded.original, false);
        compare(worst, photo, found, &results);
    }
}

/// Runs a family: one graph for all photos, or the replay of each run.
fn family(bundle: &Path, photos: &[Photo], batch: usize) -> Worst {
    let mut worst = Worst {
        instances: 0,
        score: 0.0,
        edge: 0.0,
        iou: 1.0,
    };
    if bundle.is_dir() {
        let mut engine = engine(bundle);
        for photos in photos.chunks(batch) {
            run(&mut engine, photos, &mut worst);
        }
    } else {
        for (i, photo) in photos.chunks(1).enumerate() {
            let mut engine = engine(&bundle.with_extension(i.to_string()));
            run(&mut engine, photo, &mut worst);
        }
    }
    worst
}

#[test]
fn real_exports_give_what_their_families_give() {
    let Some((lab, out)) = bundles() else { return };
    let mut faults = Vec::new();
    let entries = out.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut references: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    references.sort();
    for reference in references {
        let photos = Photo::all(&lab, &reference);
        let bundle = reference.with_extension("");
        let name = bundle.file_name().unwrap().to_string_lossy().into_owned();
        for batch in [1, 4] {
            let worst = family(&bundle, &photos, batch);
            eprintln!("{name} at batch {batch}: {worst:?}");
            if worst.iou < IOU_MIN || worst.score > SCORE_MAX || worst.edge > EDGE_MAX {
                faults.push(format!("{name} at batch {batch}: {worst:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Least agreement of the masks of each class, by the end of the graph. Probabilities are cut at 0.5, which is not what
/// the family does; class numbers come on a grid of 1,024 cells, whose nearest alone is 0.98 of the family's.
const ENDS: [(&str, f64); 5] = [
    ("logits", 0.8),
    ("argmax", 0.999),
    ("int64", 0.98),
    ("int32", 0.98),
    ("uint8", 0.98),
];

#[test]
fn weights_in_a_file_of_their_own_and_class_numbers_of_each_type() {
    let Some((lab, out)) = bundles() else { return };
    let reference = out.path().join("maps.reference");
    if !reference.is_file() {
        eprintln!("skipped: no export with weights in a file of their own");
        return;
    }
    let photos = Photo::all(&lab, &reference);
    for (end, least) in ENDS {
        let mut engine = engine(&out.path().join(format!("maps.{end}")));
        let mut worst = 1.0_f64;
        for photo in &photos {
            let size = photo.decoded.original;
            let views = [(&photo.decoded.pixels, UnitRect::WHOLE)];
            let found = engine.segment(&views).unwrap().remove(0);
            let results = findings(&found, engine.classes(), size, false);
            for (class, expected) in photo.class_masks.as_object().unwrap() {
                let expected = from_string(size, expected["counts"].as_str().unwrap()).unwrap();
                if (expected.area() as f64) < 0.01 * size.pixels() as f64 {
                    continue;
                }
                let name = &engine.classes()[class.parse::<usize>().unwrap()].name;
                let own: Vec<_> = results.iter().filter(|f| f.class == *name).collect();
                let numbers = !["logits", "argmax"].contains(&end);
                assert!(!numbers || own.iter().all(|f| f.probability == 1.0));
                let masks: Vec<_> = own.iter().map(|f| &f.rle).collect();
                worst = worst.min(iou(&union(size, &masks).unwrap(), &expected).unwrap());
            }
        }
        eprintln!("segformer ending in {end}: worst agreement of a class {worst}");
        assert!(worst >= least, "{end}: {worst}");
    }
}

#[test]
fn a_missing_or_changed_file_of_weights_is_one_clear_line() {
    let Some((_, out)) = bundles() else { return };
    let folder = out.path().join("maps.int64");
    if !folder.is_dir() {
        return;
    }
    let refused = || {
        let checked =
            walkaround_tests::program!().run(["bundle".as_ref(), "check".as_ref(), folder.as_os_str()]);
        checked.one_line(1).to_owned()
    };
    let data = folder.join("model.onnx.data");
    let mut weights = std::fs::read(&data).unwrap();
    weights[1000] ^= 1;
    std::fs::write(&data, &weights).unwrap();
    let line = refused();
    assert!(
        line.contains("model.onnx.data") && line.contains("pins"),
        "{line}"
    );
    std::fs::remove_file(&data).unwrap();
    let line = refused();
    assert!(
        line.contains("cannot read") && line.contains("model.onnx.data"),
        "{line}"
    );
    // Nor are weights taken that happen to lie in the working folder of the program.
    let manifest = folder.join("bundle.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("data = ")).collect();
    std::fs::write(&manifest, without.join("\n")).unwrap();
    weights[1000] ^= 1;
    std::fs::write(&data, &weights).unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
        .args(["bundle", "check", "."])
        .current_dir(&folder)
        .env("WALKAROUND_ONNXRUNTIME", walkaround_tests::places::onnxruntime())
        .output()
        .unwrap();
    let line = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{line}");
    assert!(
        line.contains("network `int64`: its weights are in separate files"),
        "{line}"
    );
}

#[test]
fn a_detector_is_a_locator_and_a_gate_without_surgery() {
    let Some((lab, out)) = bundles() else { return };
    let reference = out.path().join("screening.reference");
    if !reference.is_file() {
        eprintln!("skipped: no export of a detector");
        return;
    }
    let mut engine = engine(&out.path().join("screening.bundle"));
    for photo in Photo::all(&lab, &reference) {
        let score = |instance: &Value| instance["score"].as_f64().unwrap() as f32;
        let best = photo
            .expected
            .iter()
            .max_by(|a, b| score(a).total_cmp(&score(b)))
            .unwrap();
        let found = engine.screen(&[&photo.decoded.pixels]).unwrap().remove(0);
        let Vehicle::Found { region, score: own } = found.vehicle else {
            panic!("{}: {found:?}", photo.name);
        };
        assert!((own - score(best)).abs() < SCORE_MAX, "{}", photo.name);
        assert!(
            distance(&region, &best["box"], photo.decoded.original) < EDGE_MAX,
            "{}",
            photo.name
        );
        let of_class = photo.expected.iter().filter(|i| i["class"] == 4).map(score);
        let p = found.gate.unwrap();
        match of_class.reduce(f32::max) {
            Some(expected) => assert!((p - expected).abs() < SCORE_MAX, "{}: {p}", photo.name),
            // Below the threshold of the reference.
            None => assert!(p < 0.25, "{}: {p}", photo.name),
        }
        assert_eq!(found.suspect, p >= 0.5, "{}", photo.name);
    }
}

#[test]
fn a_gate_of_one_logit_gives_the_probability_of_its_family() {
    let Some((lab, out)) = bundles() else { return };
    let reference = out.path().join("gate.reference");
    if !reference.is_file() {
        eprintln!("skipped: no export of a classifier");
        return;
    }
    let reference: Value = serde_json::from_slice(&std::fs::read(&reference).unwrap()).unwrap();
    let mut engine = engine(&out.path().join("gate.bundle"));
    let mut photos: Vec<PathBuf> = lab
        .join("photos")
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    photos.sort();
    let mut worst = 0.0_f32;
    for (photo, expected) in photos.iter().zip(reference["p"].as_array().unwrap()) {
        let decoded = decode(&std::fs::read(photo).unwrap(), &Limits::default(), u32::MAX).unwrap();
        let p = engine.screen(&[&decoded.pixels]).unwrap()[0].gate.unwrap();
        worst = worst.max((p - expected.as_f64().unwrap() as f32).abs());
    }
    eprintln!("gate: worst difference {worst}");
    assert!(worst < SCORE_MAX, "{worst}");
}
