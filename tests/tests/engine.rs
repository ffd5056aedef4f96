//! The answer for a photo does not depend on its company: a batch gives what its photos give one by one.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use image::RgbImage;
use image::imageops::FilterType;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use walkaround_domain::UnitRect;
use walkaround_inference::{
    ActiveDevice, BATCH_BUCKETS, Engine, EngineOptions, LazyBundle, LazyEngine, OnnxEngine, Runtime,
    Screening, Vehicle, VerifiedBundle, segmenter_files,
};
use walkaround_tests::pictures::{
    DENT, GLASS, MARKS, Mark, SCRATCH, SPACING, THIN_SCRATCH, draw, vehicle_with,
};
use walkaround_tests::places::{demo, engine, seven};
use walkaround_vision::mask::ProbabilityMap;

const BATCHES: [usize; 6] = [1, 2, 3, 5, 16, 17];
const DIFFERENCE_MAX: f32 = 1e-5;

/// Photos that differ in size, marks and vehicle, one of them without any.
fn photos() -> Vec<RgbImage> {
    let most = BATCHES[BATCHES.len() - 1] as u32;
    (0..most)
        .map(|i| {
            let moved = |Mark(colour, [x0, y0, x1, y1])| {
                let by = i * 7;
                Mark(colour, [x0 + by, y0 + by / 2, x1 + by, y1 + by / 2])
            };
            let picture = match i % 5 {
                0 => vehicle_with(&MARKS),
                1 => vehicle_with(&[moved(SCRATCH), moved(GLASS)]),
                2 => vehicle_with(&[moved(DENT), moved(THIN_SCRATCH)]),
                3 => vehicle_with(&[moved(SPACING)]),
                _ => draw(&[moved(DENT)]),
            };
            let (width, height) = (640 + 40 * (i % 7), 480 + 25 * (i % 5));
            image::imageops::resize(&picture, width, height, FilterType::Triangle)
        })
        .collect()
}

type Answer = (Screening, Vec<ProbabilityMap>);

fn answers(engine: &mut OnnxEngine, photos: &[RgbImage]) -> Vec<Answer> {
    let references: Vec<&RgbImage> = photos.iter().collect();
    let screenings = engine.screen(&references).unwrap();
    let pairs: Vec<(&RgbImage, UnitRect)> = photos
        .iter()
        .zip(&screenings)
        .map(|(p, l)| (p, l.vehicle.region()))
        .collect();
    let maps = engine.segment(&pairs).unwrap();
    assert_eq!((screenings.len(), maps.len()), (photos.len(), photos.len()));
    screenings
        .into_iter()
        .zip(maps.into_iter().map(|of| of.maps))
        .collect()
}

fn assert_same(one: &Answer, batch: &Answer, what: &str) {
    let (a, b) = (one.0, batch.0);
    assert_eq!(a.suspect, b.suspect, "{what}");
    assert_eq!(a.gate.is_some(), b.gate.is_some(), "{what}");
    let gate = (a.gate.unwrap_or_default() - b.gate.unwrap_or_default()).abs();
    assert!(gate <= DIFFERENCE_MAX, "{what}: gate differs by {gate}");
    match (a.vehicle, b.vehicle) {
        (Vehicle::Found { region: r, .. }, Vehicle::Found { region: s, .. }) => {
            let edges = [r.x0 - s.x0, r.y0 - s.y0, r.x1 - s.x1, r.y1 - s.y1];
            assert!(
                edges.iter().all(|d| d.abs() <= DIFFERENCE_MAX),
                "{what}: {r:?} {s:?}"
            );
        }
        (a, b) => assert_eq!(a, b, "{what}"),
    }
    assert_eq!(one.1.len(), batch.1.len(), "{what}");
    for (a, b) in one.1.iter().zip(&batch.1) {
        assert_eq!(
            (a.class, a.width, a.height),
            (b.class, b.width, b.height),
            "{what}"
        );
        assert_eq!(a.covers, b.covers, "{what}");
        let furthest = a
            .values
            .iter()
            .zip(&b.values)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(
            furthest <= DIFFERENCE_MAX,
            "{what}: class {} differs by {furthest}",
            a.class
        );
    }
}

fn batches_give_single_answers(bundle: &Path) -> Vec<Answer> {
    let photos = photos();
    let mut engine = engine(bundle);
    let single: Vec<Answer> = photos
        .iter()
        .flat_map(|photo| answers(&mut engine, std::slice::from_ref(photo)))
        .collect();
    for size in BATCHES {
        // From the end too: the slots hold other photos than before.
        for (name, from) in [("first", 0), ("last", photos.len() - size)] {
            let batch = answers(&mut engine, &photos[from..from + size]);
            for (i, answer) in batch.iter().enumerate() {
                assert_same(&single[from + i], answer, &format!("{name} {size}, photo {i}"));
            }
        }
    }
    single
}

