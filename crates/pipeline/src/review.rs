//! Reviews: tasks are claimed, decisions are stored, published and taken account of.
//!
//! A decision is stored first, then its event is published, and only then its task is done. A crash in between leaves the
//! task open: whoever claims it next publishes what is stored and not out yet, under the same ids. To send a decision again
//! is harmless: the stored one is recognised, and what is missing is done.

mod claims;

pub use claims::{CLAIM_LEASE, ClaimOutcome, TaskSearch};

use crate::store::InspectionStore;
use crate::stored_report::report_if_there;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::record::FINDINGS_ON_RECORD_MAX;
use walkaround_domain::review::{
    AfterReview, DecisionBounds, IfDone, InvalidDecision, Judgement, Reviewed, TaskEvent, reviewed,
};
use walkaround_domain::{
    Decision, Inspection, InspectionId, Outcome, Phase, Review, ReviewTask, Reviewer, TaskReason, TaskState,
};
use walkaround_messages::reviewed_event;
use walkaround_ports::{
    AppendOutcome, Blobs, Clock, OutEvent, PortError, Publisher, Reviews, StepOutcome, TaskPut,
};

/// What people do about inspections, over ports.
#[derive(Clone)]
pub struct ReviewService {
    /// Where inspections are stored.
    pub store: InspectionStore,
    /// Where reports are.
    pub blobs: Arc<dyn Blobs>,
    /// Reviews and tasks.
    pub reviews: Arc<dyn Reviews>,
    /// Where events go.
    pub publisher: Arc<dyn Publisher>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// A decision as somebody sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRequest {
    /// Which inspection.
    pub inspection: InspectionId,
    /// The revision that it is to have: one more than the last that the reviewer has seen. The same decision sent again
    /// names the same one.
    pub revision: u32,
    /// Who decides.
    pub by: Reviewer,
    /// SHA-256 of the report that the reviewer has seen.
    pub based_on: [u8; 32],
    /// What.
    pub decision: Decision,
    /// In the reviewer's words.
    pub note: Option<String>,
}

/// A decision that is stored, and its event out.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// As it is stored.
    pub review: Review,
    /// What the reviews of the report come to now.
    pub reviewed: Reviewed,
    /// The task as it is now.
    pub task: Option<ReviewTask>,
    /// Whether this request stored it: sent again, it was stored before.
    pub is_new: bool,
    /// How long its task had been open; none where nobody had asked for a decision.
    pub waited: Option<Duration>,
}

