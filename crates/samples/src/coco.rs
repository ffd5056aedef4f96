//! The annotation file of a set, in COCO's form. How: one annotation per damage, its region as uncompressed
//! run lengths down the columns, which keeps holes and every pixel.

use image::GrayImage;
use serde_json::{Value, json};

use crate::{SampleSpec, VERSION};

/// Class names; a category's id is its place here plus one.
pub const CLASSES: [&str; 3] = ["scratch", "dent", "spacing"];

/// Collects a set's images and annotations.
#[derive(Debug, Default)]
pub(crate) struct Coco {
    images: Vec<Value>,
    annotations: Vec<Value>,
}

impl Coco {
    /// Adds a picture; returns its id.
    pub(crate) fn image(&mut self, file_name: &str, spec: &SampleSpec) -> usize {
        let id = self.images.len() + 1;
        self.images.push(json!({
            "id": id,
            "file_name": file_name,
            "width": spec.width,
            "height": spec.height,
            "kind": spec.kind.name(),
            "seed": spec.seed.to_string(),
        }));
        id
    }

    /// Adds one class of damage of picture `image`; an unknown class is not written.
    pub(crate) fn damage(&mut self, image: usize, damage: &crate::Damage) {
        let Some(class) = CLASSES.iter().position(|name| *name == damage.class) else {
            return;
        };
        let mask = &damage.mask;
        self.annotations.push(json!({
            "id": self.annotations.len() + 1,
            "image_id": image,
            "category_id": class + 1,
            "segmentation": { "size": [mask.height(), mask.width()], "counts": column_runs(mask) },
            "area": mask.pixels().filter(|pixel| pixel[0] > 0).count(),
            "bbox": bounds(mask),
            "iscrowd": 0,
        }));
    }

    /// The whole document.
    pub(crate) fn document(&self, seed: u64) -> Value {
        let categories: Vec<Value> = (1..)
            .zip(CLASSES)
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        json!({
            "info": {
                "description": "drawn samples, not photos",
                "version": VERSION.to_string(),
                "seed": seed.to_string(),
            },
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories,
        })
    }
}

/// Lengths of alternating runs, clear first, reading down the columns.
fn column_runs(mask: &GrayImage) -> Vec<u32> {
    let (mut runs, mut current, mut length) = (Vec::new(), false, 0);
    for x in 0..mask.width() {
        for y in 0..mask.height() {
            let set = mask.get_pixel(x, y)[0] > 0;
            if set != current {
                runs.push(length);
                (current, length) = (set, 0);
            }
            length += 1;
        }
    }
    runs.push(length);
    runs
}

/// `[x, y, width, height]` of the set pixels; zeros when none is set.
fn bounds(mask: &GrayImage) -> [u32; 4] {
    let set = || mask.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] > 0);
    let left = set().map(|(x, _, _)| x).min().unwrap_or(0);
    let top = set().map(|(_, y, _)| y).min().unwrap_or(0);
    let right = set().map(|(x, _, _)| x + 1).max().unwrap_or(0);
    let bottom = set().map(|(_, y, _)| y + 1).max().unwrap_or(0);
    [left, top, right - left, bottom - top]
}
