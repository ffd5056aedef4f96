//! What people decided about an inspection, and what they decide now.

use super::answer::{Refusal, json};
use super::api::{inspection_id, stored, unreadable};
use super::people::People;
use super::reviewing::{Reviewing, body_of};
use super::site::Site;
use super::system::moment;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json as document};
use std::sync::Arc;
use tokio::task::JoinSet;
use walkaround_domain::review::{Correction, Judgement, Reviewed, reviewed};
use walkaround_domain::{Decision, Inspection, Phase, Review, Verdict};
use walkaround_messages::{DecisionDocument, ReviewDocument, parse_digest, parse_record};
use walkaround_pipeline::review::{Decided, DecisionRequest, ReviewError};
use walkaround_pipeline::telemetry::PipelineEvent;
use walkaround_ports::{Reviews, StoredRecord};

/// Histories that are read at once.
const READS_AT_ONCE: usize = 16;

/// A decision, and what it builds on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewBody {
    /// One more than the last revision that the reviewer saw.
    revision: u32,
    /// SHA-256 of the report that the reviewer saw.
    based_on: String,
    decision: DecisionDocument,
    note: Option<String>,
}

/// `GET /api/inspections/{id}/reviews`: every decision, the first one first.
pub(super) async fn history(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let people = site.people()?;
    let record = stored(&site, id).await?;
    let reviews = people.service.reviews.history(&record.id).await?;
    let documents: Vec<ReviewDocument> = reviews.iter().map(ReviewDocument::from).collect();
    Ok(json(document!({"reviews": documents}).to_string()))
}

/// What the reviews of some inspections come to, an entry for each that was reviewed.
pub(super) async fn summaries(
    reviews: &Arc<dyn Reviews>,
    records: &[StoredRecord],
) -> Result<Vec<Value>, Refusal> {
    let mut summaries = Vec::new();
    for some in records.chunks(READS_AT_ONCE) {
        let mut reading = JoinSet::new();
        for record in some {
            let (reviews, record) = (Arc::clone(reviews), record.clone());
            reading.spawn(async move { (reviews.history(&record.id).await, record) });
        }
        while let Some(read) = reading.join_next().await {
            let (history, record) = read.map_err(|error| Refusal::broken(error.to_string()))?;
            let inspection = parse_record(&record.body).map_err(|_| unreadable(&record.id))?;
            summaries.extend(summary(&inspection, &history?));
        }
    }
    Ok(summaries)
}

fn summary(inspection: &Inspection, history: &[Review]) -> Option<Value> {
    let report = inspection.outcome.as_ref()?.report.as_ref()?;
    let state = reviewed(history, &report.sha256);
    Some(document!({
        "inspection_id": inspection.request.id.as_str(),
        "revision": state.revision,
        "by": state.by.as_ref()?.as_str(),
        "at": state.at.map(moment),
        "kind": state.judgement.as_str(),
        "verdict": verdict(inspection, &state).map(Verdict::as_str),
    }))
}

/// The verdict as people have it.
fn verdict(inspection: &Inspection, state: &Reviewed) -> Option<Verdict> {
    let Phase::Done { verdict } = inspection.phase else {
        return None;
    };
    Some(match &state.judgement {
        Judgement::Unreviewed | Judgement::Confirmed => verdict,
        Judgement::Unusable(_) => Verdict::Unusable,
        Judgement::Corrected(decision) => {
            let found = inspection
                .outcome
                .as_ref()
                .map_or(0, |outcome| outcome.findings.len());
            let rejected = decision.findings.values();
            let rejected = rejected
                .filter(|one| matches!(one, Correction::Reject(_)))
                .count();
            let standing = found.saturating_sub(rejected) + decision.added.len();
            if standing > 0 {
                Verdict::Damaged
            } else {
                Verdict::Clean
            }
        }
    })
}

/// `POST /api/inspections/{id}/reviews`: one decision. It is stored when this is answered; sent again, it is stored once.
pub(super) async fn decide(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<ReviewBody>, JsonRejection>,
) -> Result<Response, Refusal> {
    let body = body_of(body)?;
    let within = |field: &str, error: &dyn std::fmt::Display| Refusal::bad(format!("{field}: {error}"));
    let request = DecisionRequest {
        inspection: inspection_id(id)?,
        revision: body.revision,
        by,
        based_on: parse_digest(&body.based_on).map_err(|e| within("based_on", &e))?,
        decision: Decision::try_from(body.decision).map_err(|e| within("decision", &e))?,
        note: body.note,
    };
    let people = site.people()?;
    match people.service.decide(request).await {
        Ok(decided) => {
            count(people, &decided);
            let review = ReviewDocument::from(&decided.review);
            Ok(json(document!({"review": review}).to_string()))
        }
        // Another reviewer was first: this is what they decided.
        Err(ReviewError::Conflict(there)) => {
            let last = there.as_deref().map(ReviewDocument::from);
            let error = ReviewError::Conflict(there).to_string();
            let answer = document!({"error": error, "last": last});
            Ok((StatusCode::CONFLICT, json(answer.to_string())).into_response())
        }
        Err(error) => Err(refusal(error)),
    }
}

/// Counts a decision once: the same one sent again was counted.
fn count(people: &People, decided: &Decided) {
    if !decided.is_new {
        return;
    }
    let (decision, waited) = (decided.review.decision.as_str(), decided.waited);
    people.figures.count(decision, decided.review.at, waited);
    people
        .telemetry
        .record(PipelineEvent::Reviewed { decision, waited });
}

/// Why nothing is decided, or claimed.
pub(super) fn refusal(error: ReviewError) -> Refusal {
    match error {
        ReviewError::Port(error) => error.into(),
        ReviewError::Invalid(error) => Refusal::bad(error.to_string()),
        ReviewError::NotFound(_) => Refusal::not_found("no such inspection"),
        error @ (ReviewError::NotDone { .. } | ReviewError::OtherReport(_) | ReviewError::Conflict(_)) => {
            Refusal::new(StatusCode::CONFLICT, error.to_string())
        }
    }
}
