//! Gate and segmenter of the demonstration bundle begin alike: their encoder runs once, and each gives what it gives alone, to
//! the last bit.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use image::RgbImage;
use image::imageops::FilterType;
use std::path::Path;
use std::sync::Arc;
use walkaround_domain::UnitRect;
use walkaround_inference::{
    ActiveDevice, Engine, EngineOptions, LazyBundle, LazyEngine, OnnxEngine, Runtime, Screening,
    VerifiedBundle,
};
use walkaround_tests::pictures::{DENT, MARKS, SCRATCH, draw, vehicle_with};
use walkaround_tests::places::{demo, engine, onnxruntime, root, seven};
use walkaround_vision::findings::Segmentation;

/// The segmenter of the demonstration bundle, without the gate.
fn segmenter_alone(folder: &Path) -> OnnxEngine {
    for entry in demo().read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = std::fs::read_to_string(folder.join("bundle.toml")).unwrap();
    let networks: Vec<&str> = manifest.split("[[networks]]").collect();
    let [classes, gate, segmenter] = networks[..] else {
        panic!("{} networks", networks.len() - 1);
    };
    assert!(gate.contains("role = \"gate\""));
    let segmenter = segmenter.replace("gate = 0.9959\n", "");
    std::fs::write(
        folder.join("bundle.toml"),
        format!("{classes}[[networks]]{segmenter}"),
    )
    .unwrap();
    engine(folder)
}

/// The gate of the demonstration bundle, without the segmenter.
fn gate_alone() -> LazyEngine {
    let runtime = Runtime::load(&onnxruntime()).unwrap();
    let first = Arc::new(VerifiedBundle::load_without_segmenters(&demo()).unwrap());
    let bundle = Arc::new(LazyBundle::new(first, Arc::new(|| Ok(()))));
    let options = EngineOptions {
        device: ActiveDevice::Cpu,
        threads: 1,
    };
    LazyEngine::new(&runtime, &bundle, options).unwrap()
}

fn photos() -> Vec<RgbImage> {
    let drawn = [vehicle_with(&MARKS), draw(&[DENT]), vehicle_with(&[SCRATCH])];
    let sizes = (0..5).map(|i| (300 + 130 * i, 500 + 60 * i));
    let pictures = drawn.iter().cycle();
    sizes
        .zip(pictures)
        .map(|((width, height), picture)| {
            image::imageops::resize(picture, width, height, FilterType::Triangle)
        })
        .collect()
}

fn whole(engine: &mut OnnxEngine, photo: &RgbImage, goes_on: bool) -> (Screening, Segmentation) {
    engine.screen_and_segment(photo, &mut |_| goes_on).unwrap()
}

#[test]
fn both_networks_give_what_they_give_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut shared = engine(&demo());
    let (mut gate, mut segmenter) = (gate_alone(), segmenter_alone(folder.path()));
    assert_eq!(shared.shared_encoder(), Some(["gate", "segmenter"]));
    assert_eq!(segmenter.shared_encoder(), None);
    let photos = photos();
    let mut expected = Vec::new();
    for (i, photo) in photos.iter().enumerate() {
        let one = (
            gate.screen(&[photo]).unwrap().remove(0),
            segmenter.segment(&[(photo, UnitRect::WHOLE)]).unwrap().remove(0),
        );
        assert!(!one.1.maps.is_empty());
        // Another photo ends with its gate: what was held of it is not the next one's.
        whole(&mut shared, &photos[(i + 1) % photos.len()], false);
        assert!(whole(&mut shared, photo, true) == one, "photo {i}");
        expected.push(one);
    }
    assert!(
        expected.iter().any(|one| one != &expected[0]),
        "all photos are the same"
    );
    let references: Vec<&RgbImage> = photos.iter().collect();
    let screenings = shared.screen(&references).unwrap();
    let pairs: Vec<(&RgbImage, UnitRect)> =
        references.iter().map(|photo| (*photo, UnitRect::WHOLE)).collect();
    // In batches, and not those that were screened last.
    let segmentations = shared.segment(&pairs).unwrap();
    for (one, other) in expected.iter().zip(screenings.into_iter().zip(segmentations)) {
        assert!(close(one.0.gate.unwrap(), other.0.gate.unwrap()));
        for (map, other) in one.1.maps.iter().zip(&other.1.maps) {
            let pairs = map.values.iter().zip(&other.values);
            assert!(pairs.into_iter().all(|(a, b)| close(*a, *b)));
        }
    }
}

/// Batches of any network may move a value in its last digits.
fn close(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-5
}

#[test]
fn reports_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, segmenter) = (engine(&demo()).report(), segmenter_alone(folder.path()).report());
    assert_eq!(format!("{:?}", shared[1]), format!("{:?}", segmenter[0]));
    let outputs: Vec<&str> = shared[0]
        .outputs
        .iter()
        .map(|output| output.name.as_str())
        .collect();
    assert_eq!(outputs, ["gate"]);
}

#[test]
fn networks_that_begin_differently_run_alone() {
    for bundle in [seven(), root().join("tests/bundles/trivial")] {
        assert_eq!(engine(&bundle).shared_encoder(), None, "{}", bundle.display());
    }
}
