//! Reading COCO annotations (cocodataset.org, "data format"): pictures, and the outlines on each of them, as CVAT, Label
//! Studio, Roboflow, pycocotools and converters write them.
//!
//! What has one meaning only is read, whatever its form: ids as text, sizes as floats, flat polygons, points as pairs. What
//! may mean something else is refused or left out, with the names of the annotation and of the photo.

mod annotations;
mod outline;
mod raw;
mod resolve;
mod rings;
mod text;
mod units;
mod value;

use crate::error::EvaluationError;
use crate::fault::{ANNOTATION_BYTES_MAX, AnnotationFault};
pub use annotations::{Annotations, Image, Shape, StatedSize};
use resolve::resolve;
use std::fs::File;
use std::io::Read;
use std::path::Path;
pub(crate) use units::looks_like_percent;

/// Reads an annotation file.
///
/// # Errors
/// [`EvaluationError::Annotations`], with the file and what is wrong with it.
pub fn read(path: &Path) -> Result<Annotations, EvaluationError> {
    parse_file(path).map_err(|fault| EvaluationError::Annotations {
        file: path.to_path_buf(),
        fault,
    })
}

fn parse_file(path: &Path) -> Result<Annotations, AnnotationFault> {
    let file = File::open(path).map_err(AnnotationFault::Open)?;
    let mut bytes = Vec::new();
    file.take(ANNOTATION_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(AnnotationFault::Read)?;
    if bytes.len() as u64 > ANNOTATION_BYTES_MAX {
        return Err(AnnotationFault::TooLarge);
    }
    let document = text::parse(bytes)?;
    let annotations = resolve(document, path)?;
    units::check(&annotations.images)?;
    Ok(annotations)
}
