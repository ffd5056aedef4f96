//! Real exports beside the answers of their families: photos, expected objects, and how far the engine's are from them.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use crate::places::{lab, python, root};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkaround_domain::{Finding, Size, UnitRect};
use walkaround_inference::{Engine, OnnxEngine};
use walkaround_vision::decode::{Decoded, Limits, decode};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::instance::Instance;
use walkaround_vision::rle::{from_string, iou, union};

/// Least agreement of a mask with the family's own.
pub const IOU_MIN: f64 = 0.99;
/// Largest distance of a score from the family's own.
pub const SCORE_MAX: f32 = 1e-3;
/// Largest distance of an edge of a box, in pixels of the photo.
pub const EDGE_MAX: f32 = 1.0;

/// One photo with what the family itself says of it.
pub struct Photo {
    /// File name.
    pub name: String,
    /// Whole and upright.
    pub decoded: Decoded,
    /// Objects of the family: class, score, box, mask.
    pub expected: Vec<Value>,
    /// Class number and mask, of families that give maps.
    pub class_masks: Value,
}

impl Photo {
    /// The photos of a `reference.json`.
    pub fn all(lab: &Path, reference: &Path) -> Vec<Self> {
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
pub struct Worst {
    /// How many there were.
    pub instances: usize,
    /// Largest distance of a score.
    pub score: f32,
    /// Largest distance of an edge, in pixels of the photo.
    pub edge: f32,
    /// Least agreement of a mask.
    pub iou: f64,
}

impl Default for Worst {
    fn default() -> Self {
        Self {
            instances: 0,
            score: 0.0,
            edge: 0.0,
            iou: 1.0,
        }
    }
}

impl Worst {
    /// Whether all are as near as they have to be.
    pub fn is_near(&self) -> bool {
        self.iou >= IOU_MIN && self.score <= SCORE_MAX && self.edge <= EDGE_MAX
    }
}

/// The largest distance between edges, in pixels of the photo; expected edges outside of it count as its own.
pub fn distance(found: &UnitRect, expected: &Value, size: Size) -> f32 {
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
        let score = expected["score"].as_f64().unwrap() as f32;
        let apart = |instance: &Instance| match &instance.bbox {
            Some(rect) => distance(rect, &expected["box"], size),
            // The box is that around the mask: told by the masks themselves, which are told apart by their scores.
            None => (instance.score - score).abs(),
        };
        let nearest = left
            .iter()
            .enumerate()
            .filter(|(_, instance)| instance.class == class)
            .min_by(|a, b| apart(a.1).total_cmp(&apart(b.1)));
        let (at, _) = nearest.unwrap_or_else(|| panic!("{}: no instance of class {class}", photo.name));
        let instance = left.swap_remove(at);
        worst.instances += 1;
        worst.edge = worst.edge.max(apart(instance));
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
pub fn run(engine: &mut OnnxEngine, photos: &[Photo], worst: &mut Worst) {
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

/// The bundles of all families, or none where there are no exports.
#[allow(clippy::print_stderr, reason = "what was skipped")]
pub fn bundles() -> Option<(PathBuf, TempDir)> {
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

/// Least agreement of a large region of a class with the family's own; class numbers have no probabilities.
pub fn agreement(engine: &mut OnnxEngine, photos: &[Photo], numbers: bool) -> f64 {
    let mut worst = 1.0_f64;
    for photo in photos {
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
            assert!(!numbers || own.iter().all(|f| f.probability == 1.0));
            let masks: Vec<_> = own.iter().map(|f| &f.rle).collect();
            worst = worst.min(iou(&union(size, &masks).unwrap(), &expected).unwrap());
        }
    }
    worst
}
