//! `evaluate` on drawn photos whose damage is known to the pixel, with the seven-network bundle.

mod forms;
mod told;

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;
use tempfile::TempDir;
use walkaround_domain::{Point, Size};
use walkaround_tests::files::{jpeg, put, with_orientation};
use walkaround_tests::pictures::{
    DENT, GLASS, HEIGHT, Mark, SCRATCH, SPACING, WEAR, WIDTH, draw, stored, vehicle_with,
};
use walkaround_tests::places::seven;
use walkaround_tests::program;
use walkaround_tests::program::Ran;
use walkaround_vision::rle;

const ANNOTATIONS: &str = "_annotations.coco.json";

/// A folder of photos with annotations, written when the test is done with filling it.
struct Set {
    folder: TempDir,
    images: Vec<Value>,
    annotations: Vec<Value>,
    categories: Vec<String>,
}

impl Set {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            images: vec![],
            annotations: vec![],
            categories: vec![],
        }
    }

    /// A set of one vehicle with these marks on it; none of them annotated yet.
    fn of(marks: &[Mark]) -> Self {
        let mut set = Self::new();
        set.photo("a.jpg", &jpeg(&vehicle_with(marks), 95));
        set
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a photo that the annotations list, at the size of the recipe.
    fn photo(&mut self, name: &str, bytes: &[u8]) {
        put(self.path(), name, bytes);
        self.image(name, (WIDTH, HEIGHT));
    }

    fn image(&mut self, name: &str, (width, height): (u32, u32)) {
        let id = self.images.len();
        self.images
            .push(json!({"id": id, "file_name": name, "width": width, "height": height}));
    }

    /// Annotates the last photo.
    fn region(&mut self, category: &str, segmentation: &Value) -> &mut Self {
        let known = self.categories.iter().position(|name| name == category);
        let category = known.unwrap_or_else(|| {
            self.categories.push(category.to_owned());
            self.categories.len() - 1
        });
        self.annotations.push(json!({
            "id": self.annotations.len(),
            "image_id": self.images.len() - 1,
            "category_id": category,
            "segmentation": segmentation,
        }));
        self
    }

    fn rectangle(&mut self, category: &str, mark: Mark) -> &mut Self {
        self.region(category, &json!([ring(mark)]))
    }

    fn write(&self) {
        let categories: Vec<Value> = (0..)
            .zip(&self.categories)
            .map(|(id, name): (u32, _)| json!({"id": id, "name": name}))
            .collect();
        let document = json!({
            "images": self.images, "annotations": self.annotations, "categories": categories,
        });
        put(self.path(), ANNOTATIONS, document.to_string().as_bytes());
    }

    /// The document of an evaluation of the set.
    fn evaluate(&self, options: &[&str]) -> Value {
        self.write();
        let out = tempfile::tempdir().expect("a temporary folder");
        let ran = evaluate(&[self.path()], out.path(), options).succeeded();
        let document: Value = serde_json::from_str(&ran.stdout).expect("standard output is JSON");
        let file = std::fs::read_to_string(out.path().join("report.json")).expect("a report");
        assert_eq!(
            document,
            serde_json::from_str::<Value>(&file).expect("report.json is JSON")
        );
        document
    }
}

fn evaluate(folders: &[&Path], out: &Path, options: &[&str]) -> Ran {
    let bundle = seven();
    let mut arguments: Vec<&OsStr> = vec!["evaluate".as_ref(), "--bundle".as_ref(), bundle.as_os_str()];
    arguments.extend([
        "--format".as_ref(),
        "json".as_ref(),
        "--out".as_ref(),
        out.as_os_str(),
    ]);
    arguments.extend(folders.iter().map(|f| f.as_os_str()));
    arguments.extend(options.iter().map(OsStr::new));
    program!().run(arguments)
}

fn ring(Mark(_, [x0, y0, x1, y1]): Mark) -> Vec<u32> {
    vec![x0, y0, x1, y0, x1, y1, x0, y1]
}

