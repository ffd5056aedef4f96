//! From arguments to the options of an evaluation, and from its errors to exit codes.

use crate::args::EvaluateArgs;
use crate::client::table::notice;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use walkaround_client::inputs::{self, FileNames};
use walkaround_evaluation::{
    ANNOTATIONS_FILE, AnnotatedFolder, CategoryMapping, CollectError, ErrorKind, EvaluationError,
    MappingOptions, PhotoFiles, PhotoSet, PhotoSetOptions,
};
use walkaround_vision::mask::ClassSpec;

/// The photos that the arguments name, with what is known about each.
pub(crate) fn collect(args: &EvaluateArgs, classes: &[ClassSpec]) -> Result<PhotoSet, Failure> {
    let options = photo_set_options(args)?;
    PhotoSet::collect(&options, classes, &Files::default()).map_err(|error| match error {
        CollectError::Evaluation(error) => failure(error),
        CollectError::Files(failure) => failure,
    })
}

fn photo_set_options(args: &EvaluateArgs) -> Result<PhotoSetOptions, Failure> {
    if args.annotations.is_some() && args.paths.len() != 1 {
        return Err(Failure::usage(
            "--annotations needs exactly one PATH; name folders of undamaged photos with --undamaged",
        ));
    }
    let annotated = args.paths.iter().map(|folder| AnnotatedFolder {
        folder: folder.clone(),
        annotations: args.annotations.clone(),
    });
    Ok(PhotoSetOptions {
        annotated: annotated.collect(),
        undamaged: args.undamaged.clone(),
        mapping: MappingOptions {
            map: args
                .map
                .iter()
                .map(|pair| category_mapping(pair))
                .collect::<Result<_, _>>()?,
            ignore: args.ignore.clone(),
            map_file: args.map_file.clone(),
        },
    })
}

fn category_mapping(pair: &str) -> Result<CategoryMapping, Failure> {
    match pair.split_once('=') {
        Some((category, class)) if !category.is_empty() && !class.is_empty() => Ok(CategoryMapping {
            category: category.to_owned(),
            class: class.to_owned(),
        }),
        _ => Err(Failure::usage(format!(
            "--map {pair}: write THEIRS=OURS, such as --map schramme=scratch"
        ))),
    }
}

/// The failure that an error is: `?` alone would make every error one of exit code 1.
pub(crate) fn failure(error: EvaluationError) -> Failure {
    match error.kind() {
        ErrorKind::Usage => Failure::usage(with_flags(&error)),
        ErrorKind::Failure => Failure::Failed(error.into()),
    }
}

/// The line of an error, with the flags of this program where it is about options.
fn with_flags(error: &EvaluationError) -> String {
    match error {
        EvaluationError::NoAnnotations { folder } => format!(
            "no annotations found: no {ANNOTATIONS_FILE} in `{}`; name one with --annotations",
            folder.display()
        ),
        // Flags have the names of the options.
        EvaluationError::UnknownCategory { .. } => format!("--{error}"),
        _ => error.to_string(),
    }
}

/// Photos as `inspect` finds them.
#[derive(Default)]
struct Files {
    names: FileNames,
}

impl PhotoFiles for Files {
    type Error = Failure;

    fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
        inputs::expand(&[folder.to_path_buf()], &notice)
    }

    /// Annotation tools write names with `\`, or their letters otherwise than the file system.
    fn locate(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        self.names.locate(folder, name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_evaluation::MappingOption;

    #[test]
    fn usage_errors_name_the_flags() {
        let line = |error| match failure(error) {
            Failure::Usage(line) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            line(EvaluationError::NoAnnotations { folder: "a".into() }),
            "no annotations found: no _annotations.coco.json in `a`; name one with --annotations"
        );
        assert_eq!(
            line(EvaluationError::UnknownCategory {
                option: MappingOption::Map,
                category: "beule".to_owned(),
                known: vec!["dent".to_owned()],
            }),
            "--map: the annotations have no category `beule`; they have dent"
        );
    }

    #[test]
    fn what_is_nobodys_mistake_ends_with_exit_code_1() {
        let json = serde_json::from_str::<u32>("x").unwrap_err();
        assert!(matches!(failure(EvaluationError::Json(json)), Failure::Failed(_)));
    }

    #[test]
    fn a_mapping_has_two_sides() {
        let mapping = category_mapping("beule=dent=x").unwrap();
        assert_eq!(
            (mapping.category.as_str(), mapping.class.as_str()),
            ("beule", "dent=x")
        );
        for pair in ["dent", "=dent", "beule="] {
            assert!(category_mapping(pair).is_err(), "{pair}");
        }
    }
}
