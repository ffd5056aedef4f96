//! What two bundles say of one photo.

use super::matching::{ComparedFinding, Matched, compared};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use walkaround_messages::report::PolygonDocument;
use walkaround_messages::{BundleDocument, PhotoReport};

/// What two bundles say of one photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedPhoto {
    /// Its inspection.
    pub inspection_id: String,
    /// The photo, as the record names it.
    pub photo: String,
    /// The vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_id: Option<String>,
    /// When it was accepted, RFC 3339.
    pub accepted_at: String,
    /// Width of the upright original; none when it could not be decoded.
    pub width: Option<u32>,
    /// Height of the upright original.
    pub height: Option<u32>,
    /// The first bundle: what is on the record.
    pub old: BundleResult,
    /// The second bundle.
    pub new: BundleResult,
    /// Findings side by side, those that both have first; empty where a report is gone.
    pub findings: Vec<ComparedFinding>,
    /// Pixels that both find, as a share of those that either finds; none where neither finds any, or a report is gone.
    pub iou: Option<f64>,
}

/// What one bundle says of a photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BundleResult {
    /// The bundle.
    pub bundle: BundleDocument,
    /// `clean`, `damaged` or `unusable`.
    pub verdict: String,
    /// Codes of the reasons why it is unusable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Highest P(damage) of the gates; none when no gate was asked.
    pub gate: Option<f32>,
    /// Milliseconds by stage; empty when no network ran for it.
    pub timings_ms: BTreeMap<String, f64>,
    /// The findings, for pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outlines: Vec<Outline>,
}

/// A finding as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Damage class.
    pub class: String,
    /// Mean probability.
    pub probability: f32,
    /// Left, top, width, height, in pixels of the upright original.
    pub bbox: [u32; 4],
    /// Outlines and holes; empty where the network gives boxes only.
    pub polygons: Vec<PolygonDocument>,
}

/// A photo as its record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoLabel {
    /// Its inspection.
    pub inspection_id: String,
    /// The photo.
    pub photo: String,
    /// The vehicle.
    pub vehicle_id: Option<String>,
    /// When it was accepted, RFC 3339.
    pub accepted_at: String,
}

impl BundleResult {
    /// What a report says. `timings_ms` are those of its run: stored reports have none.
    pub fn of(report: &PhotoReport, timings_ms: &BTreeMap<String, f64>) -> Self {
        let outline = |finding: &walkaround_messages::FindingDocument| Outline {
            class: finding.class.clone(),
            probability: finding.probability,
            bbox: finding.bbox,
            polygons: finding.polygons.clone(),
        };
        Self {
            bundle: report.bundle.clone(),
            verdict: report.verdict.clone(),
            reasons: report.reasons.iter().map(|reason| reason.code.clone()).collect(),
            gate: report.gate,
            timings_ms: timings_ms.clone(),
            outlines: report.findings.iter().map(outline).collect(),
        }
    }

    /// Milliseconds that its networks took; none when none ran.
    pub fn networks_ms(&self) -> Option<f64> {
        let screening = self.timings_ms.get("screening")?;
        Some(screening + self.timings_ms.get("segment").copied().unwrap_or_default())
    }
}

impl ComparedPhoto {
    /// Two reports of one photo side by side, with the results that they were made of.
    pub fn of_reports(label: PhotoLabel, old: &Inspected<'_>, new: &Inspected<'_>) -> Self {
        let Matched { findings, any_iou } = compared(old.report, new.report);
        Self {
            iou: any_iou,
            findings,
            ..Self::of_results(label, old.result(), new)
        }
    }

    /// As [`ComparedPhoto::of_reports`], where the first report is gone: without findings.
    pub fn of_results(label: PhotoLabel, old: BundleResult, new: &Inspected<'_>) -> Self {
        Self {
            inspection_id: label.inspection_id,
            photo: label.photo,
            vehicle_id: label.vehicle_id,
            accepted_at: label.accepted_at,
            width: new.report.width,
            height: new.report.height,
            old,
            new: new.result(),
            findings: Vec::new(),
            iou: None,
        }
    }

    /// Whether the two verdicts differ.
    pub fn flips(&self) -> bool {
        self.old.verdict != self.new.verdict
    }
}

/// A report and the times of its run.
#[derive(Debug, Clone, Copy)]
pub struct Inspected<'a> {
    /// The report.
    pub report: &'a PhotoReport,
    /// Milliseconds by stage.
    pub timings_ms: &'a BTreeMap<String, f64>,
}

impl Inspected<'_> {
    fn result(&self) -> BundleResult {
        BundleResult::of(self.report, self.timings_ms)
    }
}
