//! Why an evaluation cannot go on, and why one photo cannot be scored.

use crate::fault::{AnnotationFault, MapFileFault, OutlineFault};
use crate::mapping::MappingOption;
use crate::photo_set::{ANNOTATIONS_FILE, SkippedPhotos};
use std::path::PathBuf;
use thiserror::Error;
use walkaround_vision::rle::RleError;

/// What kind of error it is, for the exit code of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The options, the annotations, the mapping or the photos: the caller can fix it.
    Usage,
    /// Something failed although all of these are right.
    Failure,
}

/// Why there is no report. Each displays as one complete line: where, what is wrong, and what to do.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// A folder of the options is not there.
    #[error("no folder `{}`", .0.display())]
    NoFolder(PathBuf),
    /// None of the folders has annotations.
    #[error(
        "no annotations found: no {ANNOTATIONS_FILE} in `{}`; name the annotation file",
        folder.display()
    )]
    NoAnnotations {
        /// The first folder.
        folder: PathBuf,
    },
    /// An annotation file cannot be used.
    #[error("{}: {fault}", file.display())]
    Annotations {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: AnnotationFault,
    },
    /// A mapping file cannot be used.
    #[error("{}: {fault}", file.display())]
    MapFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: MapFileFault,
    },
    /// The options map a category and ignore it too.
    #[error("`{0}` is both mapped and ignored; decide for one")]
    MappedAndIgnored(String),
    /// A category is mapped to a class that the bundle does not have.
    #[error("`{category}={class}`: the bundle has no class `{class}`; it has {}", known.join(", "))]
    UnknownClass {
        /// The category.
        category: String,
        /// What it is mapped to.
        class: String,
        /// The classes of the bundle.
        known: Vec<String>,
    },
    /// An option names a category that no annotations have.
    #[error("{option}: the annotations have no category `{category}`; they have {}", known.join(", "))]
    UnknownCategory {
        /// The option.
        option: MappingOption,
        /// The category that it names.
        category: String,
        /// The categories of all annotations.
        known: Vec<String>,
    },
    /// A photo is there twice: it would make every interval too narrow.
    #[error("`{}` is named twice", .0.display())]
    PhotoTwice(PathBuf),
    /// No photo is left to make figures of.
    #[error("no photo could be scored: {}", reasons(.0))]
    NothingScored(Vec<SkippedPhotos>),
    /// The report cannot be turned into JSON.
    #[error("the report cannot be written as JSON: {0}")]
    Json(serde_json::Error),
}

impl EvaluationError {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoFolder(_)
            | Self::NoAnnotations { .. }
            | Self::Annotations { .. }
            | Self::MapFile { .. }
            | Self::MappedAndIgnored(_)
            | Self::UnknownClass { .. }
            | Self::UnknownCategory { .. }
            | Self::PhotoTwice(_)
            | Self::NothingScored(_) => ErrorKind::Usage,
            Self::Json(_) => ErrorKind::Failure,
        }
    }
}

fn reasons(skipped: &[SkippedPhotos]) -> String {
    let reasons: Vec<String> = skipped
        .iter()
        .map(|skipped| {
            let example = skipped.first_example();
            let example = example.map_or_else(String::new, |it| format!(" (such as {it})"));
            format!("{} {}{example}", skipped.photos, skipped.reason)
        })
        .collect();
    reasons.join("; ")
}

/// Why a set of photos cannot be collected.
#[derive(Debug, Error)]
pub enum CollectError<E> {
    /// The options, the annotations or the mapping.
    #[error("{0}")]
    Evaluation(EvaluationError),
    /// The caller's [`PhotoFiles`](crate::PhotoFiles) failed.
    #[error("{0}")]
    Files(E),
}

impl<E> From<EvaluationError> for CollectError<E> {
    fn from(error: EvaluationError) -> Self {
        Self::Evaluation(error)
    }
}

/// Why one photo is left out of the scores. Displays the same for all photos with the same fault, so that they can be
/// counted by it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unscorable {
    /// The photo cannot be decoded; the codes of its reasons.
    #[error("cannot be decoded: {}", .0.join(", "))]
    NotDecoded(Vec<String>),
    /// Width and height of the annotations are swapped.
    #[error("annotated lying on its side: width and height are swapped (EXIF orientation not applied)")]
    OnItsSide,
    /// The annotations are of another size: they would be scored in the wrong place.
    #[error("annotated at another size than the photo has")]
    OtherSize,
    /// The stated size is none.
    #[error("annotated at a size that no photo has")]
    InvalidSize,
    /// An annotation gives no region, so that the photo may have more damage than is known.
    #[error("{fault}")]
    Annotation {
        /// Its id.
        annotation: String,
        /// What is wrong with it.
        fault: OutlineFault,
    },
    /// The masks of annotations cannot be joined.
    #[error(transparent)]
    Mask(#[from] RleError),
    /// The mask of a finding does not fit the photo.
    #[error("its findings do not match its size: {0}")]
    FindingMask(RleError),
    /// A finding is of a class that the bundle does not have.
    #[error("its findings do not match the bundle, which has no class `{0}`")]
    FindingClass(String),
}

impl Unscorable {
    /// The id of the annotation at fault, if it is one.
    pub fn annotation(&self) -> Option<&str> {
        match self {
            Self::Annotation { annotation, .. } => Some(annotation),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_can_fix_is_usage_and_the_rest_is_failure() {
        let json = serde_json::from_str::<u32>("x").unwrap_err();
        for (error, kind, line) in [
            (
                EvaluationError::NoFolder("a".into()),
                ErrorKind::Usage,
                "no folder `a`",
            ),
            (
                EvaluationError::UnknownCategory {
                    option: MappingOption::Ignore,
                    category: "beule".to_owned(),
                    known: vec!["dent".to_owned(), "scratch".to_owned()],
                },
                ErrorKind::Usage,
                "ignore: the annotations have no category `beule`; they have dent, scratch",
            ),
            (
                EvaluationError::NothingScored(vec![
                    SkippedPhotos {
                        reason: "could not be inspected".to_owned(),
                        photos: 2,
                        ..SkippedPhotos::default()
                    },
                    SkippedPhotos {
                        reason: Unscorable::OtherSize.to_string(),
                        photos: 1,
                        examples: vec!["a.jpg".to_owned()],
                        annotations: vec!["7".to_owned()],
                    },
                ]),
                ErrorKind::Usage,
                "no photo could be scored: 2 could not be inspected; \
                 1 annotated at another size than the photo has (such as a.jpg, annotation 7)",
            ),
            (
                EvaluationError::Json(json),
                ErrorKind::Failure,
                "the report cannot be written as JSON: expected value at line 1 column 1",
            ),
        ] {
            assert_eq!(error.kind(), kind);
            assert_eq!(error.to_string(), line);
        }
    }
}
