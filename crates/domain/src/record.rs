//! The durable record of one inspection, whole.

use crate::bundle::BundleId;
use crate::geometry::{PixelBox, Size};
use crate::ids::InspectionId;
use crate::inspection::{Event, FailureCode, IllegalTransition, Phase, Step};
use crate::photo::InspectionRequest;
use crate::review::TaskReason;
use crate::time::Timestamp;
use crate::verdict::Reason;
use std::collections::BTreeMap;

/// A stored blob and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Number of bytes.
    pub bytes: u64,
    /// MIME type.
    pub content_type: String,
}

/// A finding without its outline (outline and mask are in the report blob): records stay small.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingSummary {
    /// Damage class.
    pub class: String,
    /// Mean probability over the region.
    pub probability: f32,
    /// Pixels of the original inside the region.
    pub area_px: u64,
    /// Share of the photo.
    pub area_share: f64,
    /// Smallest box around it.
    pub bbox: PixelBox,
}

/// Measured quality of a photo, at the fixed scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhotoQuality {
    /// Variance of the Laplacian.
    pub sharpness: f32,
    /// Mean luma, 0 to 255.
    pub luma_mean: f32,
}

/// That the policy drew a result for review.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Probability with which a result like this one is drawn, above 0 and at most 1.
    pub inclusion: f64,
    /// The most pressing reason.
    pub reason: TaskReason,
}

/// The result of an inspection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Why, when unusable.
    pub reasons: Vec<Reason>,
    /// Size of the upright original, when it could be decoded.
    pub size: Option<Size>,
    /// SHA-256 of the photo's bytes.
    pub photo_sha256: Option<[u8; 32]>,
    /// Measured quality, when it could be decoded.
    pub quality: Option<PhotoQuality>,
    /// Highest P(damage) of the gates.
    pub gate: Option<f32>,
    /// Damaged regions, at most [`FINDINGS_ON_RECORD_MAX`].
    pub findings: Vec<FindingSummary>,
    /// The full report: findings with outlines and masks.
    pub report: Option<BlobRef>,
    /// The marked picture.
    pub overlay: Option<BlobRef>,
    /// The bundle whose networks ran.
    pub bundle: BundleId,
    /// Milliseconds by stage.
    pub timings_ms: BTreeMap<String, f64>,
    /// Who looked: a worker or function, and its device.
    pub worker: String,
    /// The inspection whose result this is: the same photo, by its digest, and the same bundle. None when networks ran.
    pub reused_from: Option<InspectionId>,
    /// The draw of this result for review, whatever people asked for later; none when it was not drawn.
    pub drawn: Option<Drawn>,
}

/// Most findings on a record; the report blob has all of them.
pub const FINDINGS_ON_RECORD_MAX: usize = 50;

/// The last attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFailure {
    /// Why, for machines.
    pub code: FailureCode,
    /// Why, for people.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// What an inspection has been through, beside its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptHistory {
    /// Rounds of attempts that an operator asked for after a failure.
    pub reopened: u32,
    /// The last attempt that failed, of this round or the one before.
    pub last_failure: Option<AttemptFailure>,
    /// Announced starts since the last orderly end: each is a process that died, or still works.
    pub unfinished_starts: u32,
    /// Those of them that had the process for themselves.
    pub unfinished_starts_alone: u32,
    /// The bundle that was in use when it failed for good.
    pub failed_with: Option<BundleId>,
}

/// What the fetch and later requests for the same photo have left on a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhotoHistory {
    /// SHA-256 of the photo's bytes as they were fetched first; the outcome's stands for it once there is one.
    pub photo_sha256: Option<[u8; 32]>,
    /// When the latest request was sent whose bytes were compared with these, where only a digest distinguishes them.
    pub compared_at: Option<Timestamp>,
    /// The inspection of the other bytes that such a comparison found last.
    pub other_bytes: Option<InspectionId>,
    /// How often requests have completed the inspection since it was final. Each time its event goes out again.
    pub completions: u32,
}

/// One inspection.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// What was asked.
    pub request: InspectionRequest,
    /// Where it stands.
    pub phase: Phase,
    /// Lane and reason of the last routing; kept when the phase moves on.
    pub route: Option<(crate::inspection::Lane, String)>,
    /// The result, when done.
    pub outcome: Option<Outcome>,
    /// When the request became durable.
    pub accepted_at: Timestamp,
    /// When a lane was chosen.
    pub routed_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When its event was published.
    pub published_at: Option<Timestamp>,
    /// Attempts at this photo in this round, a successful one included. Deliveries that ended in a crash, a stop, a
    /// throttle, a store failure or a faulty engine do not count.
    pub attempts: u32,
    /// Failures, crashes and rounds before.
    pub history: AttemptHistory,
    /// What the fetch and later requests left here.
    pub photo_history: PhotoHistory,
}

