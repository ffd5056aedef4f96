//! From folders to photos, each with what is known about it.

mod options;
mod skipped;

use crate::coco::{self, Annotations, Image};
use crate::error::{CollectError, EvaluationError};
use crate::mapping::{CountsAs, Mapping};
use crate::remarks::Remarks;
pub use options::{ANNOTATIONS_FILE, AnnotatedFolder, PhotoSetOptions};
pub use skipped::{Skipped, SkippedPhotos};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkaround_vision::mask::ClassSpec;

/// How the caller finds files of photos.
pub trait PhotoFiles {
    /// Why photos cannot be listed.
    type Error;

    /// The photos in a folder, in the order in which they are evaluated.
    ///
    /// # Errors
    /// When the folder cannot be listed or holds no photo.
    fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, Self::Error>;

    /// The file that annotations name, relative to the folder of their photos; none when there is no such file.
    fn locate(&self, folder: &Path, name: &str) -> Option<PathBuf>;
}

/// Photos to evaluate, and what is known about each.
#[derive(Debug, Default)]
pub struct PhotoSet {
    /// The photos.
    pub paths: Vec<PathBuf>,
    /// What is known about each, in the same order.
    pub labels: Vec<Label>,
    /// Photos left out.
    pub skipped: Skipped,
    /// Annotations that were not read as they are written.
    pub remarks: Remarks,
    /// How many annotations there are of each category.
    pub categories: BTreeMap<CategoryUse, usize>,
    /// Folders whose photos count as undamaged because they have no annotations.
    pub without_annotations: Vec<PathBuf>,
}

/// What is known about a photo.
#[derive(Debug)]
pub enum Label {
    /// It shows no damage.
    Undamaged,
    /// Its damage is annotated.
    Annotated {
        /// What the annotations say.
        image: Image,
        /// What each category of the annotations counts as.
        counts_as: Arc<[CountsAs]>,
    },
}

/// A category of annotations and what it counts as; two sets of annotations may differ in the latter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CategoryUse {
    /// As the annotations call it.
    pub name: String,
    /// For people.
    pub counts_as: String,
}

impl PhotoSet {
    /// Reads all annotations and lists all photos.
    ///
    /// # Errors
    /// When a folder, an annotation file or the mapping cannot be used, when there are no annotations at all, when a
    /// photo is there twice, and when `files` fails.
    pub fn collect<F: PhotoFiles>(
        options: &PhotoSetOptions,
        classes: &[ClassSpec],
        files: &F,
    ) -> Result<Self, CollectError<F::Error>> {
        let annotated = options.annotated.iter().map(|set| &set.folder);
        if let Some(missing) = annotated.chain(&options.undamaged).find(|it| !it.is_dir()) {
            return Err(EvaluationError::NoFolder(missing.clone()).into());
        }
        let mut collector = Collector {
            classes,
            files,
            photos: Self::default(),
        };
        let mut categories = BTreeSet::new();
        for AnnotatedFolder { folder, annotations } in &options.annotated {
            let beside = folder.join(ANNOTATIONS_FILE);
            let file = annotations.as_deref().unwrap_or(&beside);
            if annotations.is_none() && !file.is_file() {
                collector.photos.without_annotations.push(folder.clone());
                collector.add_undamaged(folder)?;
            } else {
                let annotations = coco::read(file)?;
                categories.extend(annotations.categories.iter().cloned());
                let mapping = Mapping::load(&options.mapping, file, classes)?;
                collector.add_annotated(folder, annotations, &mapping)?;
            }
        }
        if let Some(set) = options.annotated.first()
            && collector.photos.without_annotations.len() == options.annotated.len()
        {
            let folder = set.folder.clone();
            return Err(EvaluationError::NoAnnotations { folder }.into());
        }
        options.mapping.check_categories(&categories)?;
        for folder in &options.undamaged {
            collector.add_undamaged(folder)?;
        }
        collector.photos.check_distinct()?;
        Ok(collector.photos)
    }

    /// A photo that counted twice would make every interval too narrow.
    fn check_distinct(&self) -> Result<(), EvaluationError> {
        let mut seen = HashSet::new();
        for path in &self.paths {
            if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                return Err(EvaluationError::PhotoTwice(path.clone()));
            }
        }
        Ok(())
    }
}

/// A set on its way.
struct Collector<'a, F> {
    classes: &'a [ClassSpec],
    files: &'a F,
    photos: PhotoSet,
}

