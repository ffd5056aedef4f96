//! The document of an evaluation: `report.json`, and what `--format json` prints.

use crate::error::EvaluationError;
use crate::figures::{BOOTSTRAP_SEED, Figure, Figures, LEVEL, MaskFigures, RESAMPLES};
use crate::ground_truth::Damage;
use crate::mapping::ANY_DAMAGE;
use crate::photo_set::{PhotoSet, SkippedPhotos};
use crate::remarks::RemarkedAnnotations;
use crate::score::{PhotoScore, Row};
use serde::Serialize;
use walkaround_messages::BundleDocument;
use walkaround_vision::mask::ClassSpec;

const SCHEMA: &str = "walkaround.evaluation/1";

/// The bundle that is evaluated.
#[derive(Debug, Clone)]
pub struct EvaluatedBundle<'a> {
    /// Name and version.
    pub label: BundleDocument,
    /// For people.
    pub description: String,
    /// Its classes.
    pub classes: &'a [ClassSpec],
    /// The threshold of each gate.
    pub gate_thresholds: Vec<f32>,
}

/// The document.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    schema: &'static str,
    /// The bundle that was evaluated.
    pub bundle: BundleDocument,
    /// The description of the bundle.
    pub description: String,
    /// Numbers of photos.
    pub photos: PhotoNumbers,
    /// Photos left out, by reason.
    pub skipped: Vec<SkippedPhotos>,
    /// Annotations that were not read as they are written, on photos that are scored or on none.
    pub annotation_remarks: Vec<RemarkedAnnotations>,
    /// The categories of the annotations.
    pub categories: Vec<Category>,
    /// The table of scores.
    pub masks: Vec<MaskRow>,
    /// Mean over damaged photos of the IoU of the first row.
    pub mean_photo_iou: Figure,
    /// The scores of the gates.
    pub gate: GateFigures,
    /// How the intervals were made.
    pub intervals: Intervals,
}

/// Numbers of photos.
#[derive(Debug, Clone, Serialize)]
pub struct PhotoNumbers {
    /// All that were scored.
    pub scored: usize,
    /// With damage.
    pub damaged: usize,
    /// Without damage.
    pub undamaged: usize,
    /// With regions that are left out and no others.
    pub only_ignored: usize,
    /// Among those scored: reported as unusable, so without findings.
    pub unusable: usize,
    /// Folders without annotations, whose photos count as undamaged.
    pub folders_without_annotations: Vec<String>,
}

/// A category of the annotations.
#[derive(Debug, Clone, Serialize)]
pub struct Category {
    /// As the annotations call it.
    pub name: String,
    /// Number of its annotations.
    pub annotations: usize,
    /// The class that it is, or how it counts otherwise.
    pub counts_as: String,
}

/// One row of the table of scores.
#[derive(Debug, Clone, Serialize)]
pub struct MaskRow {
    /// Its name.
    pub name: String,
    /// What is compared with what.
    pub what: &'static str,
    /// Photos on which there is something to find.
    pub photos: usize,
    /// Its scores.
    #[serde(flatten)]
    pub figures: MaskFigures,
}

/// The scores of the gates.
#[derive(Debug, Clone, Serialize)]
pub struct GateFigures {
    /// The threshold of each gate.
    pub thresholds: Vec<f32>,
    /// Damaged photos that a gate was asked about.
    pub damaged: usize,
    /// Undamaged photos that a gate was asked about.
    pub undamaged: usize,
    /// Area under the ROC curve.
    pub roc_auc: Figure,
    /// Share of damaged photos that they let through.
    pub recall: Figure,
    /// Share of undamaged photos that they let through.
    pub false_alarms: Figure,
}

/// How the intervals were made.
#[derive(Debug, Clone, Serialize)]
pub struct Intervals {
    /// Share of the resamples inside an interval.
    pub level: f64,
    /// The method.
    pub method: &'static str,
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the random draws.
    pub seed: u64,
}

impl Evaluation {
    /// The document of a bundle, from the scores of the photos that are left of a set.
    ///
    /// # Errors
    /// When there are no scores.
    pub fn new(
        bundle: &EvaluatedBundle<'_>,
        photos: &PhotoSet,
        scores: &[PhotoScore],
    ) -> Result<Self, EvaluationError> {
        if scores.is_empty() {
            return Err(EvaluationError::NothingScored(photos.skipped.by_reason()));
        }
        let figures = Figures::of(scores);
        Ok(Self {
            schema: SCHEMA,
            bundle: bundle.label.clone(),
            description: bundle.description.clone(),
            photos: numbers(photos, scores),
            skipped: photos.skipped.by_reason(),
            annotation_remarks: photos.remarks.by_kind(),
            categories: categories(photos),
            masks: rows(bundle.classes, scores, &figures),
            mean_photo_iou: figures.mean_iou,
            gate: gate(bundle, scores, &figures),
            intervals: Intervals {
                level: LEVEL,
                method: "bootstrap over photos, percentiles",
                resamples: RESAMPLES,
                seed: BOOTSTRAP_SEED,
            },
        })
    }

