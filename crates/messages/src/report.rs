//! The document about one photo: what `walkaround inspect` writes beside each marked picture.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use walkaround_domain::{BundleId, Finding, Reason};

/// Version of [`PhotoReport`], its first field.
pub const PHOTO_REPORT_SCHEMA: &str = "walkaround.photo/1";

/// Everything about one photo. Coordinates are pixels of the upright original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhotoReport {
    /// [`PHOTO_REPORT_SCHEMA`].
    pub schema: String,
    /// The photo, as it was named.
    pub photo: String,
    /// SHA-256 of the file, hexadecimal; none when it was over the size limit and never read.
    pub sha256: Option<String>,
    /// Width of the upright original; none when the photo could not be decoded.
    pub width: Option<u32>,
    /// Height of the upright original.
    pub height: Option<u32>,
    /// `clean`, `damaged` or `unusable`.
    pub verdict: String,
    /// Why, when unusable.
    pub reasons: Vec<ReasonDocument>,
    /// Measured quality.
    pub quality: Option<QualityDocument>,
    /// Highest P(damage) of the gates; none when no gate was asked.
    pub gate: Option<f32>,
    /// The vehicle's box (left, top, width, height); none without a locator or a vehicle.
    pub vehicle: Option<[u32; 4]>,
    /// Damaged regions.
    pub findings: Vec<FindingDocument>,
    /// The bundle that looked.
    pub bundle: BundleDocument,
    /// Milliseconds of wall time by stage.
    pub timings_ms: BTreeMap<String, f64>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonDocument {
    /// For machines.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl From<&Reason> for ReasonDocument {
    fn from(reason: &Reason) -> Self {
        Self {
            code: reason.code.as_str().to_owned(),
            detail: reason.detail.clone(),
        }
    }
}

/// Measured picture quality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityDocument {
    /// Variance of the Laplacian at the fixed scale.
    pub sharpness: f32,
    /// Mean luma, 0 to 255.
    pub luma_mean: f32,
    /// Share of pixels at the dark end.
    pub clipped_dark: f32,
    /// Share of pixels at the bright end.
    pub clipped_bright: f32,
}

/// Name and version of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleDocument {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

impl From<&BundleId> for BundleDocument {
    fn from(bundle: &BundleId) -> Self {
        Self {
            name: bundle.name.clone(),
            version: bundle.version.clone(),
        }
    }
}

/// A mask in COCO's compressed run-length code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RleDocument {
    /// Height, width.
    pub size: [u32; 2],
    /// COCO's text form of the run lengths (column-major).
    pub counts: String,
}

/// One outline with its holes; points are `[x, y]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolygonDocument {
    /// Outline, clockwise.
    pub outer: Vec<[f32; 2]>,
    /// Holes, anticlockwise.
    pub holes: Vec<Vec<[f32; 2]>>,
}

/// One damaged region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingDocument {
    /// Damage class.
    pub class: String,
    /// Mean probability over the region.
    pub probability: f32,
    /// Pixels of the original inside the region.
    pub area_px: u64,
    /// Share of the photo.
    pub area_share: f64,
    /// Left, top, width, height.
    pub bbox: [u32; 4],
    /// Whether there is a box and no outline: the network gives boxes only. `polygons` is empty then, and area and
    /// `rle` are those of the box. Left out where there is an outline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub box_only: bool,
    /// Simplified outlines.
    pub polygons: Vec<PolygonDocument>,
    /// The exact region.
    pub rle: RleDocument,
}

impl FindingDocument {
    /// The document of a finding. `counts` is the COCO text of its run-length code (the codec lives with the
    /// image work, not here).
    pub fn new(finding: &Finding, counts: String) -> Self {
        let ring =
            |points: &[walkaround_domain::Point]| points.iter().map(|p| [tenth(p.x), tenth(p.y)]).collect();
        Self {
            class: finding.class.clone(),
            probability: finding.probability,
            area_px: finding.area_px,
            area_share: finding.area_share,
            bbox: [
                finding.bbox.x,
                finding.bbox.y,
                finding.bbox.width,
                finding.bbox.height,
            ],
            box_only: !finding.outlined,
            polygons: finding
                .polygons
                .iter()
                .map(|p| PolygonDocument {
                    outer: ring(&p.outer),
                    holes: p.holes.iter().map(|h| ring(h)).collect(),
                })
                .collect(),
            rle: RleDocument {
                size: [finding.rle.size.height, finding.rle.size.width],
                counts,
            },
        }
    }
}

/// A tenth of a pixel is finer than any outline: shorter documents.
fn tenth(x: f32) -> f32 {
    (x * 10.0).round() / 10.0
}
