//! COCO object detection (cocodataset.org, "data format", and `pycocotools.mask` for the run-length code: column by
//! column, background first, in its compressed text).
//!
//! Every region is a run-length code, so that holes, parts and single pixels survive; a box without an outline has an
//! empty `segmentation`. Beside COCO's fields there are `reviewed` and `split` on an image, and `score` and `attributes` on
//! an annotation, which readers leave alone.

use crate::annotation::Photo;
use crate::read::{ReadError, ReadPhoto, ReadShape, SizeOf, photo_size};
use crate::shapes::{Format, Geometry, Losses, Shape, lower};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use walkaround_domain::{PixelBox, Rle, Size};
use walkaround_evaluation::{Shape as AnnotatedShape, read_annotations};
use walkaround_vision::rle;

/// Writes a file photo by photo: what is held is a line an image.
pub struct Writer<W> {
    out: W,
    classes: Vec<String>,
    images: Vec<String>,
    annotations: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file with categories from 1 in the order of the classes.
    ///
    /// # Errors
    /// Errors of the output, here and below.
    pub fn new(mut out: W, classes: &[String]) -> io::Result<Self> {
        let categories = (1..).zip(classes);
        let categories: Vec<Value> = categories
            .map(|(id, name): (u64, _)| json!({"id": id, "name": name, "supercategory": "damage"}))
            .collect();
        let info = json!({"description": "photos of vehicles inspected by Walkaround"});
        write!(out, "{{\"info\": {info},\n\"licenses\": [],\n\"categories\": ")?;
        writeln!(out, "{},", Value::from(categories))?;
        write!(out, "\"annotations\": [")?;
        Ok(Self {
            out,
            classes: classes.to_vec(),
            images: Vec::new(),
            annotations: 0,
        })
    }

    /// Adds a photo.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn add(&mut self, photo: &Photo) -> io::Result<Losses> {
        let image = self.images.len() as u64 + 1;
        let size = photo.size();
        let entry = json!({
            "id": image,
            "file_name": photo.file_name(),
            "width": size.width,
            "height": size.height,
            "reviewed": photo.entry.is_reviewed(),
            "split": photo.entry.split,
        });
        self.images.push(entry.to_string());
        let (shapes, losses) = lower(Format::Coco, photo);
        for shape in &shapes {
            self.annotations += 1;
            let separator = if self.annotations == 1 { "\n" } else { ",\n" };
            let annotation = self.annotation(shape, image, photo.entry.is_reviewed());
            write!(self.out, "{separator}{annotation}")?;
        }
        Ok(losses)
    }

    fn annotation(&self, shape: &Shape<'_>, image: u64, reviewed: bool) -> Value {
        let annotation = shape.annotation;
        let class = self.classes.iter().position(|class| *class == annotation.class);
        // Its shape covers a pixel.
        let tight = annotation.region.bounding_box();
        let bbox = tight.map_or([0; 4], |b: PixelBox| [b.x, b.y, b.width, b.height]);
        let segmentation = match &shape.geometry {
            Geometry::Mask(mask) => json!({
                "size": [mask.size.height, mask.size.width],
                "counts": rle::to_string(mask),
            }),
            Geometry::Rings(_) | Geometry::Box(_) => json!([]),
        };
        let mut value = json!({
            "id": self.annotations,
            "image_id": image,
            "category_id": class.map_or(0, |at| at as u64 + 1),
            "bbox": bbox,
            "area": annotation.region.mask.area(),
            "iscrowd": 0,
            "segmentation": segmentation,
            "attributes": {
                "key": shape.key.to_string(),
                "reviewed": reviewed,
                "by": if annotation.by_person { "person" } else { "machine" },
            },
        });
        if let Some(score) = annotation.probability {
            value["score"] = json!(score);
        }
        value
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn finish(mut self) -> io::Result<W> {
        write!(
            self.out,
            "\n],\n\"images\": [\n{}\n]}}\n",
            self.images.join(",\n")
        )?;
        Ok(self.out)
    }
}

/// Reads a file; `size_of` says how large the photo of a name is.
///
/// # Errors
/// A file that is none.
pub fn read(path: &Path, size_of: SizeOf<'_>) -> Result<Vec<ReadPhoto>, ReadError> {
    let content = read_annotations(path).map_err(|error| ReadError::new(error.to_string()))?;
    let photos = content.images.into_iter().map(|image| {
        let size = photo_size(&image.file_name, image.size, size_of);
        let shape = |shape: &AnnotatedShape, size: Size| -> Result<ReadShape, ReadError> {
            let class = content.categories.get(shape.category);
            let (geometry, pixels) = geometry(shape, size)?;
            Ok(ReadShape {
                key: None,
                class: class.cloned().unwrap_or_default(),
                geometry,
                pixels,
            })
        };
        let shapes = size.and_then(|size| image.shapes.iter().map(|one| shape(one, size)).collect());
        ReadPhoto {
            name: image.file_name,
            shapes,
        }
    });
    Ok(photos.collect())
}

/// Where a shape is; and its pixels, where they do not say that already.
fn geometry(shape: &AnnotatedShape, size: Size) -> Result<(Geometry, Option<Rle>), ReadError> {
    if let Some(stated) = shape.box_only() {
        return Ok((Geometry::Box(stated), None));
    }
    let mask = shape.mask(size).map_err(|e| ReadError::new(e.to_string()))?;
    Ok(match shape.rings() {
        Some(rings) => (Geometry::Rings(rings.to_vec()), Some(mask)),
        None => (Geometry::Mask(mask), None),
    })
}
