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
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use walkaround_inference::{Engine, OnnxEngine, Vehicle};
use walkaround_tests::families::{
    EDGE_MAX, IOU_MIN, Photo, SCORE_MAX, Worst, agreement, bundles, distance, run,
};
use walkaround_tests::places::engine;
use walkaround_vision::decode::{Limits, decode};

/// Runs a family: one graph for all photos, or the replay of each run, or of the first runs as one batch.
fn family(bundle: &Path, photos: &[Photo], batch: usize) -> Worst {
    let mut worst = Worst::default();
    if bundle.is_dir() {
        let mut engine = engine(bundle);
        for photos in photos.chunks(batch) {
            run(&mut engine, photos, &mut worst);
        }
    } else if batch == 1 {
        for (i, photo) in photos.chunks(1).enumerate() {
            let mut engine = engine(&bundle.with_extension(i.to_string()));
            run(&mut engine, photo, &mut worst);
        }
    } else if bundle.with_extension("batch").is_dir() {
        run(
            &mut engine(&bundle.with_extension("batch")),
            &photos[..batch],
            &mut worst,
        );
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
            if worst.instances == 0 {
                assert!(batch > 1, "{name}: nothing was compared");
                eprintln!("{name} takes one photo at a time");
                continue;
            }
            eprintln!("{name} at batch {batch}: {worst:?}");
            if !worst.is_near() {
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
        let numbers = !["logits", "argmax"].contains(&end);
        let worst = agreement(&mut engine, &photos, numbers);
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
    let bundle = out.path().join("gate.bundle");
    let drafted = out.path().join("gate.drafted");
    let ran = walkaround_tests::program!().run([
        "bundle".as_ref(),
        "init".as_ref(),
        bundle.join("segmenter.onnx").as_os_str(),
        "--gate".as_ref(),
        bundle.join("model.onnx").as_os_str(),
        "--out".as_ref(),
        drafted.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for bundle in [&bundle, &drafted] {
        gate_is_near(&mut engine(bundle), &lab, &reference);
    }
}

fn gate_is_near(engine: &mut OnnxEngine, lab: &Path, reference: &Value) {
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

const CLASSES: &str = "scratch,dent,broken_part,lamp_broken,glass_crack";

/// `bundle init` of the graph of a bundle, with the edits that it names: a new folder.
fn drafted(bundle: &Path, how: &str) -> PathBuf {
    let name = bundle.file_name().unwrap().to_string_lossy().into_owned();
    let out = bundle.with_file_name(format!("drafted-{name}"));
    // Classes that are numbers in the graph: those of Mask R-CNN begin with nothing.
    let classes = match name.as_str() {
        n if n.contains("maskrcnn") || n.contains("segformer") => Some(format!("background,{CLASSES}")),
        n if n.contains("rtdetr") => Some(CLASSES.to_owned()),
        _ => None,
    };
    let graph = bundle.join("model.onnx");
    let mut arguments: Vec<&OsStr> = vec!["bundle".as_ref(), "init".as_ref(), graph.as_os_str()];
    arguments.extend(["--out".as_ref(), out.as_os_str()]);
    if let Some(classes) = &classes {
        arguments.extend([OsStr::new("--classes"), OsStr::new(classes)]);
    }
    let ran = walkaround_tests::program!().run(arguments);
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    let manifest = out.join("bundle.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    // Values that the draft marks as assumed, as the reference was made with.
    let least = how
        .split("score > ")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let sure = how.split("conf=").nth(1).and_then(|rest| rest.split(',').next());
    let edited = |line: &str| match line {
        l if l.starts_with("threshold = 0.25 ") && l.contains("# ASSUMED") => {
            format!("threshold = {}", sure.unwrap_or("0.25"))
        }
        l if l.starts_with("threshold = 0.5 ") && l.contains("# ASSUMED") => {
            format!("threshold = {}", least.unwrap_or("0.3"))
        }
        l if l.starts_with("over = \"box\" ") && how.contains("paste_masks_in_image") => {
            "over = \"pixel_box\"".to_owned()
        }
        l => l.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(edited).collect();
    std::fs::write(&manifest, lines.join("\n")).unwrap();
    out
}

#[test]
fn what_bundle_init_writes_gives_what_the_families_give() {
    let Some((lab, out)) = bundles() else { return };
    let mut tried = 0;
    for family in lab.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        let name = family.file_name().unwrap().to_string_lossy().into_owned();
        let reference = out.path().join(format!("{name}.json"));
        if !reference.is_file() {
            continue;
        }
        let text: Value = serde_json::from_slice(&std::fs::read(&reference).unwrap()).unwrap();
        let how = text["how"].as_str().unwrap();
        let photos = Photo::all(&lab, &reference);
        let bundle = out.path().join(&name);
        for batch in [1, 4] {
            let mut worst = Worst::default();
            if bundle.is_dir() {
                let mut engine = engine(&drafted(&bundle, how));
                photos
                    .chunks(batch)
                    .for_each(|photos| run(&mut engine, photos, &mut worst));
                std::fs::remove_dir_all(out.path().join(format!("drafted-{name}"))).unwrap();
            } else if batch > 1 && bundle.with_extension("batch").is_dir() {
                let mut engine = engine(&drafted(&bundle.with_extension("batch"), how));
                run(&mut engine, &photos[..batch], &mut worst);
            } else if batch == 1 {
                for (at, photo) in photos.chunks(1).enumerate() {
                    let mut engine = engine(&drafted(&bundle.with_extension(at.to_string()), how));
                    run(&mut engine, photo, &mut worst);
                }
            }
            if worst.instances == 0 {
                assert!(batch > 1, "{name}: nothing was compared");
                continue;
            }
            eprintln!("{name}, drafted, at batch {batch}: {worst:?}");
            assert!(worst.is_near(), "{name}: {worst:?}");
        }
        tried += 1;
    }
    let maps = lab.join("segformer_dynamo");
    if maps.is_dir() {
        let folder = out.path().join("segformer");
        std::fs::create_dir(&folder).unwrap();
        for file in ["model.onnx", "model.onnx.data"] {
            std::fs::copy(maps.join(file), folder.join(file)).unwrap();
        }
        let photos = Photo::all(&lab, &out.path().join("maps.reference"));
        let worst = agreement(&mut engine(&drafted(&folder, "")), &photos, false);
        eprintln!("segformer, drafted: worst agreement of a class {worst}");
        assert!(worst >= IOU_MIN, "{worst}");
        tried += 1;
    }
    assert!(tried > 0, "no family in {}", lab.display());
}
