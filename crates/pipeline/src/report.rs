//! The report about one photo, as `inspect` writes it and as the pipeline stores it.

use crate::inspection::{PhotoResult, Timings, vehicle_box};
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::BundleId;
use walkaround_inference::Vehicle;
use walkaround_messages::report::PHOTO_REPORT_SCHEMA;
use walkaround_messages::{FindingDocument, PhotoReport, QualityDocument};
use walkaround_vision::rle;

/// The report of a photo, without timings: the same photo and bundle give the same report, so that a second
/// inspection stores the same bytes.
pub fn photo_report(
    photo: &str,
    sha256: Option<&[u8; 32]>,
    result: &PhotoResult,
    bundle: &BundleId,
) -> PhotoReport {
    let original = result.photo.as_ref().map(|p| p.original);
    let vehicle = match result.screening.map(|f| f.vehicle) {
        Some(Vehicle::Found { region, .. }) => original.map(|size| vehicle_box(region, size)),
        _ => None,
    };
    PhotoReport {
        schema: PHOTO_REPORT_SCHEMA.to_owned(),
        photo: photo.to_owned(),
        sha256: sha256.map(|digest| walkaround_domain::hex(digest)),
        width: original.map(|s| s.width),
        height: original.map(|s| s.height),
        verdict: result.verdict.to_string(),
        reasons: result.reasons.iter().map(Into::into).collect(),
        quality: result.photo.as_ref().map(|p| QualityDocument {
            sharpness: p.quality.sharpness,
            luma_mean: p.quality.luma_mean,
            clipped_dark: p.quality.clipped_dark,
            clipped_bright: p.quality.clipped_bright,
        }),
        gate: result.screening.and_then(|f| f.gate),
        vehicle,
        findings: result
            .findings
            .iter()
            .map(|f| FindingDocument::new(f, rle::to_string(&f.rle)))
            .collect(),
        bundle: bundle.into(),
        timings_ms: BTreeMap::new(),
    }
}

/// Timings by stage in milliseconds, two decimals.
pub fn timings_ms(timings: &Timings, total: Duration) -> BTreeMap<String, f64> {
    let stages = [
        ("decode", timings.decode),
        ("quality", timings.quality),
        ("screening", timings.screening),
        ("segment", timings.segment),
        ("findings", timings.findings),
        ("overlay", timings.overlay),
        ("total", total),
    ];
    stages
        .into_iter()
        .map(|(name, d)| (name.to_owned(), (d.as_secs_f64() * 1e5).round() / 100.0))
        .collect()
}
