//! Done inspections with reports and photos that data sets are made of, on any stack, without a pipeline that makes them.

use crate::files::{encoded, jpeg, with_orientation};
use crate::pictures::stored;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::{
    BlobRef, BundleId, Event, Finding, Inspection, InspectionId, InspectionRequest, Outcome, PhotoRef,
    PixelBox, Rle, Size, Timestamp, Verdict, hex,
};
use walkaround_messages::report::PHOTO_REPORT_SCHEMA;
use walkaround_messages::{FindingDocument, PhotoReport, record_body, utc_day};
use walkaround_ports::{BlobAddress, Blobs, IndexKeys, Precondition, Records, StoredRecord};
use walkaround_vision::outlines::outlines;
use walkaround_vision::rle;

/// Words that stand in the metadata of every photo here, and must stand in no exported one.
pub const SECRET: &str = "owner Kim, N 37.5665 E 126.9780";

/// A photo with what is found on it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Id of its inspection.
    pub id: &'static str,
    /// Vehicle.
    pub vehicle: Option<&'static str>,
    /// The picture as it is seen.
    pub upright: RgbImage,
    /// The file.
    pub file: Vec<u8>,
    /// What is found.
    pub findings: Vec<Finding>,
    /// Whether the machine could not judge it: its report has no size.
    pub unusable: bool,
}

impl Case {
    /// SHA-256 of the file, hexadecimal.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(&self.file))
    }

    /// Its size, upright.
    pub fn size(&self) -> Size {
        Size::new(self.upright.width(), self.upright.height())
    }
}

/// A picture without edges that a JPEG would blur.
fn picture(size: Size, tone: u8) -> RgbImage {
    RgbImage::from_fn(size.width, size.height, |x, y| {
        let shade = |side: u32, length: u32| (side * 200 / length) as u8;
        Rgb([shade(x, size.width), shade(y, size.height), tone])
    })
}

/// A JPEG of an upright picture as a phone writes it: turned, with a position, a maker and a comment.
fn photo(upright: &RgbImage, orientation: u8) -> Vec<u8> {
    let file = with_orientation(&jpeg(&stored(upright, orientation), 90), orientation);
    let (start, rest) = file.split_at(2);
    let segment = |marker: u8, body: &[u8]| {
        let length = u16::try_from(body.len() + 2)
            .expect("a short segment")
            .to_be_bytes();
        [&[0xff, marker][..], &length, body].concat()
    };
    let xmp = format!(
        "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><exif:GPSLatitude>{SECRET}</exif:GPSLatitude></x:xmpmeta>"
    );
    // Behind the picture, as phones put a short film.
    [
        start,
        &segment(0xe1, xmp.as_bytes()),
        &segment(0xfe, SECRET.as_bytes()),
        rest,
        SECRET.as_bytes(),
    ]
    .concat()
}

/// The region of a class.
fn finding(class: &str, size: Size, inside: impl Fn(u32, u32) -> bool) -> Finding {
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    let mask: Vec<u8> = pixels.map(|(x, y)| u8::from(inside(x, y))).collect();
    let region = rle::encode_mask(size, &mask);
    of_region(class, region, true)
}

fn of_region(class: &str, region: Rle, outlined: bool) -> Finding {
    let bbox = rle::bounding_box(&region).expect("a mask").expect("pixels");
    Finding {
        class: class.to_owned(),
        probability: 0.75,
        area_px: region.area(),
        area_share: region.area() as f64 / region.size.pixels() as f64,
        bbox,
        outlined,
        polygons: if outlined {
            outlines(&region, 0.0).expect("a mask")
        } else {
            Vec::new()
        },
        rle: region,
    }
}

const fn within(x: u32, y: u32, area: PixelBox) -> bool {
    x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height
}

const fn area(x: u32, y: u32, width: u32, height: u32) -> PixelBox {
    PixelBox { x, y, width, height }
}

/// Findings with a hole, of two parts, and at every edge of the photo.
fn shapes(size: Size) -> Vec<Finding> {
    let (right, bottom) = (size.width - 12, size.height - 9);
    vec![
        finding("dent", size, |x, y| {
            within(x, y, area(40, 30, 50, 40)) && !within(x, y, area(55, 40, 15, 12))
        }),
        finding("scratch", size, |x, y| {
            within(x, y, area(110, 20, 30, 4)) || within(x, y, area(112, 60, 9, 22))
        }),
        finding("dent", size, |x, y| within(x, y, area(0, 0, 17, 11))),
        finding("crack", size, |x, y| within(x, y, area(right, bottom, 12, 9))),
    ]
}