    /// The text of the document.
    ///
    /// # Errors
    /// When it cannot be turned into JSON.
    pub fn to_json(&self) -> Result<String, EvaluationError> {
        serde_json::to_string_pretty(self).map_err(EvaluationError::Json)
    }
}

fn numbers(photos: &PhotoSet, scores: &[PhotoScore]) -> PhotoNumbers {
    let number = |damage| scores.iter().filter(|score| score.damage == damage).count();
    PhotoNumbers {
        scored: scores.len(),
        damaged: number(Damage::Damaged),
        undamaged: number(Damage::Undamaged),
        only_ignored: number(Damage::OnlyIgnored),
        unusable: scores.iter().filter(|score| score.unusable).count(),
        folders_without_annotations: photos
            .without_annotations
            .iter()
            .map(|folder| folder.display().to_string())
            .collect(),
    }
}

fn categories(photos: &PhotoSet) -> Vec<Category> {
    photos
        .categories
        .iter()
        .map(|(category, annotations)| Category {
            name: category.name.clone(),
            annotations: *annotations,
            counts_as: category.counts_as.clone(),
        })
        .collect()
}

fn rows(classes: &[ClassSpec], scores: &[PhotoScore], figures: &Figures) -> Vec<MaskRow> {
    Row::all(classes)
        .into_iter()
        .enumerate()
        .map(|(at, row)| {
            let (name, what) = describe(row, classes);
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

/// Name of a row, and what is compared in it.
fn describe(row: Row, classes: &[ClassSpec]) -> (String, &'static str) {
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
            "the same as the row above if the gate stopped no photo: the difference is the effect of the gate",
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

fn gate(bundle: &EvaluatedBundle<'_>, scores: &[PhotoScore], figures: &Figures) -> GateFigures {
    let asked = |damage| {
        scores
            .iter()
            .filter(|s| s.damage == damage && s.gate.is_some())
            .count()
    };
    GateFigures {
        thresholds: bundle.gate_thresholds.clone(),
        damaged: asked(Damage::Damaged),
        undamaged: asked(Damage::Undamaged),
        roc_auc: figures.gate_auc,
        recall: figures.gate_recall,
        false_alarms: figures.gate_false_alarms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::score::Counts;
    use std::path::Path;

    fn bundle() -> EvaluatedBundle<'static> {
        EvaluatedBundle {
            label: BundleDocument {
                name: "demo".to_owned(),
                version: "1".to_owned(),
            },
            description: "drawn".to_owned(),
            classes: &[],
            gate_thresholds: vec![0.5],
        }
    }

    #[test]
    fn without_a_score_there_is_no_document_but_the_reasons() {
        let mut photos = PhotoSet::default();
        photos
            .skipped
            .add("in the folder, but not in the annotations", Path::new("a.jpg"));
        let error = Evaluation::new(&bundle(), &photos, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(
            error.to_string(),
            "no photo could be scored: 1 in the folder, but not in the annotations (such as a.jpg)"
        );
    }

    #[test]
    fn the_document_counts_photos_and_names_its_rows() {
        let counts = Counts {
            hit: 8,
            wrong: 0,
            missed: 2,
        };
        let score = PhotoScore {
            damage: Damage::Damaged,
            gate: Some(0.9),
            suspect: Some(true),
            unusable: true,
            counts: vec![counts; 3],
            shown: vec![],
        };
        let document = Evaluation::new(&bundle(), &PhotoSet::default(), &[score]).unwrap();
        let json: serde_json::Value = serde_json::from_str(&document.to_json().unwrap()).unwrap();
        assert_eq!(json["schema"], "walkaround.evaluation/1");
        assert_eq!(json["photos"]["damaged"], 1);
        assert_eq!(json["photos"]["unusable"], 1);
        assert_eq!(json["masks"][1]["name"], "any damage, all classes");
        assert_eq!(json["masks"][0]["iou"]["value"], 0.8);
        assert_eq!(json["gate"]["thresholds"], serde_json::json!([0.5]));
    }
}
