//! The document of an evaluation: `report.json`, and what `--format json` prints.

use super::figures::{BOOTSTRAP_SEED, Figure, Figures, LEVEL, MaskFigures, RESAMPLES};
use super::mapping::ANY_DAMAGE;
use super::score::{PhotoScore, Row};
use super::sets::Photos;
use super::truth::Damage;
use crate::library::Engines;
use serde::Serialize;
use walkaround_inference::manifest::Head;
use walkaround_messages::BundleDocument;
use walkaround_vision::mask::ClassSpec;

const SCHEMA: &str = "walkaround.evaluation/1";

#[derive(Serialize)]
pub(crate) struct Evaluation {
    schema: &'static str,
    pub bundle: BundleDocument,
    pub description: String,
    pub photos: PhotoNumbers,
    pub skipped: Vec<SkippedPhotos>,
    pub categories: Vec<Category>,
    pub masks: Vec<MaskRow>,
    /// Mean over damaged photos of the IoU of the first row.
    pub mean_photo_iou: Figure,
    pub gate: GateFigures,
    pub intervals: Intervals,
}

/// Numbers of photos.
#[derive(Serialize)]
pub(crate) struct PhotoNumbers {
    pub scored: usize,
    pub damaged: usize,
    pub undamaged: usize,
    /// With regions that are left out and no others.
    pub only_ignored: usize,
    /// Among those scored: said to be unusable, so without findings.
    pub unusable: usize,
    /// Folders without annotations, whose photos count as undamaged.
    pub folders_without_annotations: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct SkippedPhotos {
    pub reason: String,
    pub photos: usize,
    pub examples: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Category {
    pub name: String,
    pub annotations: usize,
    pub counts_as: String,
}

/// One row of the table of scores.
#[derive(Serialize)]
pub(crate) struct MaskRow {
    pub name: String,
    pub what: &'static str,
    /// Photos on which there is something to find.
    pub photos: usize,
    #[serde(flatten)]
    pub figures: MaskFigures,
}

#[derive(Serialize)]
pub(crate) struct GateFigures {
    pub thresholds: Vec<f32>,
    /// Photos that a gate was asked about.
    pub damaged: usize,
    pub undamaged: usize,
    pub roc_auc: Figure,
    pub recall: Figure,
    pub false_alarms: Figure,
}

#[derive(Serialize)]
pub(crate) struct Intervals {
    pub level: f64,
    pub method: &'static str,
    pub resamples: usize,
    pub seed: u64,
}

impl Evaluation {
    pub(crate) fn new(
        engines: &Engines,
        photos: &Photos,
        (scores, unusable): (&[PhotoScore], usize),
    ) -> Self {
        let manifest = engines.bundle.manifest();
        let figures = Figures::of(scores);
        let number = |damage| scores.iter().filter(|s| s.damage == damage).count();
        Self {
            schema: SCHEMA,
            bundle: BundleDocument {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
            },
            description: manifest.description.clone(),
            photos: PhotoNumbers {
                scored: scores.len(),
                damaged: number(Damage::Damaged),
                undamaged: number(Damage::Undamaged),
                only_ignored: number(Damage::OnlyIgnored),
                unusable,
                folders_without_annotations: photos
                    .without_annotations
                    .iter()
                    .map(|f| f.display().to_string())
                    .collect(),
            },
            skipped: skipped(photos),
            categories: categories(photos),
            masks: rows(&manifest.classes, scores, &figures),
            mean_photo_iou: figures.mean_iou,
            gate: gate(engines, scores, &figures),
            intervals: Intervals {
                level: LEVEL,
                method: "bootstrap over photos, percentiles",
                resamples: RESAMPLES,
                seed: BOOTSTRAP_SEED,
            },
        }
    }
}

fn skipped(photos: &Photos) -> Vec<SkippedPhotos> {
    photos
        .skipped
        .iter()
        .map(|(reason, photos, examples)| SkippedPhotos {
            reason: reason.to_owned(),
            photos,
            examples: examples.to_vec(),
        })
        .collect()
}

fn categories(photos: &Photos) -> Vec<Category> {
    photos
        .categories
        .iter()
        .map(|((name, counts_as), annotations)| Category {
            name: name.clone(),
            annotations: *annotations,
            counts_as: counts_as.clone(),
        })
        .collect()
}

fn rows(classes: &[ClassSpec], scores: &[PhotoScore], figures: &Figures) -> Vec<MaskRow> {
    Row::all(classes)
        .into_iter()
        .enumerate()
        .map(|(at, row)| {
            let (name, what) = words(row, classes);
            MaskRow {
                name,
                what,
                photos: scores
                    .iter()
                    .filter(|s| s.counts[at].hit + s.counts[at].missed > 0)
                    .count(),
                figures: figures.rows[at],
            }
        })
        .collect()
}

fn words(row: Row, classes: &[ClassSpec]) -> (String, &'static str) {
    match row {
        Row::Shown => (
            "any damage".to_owned(),
            "everything that inspect reports, against all annotated damage",
        ),
        Row::AllClasses => (
            "any damage, all classes".to_owned(),
            "everything that inspect --all-classes reports, against all annotated damage",
        ),
        Row::GateIgnored => (
            "any damage, gate ignored".to_owned(),
            "the same as the row above if the gate stopped no photo: the difference is what the gate does",
        ),
        Row::Class(class) if classes[class].name == ANY_DAMAGE => (
            format!("class {ANY_DAMAGE}"),
            "the class any_damage alone, against all annotated damage",
        ),
        Row::Class(class) => (
            format!("class {}", classes[class].name),
            "findings of this class, against annotations of this class",
        ),
    }
}

fn gate(engines: &Engines, scores: &[PhotoScore], figures: &Figures) -> GateFigures {
    let asked = |damage| {
        scores
            .iter()
            .filter(|s| s.damage == damage && s.gate.is_some())
            .count()
    };
    let networks = &engines.bundle.manifest().networks;
    GateFigures {
        thresholds: networks
            .iter()
            .filter_map(|network| match &network.head {
                Head::Gate { threshold, .. } => Some(*threshold),
                _ => None,
            })
            .collect(),
        damaged: asked(Damage::Damaged),
        undamaged: asked(Damage::Undamaged),
        roc_auc: figures.gate_auc,
        recall: figures.gate_recall,
        false_alarms: figures.gate_false_alarms,
    }
}
