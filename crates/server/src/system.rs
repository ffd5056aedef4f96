//! The state of the pipeline for people, and what they may do about it: redrive parked messages, retry failed inspections.

use super::answer::{Refusal, json};
use super::metrics::live_workers;
use super::reviewing::{Reviewing, body_of};
use super::site::Site;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json as document};
use std::sync::Arc;
use tracing::info;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_messages::{HeartbeatDocument, rfc3339};
use walkaround_pipeline::reopen::{Purpose, ReopenError, ReopenPass, ReopenedOne, Reopener, Which};
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{ParkedMessage, PortError, QueueName, Redrive, WorkerJob, WorkerJobState};

/// Characters of a parked message that are shown.
const EXCERPT_MAX: usize = 400;
/// Most ids of one request.
const IDS_MAX: usize = 100;

/// `GET /api/system`: queues, workers, jobs, counts, and what cannot be got at.
pub(super) async fn system(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    site.people()?;
    let mut queues = Vec::new();
    for (name, queue) in &site.queues {
        let depth = queue.depth().await?;
        queues.push(document!({
            "name": name.as_str(),
            "ready": depth.ready,
            "leased": depth.leased,
            "delayed": depth.delayed,
            "oldest_s": depth.oldest_age.map(|age| age.as_secs()),
            "parked": site.operations.parked_count(*name).await?,
        }));
    }
    let jobs = site.operations.jobs().await?;
    let workers = live_workers(&site, &jobs).await?;
    let counts = site.operations.inspection_counts().await?;
    let standing = counts
        .standing
        .iter()
        .map(|count| document!({"phase": count.phase, "verdict": count.verdict, "records": count.records}));
    let answer = document!({
        "queues": queues,
        "workers": workers.iter().map(worker).collect::<Vec<_>>(),
        "jobs": jobs.iter().map(job).collect::<Vec<_>>(),
        "counts": standing.collect::<Vec<_>>(),
        "counts_day": counts.day,
        "concerns": concerns(&site).await?,
        "version": site.version,
    });
    Ok(json(answer.to_string()))
}

/// What the work of this process cannot get at, a line each.
async fn concerns(site: &Site) -> Result<Vec<String>, PortError> {
    let concerns = site.concerns.as_ref().map(|read| read()).unwrap_or_default();
    let hosts = concerns.unresponsive_hosts.iter();
    let hosts = hosts.map(|host| format!("the photo host {host} does not answer"));
    let stalled = site.stalled_for.as_ref().and_then(|stalled_for| stalled_for());
    let stalled = stalled.map(|since| format!("triage has made no progress for {} s", since.as_secs()));
    let results = site.operations.bucket_trouble(&site.results_bucket).await?;
    Ok(stalled
        .into_iter()
        .chain(results)
        .chain(concerns.drop_folder)
        .chain(hosts)
        .collect())
}

fn worker(beat: &HeartbeatDocument) -> Value {
    let bundle = document!({"name": beat.bundle.name, "version": beat.bundle.version});
    document!({
        "worker": beat.worker,
        "device": beat.device,
        "host": beat.host,
        "state": beat.state.as_str(),
        "at": moment(beat.at),
        "bundle": if beat.bundle.name.is_empty() { Value::Null } else { bundle },
        "photos_done": beat.photos_done,
        "photos_failed": beat.photos_failed,
        "photos_per_second": beat.photos_per_second,
        "memory_bytes": beat.memory_bytes,
        "in_flight": beat.in_flight,
    })
}

fn job(job: &WorkerJob) -> Value {
    let state = match job.state {
        WorkerJobState::Starting => "starting",
        WorkerJobState::Running => "running",
        WorkerJobState::Ended { .. } => "ended",
    };
    document!({"id": job.id, "state": state, "since": moment(job.since), "reason": job.reason})
}

/// A moment as documents have it.
pub(super) fn moment(at: Timestamp) -> String {
    rfc3339(at)
}

/// Which queue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParkedQuery {
    queue: String,
    after: Option<String>,
}

fn queue_named(word: &str) -> Result<QueueName, Refusal> {
    let known = QueueName::ALL.into_iter().find(|name| name.as_str() == word);
    known.ok_or_else(|| Refusal::bad("queue: expected intake or segmentation"))
}

