//! Reading COCO annotations (cocodataset.org, "data format"): pictures, and the outlines on each of them.

use crate::error::{EvaluationError, Unscorable};
use crate::fault::{ANNOTATION_BYTES_MAX, AnnotationFault};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use walkaround_domain::{Point, Rle, Size};
use walkaround_vision::rle;

/// The content of an annotation file, with every reference between its parts resolved.
#[derive(Debug)]
pub struct Annotations {
    /// Names of the categories.
    pub categories: Vec<String>,
    /// The pictures.
    pub images: Vec<Image>,
}

/// One picture.
#[derive(Debug)]
pub struct Image {
    /// As the file has it: relative to the folder of photos.
    pub file_name: String,
    /// None when the file does not state it.
    pub size: Option<Size>,
    /// Its annotated regions.
    pub shapes: Vec<Shape>,
}

/// One annotated region.
#[derive(Debug)]
pub struct Shape {
    /// Index into [`Annotations::categories`].
    pub category: usize,
    segmentation: Segmentation,
}

impl Shape {
    /// The region in a photo of the given size.
    ///
    /// # Errors
    /// When there is no outline, or none that fits the size.
    pub fn mask(&self, size: Size) -> Result<Rle, Unscorable> {
        match &self.segmentation {
            Segmentation::Polygons(rings) if !rings.is_empty() => {
                let rings = rings
                    .iter()
                    .map(|ring| points(ring))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(rle::from_polygons(size, &rings)?)
            }
            Segmentation::Runs { size: stated, counts } => {
                check_size(*stated, size)?;
                let mask = Rle {
                    size,
                    counts: counts.clone(),
                };
                // A union of one checks the counts.
                Ok(rle::union(size, &[&mask])?)
            }
            Segmentation::Text { size: stated, counts } => {
                check_size(*stated, size)?;
                Ok(rle::from_string(size, counts)?)
            }
            Segmentation::Polygons(_) | Segmentation::Missing => Err(Unscorable::NoOutline),
        }
    }
}

fn points(ring: &[f32]) -> Result<Vec<Point>, Unscorable> {
    if !ring.len().is_multiple_of(2) || ring.len() < 6 {
        return Err(Unscorable::BadOutline);
    }
    Ok(ring.chunks_exact(2).map(|p| Point { x: p[0], y: p[1] }).collect())
}

fn check_size([height, width]: [u32; 2], size: Size) -> Result<(), Unscorable> {
    if Size::new(width, height) == size {
        Ok(())
    } else {
        Err(Unscorable::OtherCodeSize)
    }
}

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
    let document: Document = serde_json::from_slice(&bytes).map_err(AnnotationFault::NotCoco)?;
    resolve(document)
}

/// COCO uses numbers; some tools write text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(n) => n.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    images: Vec<RawImage>,
    annotations: Vec<RawAnnotation>,
    categories: Vec<RawCategory>,
}

#[derive(Deserialize)]
struct RawImage {
    id: Id,
    file_name: String,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Deserialize)]
struct RawAnnotation {
    image_id: Id,
    category_id: Id,
    #[serde(default)]
    segmentation: Segmentation,
}

#[derive(Deserialize)]
struct RawCategory {
    id: Id,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Segmentation {
    /// Rings of x, y, x, y ... in pixels.
    Polygons(Vec<Vec<f32>>),
    /// Run lengths; size is height, width.
    Runs { size: [u32; 2], counts: Vec<u32> },
    /// Compressed run lengths.
    Text { size: [u32; 2], counts: String },
    #[default]
    Missing,
}

/// Replaces the ids by which the parts of a file name each other.
fn resolve(document: Document) -> Result<Annotations, AnnotationFault> {
    let mut category_of = HashMap::new();
    let mut categories = Vec::new();
    for category in document.categories {
        category_of.insert(category.id, categories.len());
        categories.push(category.name);
    }
    let mut image_of = HashMap::new();
    let mut names = HashSet::new();
    let mut images = Vec::new();
    for image in document.images {
        if !names.insert(image.file_name.clone()) {
            return Err(AnnotationFault::FileTwice(image.file_name));
        }
        if image_of.insert(image.id.clone(), images.len()).is_some() {
            return Err(AnnotationFault::IdTwice(image.id.to_string()));
        }
        images.push(Image {
            file_name: image.file_name,
            size: image.width.zip(image.height).map(|(w, h)| Size::new(w, h)),
            shapes: Vec::new(),
        });
    }
    for annotation in document.annotations {
        let image = image_of
            .get(&annotation.image_id)
            .ok_or_else(|| AnnotationFault::UnknownImage(annotation.image_id.to_string()))?;
        let category = category_of
            .get(&annotation.category_id)
            .ok_or_else(|| AnnotationFault::UnknownCategory(annotation.category_id.to_string()))?;
        images[*image].shapes.push(Shape {
            category: *category,
            segmentation: annotation.segmentation,
        });
    }
    Ok(Annotations { categories, images })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Annotations, AnnotationFault> {
        resolve(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn references_between_the_parts_are_checked() {
        for (text, fault) in [
            (
                r#"{"images":[],"categories":[],"annotations":[{"image_id":7,"category_id":1}]}"#,
                "an annotation names image 7, which is not listed",
            ),
            (
                r#"{"images":[{"id":"a","file_name":"a.jpg"}],"categories":[],
                    "annotations":[{"image_id":"a","category_id":1}]}"#,
                "an annotation names category 1, which is not listed",
            ),
            (
                r#"{"images":[{"id":1,"file_name":"a.jpg"},{"id":2,"file_name":"a.jpg"}],"categories":[],
                    "annotations":[]}"#,
                "lists `a.jpg` twice",
            ),
            (
                r#"{"images":[{"id":1,"file_name":"a.jpg"},{"id":1,"file_name":"b.jpg"}],"categories":[],
                    "annotations":[]}"#,
                "two images have the id 1",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), fault);
        }
    }

    #[test]
    fn an_outline_that_does_not_fit_is_refused_with_its_reason() {
        let shape = |segmentation: &str| Shape {
            category: 0,
            segmentation: serde_json::from_str(segmentation).unwrap(),
        };
        let size = Size::new(4, 2);
        for (segmentation, expected) in [
            ("[]", Unscorable::NoOutline),
            ("[[0, 0, 1, 1]]", Unscorable::BadOutline),
            (r#"{"size": [4, 2], "counts": [0, 8]}"#, Unscorable::OtherCodeSize),
        ] {
            assert_eq!(shape(segmentation).mask(size), Err(expected), "{segmentation}");
        }
        let whole = shape(r#"{"size": [2, 4], "counts": [0, 8]}"#).mask(size);
        assert_eq!(whole.unwrap().area(), 8);
    }
}
