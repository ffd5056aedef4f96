//! From the paths on the command line to photos, each with what is known about it.

use super::coco::{self, Image};
use super::mapping::{self, CountsAs, Mapping};
use crate::args::EvaluateArgs;
use crate::failure::Failure;
use crate::inspect::inputs::{self, FileNames};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use walkaround_vision::mask::ClassSpec;

/// The name that annotation tools give the file inside a folder of photos.
pub(crate) const ANNOTATIONS_FILE: &str = "_annotations.coco.json";
/// Most photos named as examples of a reason for leaving photos out.
const EXAMPLES_MAX: usize = 5;

/// Photos to look at, and what is known about each (same order).
#[derive(Default)]
pub(crate) struct Photos {
    pub paths: Vec<PathBuf>,
    pub known: Vec<Known>,
    pub skipped: Skipped,
    /// By category: how many annotations there are, and what they count as. Sets may differ in the latter.
    pub categories: BTreeMap<(String, String), usize>,
    /// Folders whose photos count as undamaged because they have no annotations.
    pub without_annotations: Vec<PathBuf>,
}

/// What is known about a photo.
pub(crate) enum Known {
    Undamaged,
    Annotated {
        image: Image,
        /// By category of the annotations.
        counts_as: std::rc::Rc<[CountsAs]>,
    },
}

/// Photos left out, by reason.
#[derive(Default)]
pub(crate) struct Skipped(BTreeMap<String, (usize, Vec<String>)>);

impl Skipped {
    pub(crate) fn add(&mut self, reason: impl Into<String>, photo: &Path) {
        let (count, examples) = self.0.entry(reason.into()).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(photo.display().to_string());
        }
    }

    /// Reason, number of photos, some of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, usize, &[String])> {
        self.0
            .iter()
            .map(|(reason, (count, examples))| (reason.as_str(), *count, examples.as_slice()))
    }
}

/// Reads all annotations and lists all photos.
pub(crate) fn collect(args: &EvaluateArgs, classes: &[ClassSpec]) -> Result<Photos, Failure> {
    if args.annotations.is_some() && args.paths.len() != 1 {
        return Err(Failure::usage(
            "--annotations goes with one PATH; name folders of undamaged photos with --undamaged",
        ));
    }
    for folder in args.paths.iter().chain(&args.undamaged) {
        if !folder.is_dir() {
            return Err(Failure::usage(format!("no folder `{}`", folder.display())));
        }
    }
    let mut photos = Photos::default();
    let mut categories = BTreeSet::new();
    for folder in &args.paths {
        let beside = folder.join(ANNOTATIONS_FILE);
        let file = args.annotations.as_deref().unwrap_or(&beside);
        if args.annotations.is_none() && !file.is_file() {
            photos.without_annotations.push(folder.clone());
            photos.undamaged(folder)?;
        } else {
            let set = coco::read(file)?;
            categories.extend(set.categories.iter().cloned());
            let mapping = Mapping::of(args, file, classes)?;
            photos.annotated(folder, set, (&mapping, classes))?;
        }
    }
    if photos.without_annotations.len() == args.paths.len() {
        return Err(Failure::usage(format!(
            "no annotations found: there is no {ANNOTATIONS_FILE} in `{}`; name one with --annotations",
            args.paths[0].display()
        )));
    }
    mapping::check_flags(args, &categories.iter().map(String::as_str).collect())?;
    for folder in &args.undamaged {
        photos.undamaged(folder)?;
    }
    photos.must_differ()?;
    Ok(photos)
}

impl Photos {
    fn undamaged(&mut self, folder: &Path) -> Result<(), Failure> {
        for path in inputs::expand(&[folder.to_path_buf()])? {
            self.paths.push(path);
            self.known.push(Known::Undamaged);
        }
        Ok(())
    }

    fn annotated(
        &mut self,
        folder: &Path,
        set: coco::Annotations,
        (mapping, classes): (&Mapping, &[ClassSpec]),
    ) -> Result<(), Failure> {
        let counts_as: std::rc::Rc<[CountsAs]> = set
            .categories
            .iter()
            .map(|name| mapping.counts_as(name, classes))
            .collect();
        for shape in set.images.iter().flat_map(|image| &image.shapes) {
            let words = counts_as[shape.category].words(classes);
            let name = set.categories[shape.category].clone();
            *self.categories.entry((name, words)).or_default() += 1;
        }
        let mut listed = HashSet::new();
        let names = FileNames::default();
        for image in set.images {
            // Annotation tools write names with `\`, or their letters otherwise than the file system.
            let located = names.locate(folder, &image.file_name);
            let path = located.unwrap_or_else(|_| folder.join(&image.file_name));
            if path.is_file() {
                listed.insert(path.clone());
                self.paths.push(path);
                self.known.push(Known::Annotated {
                    image,
                    counts_as: counts_as.clone(),
                });
            } else {
                self.skipped
                    .add("in the annotations, but there is no such file", &path);
            }
        }
        // Whether a photo that the annotations do not list is damaged, nobody says.
        for path in inputs::expand(&[folder.to_path_buf()])? {
            if !listed.contains(&path) {
                self.skipped
                    .add("in the folder, but not in the annotations", &path);
            }
        }
        Ok(())
    }

    /// A photo that counted twice would make every interval too narrow.
    fn must_differ(&self) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        for path in &self.paths {
            if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                return Err(Failure::usage(format!("`{}` is named twice", path.display())));
            }
        }
        Ok(())
    }
}
