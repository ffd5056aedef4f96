//! Whether the bundle still sees what it saw: the last pass of the monitor, for people and as figures.

use super::answer::{Refusal, json};
use super::exposition::{Exposition, Kind};
use super::site::Site;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use walkaround_messages::monitor::{MODEL_STATE, ModelDocument, model_body, parse_model};
use walkaround_pipeline::monitor::read_model;
use walkaround_ports::PortError;

/// Hours of windows when the caller does not say: as far back as people still review.
const HOURS_DEFAULT: u32 = 14 * 24;
/// Most hours: windows are kept no longer.
const HOURS_MAX: u32 = 40 * 24;

/// How far back.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelQuery {
    hours: Option<u32>,
}

/// `GET /api/model`: the last pass, and the windows of some hours.
pub(super) async fn model(
    State(site): State<Arc<Site>>,
    query: Result<Query<ModelQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    site.people()?;
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    let hours = query.hours.unwrap_or(HOURS_DEFAULT);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Refusal::bad(format!("hours: expected 1 to {HOURS_MAX}")));
    }
    let since = Duration::from_secs(3600) * hours;
    let model = read_model(&*site.state, site.clock.now(), since).await?;
    Ok(json(model_body(
        &model.unwrap_or_else(|| ModelDocument::empty(0)),
    )))
}

/// What the last pass came to; nothing before the first.
pub(super) async fn figures(site: &Site, out: &mut Exposition) -> Result<(), PortError> {
    let body = site.state.read(MODEL_STATE).await?;
    // One that cannot be read is of another version: the pass that wrote it reports itself.
    let Some(model) = body.and_then(|body| parse_model(&body).ok()) else {
        return Ok(());
    };
    let help = "Figures of photos and results that have drifted from the reference of the bundle.";
    out.family("walkaround_model_drifting_figures", Kind::Gauge, help)
        .sample(&[], model.drifting().count() as f64);
    let help = "Population stability index of a figure.";
    out.family("walkaround_model_psi", Kind::Gauge, help);
    for shift in &model.figures {
        out.sample(&[("figure", &shift.figure)], shift.psi);
    }
    let help = "What the population stability index of a figure has to exceed to be drift.";
    out.family("walkaround_model_psi_limit", Kind::Gauge, help);
    for shift in &model.figures {
        out.sample(&[("figure", &shift.figure)], shift.limit);
    }
    let help =
        "Precision and recall of all photos, estimated from reviews; the class is empty for the verdict.";
    out.family("walkaround_model_estimate", Kind::Gauge, help);
    for measure in &model.reviews.measures {
        for (bound, value) in [
            ("value", measure.value),
            ("low", measure.low),
            ("high", measure.high),
        ] {
            let class = measure.class.as_deref().unwrap_or_default();
            let labels = [
                ("measure", measure.kind.as_str()),
                ("class", class),
                ("bound", bound),
            ];
            if let Some(value) = value {
                out.sample(&labels, value);
            }
        }
    }
    Ok(())
}
