//! What people decide about an inspection, beside what the machine made of it.
//!
//! A record stays as it was written. [`Review`]s are appended to it, revision by revision; the [reviewed
//! state](Reviewed) is a pure fold over them. Which inspections a person should see is a [`ReviewPolicy`], and each of
//! those has one [`ReviewTask`].

mod decision;
mod fold;
mod log;
mod policy;
mod task;
mod truth;

pub use decision::{
    ADDED_MAX, AddedFinding, Correction, Decision, DecisionBounds, FINDINGS_MAX, FindingsDecision,
    InvalidDecision, NOTE_BYTES_MAX, POINTS_MAX, POLYGONS_MAX, RejectReason, UnusableReason,
};
pub use fold::{Judgement, Reviewed, reviewed};
pub use log::{ReviewConflict, ReviewLog};
pub use policy::{AUDIT_SHARE, BAND, NO_REVIEWS, ReviewPolicy, ReviewSubject, is_drawn};
pub use task::{
    AfterReview, IfDone, PRIORITY_MAX, ReviewTask, TaskChange, TaskEvent, TaskReason, TaskRefusal, TaskState,
};
pub use truth::true_verdict;

use crate::ids::InspectionId;
use crate::time::Timestamp;
use std::fmt;

/// Longest name of a reviewer, in bytes.
pub const REVIEWER_BYTES_MAX: usize = 128;
/// Most revisions of one inspection: more is no work of people.
pub const REVISIONS_MAX: u32 = 1000;

/// Who decides: a name or an address, as the sign-in gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reviewer(String);

/// A text that names no reviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidReviewer;

impl fmt::Display for InvalidReviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not a reviewer's name: expected 1 to {REVIEWER_BYTES_MAX} bytes, without control characters, not starting or \
             ending with a space"
        )
    }
}

impl std::error::Error for InvalidReviewer {}

impl Reviewer {
    /// A reviewer by name.
    ///
    /// # Errors
    /// When it is empty, too long, has control characters or spaces around it.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidReviewer> {
        let name = name.into();
        let fits = (1..=REVIEWER_BYTES_MAX).contains(&name.len())
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if fits {
            Ok(Self(name))
        } else {
            Err(InvalidReviewer)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One decision about one inspection. Appended, never changed: revision `n` is written only if `n - 1` is the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Which inspection.
    pub inspection: InspectionId,
    /// 1 for the first, one more for each later one.
    pub revision: u32,
    /// Who decided.
    pub by: Reviewer,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the report that was decided on. A later report of the same inspection has reviews of its own.
    pub based_on: [u8; 32],
    /// What was decided.
    pub decision: Decision,
    /// In the reviewer's words.
    pub note: Option<String>,
}

impl Review {
    /// Stable id of the event that reports it.
    pub fn event_id(&self) -> String {
        format!("{}.reviewed.{}", self.inspection, self.revision)
    }

    /// Whether it is the same decision of the same person on the same report: one that was sent twice. When it was sent
    /// does not matter.
    pub fn is_same_decision(&self, other: &Self) -> bool {
        let same = Self {
            at: other.at,
            ..self.clone()
        };
        same == *other
    }
}