impl<F: PhotoFiles> Collector<'_, F> {
    fn add_undamaged(&mut self, folder: &Path) -> Result<(), CollectError<F::Error>> {
        for path in self.files.list(folder).map_err(CollectError::Files)? {
            self.photos.paths.push(path);
            self.photos.labels.push(Label::Undamaged);
        }
        Ok(())
    }

    fn add_annotated(
        &mut self,
        folder: &Path,
        annotations: Annotations,
        mapping: &Mapping,
    ) -> Result<(), CollectError<F::Error>> {
        let counts_as = self.count_categories(&annotations, mapping);
        let photos = &mut self.photos;
        photos.remarks.join(annotations.remarks);
        let mut listed = HashSet::new();
        for image in annotations.images {
            let located = self.files.locate(folder, &image.file_name);
            let path = located.unwrap_or_else(|| folder.join(&image.file_name));
            if path.is_file() {
                listed.insert(path.clone());
                photos.paths.push(path);
                photos.labels.push(Label::Annotated {
                    image,
                    counts_as: counts_as.clone(),
                });
            } else {
                photos
                    .skipped
                    .add("in the annotations, but there is no such file", &path);
            }
        }
        // Whether a photo that the annotations do not list is damaged is unknown.
        for path in self.files.list(folder).map_err(CollectError::Files)? {
            if !listed.contains(&path) {
                photos
                    .skipped
                    .add("in the folder, but not in the annotations", &path);
            }
        }
        Ok(())
    }

    /// Counts the annotations of each category; returns what each category counts as.
    fn count_categories(&mut self, annotations: &Annotations, mapping: &Mapping) -> Arc<[CountsAs]> {
        let counts_as: Arc<[CountsAs]> = annotations
            .categories
            .iter()
            .map(|name| mapping.counts_as(name, self.classes))
            .collect();
        for shape in annotations.images.iter().flat_map(|image| &image.shapes) {
            let category = CategoryUse {
                name: annotations.categories[shape.category].clone(),
                counts_as: counts_as[shape.category].describe(self.classes),
            };
            *self.photos.categories.entry(category).or_default() += 1;
        }
        counts_as
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::fixtures::class;
    use crate::mapping::CategoryMapping;
    use walkaround_vision::mask::Report;

    /// Every `.jpg` of a folder.
    struct Jpegs;

    impl PhotoFiles for Jpegs {
        type Error = std::io::Error;

        fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
            let mut paths: Vec<PathBuf> = folder.read_dir()?.map(|entry| entry.unwrap().path()).collect();
            paths.retain(|path| path.extension().is_some_and(|it| it == "jpg"));
            paths.sort();
            Ok(paths)
        }

        fn locate(&self, folder: &Path, name: &str) -> Option<PathBuf> {
            Some(folder.join(name)).filter(|path| path.is_file())
        }
    }

    fn dent() -> Vec<ClassSpec> {
        vec![class("dent", Report::Always)]
    }

    /// A folder with `a.jpg` and `b.jpg`, of which the annotations list `a.jpg` and `gone.jpg`.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let annotations = r#"{
            "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "gone.jpg"}],
            "categories": [{"id": 1, "name": "beule"}],
            "annotations": [{"image_id": 1, "category_id": 1, "segmentation": []}]
        }"#;
        for (name, text) in [(ANNOTATIONS_FILE, annotations), ("a.jpg", ""), ("b.jpg", "")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn options(folder: &Path) -> PhotoSetOptions {
        PhotoSetOptions {
            annotated: vec![AnnotatedFolder {
                folder: folder.to_path_buf(),
                annotations: None,
            }],
            ..PhotoSetOptions::default()
        }
    }

    #[test]
    fn photos_are_those_that_annotations_and_folder_both_have() {
        let folder = folder();
        let photos = PhotoSet::collect(&options(folder.path()), &dent(), &Jpegs).unwrap();
        assert_eq!(photos.paths, [folder.path().join("a.jpg")]);
        let skipped: Vec<String> = photos
            .skipped
            .by_reason()
            .into_iter()
            .map(|it| it.reason)
            .collect();
        assert_eq!(
            skipped,
            [
                "in the annotations, but there is no such file",
                "in the folder, but not in the annotations"
            ]
        );
        let beule = CategoryUse {
            name: "beule".to_owned(),
            counts_as: "any damage only".to_owned(),
        };
        assert_eq!(photos.categories, BTreeMap::from([(beule, 1)]));
    }

    #[test]
    fn mistakes_in_the_options_are_usage() {
        let folder = folder();
        let bare = tempfile::tempdir().unwrap();
        let mapped = |category: &str, class: &str| {
            let mut options = options(folder.path());
            options.mapping.map.push(CategoryMapping {
                category: category.to_owned(),
                class: class.to_owned(),
            });
            options
        };
        let mut both = mapped("beule", "dent");
        both.mapping.ignore.push("beule".to_owned());
        let mut twice = options(folder.path());
        twice.undamaged.push(folder.path().to_path_buf());
        for (options, part) in [
            (options(&folder.path().join("none")), "no folder `"),
            (options(bare.path()), "no annotations found"),
            (
                mapped("beule", "dint"),
                "`beule=dint`: the bundle has no class `dint`; it has dent",
            ),
            (
                mapped("buele", "dent"),
                "map: the annotations have no category `buele`",
            ),
            (both, "`beule` is both mapped and ignored"),
            (twice, "a.jpg` is named twice"),
        ] {
            let error = PhotoSet::collect(&options, &dent(), &Jpegs).unwrap_err();
            assert!(error.to_string().contains(part), "{part}: {error}");
            let CollectError::Evaluation(error) = error else {
                panic!("{part}: {error}");
            };
            assert_eq!(error.kind(), ErrorKind::Usage, "{part}");
        }
    }

    #[test]
    fn a_mapping_file_beside_the_annotations_counts_and_options_override_it() {
        let folder = folder();
        let map = "ignore = [\"airbag\"]\n[map]\nbeule = \"dent\"\n";
        std::fs::write(folder.path().join(crate::MAP_FILE), map).unwrap();
        let counts_as = |options: &PhotoSetOptions| {
            let photos = PhotoSet::collect(options, &dent(), &Jpegs).unwrap();
            photos.categories.into_keys().next().unwrap().counts_as
        };
        let mut options = options(folder.path());
        assert_eq!(counts_as(&options), "dent");
        options.mapping.ignore.push("beule".to_owned());
        assert_eq!(counts_as(&options), "left out");
    }
}