#[test]
fn the_sizes_reach_over_every_bucket() {
    let largest = BATCH_BUCKETS[BATCH_BUCKETS.len() - 1];
    assert!(BATCHES.contains(&largest) && BATCHES.contains(&(largest + 1)));
}

#[test]
fn batches_of_the_seven_bundle() {
    let single = batches_give_single_answers(&seven());
    assert!(
        single.iter().any(|a| a.0.vehicle == Vehicle::Absent),
        "one has no vehicle"
    );
    assert!(single.iter().any(|a| a.0.suspect));
}

#[test]
fn batches_of_the_demonstration_bundle() {
    let single = batches_give_single_answers(&demo());
    assert!(single.iter().all(|a| a.0.vehicle == Vehicle::NotAsked));
}

#[test]
fn an_empty_batch_has_no_answers() {
    let mut engine = engine(&seven());
    assert!(engine.screen(&[]).unwrap().is_empty());
    assert!(engine.segment(&[]).unwrap().is_empty());
}

#[test]
fn a_lazy_engine_answers_as_the_whole_one_and_loads_its_segmenters_when_asked() {
    let runtime = Runtime::load(&walkaround_tests::places::onnxruntime()).unwrap();
    for folder in [seven(), demo()] {
        let bundle = Arc::new(VerifiedBundle::load(&folder).unwrap());
        let options = EngineOptions {
            device: ActiveDevice::Cpu,
            threads: 1,
        };
        let all_there = Arc::new(LazyBundle::new(
            Arc::clone(&bundle),
            Arc::new(|| panic!("nothing is missing")),
        ));
        let mut lazy = LazyEngine::new(&runtime, &all_there, options).unwrap();
        let mut whole = OnnxEngine::new(&runtime, &bundle, options).unwrap();
        let photo = vehicle_with(&MARKS);
        let (a, b) = (lazy.screen(&[&photo]).unwrap(), whole.screen(&[&photo]).unwrap());
        assert_eq!(a, b);
        assert!(!lazy.is_whole(), "the screening needs no segmenter");
        let region = a[0].vehicle.region();
        let (a, b) = (
            lazy.segment(&[(&photo, region)]).unwrap(),
            whole.segment(&[(&photo, region)]).unwrap(),
        );
        assert!(lazy.is_whole());
        assert!(!a[0].maps.is_empty() && a.len() == b.len());
        for (x, y) in a[0].maps.iter().zip(&b[0].maps) {
            assert_eq!((x.class, &x.values), (y.class, &y.values));
        }
    }
}

#[test]
fn files_of_segmenters_are_fetched_once_and_only_when_they_are_needed() {
    let runtime = Runtime::load(&walkaround_tests::places::onnxruntime()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let later = segmenter_files(&seven()).unwrap();
    assert!(!later.is_empty());
    let copy = |wanted: bool| {
        for entry in std::fs::read_dir(seven()).unwrap() {
            let from = entry.unwrap().path();
            let name = from.file_name().unwrap().to_str().unwrap().to_owned();
            if from.is_file() && later.contains(&name) == wanted {
                std::fs::copy(&from, folder.path().join(name)).unwrap();
            }
        }
    };
    copy(false);
    let bundle = VerifiedBundle::load_without_segmenters(folder.path()).unwrap();
    assert!(!bundle.is_whole());
    let fetched = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&fetched);
    let fetch = Arc::new(move || {
        // the first time S3 is unavailable.
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err(std::io::Error::other("not reachable")),
            _ => Ok(()),
        }
    });
    let lazy = Arc::new(LazyBundle::new(Arc::new(bundle), fetch));
    let options = EngineOptions {
        device: ActiveDevice::Cpu,
        threads: 1,
    };
    let mut engines = [0, 1].map(|_| LazyEngine::new(&runtime, &lazy, options).unwrap());
    let photo = vehicle_with(&MARKS);
    let region = engines[0].screen(&[&photo]).unwrap()[0].vehicle.region();
    assert_eq!(
        fetched.load(Ordering::SeqCst),
        0,
        "the screening needs no segmenter"
    );
    let away = engines[0].segment(&[(&photo, region)]).unwrap_err().to_string();
    assert!(away.contains("not reachable"), "{away}");
    copy(true);
    for engine in &mut engines {
        assert!(!engine.segment(&[(&photo, region)]).unwrap()[0].maps.is_empty());
    }
    assert_eq!(
        fetched.load(Ordering::SeqCst),
        2,
        "once for all engines, after the one that failed"
    );
}
