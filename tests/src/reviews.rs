//! Done inspections that reviews can be about, without a pipeline that makes them.

use walkaround_domain::{
    BlobRef, Event, FindingSummary, Inspection, InspectionId, InspectionRequest, Outcome, PhotoRef, PixelBox,
    Size, Timestamp, Verdict,
};
use walkaround_local::LocalStack;
use walkaround_messages::{record_body, utc_day};
use walkaround_ports::{IndexKeys, PortError, Precondition, StoredRecord};

/// SHA-256 that the record names as that of the report. The report itself is nowhere.
pub const REPORT: [u8; 32] = [7; 32];

/// A damaged photo of 100 x 80 pixels with two findings, inspected at a moment.
///
/// # Panics
/// When the name is no inspection id.
pub fn inspection(name: &str, at: Timestamp) -> Inspection {
    let id = InspectionId::new(name).expect("an inspection id");
    let mut request = InspectionRequest::of(id, PhotoRef::File(name.to_owned()));
    request.vehicle_id = Some("B-WA 1234".to_owned());
    let done = Event::Complete {
        verdict: Verdict::Damaged,
    };
    let accepted = Inspection::accepted(request, at);
    let mut inspection = accepted.advance(&done, at).expect("legal").expect("a change");
    let finding = |class: &str| FindingSummary {
        class: class.to_owned(),
        probability: 0.9,
        area_px: 20,
        area_share: 0.0025,
        bbox: PixelBox {
            x: 1,
            y: 1,
            width: 5,
            height: 4,
        },
    };
    inspection.outcome = Some(Outcome {
        size: Some(Size::new(100, 80)),
        findings: vec![finding("dent"), finding("scratch")],
        report: Some(BlobRef {
            bucket: "results".to_owned(),
            key: format!("inspections/{name}/report.json"),
            sha256: REPORT,
            bytes: 1,
            content_type: "application/json".to_owned(),
        }),
        ..Outcome::default()
    });
    inspection
}

/// The record of an inspection.
pub fn record(inspection: &Inspection) -> StoredRecord {
    StoredRecord {
        id: inspection.request.id.clone(),
        version: 0,
        updated_at: inspection.accepted_at,
        keys: IndexKeys {
            phase: inspection.phase.as_str().to_owned(),
            verdict: Some("damaged".to_owned()),
            day: utc_day(inspection.accepted_at),
            vehicle_id: inspection.request.vehicle_id.clone(),
            reservation_id: None,
        },
        body: record_body(inspection),
    }
}

/// Stores an inspection.
///
/// # Errors
/// Errors of the database.
pub async fn store(local: &LocalStack, inspection: &Inspection) -> Result<(), PortError> {
    let record = record(inspection);
    local.records().write(&record, Precondition::Absent).await?;
    Ok(())
}
