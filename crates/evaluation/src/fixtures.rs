//! What several unit tests are made of: a photo of four pixels in a row, and two classes.

use walkaround_domain::{Rle, Size};
use walkaround_messages::{FindingDocument, PhotoReport};
use walkaround_vision::mask::{CANVAS_SIDE, ClassSpec, MaskPolicy, Report};
use walkaround_vision::rle;

pub(crate) const SIZE: Size = Size { width: 4, height: 1 };

pub(crate) fn mask(pixels: [u8; 4]) -> Rle {
    rle::encode_mask(SIZE, &pixels)
}

pub(crate) fn class(name: &str, report: Report) -> ClassSpec {
    ClassSpec {
        name: name.to_owned(),
        colour: [0; 3],
        report,
        policy: MaskPolicy {
            threshold: 0.5,
            hysteresis: None,
            closing: 0.0,
            area_min: 0.0,
            grid: CANVAS_SIDE,
        },
    }
}

pub(crate) fn classes() -> Vec<ClassSpec> {
    vec![class("dent", Report::Always), class("wear", Report::OnRequest)]
}

/// A report with these findings.
pub(crate) fn report(findings: &[FindingDocument]) -> PhotoReport {
    PhotoReport {
        findings: findings.to_vec(),
        ..serde_json::from_str(
            r#"{"schema":"","photo":"a.jpg","width":4,"height":1,"verdict":"damaged","reasons":[],
                "findings":[],"gate":0.9,"bundle":{"name":"","version":""},"timings_ms":{"total":1.0}}"#,
        )
        .unwrap()
    }
}

pub(crate) fn finding(class: &str, pixels: [u8; 4]) -> FindingDocument {
    let counts = rle::to_string(&mask(pixels));
    serde_json::from_value(serde_json::json!({
        "class": class, "probability": 0.8, "area_px": 1, "area_share": 0.25, "bbox": [0, 0, 1, 1],
        "polygons": [], "rle": {"size": [1, 4], "counts": counts},
    }))
    .unwrap()
}