/// The photos: plain, turned so that it can be turned back without loss and so that it cannot, a PNG, a box without an
/// outline, one finding of one ring, none at all.
pub fn cases() -> Vec<Case> {
    let case = |id, vehicle, size: Size, orientation, findings: &dyn Fn(Size) -> Vec<Finding>| {
        let upright = picture(size, id_tone(id));
        Case {
            id,
            vehicle,
            file: photo(&upright, orientation),
            findings: findings(size),
            upright,
            unusable: false,
        }
    };
    let one = |size: Size| vec![finding("dent", size, |x, y| within(x, y, area(30, 40, 60, 25)))];
    let boxed = |size: Size| {
        let mut finding = finding("scratch", size, |x, y| within(x, y, area(20, 10, 40, 30)));
        finding = of_region("scratch", finding.rle, false);
        vec![finding]
    };
    let mut all = vec![
        case("plain", Some("B-WA 1"), Size::new(192, 160), 1, &shapes),
        case("turned", Some("B-WA 1"), Size::new(160, 192), 6, &shapes),
        case("odd", Some("B-WA 2"), Size::new(161, 187), 6, &shapes),
        case("boxed", Some("B-WA 2"), Size::new(160, 128), 1, &boxed),
        case("single", None, Size::new(160, 128), 3, &one),
        case("clean", Some("B-WA 3"), Size::new(160, 128), 1, &|_| Vec::new()),
    ];
    let mut png = case("png", Some("B-WA 4"), Size::new(150, 101), 1, &shapes);
    png.file = encoded(&DynamicImage::from(png.upright.clone()), ImageFormat::Png);
    all.push(png);
    all
}

/// So that no two photos have the same bytes.
fn id_tone(id: &str) -> u8 {
    id.bytes()
        .fold(7, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

/// The report on a photo.
pub fn report(case: &Case) -> PhotoReport {
    let size = Some(case.size()).filter(|_| !case.unusable);
    let finding = |finding: &Finding| FindingDocument::new(finding, rle::to_string(&finding.rle));
    PhotoReport {
        schema: PHOTO_REPORT_SCHEMA.to_owned(),
        photo: case.id.to_owned(),
        sha256: Some(case.digest()),
        width: size.map(|size| size.width),
        height: size.map(|size| size.height),
        verdict: verdict(case).as_str().to_owned(),
        reasons: Vec::new(),
        quality: None,
        gate: Some(0.8),
        vehicle: None,
        findings: case.findings.iter().map(finding).collect(),
        bundle: (&bundle()).into(),
        timings_ms: BTreeMap::new(),
    }
}

const fn verdict(case: &Case) -> Verdict {
    match (case.unusable, case.findings.is_empty()) {
        (true, _) => Verdict::Unusable,
        (false, true) => Verdict::Clean,
        (false, false) => Verdict::Damaged,
    }
}

fn bundle() -> BundleId {
    BundleId::new("trivial", "1")
}

/// Where the photo of a case is.
pub fn photo_address(case: &Case) -> BlobAddress {
    BlobAddress {
        bucket: "photos".to_owned(),
        key: format!("cases/{}", case.id),
    }
}

/// Where the report of a case is.
pub fn report_address(case: &Case) -> BlobAddress {
    BlobAddress {
        bucket: "results".to_owned(),
        key: format!("inspections/{}/report.json", case.id),
    }
}

/// The inspection of a case, accepted at a moment.
///
/// # Panics
/// When the case names no inspection.
pub fn inspection(case: &Case, at: Timestamp) -> Inspection {
    let photo = photo_address(case);
    let photo = PhotoRef::S3 {
        bucket: photo.bucket,
        key: photo.key,
        version: None,
    };
    let mut request = InspectionRequest::of(InspectionId::new(case.id).expect("an id"), photo);
    request.vehicle_id = case.vehicle.map(str::to_owned);
    let verdict = verdict(case);
    let accepted = Inspection::accepted(request, at);
    let done = accepted.advance(&Event::Complete { verdict }, at + Duration::from_secs(1));
    let mut inspection = done.expect("legal").expect("a change");
    let body = serde_json::to_vec(&report(case)).expect("a report is a document");
    let place = report_address(case);
    inspection.outcome = Some(Outcome {
        size: Some(case.size()),
        photo_sha256: Some(Sha256::digest(&case.file).into()),
        gate: Some(0.8),
        report: Some(BlobRef {
            bucket: place.bucket,
            key: place.key,
            sha256: Sha256::digest(&body).into(),
            bytes: body.len() as u64,
            content_type: "application/json".to_owned(),
        }),
        bundle: bundle(),
        findings: case.findings.iter().map(summary).collect(),
        ..Outcome::default()
    });
    inspection
}

fn summary(finding: &Finding) -> walkaround_domain::FindingSummary {
    walkaround_domain::FindingSummary {
        class: finding.class.clone(),
        probability: finding.probability,
        area_px: finding.area_px,
        area_share: finding.area_share,
        bbox: finding.bbox,
    }
}

/// Stores a case: photo, report and record.
///
/// # Panics
/// When the stack does not take it.
pub async fn store(records: &dyn Records, blobs: &dyn Blobs, case: &Case, at: Timestamp) {
    let body = serde_json::to_vec(&report(case)).expect("a report is a document");
    let places = [(photo_address(case), &case.file), (report_address(case), &body)];
    for (place, bytes) in places {
        let put = blobs.put_if_absent(&place, bytes, "application/octet-stream");
        put.await.expect("a blob is stored");
    }
    let inspection = inspection(case, at);
    let record = StoredRecord {
        id: inspection.request.id.clone(),
        version: 0,
        updated_at: at,
        keys: IndexKeys {
            phase: "done".to_owned(),
            verdict: Some(report(case).verdict),
            day: utc_day(at),
            vehicle_id: inspection.request.vehicle_id.clone(),
            reservation_id: None,
        },
        body: record_body(&inspection),
    };
    let written = records.write(&record, Precondition::Absent);
    written.await.expect("a record is stored");
}
