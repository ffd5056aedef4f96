//! The photos of a reservation, and those of a vehicle, with what people decided about them.

use super::answer::{Refusal, json};
use super::api::document;
use super::reviews::summaries;
use super::site::Site;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use walkaround_ports::RecordQuery;

/// Most photos of one answer: more than any walkaround has.
const PHOTOS_MAX: usize = 300;

/// Which reservation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationQuery {
    reservation_id: String,
}

/// Which vehicle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VehicleQuery {
    vehicle_id: String,
}

/// `GET /api/walkaround`: the photos of a reservation.
pub(super) async fn walkaround(
    State(site): State<Arc<Site>>,
    query: Result<Query<ReservationQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    photos(&site, &RecordQuery::Reservation(query.reservation_id)).await
}

/// `GET /api/vehicle`: the photos of a vehicle.
pub(super) async fn vehicle(
    State(site): State<Arc<Site>>,
    query: Result<Query<VehicleQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    photos(&site, &RecordQuery::Vehicle(query.vehicle_id)).await
}

async fn photos(site: &Site, query: &RecordQuery) -> Result<Response, Refusal> {
    site.people()?;
    let (RecordQuery::Reservation(word) | RecordQuery::Vehicle(word)) = query else {
        return Err(Refusal::bad("expected a reservation or a vehicle"));
    };
    if word.is_empty() {
        return Err(Refusal::bad("the id is empty"));
    }
    let page = site.records.list(query, None, PHOTOS_MAX).await?;
    let documents: Vec<&str> = page.records.iter().map(document).collect::<Result<_, _>>()?;
    let more = page.next.is_some();
    let reviews = Value::from(summaries(&site.people()?.service.reviews, &page.records).await?);
    let inspections = documents.join(",");
    Ok(json(format!(
        r#"{{"inspections":[{inspections}],"reviews":{reviews},"more":{more}}}"#
    )))
}