impl Inspection {
    /// A fresh inspection of an accepted request. Records and events are read by many and kept for long: the
    /// photo's URL stands there without its query, which may be signed. The message keeps it.
    pub fn accepted(request: InspectionRequest, now: Timestamp) -> Self {
        Self {
            request: InspectionRequest {
                photo: request.photo.without_query(),
                ..request
            },
            phase: Phase::Accepted,
            route: None,
            outcome: None,
            accepted_at: now,
            routed_at: None,
            finished_at: None,
            published_at: None,
            attempts: 0,
            history: AttemptHistory::default(),
            photo_history: PhotoHistory::default(),
        }
    }

    /// The inspection after an event at a moment; none when the event changes nothing.
    ///
    /// # Errors
    /// [`IllegalTransition`], see [`Phase::step`].
    pub fn advance(&self, event: &Event, now: Timestamp) -> Result<Option<Self>, IllegalTransition> {
        let Step::Advance(phase) = self.phase.step(event)? else {
            return Ok(None);
        };
        let mut next = Self {
            phase,
            ..self.clone()
        };
        match event {
            Event::Route { lane, reason } => {
                next.route = Some((*lane, reason.clone()));
                next.routed_at = Some(now);
                next.forget_starts();
            }
            Event::Complete { .. } => {
                next.attempts = self.attempts.saturating_add(1);
                next.finished_at = Some(now);
                next.forget_starts();
            }
            Event::Fail { .. } => {
                next.attempts = self.attempts.saturating_add(1);
                next.finished_at = Some(now);
                next.forget_starts();
            }
            Event::AttemptFailed { code, detail } => {
                next.attempts = self.attempts.saturating_add(1);
                next.history.last_failure = Some(AttemptFailure {
                    code: *code,
                    detail: detail.clone(),
                    at: now,
                });
                next.forget_starts();
            }
            Event::Start { alone } => {
                let history = &mut next.history;
                history.unfinished_starts = history.unfinished_starts.saturating_add(1);
                history.unfinished_starts_alone =
                    history.unfinished_starts_alone.saturating_add(u32::from(*alone));
            }
            Event::GiveBack => next.forget_starts(),
            Event::Reopen | Event::Remake => next.begin_round(self),
        }
        Ok((next != *self).then_some(next))
    }

    fn forget_starts(&mut self) {
        self.history.unfinished_starts = 0;
        self.history.unfinished_starts_alone = 0;
    }

    /// A round begins with nothing of the one before, but with why that failed.
    fn begin_round(&mut self, before: &Self) {
        if let Phase::Failed { code, detail } = &before.phase {
            self.history.last_failure = Some(AttemptFailure {
                code: *code,
                detail: detail.clone(),
                at: before.finished_at.unwrap_or(before.accepted_at),
            });
        }
        self.history.reopened = before.history.reopened.saturating_add(1);
        self.forget_starts();
        self.attempts = 0;
        self.route = None;
        self.outcome = None;
        self.photo_history.photo_sha256 = None;
        (self.routed_at, self.finished_at, self.published_at) = (None, None, None);
    }

    /// Stable id of the event that reports the final phase; none before it. Each round of attempts has its own, so
    /// that receivers which drop duplicates hear of both, and so has each completion.
    pub fn event_id(&self) -> Option<String> {
        let mut id = format!("{}.{}", self.request.id, self.phase.as_str());
        if self.history.reopened > 0 {
            id.push_str(&format!(".{}", self.history.reopened));
        }
        if self.photo_history.completions > 0 {
            id.push_str(&format!(".completed-{}", self.photo_history.completions));
        }
        self.phase.is_final().then_some(id)
    }

    /// Takes a request that says what this one left open; a final inspection is published again.
    pub fn complete(&mut self, whole: InspectionRequest) {
        self.request = whole;
        if self.phase.is_final() {
            self.photo_history.completions = self.photo_history.completions.saturating_add(1);
            self.published_at = None;
        }
    }

    /// Notes that a request sent at this moment was compared with this inspection's bytes, and the inspection of
    /// the other bytes that it found, if it did.
    pub fn compared(&mut self, sent_at: Timestamp, other_bytes: Option<InspectionId>) {
        if sent_at > self.seen_at() {
            self.photo_history.compared_at = Some(sent_at);
            self.photo_history.other_bytes = other_bytes;
        }
    }

    /// SHA-256 of the photo's bytes, where they have been fetched.
    pub fn photo_sha256(&self) -> Option<&[u8; 32]> {
        let looked_at = self.outcome.as_ref().and_then(|o| o.photo_sha256.as_ref());
        looked_at.or(self.photo_history.photo_sha256.as_ref())
    }

    /// Whether the photo's bytes of this inspection are the ones that a request means that was sent at a moment: they
    /// were fetched, or compared and found the same, for one that was sent later.
    pub fn has_bytes_of(&self, sent_at: Timestamp) -> bool {
        let history = &self.photo_history;
        let compared = history.compared_at.filter(|_| history.other_bytes.is_none());
        compared.is_some_and(|at| at >= sent_at) || self.accepted_at >= sent_at
    }

    /// When the latest request was sent that is known to have the bytes of this inspection, or others.
    pub fn seen_at(&self) -> Timestamp {
        let compared = self.photo_history.compared_at;
        compared.map_or(self.accepted_at, |at| at.max(self.accepted_at))
    }
}
