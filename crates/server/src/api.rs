//! Inspections: lists, one record, its marked picture and its report.
//!
//! Records are stored as the JSON documents that are answered; they are checked, not rebuilt.

use super::answer::{FOR_GOOD, Refusal, json};
use super::site::{Pictures, Site};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use tracing::warn;
use walkaround_domain::{BlobRef, InspectionId, Outcome, Verdict};
use walkaround_messages::parse_record;
use walkaround_ports::{AddressKind, BlobAddress, Page, RecordQuery, StoredRecord};

/// Records of a page when the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Most records of a page.
const PAGE_MAX: usize = 200;
/// Largest report or picture that is answered, in bytes.
const BLOB_BYTES_MAX: u64 = 32 << 20;
/// `Cache-Control` of the way to a signed address: shorter than its life of a quarter of an hour.
const LINK_KEPT: &str = "private, max-age=300";

/// The query of a list: one index at a time.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    vehicle_id: Option<String>,
    reservation_id: Option<String>,
    verdict: Option<String>,
    day: Option<String>,
    #[serde(default)]
    failed: bool,
    limit: Option<usize>,
    after: Option<String>,
}

impl Listing {
    /// The index to search; none for the latest.
    fn index(self) -> Result<Option<RecordQuery>, Refusal> {
        let given = [&self.vehicle_id, &self.reservation_id, &self.verdict, &self.day];
        if given.into_iter().flatten().any(String::is_empty) {
            return Err(Refusal::bad("a filter is empty"));
        }
        if self
            .verdict
            .as_deref()
            .is_some_and(|v| Verdict::parse(v).is_none())
        {
            return Err(Refusal::bad("verdict: expected clean, damaged or unusable"));
        }
        if self.day.as_deref().is_some_and(|d| !is_day(d)) {
            return Err(Refusal::bad("day: expected a UTC day, as in 2026-11-22"));
        }
        if self.failed {
            return match (self.vehicle_id, self.reservation_id, self.verdict, self.day) {
                (None, None, None, Some(day)) => Ok(Some(RecordQuery::FailedOnDay(day))),
                _ => Err(Refusal::bad("failed: needs day, and no other filter")),
            };
        }
        match (self.vehicle_id, self.reservation_id, self.verdict, self.day) {
            (None, None, None, None) if self.after.is_some() => Err(Refusal::bad(
                "after: needs a filter; without one there is only one page",
            )),
            (None, None, None, None) => Ok(None),
            (Some(vehicle), None, None, None) => Ok(Some(RecordQuery::Vehicle(vehicle))),
            (None, Some(reservation), None, None) => Ok(Some(RecordQuery::Reservation(reservation))),
            (None, None, Some(verdict), Some(day)) => Ok(Some(RecordQuery::VerdictOnDay { verdict, day })),
            (None, None, None, Some(day)) => Ok(Some(RecordQuery::Day(day))),
            _ => Err(Refusal::bad(
                "give one filter: vehicle_id, reservation_id, day, or verdict with day",
            )),
        }
    }
}

/// `2026-11-22` by its form; a day that no calendar has simply has no records.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

/// `GET /api/inspections`: `{"inspections": [record, ...], "next": cursor or null}`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(listing) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    let max = listing.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&max) {
        return Err(Refusal::bad(format!("limit: expected 1 to {PAGE_MAX}")));
    }
    let after = listing.after.clone();
    let page = match listing.index()? {
        Some(index) => site.records.list(&index, after.as_deref(), max).await?,
        None => Page {
            records: site.operations.latest(max).await?,
            next: None,
        },
    };
    let documents: Vec<&str> = page.records.iter().map(document).collect::<Result<_, _>>()?;
    let next = serde_json::Value::from(page.next);
    Ok(json(format!(
        r#"{{"inspections":[{}],"next":{next}}}"#,
        documents.join(",")
    )))
}

/// `GET /api/inspections/{id}`: the record.
pub(super) async fn one(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let record = stored(&site, id).await?;
    Ok(json(document(&record)?.to_owned()))
}

/// `GET /api/inspections/{id}/overlay`: the photo with its findings marked.
pub(super) async fn overlay(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let record = stored(&site, id).await?;
    let found = blob_of(&record, |outcome| outcome.overlay)?;
    match &site.pictures {
        Pictures::Bytes => blob(&site, found).await,
        Pictures::Links(_) => link(&site, &BlobAddress::from(&found)).await,
    }
}

/// `GET /api/inspections/{id}/report`: the full report, masks included.
pub(super) async fn report(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let record = stored(&site, id).await?;
    blob(&site, blob_of(&record, |outcome| outcome.report)?).await
}

pub(super) async fn stored(
    site: &Site,
    id: Result<Path<String>, PathRejection>,
) -> Result<StoredRecord, Refusal> {
    let record = site.records.read(&inspection_id(id)?).await?;
    record.ok_or_else(|| Refusal::not_found("no such inspection"))
}

/// The id in a path: a text that is no id has no inspection.
pub(super) fn inspection_id(id: Result<Path<String>, PathRejection>) -> Result<InspectionId, Refusal> {
    let missing = || Refusal::not_found("no such inspection");
    let Path(id) = id.map_err(|_| missing())?;
    InspectionId::new(id).map_err(|_| missing())
}

/// The stored document, if it is JSON at all.
pub(super) fn document(record: &StoredRecord) -> Result<&str, Refusal> {
    match serde_json::from_str::<IgnoredAny>(&record.body) {
        Ok(_) => Ok(&record.body),
        Err(_) => Err(unreadable(&record.id)),
    }
}

pub(super) fn unreadable(id: &InspectionId) -> Refusal {
    warn!(inspection = %id, "the stored record cannot be read");
    Refusal::broken(format!("the record of {id} cannot be read"))
}

fn blob_of(record: &StoredRecord, which: fn(Outcome) -> Option<BlobRef>) -> Result<BlobRef, Refusal> {
    let inspection = parse_record(&record.body).map_err(|_| unreadable(&record.id))?;
    inspection
        .outcome
        .and_then(which)
        .ok_or_else(|| Refusal::not_found("nothing of this kind is stored for this inspection"))
}

/// Sends a browser where it gets a picture, under an address that is signed for a while. A credential: it is in no log.
pub(super) async fn link(site: &Site, at: &BlobAddress) -> Result<Response, Refusal> {
    let signed = site.operations.locate(at, AddressKind::Link).await?;
    let location =
        HeaderValue::try_from(signed).map_err(|_| Refusal::broken("an address that no header can have"))?;
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static(LINK_KEPT)),
    ];
    Ok((StatusCode::FOUND, headers).into_response())
}

async fn blob(site: &Site, blob: BlobRef) -> Result<Response, Refusal> {
    if blob.bytes > BLOB_BYTES_MAX {
        let limit = BLOB_BYTES_MAX >> 20;
        return Err(Refusal::broken(format!(
            "it is larger than the limit of {limit} MiB"
        )));
    }
    let bytes = site.blobs.get(&BlobAddress::from(&blob), BLOB_BYTES_MAX).await?;
    let content_type = HeaderValue::try_from(blob.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD)),
    ];
    Ok((headers, bytes).into_response())
}