/// An inspection with what people have done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewedInspection {
    /// The record.
    pub inspection: Inspection,
    /// Its reviews, the first one first; those of earlier reports too.
    pub history: Vec<Review>,
    /// What those of its present report come to.
    pub reviewed: Reviewed,
    /// Its task, if it has one.
    pub task: Option<ReviewTask>,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// A port failed. Whether the decision is stored is unknown: send it again.
    #[error(transparent)]
    Port(#[from] PortError),
    /// There is no such inspection.
    #[error("no inspection {0}")]
    NotFound(InspectionId),
    /// It has no report: it is not done.
    #[error("inspection {id} is {phase}: only one that is done has a report to decide on")]
    NotDone {
        /// Which.
        id: InspectionId,
        /// Where it stands.
        phase: &'static str,
    },
    /// The inspection has another report now.
    #[error("inspection {0} has another report now: read it and decide again")]
    OtherReport(InspectionId),
    /// The decision is out of bounds.
    #[error("{0}")]
    Invalid(#[from] InvalidDecision),
    /// Somebody decided meanwhile: the review that is stored there, or the last one.
    #[error("{}", conflict(.0.as_deref()))]
    Conflict(Option<Box<Review>>),
}

fn conflict(stored: Option<&Review>) -> String {
    match stored {
        None => "there is no review yet, expected revision 1".to_owned(),
        Some(review) => format!(
            "revision {} is by {} already: read it and decide again",
            review.revision, review.by
        ),
    }
}

impl ReviewService {
    /// An inspection with its reviews and its task.
    ///
    /// # Errors
    /// [`ReviewError::NotFound`]; [`ReviewError::Port`].
    pub async fn read(&self, id: &InspectionId) -> Result<ReviewedInspection, ReviewError> {
        let entry = self.store.read(id).await?;
        let inspection = entry.ok_or_else(|| ReviewError::NotFound(id.clone()))?.inspection;
        let history = self.reviews.history(id).await?;
        let report = report_digest(&inspection);
        Ok(ReviewedInspection {
            reviewed: report
                .map(|digest| reviewed(&history, &digest))
                .unwrap_or_default(),
            task: self.reviews.task(id).await?,
            inspection,
            history,
        })
    }

    /// Asks for a person's decision about a done inspection: its task is made, or opened again.
    ///
    /// # Errors
    /// [`ReviewError::NotFound`], [`ReviewError::NotDone`]; [`ReviewError::Port`].
    pub async fn ask(&self, id: &InspectionId) -> Result<ReviewTask, ReviewError> {
        let (inspection, _) = self.done(id).await?;
        self.put_asked(&inspection, 1.0).await
    }

    /// Stores a decision, publishes its event, and brings its task to where it belongs.
    ///
    /// # Errors
    /// [`ReviewError`]; after [`ReviewError::Port`] the same request may be sent again.
    pub async fn decide(&self, request: DecisionRequest) -> Result<Decided, ReviewError> {
        let id = request.inspection.clone();
        let (inspection, outcome) = self.done(&id).await?;
        if report_digest(&inspection) != Some(request.based_on) {
            return Err(ReviewError::OtherReport(id));
        }
        let bounds = self.bounds(&outcome, &request).await?;
        request.decision.check(request.note.as_deref(), &bounds)?;
        // A task that is not done is what finds this decision again, should its event not get out.
        let standing = self.reviews.task(&id).await?;
        // A later decision does not change how the photo came to be looked at.
        let inclusion = standing.as_ref().map_or(1.0, |task| task.inclusion);
        let open = standing.as_ref().filter(|task| task.state != TaskState::Done);
        let waited = open.map(|task| self.clock.now().since(task.created_at));
        if standing.is_none_or(|task| task.state == TaskState::Done) && self.is_next(&request).await? {
            self.put_asked(&inspection, inclusion).await?;
        }
        let (review, is_new) = self.append(request).await?;
        let task = self.settle(&id).await?;
        let history = self.reviews.history(&id).await?;
        Ok(Decided {
            reviewed: reviewed(&history, &review.based_on),
            review,
            task,
            is_new,
            waited,
        })
    }

    /// Publishes the reviews of an inspection whose events may not be out, and brings its task to where it belongs.
    ///
    /// # Errors
    /// [`PortError`]; it may be called again.
    pub async fn settle(&self, id: &InspectionId) -> Result<Option<ReviewTask>, PortError> {
        let Some(task) = self.reviews.task(id).await? else {
            return Ok(None);
        };
        let history = self.reviews.history(id).await?;
        let due = history.iter().filter(|review| review.revision > task.reviewed);
        for review in due {
            self.publisher.publish(&out_event(review)).await?;
        }
        let Some(last) = history.last().filter(|last| last.revision > task.reviewed) else {
            return Ok(Some(task));
        };
        let event = TaskEvent::Reviewed {
            revision: last.revision,
            then: after(&history, last),
        };
        match self.reviews.step_task(id, &event, self.clock.now()).await? {
            StepOutcome::Stepped(task) => Ok(Some(task)),
            StepOutcome::Refused(_) | StepOutcome::Missing => Ok(None),
        }
    }

    /// A done inspection and its outcome.
    async fn done(&self, id: &InspectionId) -> Result<(Inspection, Outcome), ReviewError> {
        let entry = self.store.read(id).await?;
        let inspection = entry.ok_or_else(|| ReviewError::NotFound(id.clone()))?.inspection;
        match (&inspection.phase, &inspection.outcome) {
            (Phase::Done { .. }, Some(outcome)) => {
                let outcome = outcome.clone();
                Ok((inspection, outcome))
            }
            _ => Err(ReviewError::NotDone {
                id: id.clone(),
                phase: inspection.phase.as_str(),
            }),
        }
    }

    /// A task, or the one that stands, opened again; `inclusion` as in [`ReviewTask::inclusion`].
    async fn put_asked(&self, inspection: &Inspection, inclusion: f64) -> Result<ReviewTask, ReviewError> {
        let (id, now) = (&inspection.request.id, self.clock.now());
        let mut task = ReviewTask::open(id.clone(), TaskReason::Asked, now);
        task.round = inspection.history.reopened;
        task.inclusion = inclusion;
        task.vehicle_id = inspection.request.vehicle_id.clone();
        let findings = inspection.outcome.iter().flat_map(|outcome| &outcome.findings);
        task.classes = findings.map(|finding| finding.class.clone()).collect();
        Ok(match self.reviews.put_task(&task, IfDone::Reopen, now).await? {
            TaskPut::Created => task,
            TaskPut::Merged(stored) | TaskPut::Unchanged(stored) => stored,
        })
    }

    /// Whether a decision has the next revision. False where this very decision is stored: it was sent before.
    async fn is_next(&self, request: &DecisionRequest) -> Result<bool, ReviewError> {
        let history = self.reviews.history(&request.inspection).await?;
        let last = history.last().map_or(0, |review| review.revision);
        if request.revision == last.saturating_add(1) {
            return Ok(true);
        }
        let up_to = |review: &&Review| review.revision <= request.revision;
        match history.iter().rev().find(up_to) {
            Some(stored) if stored.revision == request.revision && is_same(stored, request) => Ok(false),
            stored => Err(ReviewError::Conflict(stored.cloned().map(Box::new))),
        }
    }

    /// The stored review, and whether it was stored now.
    async fn append(&self, request: DecisionRequest) -> Result<(Review, bool), ReviewError> {
        let review = Review {
            inspection: request.inspection,
            revision: request.revision,
            by: request.by,
            at: self.clock.now(),
            based_on: request.based_on,
            decision: request.decision,
            note: request.note,
        };
        match self.reviews.append(&review).await? {
            AppendOutcome::Appended => Ok((review, true)),
            AppendOutcome::Conflict(Some(stored)) if stored.is_same_decision(&review) => Ok((stored, false)),
            AppendOutcome::Conflict(stored) => Err(ReviewError::Conflict(stored.map(Box::new))),
        }
    }

    /// What the decision is checked against. The record has at most so many findings; the report is read where it may
    /// have more.
    async fn bounds(
        &self,
        outcome: &Outcome,
        request: &DecisionRequest,
    ) -> Result<DecisionBounds, ReviewError> {
        let mut findings = outcome.findings.len();
        let corrects = matches!(&request.decision, Decision::Findings(d) if !d.findings.is_empty());
        if let (true, Some(report)) = (corrects && findings >= FINDINGS_ON_RECORD_MAX, &outcome.report) {
            // A report that cannot be read has the findings of the record, at least.
            let report = report_if_there(&*self.blobs, report).await?;
            findings = report.map_or(findings, |report| report.findings.len());
        }
        Ok(DecisionBounds {
            findings,
            size: outcome.size,
            revision: request.revision,
        })
    }
}

/// Whether a stored review is what a request asks for: it was sent before.
pub fn is_same(review: &Review, request: &DecisionRequest) -> bool {
    let stored = (&review.by, review.based_on, &review.decision, &review.note);
    stored == (&request.by, request.based_on, &request.decision, &request.note)
}

/// SHA-256 of the report of an inspection that is done.
pub fn report_digest(inspection: &Inspection) -> Option<[u8; 32]> {
    let outcome = inspection.outcome.as_ref()?;
    outcome.report.as_ref().map(|report| report.sha256)
}

fn out_event(review: &Review) -> OutEvent {
    let event = reviewed_event(review);
    OutEvent {
        id: event.id,
        body: event.body,
        attributes: event.attributes,
    }
}

/// What becomes of the task after the last review.
fn after(history: &[Review], last: &Review) -> AfterReview {
    let state = reviewed(history, &last.based_on);
    if let Some(by) = state.escalated_by {
        AfterReview::Escalated { by }
    } else if state.judgement == Judgement::Unreviewed {
        AfterReview::Open
    } else {
        AfterReview::Done
    }
}
