//! The work of reviewers: which photos wait for a person, and who has claimed which.

use super::answer::{Refusal, json};
use super::api::inspection_id;
use super::reviewing::{Reviewing, body_of};
use super::reviews::refusal;
use super::site::Site;
use super::system::moment;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json as document;
use std::sync::Arc;
use tracing::info;
use walkaround_domain::review::TaskRefusal;
use walkaround_domain::{ReviewTask, TaskReason, TaskState, Timestamp};
use walkaround_messages::TaskDocument;
use walkaround_pipeline::review::{ClaimOutcome, TaskSearch};
use walkaround_ports::TASKS_PAGE_MAX;

/// Tasks of a page when the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Pages that are searched for tasks of one vehicle or class.
const PAGES_MAX: usize = 10;
/// Photos that a reviewer may ask to be left out.
const SKIPPED_MAX: usize = 50;

/// Which tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskQuery {
    reason: Option<String>,
    vehicle_id: Option<String>,
    class: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// Which task to claim.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimBody {
    reason: Option<String>,
    vehicle_id: Option<String>,
    class: Option<String>,
    #[serde(default)]
    skip: Vec<String>,
}

/// The reason that a request names.
fn reason_of(word: Option<&str>) -> Result<Option<TaskReason>, Refusal> {
    let reason = word.map(|word| {
        TaskReason::parse(word).ok_or_else(|| {
            let known = TaskReason::ALL.map(TaskReason::as_str).join(", ");
            Refusal::bad(format!("reason: expected one of {known}"))
        })
    });
    reason.transpose()
}

/// A task as it is answered.
fn task_document(task: &ReviewTask, now: Timestamp) -> TaskDocument {
    let mut shown = TaskDocument::from(task);
    // A claim ends by its time, whether anything was written then or not.
    if matches!(&task.state, TaskState::Claimed { until, .. } if *until <= now) {
        shown.state = TaskState::Open.as_str().to_owned();
        (shown.claimed_by, shown.claimed_until) = (None, None);
    }
    shown
}

/// `GET /api/tasks`: tasks that are not done, the most urgent first.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    query: Result<Query<TaskQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    let reviews = &site.people()?.service.reviews;
    let max = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=TASKS_PAGE_MAX).contains(&max) {
        return Err(Refusal::bad(format!("limit: expected 1 to {TASKS_PAGE_MAX}")));
    }
    let search = TaskSearch {
        reason: reason_of(query.reason.as_deref())?,
        vehicle_id: query.vehicle_id,
        class: query.class,
        skip: Vec::new(),
    };
    let now = site.clock.now();
    let (mut tasks, mut next) = (Vec::new(), query.after);
    for _ in 0..PAGES_MAX {
        let page = reviews.open_tasks(search.reason, next.as_deref(), max).await?;
        let fitting = page.tasks.iter().filter(|task| search.fits(task));
        tasks.extend(fitting.map(|task| task_document(task, now)));
        next = page.next;
        if next.is_none() || tasks.len() >= max {
            break;
        }
    }
    Ok(json(document!({"tasks": tasks, "next": next}).to_string()))
}

/// `GET /api/tasks/counts`: how many tasks are not done, by reason, and the age of the oldest of each.
pub(super) async fn counts(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let reviews = &site.people()?.service.reviews;
    let now = site.clock.now();
    let (mut open, mut more, mut oldest) = (0, false, None);
    let mut reasons = Vec::new();
    for count in reviews.task_counts().await? {
        let first = reviews.open_tasks(Some(count.reason), None, 1).await?.tasks;
        let age = first.first().map(|task| now.since(task.created_at).as_secs());
        (open, more, oldest) = (open + count.tasks, more || count.more, oldest.max(age));
        reasons.push(document!({
            "reason": count.reason.as_str(),
            "open": count.tasks,
            "more": count.more,
            "oldest_s": age,
        }));
    }
    let answer = document!({"open": open, "more": more, "oldest_s": oldest, "by_reason": reasons});
    Ok(json(answer.to_string()))
}

/// `POST /api/tasks/claim`: the most urgent task that this reviewer may have, claimed for them.
pub(super) async fn claim_next(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    body: Result<Json<ClaimBody>, JsonRejection>,
) -> Result<Response, Refusal> {
    let body = body_of(body)?;
    if body.skip.len() > SKIPPED_MAX {
        return Err(Refusal::bad(format!("skip: expected at most {SKIPPED_MAX}")));
    }
    let search = TaskSearch {
        reason: reason_of(body.reason.as_deref())?,
        vehicle_id: body.vehicle_id,
        class: body.class,
        skip: body.skip,
    };
    let claimed = site.people()?.service.claim_next(&by, &search).await;
    match claimed.map_err(refusal)? {
        Some(task) => Ok(task_answer(&site, &task)),
        None => Ok(json(document!({"task": null}).to_string())),
    }
}

/// `POST /api/tasks/{id}/claim`: this task, for this reviewer; none where the photo has none that is not done.
pub(super) async fn claim(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let outcome = site.people()?.service.claim(&inspection_id(id)?, &by).await?;
    if matches!(
        &outcome,
        ClaimOutcome::Missing | ClaimOutcome::Refused(TaskRefusal::Done)
    ) {
        return Ok(json(document!({"task": null}).to_string()));
    }
    stepped(&site, outcome)
}

/// `POST /api/tasks/{id}/ask`: somebody should see this photo, whatever was decided before.
pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let id = inspection_id(id)?;
    let task = site.people()?.service.ask(&id).await.map_err(refusal)?;
    info!(%by, inspection = %id, "a review was asked for");
    Ok(task_answer(&site, &task))
}

/// `POST /api/tasks/{id}/extend`: this reviewer keeps the task longer.
pub(super) async fn extend(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let outcome = site.people()?.service.extend(&inspection_id(id)?, &by).await?;
    stepped(&site, outcome)
}

/// `POST /api/tasks/{id}/release`: somebody else may have it.
pub(super) async fn release(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let outcome = site.people()?.service.release(&inspection_id(id)?, &by).await?;
    stepped(&site, outcome)
}

fn task_answer(site: &Site, task: &ReviewTask) -> Response {
    json(document!({"task": task_document(task, site.clock.now())}).to_string())
}

fn stepped(site: &Site, outcome: ClaimOutcome) -> Result<Response, Refusal> {
    match outcome {
        ClaimOutcome::Task(task) => Ok(task_answer(site, &task)),
        ClaimOutcome::Missing => Err(Refusal::not_found("no task of this inspection")),
        ClaimOutcome::Refused(refusal) => {
            let (by, until) = match &refusal {
                TaskRefusal::HeldBy { by, until } => (Some(by.as_str()), Some(moment(*until))),
                TaskRefusal::NotHeld | TaskRefusal::Done => (None, None),
            };
            let answer = document!({"error": refusal.to_string(), "claimed_by": by, "claimed_until": until});
            Ok((StatusCode::CONFLICT, json(answer.to_string())).into_response())
        }
    }
}