/// `GET /api/parked`: a page of the messages parked from a queue.
pub(super) async fn parked(
    State(site): State<Arc<Site>>,
    query: Result<Query<ParkedQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    site.people()?;
    let Query(query) = query.map_err(|e| Refusal::bad(e.body_text()))?;
    let queue = queue_named(&query.queue)?;
    let page = site.operations.parked(queue, query.after.as_deref()).await?;
    let messages: Vec<Value> = page.messages.iter().map(message).collect();
    let answer = document!({"messages": messages, "next": page.next, "unseen": page.unseen});
    Ok(json(answer.to_string()))
}

fn message(parked: &ParkedMessage) -> Value {
    let excerpt: String = parked.body.chars().take(EXCERPT_MAX).collect();
    document!({
        "id": parked.id,
        "reason": parked.reason.as_deref().unwrap_or("(no reason given)"),
        "sent_at": moment(parked.sent_at),
        "parked_at": parked.parked_at.map(moment),
        "excerpt": excerpt,
    })
}

/// What to redrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedriveBody {
    queue: String,
    ids: Option<Vec<String>>,
}

/// `POST /api/parked/redrive`: parked messages back to their queue; all of them where no ids are given.
pub(super) async fn redrive(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    body: Result<Json<RedriveBody>, JsonRejection>,
) -> Result<Response, Refusal> {
    let body = body_of(body)?;
    let queue = queue_named(&body.queue)?;
    let which = match body.ids {
        Some(ids) if ids.is_empty() || ids.len() > IDS_MAX => return Err(wrong_count()),
        Some(ids) => Redrive::Ids(ids),
        None => Redrive::All,
    };
    let done = site.operations.redrive(queue, &which).await?;
    info!(%by,
        queue = queue.as_str(),
        moved = done.moved,
        "parked messages redriven"
    );
    let refused = done
        .refused
        .iter()
        .map(|one| document!({"id": one.id, "why": one.why}));
    let answer = document!({
        "moved": done.moved,
        "missing": done.missing,
        "refused": refused.collect::<Vec<_>>(),
        "more": done.more,
    });
    Ok(json(answer.to_string()))
}

fn wrong_count() -> Refusal {
    Refusal::bad(format!("ids: expected 1 to {IDS_MAX}"))
}

/// What to retry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryBody {
    ids: Vec<String>,
}

/// `POST /api/retry`: failed inspections, another round of attempts each.
pub(super) async fn retry(
    State(site): State<Arc<Site>>,
    Reviewing(by): Reviewing,
    body: Result<Json<RetryBody>, JsonRejection>,
) -> Result<Response, Refusal> {
    let body = body_of(body)?;
    if body.ids.is_empty() || body.ids.len() > IDS_MAX {
        return Err(wrong_count());
    }
    let ids = body
        .ids
        .into_iter()
        .map(InspectionId::new)
        .collect::<Result<Vec<_>, _>>();
    let ids = ids.map_err(|_| Refusal::bad("ids: one of them is no id of an inspection"))?;
    let intake = site.queues.iter().find(|(name, _)| *name == QueueName::Intake);
    let (_, intake) = intake.ok_or_else(|| Refusal::broken("there is no intake queue"))?;
    let reopener = Reopener {
        store: InspectionStore::new(Arc::clone(&site.records)),
        records: Arc::clone(&site.records),
        blobs: Arc::clone(&site.blobs),
        intake: Arc::clone(intake),
        clock: Arc::clone(&site.clock),
    };
    let pass = ReopenPass {
        limit: ids.len(),
        dry_run: false,
        purpose: Purpose::Retry,
        url: None,
    };
    let mut answers = Vec::new();
    let mut report = |one: ReopenedOne| {
        let (state, why) = one.what.described();
        answers.push(document!({"inspection_id": one.id.as_str(), "state": state, "why": why}));
        Ok(())
    };
    let summary = reopener.run(&Which::Ids(ids), &pass, &mut report).await;
    let summary = summary.map_err(|error| match error {
        ReopenError::Port(error) => Refusal::from(error),
        ReopenError::Output(error) => Refusal::broken(error.to_string()),
    })?;
    info!(%by, opened = summary.opened, "failed inspections tried again");
    Ok(json(document!({"inspections": answers}).to_string()))
}