/// A figure of a row; none for null.
fn figure(document: &Value, row: &str, name: &str) -> Option<f64> {
    let rows = document["masks"].as_array().expect("rows");
    let row = rows
        .iter()
        .find(|r| r["name"] == row)
        .unwrap_or_else(|| panic!("no row {row}"));
    let figure = &row[name];
    let value = figure["value"].as_f64();
    if let Some(value) = value {
        let bound = |name: &str| figure[name].as_f64().expect("a figure has an interval");
        let (low, high) = (bound("low"), bound("high"));
        assert!(
            low <= value + 1e-12 && value <= high + 1e-12,
            "{row}: the interval does not hold {name}"
        );
    }
    value
}

fn iou(document: &Value, row: &str) -> f64 {
    figure(document, row, "iou").unwrap_or_else(|| panic!("{row} has no IoU: {document:#}"))
}

fn skipped(document: &Value, what: &str) -> u64 {
    let reasons = document["skipped"].as_array().expect("reasons");
    reasons
        .iter()
        .filter(|s| s["reason"].as_str().expect("words").contains(what))
        .map(|s| s["photos"].as_u64().expect("a number"))
        .sum()
}

#[test]
fn a_drawn_dent_is_scored_where_it_is() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.photo("b.jpg", &jpeg(&vehicle_with(&[]), 95));
    let document = set.evaluate(&[]);
    assert!(iou(&document, "class dent") > 0.75, "{document:#}");
    assert!(iou(&document, "any damage") > 0.75, "{document:#}");
    // Nothing of these is annotated, so there is nothing to say about them.
    assert_eq!(figure(&document, "class scratch", "iou"), None);
    assert_eq!(figure(&document, "class spacing", "precision"), None);
    assert_eq!(document["photos"]["damaged"], 1);
    assert_eq!(document["photos"]["undamaged"], 1);
    assert_eq!(document["gate"]["roc_auc"]["value"], 1.0);
    assert_eq!(document["gate"]["recall"]["value"], 1.0);
    assert_eq!(document["gate"]["false_alarms"]["value"], 0.0);
}

/// Truth that is what `inspect` says scores 1, in its two forms: with all classes and without. So what is
/// scored is what `inspect` reports.
#[test]
fn findings_as_truth_score_one() {
    // Yellow beside the dent touches it on the canvas: without --all-classes it is not reported.
    let beside = Mark(GLASS.0, [400, 296, 520, 380]);
    let marks = [SCRATCH, DENT, SPACING, beside, WEAR];
    let areas = ["any damage", "any damage, all classes"].map(|row| {
        let mut set = Set::of(&marks);
        let options = if row == "any damage" {
            &[][..]
        } else {
            &["--all-classes"]
        };
        let report = program!().report(&seven(), &set.path().join("a.jpg"), options);
        for finding in &report.findings {
            set.region(
                &finding.class,
                &json!({"size": finding.rle.size, "counts": finding.rle.counts}),
            );
        }
        let document = set.evaluate(&[]);
        assert_eq!(iou(&document, row), 1.0, "{row}: {document:#}");
        for class in ["scratch", "dent", "spacing"] {
            assert_eq!(iou(&document, &format!("class {class}")), 1.0, "{document:#}");
        }
        iou(&document, "any damage, all classes")
    });
    assert!(
        areas[0] < 0.99 && areas[1] == 1.0,
        "both forms say the same: {areas:?}"
    );
}

#[test]
fn truth_elsewhere_scores_zero() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", Mark([0; 3], [600, 400, 700, 500]));
    let document = set.evaluate(&[]);
    for name in ["iou", "f1", "precision", "recall"] {
        assert_eq!(figure(&document, "class dent", name), Some(0.0), "{name}");
        assert_eq!(figure(&document, "any damage", name), Some(0.0), "{name}");
    }
    assert_eq!(document["mean_photo_iou"]["value"], 0.0);
}

