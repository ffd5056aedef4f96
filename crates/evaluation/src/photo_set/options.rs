//! Which photos are evaluated.

use crate::mapping::MappingOptions;
use std::path::PathBuf;

/// The name that annotation tools give the file inside a folder of photos.
pub const ANNOTATIONS_FILE: &str = "_annotations.coco.json";

/// Which photos are evaluated.
#[derive(Debug, Clone, Default)]
pub struct PhotoSetOptions {
    /// Folders of photos with annotations. Photos of a folder without them count as undamaged.
    pub annotated: Vec<AnnotatedFolder>,
    /// Folders of undamaged photos.
    pub undamaged: Vec<PathBuf>,
    /// Which class a category is.
    pub mapping: MappingOptions,
}

/// A folder of photos with annotations.
#[derive(Debug, Clone)]
pub struct AnnotatedFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The annotation file; none for [`ANNOTATIONS_FILE`] in the folder, if there is one.
    pub annotations: Option<PathBuf>,
}
