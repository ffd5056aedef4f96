//! All findings as one COCO document (cocodataset.org, "data format"): images, annotations with run-length
//! segmentation and score, categories.

use serde::Serialize;
use walkaround_inference::Manifest;
use walkaround_messages::{PhotoReport, RleDocument};

#[derive(Serialize)]
pub(crate) struct Coco {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Serialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
    verdict: String,
}

#[derive(Serialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [u32; 4],
    area: u64,
    score: f32,
    iscrowd: u8,
    segmentation: Segmentation,
}

/// Run-length code of the region, or COCO's empty list of polygons where a network gives boxes only.
#[derive(Serialize)]
#[serde(untagged)]
enum Segmentation {
    Region(RleDocument),
    BoxOnly([(); 0]),
}

#[derive(Serialize)]
struct Category {
    id: u64,
    name: String,
}

impl Coco {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        let categories = manifest
            .classes
            .iter()
            .zip(1..)
            .map(|(class, id)| Category {
                id,
                name: class.name.clone(),
            })
            .collect();
        Self {
            images: Vec::new(),
            annotations: Vec::new(),
            categories,
        }
    }

    pub(crate) fn add(&mut self, report: &PhotoReport) {
        let id = self.images.len() as u64 + 1;
        self.images.push(Image {
            id,
            file_name: report.photo.clone(),
            width: report.width.unwrap_or(0),
            height: report.height.unwrap_or(0),
            verdict: report.verdict.clone(),
        });
        for finding in &report.findings {
            let category = self.categories.iter().find(|c| c.name == finding.class);
            self.annotations.push(Annotation {
                id: self.annotations.len() as u64 + 1,
                image_id: id,
                category_id: category.map_or(0, |c| c.id),
                bbox: finding.bbox,
                area: finding.area_px,
                score: finding.probability,
                iscrowd: 0,
                segmentation: if finding.box_only {
                    Segmentation::BoxOnly([])
                } else {
                    Segmentation::Region(finding.rle.clone())
                },
            });
        }
    }
}