#[test]
fn findings_on_an_undamaged_photo_are_false_alarms() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    let undamaged = tempfile::tempdir().unwrap();
    put(undamaged.path(), "b.jpg", &jpeg(&vehicle_with(&[SPACING]), 95));
    let alone = set.evaluate(&[]);
    let both = set.evaluate(&["--undamaged", undamaged.path().to_str().unwrap()]);
    assert_eq!(both["gate"]["false_alarms"]["value"], 1.0);
    assert_eq!(alone["gate"]["false_alarms"]["value"], Value::Null);
    let precision = |document| figure(document, "any damage", "precision").unwrap();
    assert!(precision(&both) < precision(&alone) - 0.1, "{both:#}");
    let recall = |document| figure(document, "any damage", "recall");
    assert_eq!(recall(&both), recall(&alone));
    // A named folder without annotations is the same as --undamaged, and is said.
    let out = tempfile::tempdir().unwrap();
    let ran = evaluate(&[set.path(), undamaged.path()], out.path(), &[]).succeeded();
    let named: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(named["masks"], both["masks"]);
    let folders = &named["photos"]["folders_without_annotations"];
    assert_eq!(folders, &json!([undamaged.path().to_str().unwrap()]));
}

#[test]
fn polygons_and_both_run_length_forms_agree() {
    let size = Size::new(WIDTH, HEIGHT);
    let corner = |x: u32, y: u32| Point {
        x: x as f32,
        y: y as f32,
    };
    let outline: Vec<Point> = ring(DENT).chunks(2).map(|p| corner(p[0], p[1])).collect();
    let mask = rle::from_polygons(size, &[outline]).unwrap();
    let stated = [HEIGHT, WIDTH];
    let forms = [
        json!([ring(DENT)]),
        json!({"size": stated, "counts": mask.counts}),
        json!({"size": stated, "counts": rle::to_string(&mask)}),
    ];
    let documents = forms.map(|form| {
        let mut set = Set::of(&[DENT]);
        set.region("dent", &form);
        set.evaluate(&[])
    });
    assert!(iou(&documents[0], "class dent") > 0.75);
    assert_eq!(documents[0]["masks"], documents[1]["masks"]);
    assert_eq!(documents[0]["masks"], documents[2]["masks"]);
}

#[test]
fn ignored_regions_count_nowhere() {
    let around = Mark([0; 3], [560, 160, 680, 480]);
    let mut set = Set::of(&[DENT, SPACING]);
    set.rectangle("dent", DENT).rectangle("primer", around);
    let ignored = set.evaluate(&["--ignore", "primer"]);
    let mut alone = Set::of(&[DENT]);
    alone.rectangle("dent", DENT);
    let alone = alone.evaluate(&[]);
    for row in ["class dent", "any damage"] {
        let (a, b) = (iou(&ignored, row), iou(&alone, row));
        assert!((a - b).abs() < 0.02, "{row}: {a} and {b}");
    }
    // Not ignored it is damage of a kind that no class is: true, but nobody's class.
    let counted = set.evaluate(&[]);
    assert!(iou(&counted, "any damage") < iou(&ignored, "any damage") - 0.1);
    assert_eq!(iou(&counted, "class dent"), iou(&ignored, "class dent"));
    // What is truth besides is not left out.
    let mut overlapped = Set::of(&[DENT]);
    overlapped.rectangle("dent", DENT);
    overlapped.rectangle("primer", Mark([0; 3], [0, 0, WIDTH, HEIGHT]));
    let overlapped = overlapped.evaluate(&["--ignore", "primer"]);
    assert_eq!(figure(&overlapped, "class dent", "precision"), Some(1.0));
    assert_eq!(
        figure(&overlapped, "class dent", "recall"),
        figure(&alone, "class dent", "recall")
    );
}

#[test]
fn a_photo_with_ignored_regions_only_is_neither_damaged_nor_undamaged() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.photo("b.jpg", &jpeg(&vehicle_with(&[SPACING]), 95));
    set.rectangle("primer", SPACING);
    let document = set.evaluate(&["--ignore", "primer"]);
    assert_eq!(document["photos"]["only_ignored"], 1);
    assert_eq!(document["gate"]["undamaged"], 0);
    assert_eq!(document["gate"]["roc_auc"]["value"], Value::Null);
}

