//! Reading COCO annotations (cocodataset.org, "data format"): pictures, and the outlines on each of them.

use crate::failure::Failure;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use walkaround_domain::{Point, Rle, Size};
use walkaround_vision::rle;

/// Largest annotation file, in bytes.
const BYTES_MAX: u64 = 1 << 30;

/// What an annotation file says, with every reference between its parts resolved.
pub(crate) struct Annotations {
    /// Names of the categories.
    pub categories: Vec<String>,
    pub images: Vec<Image>,
}

/// One picture.
pub(crate) struct Image {
    /// As the file has it: relative to the folder of photos.
    pub file_name: String,
    /// None when the file does not tell.
    pub size: Option<Size>,
    pub shapes: Vec<Shape>,
}

/// One annotated region.
pub(crate) struct Shape {
    /// Index into [`Annotations::categories`].
    pub category: usize,
    segmentation: Segmentation,
}

impl Shape {
    /// The region in a photo of the given size, or why there is none, in words.
    pub(crate) fn mask(&self, size: Size) -> Result<Rle, String> {
        let words = |error: rle::RleError| error.to_string();
        match &self.segmentation {
            Segmentation::Polygons(rings) if !rings.is_empty() => {
                let rings = rings
                    .iter()
                    .map(|ring| points(ring))
                    .collect::<Result<Vec<_>, _>>()?;
                rle::from_polygons(size, &rings).map_err(words)
            }
            Segmentation::Runs { size: stated, counts } => {
                same_size(*stated, size)?;
                let mask = Rle {
                    size,
                    counts: counts.clone(),
                };
                // A union of one checks the counts.
                rle::union(size, &[&mask]).map_err(words)
            }
            Segmentation::Text { size: stated, counts } => {
                same_size(*stated, size)?;
                rle::from_string(size, counts).map_err(words)
            }
            Segmentation::Polygons(_) | Segmentation::Missing => {
                Err("an annotation has no outline".to_owned())
            }
        }
    }
}

fn points(ring: &[f32]) -> Result<Vec<Point>, String> {
    if !ring.len().is_multiple_of(2) || ring.len() < 6 {
        return Err("an outline is not a list of at least three points".to_owned());
    }
    Ok(ring.chunks_exact(2).map(|p| Point { x: p[0], y: p[1] }).collect())
}

fn same_size([height, width]: [u32; 2], size: Size) -> Result<(), String> {
    if Size::new(width, height) == size {
        Ok(())
    } else {
        Err("the size of a run-length code differs from the photo's".to_owned())
    }
}

/// Reads an annotation file.
///
/// # Errors
/// Usage: one line with the file and what is wrong in it.
pub(crate) fn read(path: &Path) -> Result<Annotations, Failure> {
    let fault = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|e| fault(format!("cannot open: {e}")))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| fault(format!("cannot read: {e}")))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(fault(format!("over the limit of {} MiB", BYTES_MAX >> 20)));
    }
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|e| fault(format!("not a COCO annotation file: {e}")))?;
    resolve(document).map_err(fault)
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

#[derive(Default, Deserialize)]
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

fn resolve(document: Document) -> Result<Annotations, String> {
    let mut ids = HashMap::new();
    let mut categories = Vec::new();
    for category in document.categories {
        ids.insert(category.id, categories.len());
        categories.push(category.name);
    }
    let mut places = HashMap::new();
    let mut names = HashSet::new();
    let mut images = Vec::new();
    for image in document.images {
        if !names.insert(image.file_name.clone()) {
            return Err(format!("lists `{}` twice", image.file_name));
        }
        if places.insert(image.id.clone(), images.len()).is_some() {
            return Err(format!("two images have the id {}", image.id));
        }
        images.push(Image {
            file_name: image.file_name,
            size: image.width.zip(image.height).map(|(w, h)| Size::new(w, h)),
            shapes: Vec::new(),
        });
    }
    for annotation in document.annotations {
        let image = places.get(&annotation.image_id).ok_or_else(|| {
            format!(
                "an annotation names image {}, which is not listed",
                annotation.image_id
            )
        })?;
        let category = *ids.get(&annotation.category_id).ok_or_else(|| {
            format!(
                "an annotation names category {}, which is not listed",
                annotation.category_id
            )
        })?;
        images[*image].shapes.push(Shape {
            category,
            segmentation: annotation.segmentation,
        });
    }
    Ok(Annotations { categories, images })
}
