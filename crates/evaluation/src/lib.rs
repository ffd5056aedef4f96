//! A bundle scored against photos whose damage is known.
//!
//! Annotations (COCO) and folders of undamaged photos become a [`PhotoSet`], with a [`Label`] for each photo. The
//! caller inspects every photo, with all classes and with no gate stopping it, and makes a [`ScoredPhoto`] of each: its
//! findings against its [`GroundTruth`], pixel by pixel. The [`PhotoScore`]s of all photos become [`Figures`] with
//! intervals, and the document of the [`Evaluation`].
//!
//! [`comparison`] holds two bundles against each other on the same photos, with or without reviews.
//!
//! Nothing here reads a command line, runs a network or prints. An [`EvaluationError`] has a [kind](ErrorKind) that a
//! program turns into its exit code; an [`Unscorable`] photo is no error of the evaluation, it is left out and counted.
//!
//! ```
//! use walkaround_domain::Size;
//! use walkaround_evaluation::{
//!     AnnotatedMasks, Figures, GroundTruth, InspectedPhoto, PhotoScore,
//! };
//! use walkaround_messages::PhotoReport;
//! use walkaround_vision::rle;
//!
//! // A photo of 4 x 1 pixels, of which the left half is damaged.
//! let size = Size::new(4, 1);
//! let masks = AnnotatedMasks {
//!     any_damage: vec![rle::encode_mask(size, &[1, 1, 0, 0])],
//!     ..AnnotatedMasks::default()
//! };
//! let truth = GroundTruth::from_masks(size, &masks)?;
//!
//! // Its report: the gates let it through, and nothing was found.
//! let report: PhotoReport = serde_json::from_str(
//!     r#"{"schema": "walkaround.photo/1", "photo": "a.jpg", "width": 4, "height": 1,
//!         "verdict": "clean", "reasons": [], "findings": [], "gate": 0.7,
//!         "bundle": {"name": "demo", "version": "1"}, "timings_ms": {}}"#,
//! )?;
//! let inspected = InspectedPhoto { report: &report, suspect: Some(true) };
//!
//! let score = PhotoScore::of(inspected, &truth, &[])?;
//! let figures = Figures::of(&[score]);
//! assert_eq!(figures.rows[0].recall.value, Some(0.0));
//! assert_eq!(figures.gate_recall.value, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod coco;
pub mod comparison;
mod document;
mod error;
mod fault;
mod figures;
#[cfg(test)]
mod fixtures;
mod ground_truth;
mod inspected_photo;
mod mapping;
mod photo_set;
mod remarks;
mod score;
mod scored_photo;

pub use coco::{Annotations, Image, Shape, StatedSize, read as read_annotations};
pub use document::{Category, EvaluatedBundle, Evaluation, GateFigures, Intervals, MaskRow, PhotoNumbers};
pub use error::{CollectError, ErrorKind, EvaluationError, Unscorable};
pub use fault::{AnnotationFault, MapFileFault, OutlineFault, Unit};
pub use figures::{BOOTSTRAP_SEED, Figure, Figures, LEVEL, MaskFigures, RESAMPLES};
pub use ground_truth::{AnnotatedMasks, Damage, GroundTruth};
pub use inspected_photo::InspectedPhoto;
pub use mapping::{ANY_DAMAGE, CategoryMapping, CountsAs, MAP_FILE, Mapping, MappingOption, MappingOptions};
pub use photo_set::{
    ANNOTATIONS_FILE, AnnotatedFolder, CategoryUse, Label, PhotoFiles, PhotoSet, PhotoSetOptions, Skipped,
    SkippedPhotos,
};
pub use remarks::{Remark, RemarkedAnnotations, Remarks};
pub use score::{Counts, PhotoScore, Row};
pub use scored_photo::ScoredPhoto;