#[test]
fn categories_are_mapped_by_flag_and_by_file() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("beule", DENT);
    let unmapped = set.evaluate(&[]);
    assert_eq!(figure(&unmapped, "class dent", "iou"), None);
    assert!(iou(&unmapped, "any damage") > 0.75);
    assert_eq!(unmapped["categories"][0]["counts_as"], "any damage only");

    let by_flag = set.evaluate(&["--map", "beule=dent"]);
    assert!(iou(&by_flag, "class dent") > 0.75);
    assert_eq!(by_flag["categories"][0]["counts_as"], "dent");

    let files = tempfile::tempdir().unwrap();
    let map = "ignore = [\"airbag\"]\n[map]\nbeule = \"dent\"\n";
    let file = put(files.path(), "any-name.toml", map.as_bytes());
    let by_file = set.evaluate(&["--map-file", file.to_str().unwrap()]);
    assert_eq!(by_file["masks"], by_flag["masks"]);

    put(set.path(), "map.toml", map.as_bytes());
    assert_eq!(set.evaluate(&[])["masks"], by_flag["masks"]);
    // The flag is nearer than the file.
    let overridden = set.evaluate(&["--map", "beule=scratch"]);
    assert_eq!(figure(&overridden, "class dent", "iou"), None);
    assert_eq!(iou(&overridden, "class scratch"), 0.0);
}

#[test]
fn what_the_gate_costs_is_told() {
    // No gate minds yellow, so the photo is called clean although a segmenter would see it.
    let mut set = Set::of(&[GLASS]);
    set.rectangle("glass", GLASS);
    let document = set.evaluate(&[]);
    assert_eq!(figure(&document, "any damage", "recall"), Some(0.0));
    assert_eq!(figure(&document, "any damage, all classes", "recall"), Some(0.0));
    assert!(iou(&document, "any damage, gate ignored") > 0.6, "{document:#}");
    assert_eq!(document["gate"]["recall"]["value"], 0.0);
}

#[test]
fn photos_that_cannot_be_scored_are_counted_with_their_reason() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    // Upright 960 x 640, annotated as the file stores it.
    let turned = with_orientation(&jpeg(&stored(&vehicle_with(&[DENT]), 6), 95), 6);
    put(set.path(), "turned.jpg", &turned);
    set.image("turned.jpg", (HEIGHT, WIDTH));
    set.rectangle("dent", DENT);
    put(set.path(), "larger.jpg", &jpeg(&vehicle_with(&[DENT]), 95));
    set.image("larger.jpg", (2 * WIDTH, 2 * HEIGHT));
    set.photo("box.jpg", &jpeg(&vehicle_with(&[DENT]), 95));
    set.region("dent", &json!([]));
    set.photo("broken.jpg", b"no picture");
    set.image("gone.jpg", (WIDTH, HEIGHT));
    put(set.path(), "unlisted.jpg", &jpeg(&vehicle_with(&[DENT]), 95));

    let document = set.evaluate(&[]);
    assert_eq!(document["photos"]["scored"], 1, "{document:#}");
    for what in [
        "swapped",
        "another size",
        "no outline",
        "cannot be decoded",
        "no such file",
        "not in the annotations",
    ] {
        assert_eq!(skipped(&document, what), 1, "{what}: {:#}", document["skipped"]);
    }
    assert!(iou(&document, "class dent") > 0.75);
}

#[test]
fn orientation_is_applied_before_scoring() {
    let mut set = Set::new();
    let turned = with_orientation(&jpeg(&stored(&vehicle_with(&[DENT]), 6), 95), 6);
    set.photo("turned.jpg", &turned);
    set.rectangle("dent", DENT);
    assert!(iou(&set.evaluate(&[]), "class dent") > 0.75);
}

#[test]
fn an_unusable_photo_is_scored_as_one_without_findings() {
    let mut set = Set::of(&[DENT]);
    set.rectangle("dent", DENT);
    set.photo("empty.jpg", &jpeg(&draw(&[]), 95));
    set.rectangle("dent", DENT);
    let document = set.evaluate(&[]);
    assert_eq!(document["photos"]["unusable"], 1);
    // The gate was not asked about it.
    assert_eq!(document["gate"]["damaged"], 1);
    let recall = figure(&document, "class dent", "recall").unwrap();
    assert!((0.4..0.51).contains(&recall), "{recall}");
}
