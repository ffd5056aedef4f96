//! The work of reviewers: one task for each inspection that a person should see.
//!
//! A claim is a lease: it ends by itself, so that no task stays with somebody who went away. Nothing here depends on
//! it: a decision is guarded by its revision.

use super::Reviewer;
use crate::ids::InspectionId;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

/// The most urgent priority; 0 is the least.
pub const PRIORITY_MAX: u8 = 9;

/// Why a person should see an inspection, the most pressing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskReason {
    /// A person asked for it.
    Asked,
    /// A gate is sure of damage, and no segmenter says where.
    DamageNotLocated,
    /// The photo of a return cannot be judged.
    UnusableAtReturn,
    /// Another bundle came to another result.
    Disagreement,
    /// A finding or the gate is within the band around its threshold.
    NearThreshold,
    /// Drawn at random.
    Audit,
}

impl TaskReason {
    /// Every reason, the most pressing first.
    pub const ALL: [Self; 6] = [
        Self::Asked,
        Self::DamageNotLocated,
        Self::UnusableAtReturn,
        Self::Disagreement,
        Self::NearThreshold,
        Self::Audit,
    ];

    /// The reason that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::DamageNotLocated => "damage_not_located",
            Self::UnusableAtReturn => "unusable_at_return",
            Self::Disagreement => "disagreement",
            Self::NearThreshold => "near_threshold",
            Self::Audit => "audit",
        }
    }

    /// The priority of a task with this reason, 0 to [`PRIORITY_MAX`].
    pub const fn priority(self) -> u8 {
        match self {
            Self::Asked => PRIORITY_MAX,
            Self::DamageNotLocated => 7,
            Self::UnusableAtReturn => 6,
            Self::Disagreement => 5,
            Self::NearThreshold => 4,
            Self::Audit => 1,
        }
    }
}

impl fmt::Display for TaskReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// Nobody has it.
    Open,
    /// Somebody has it, until a moment.
    Claimed {
        /// Who.
        by: Reviewer,
        /// When the claim ends.
        until: Timestamp,
    },
    /// Somebody decided.
    Done,
}

impl TaskState {
    /// The word used in documents.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed { .. } => "claimed",
            Self::Done => "done",
        }
    }
}

/// That a person should see an inspection. There is one for an inspection, whatever the number of reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewTask {
    /// Which inspection.
    pub inspection: InspectionId,
    /// The most pressing reason.
    pub reason: TaskReason,
    /// The others.
    pub also: BTreeSet<TaskReason>,
    /// Probability with which an inspection like this one gets a task, above 0 and at most 1: figures from reviews weigh
    /// it by the inverse.
    pub inclusion: f64,
    /// Urgency, 0 to [`PRIORITY_MAX`].
    pub priority: u8,
    /// When it was written, or opened again.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: TaskState,
    /// The round of the inspection
    /// ([`AttemptHistory::reopened`](crate::record::AttemptHistory::reopened)) that it is about: another round has
    /// another report.
    pub round: u32,
    /// The last revision whose event is out and that this task has taken account of; 0 before the first.
    pub reviewed: u32,
    /// Who asked for somebody else's decision: not offered to this reviewer.
    pub escalated_by: Option<Reviewer>,
    /// The vehicle, for lists.
    pub vehicle_id: Option<String>,
    /// Classes of the findings on the record, for lists.
    pub classes: BTreeSet<String>,
}

/// What to do about a task that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDone {
    /// Leave it: the same result was settled again.
    Keep,
    /// Open it again: somebody asks for another decision.
    Reopen,
}

/// What a reviewer does about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEvent {
    /// Takes it, until a moment. The holder may claim again.
    Claim {
        /// Who.
        by: Reviewer,
        /// When the claim ends.
        until: Timestamp,
    },
    /// Keeps it longer.
    Extend {
        /// Who.
        by: Reviewer,
        /// When the claim ends.
        until: Timestamp,
    },
    /// Gives it back.
    Release {
        /// Who.
        by: Reviewer,
    },
    /// A review is stored and its event is out.
    Reviewed {
        /// Its revision.
        revision: u32,
        /// What becomes of the task.
        then: AfterReview,
    },
    /// There is nothing to decide: the inspection failed, or its record is gone.
    Close,
}

/// What becomes of a task after a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterReview {
    /// It is done.
    Done,
    /// Somebody else has to decide.
    Escalated {
        /// Who says so.
        by: Reviewer,
    },
    /// What was decided was undone.
    Open,
}

/// A task after a change.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskChange {
    /// This is new.
    Changed(ReviewTask),
    /// It is as it was.
    Unchanged,
}

/// Why a task is not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskRefusal {
    /// Somebody else has it.
    HeldBy {
        /// Who.
        by: Reviewer,
        /// Until when, as things stand.
        until: Timestamp,
    },
    /// Nobody has it.
    NotHeld,
    /// It is done.
    Done,
}

impl fmt::Display for TaskRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeldBy { by, .. } => write!(f, "{by} has claimed it"),
            Self::NotHeld => f.write_str("nobody has claimed it"),
            Self::Done => f.write_str("it is done"),
        }
    }
}

impl std::error::Error for TaskRefusal {}

impl ReviewTask {
    /// An open task without any detail, of an inspection in its first round.
    pub fn open(inspection: InspectionId, reason: TaskReason, now: Timestamp) -> Self {
        Self {
            inspection,
            reason,
            also: BTreeSet::new(),
            inclusion: 1.0,
            priority: reason.priority(),
            created_at: now,
            state: TaskState::Open,
            round: 0,
            reviewed: 0,
            escalated_by: None,
            vehicle_id: None,
            classes: BTreeSet::new(),
        }
    }

    /// All reasons, the most pressing first.
    pub fn reasons(&self) -> impl Iterator<Item = TaskReason> {
        std::iter::once(self.reason).chain(self.also.iter().copied())
    }

    /// Whether this reviewer may be offered it: nobody has it, and they did not pass it on themselves.
    pub fn is_claimable(&self, by: &Reviewer, now: Timestamp) -> bool {
        let free = match &self.state {
            TaskState::Open => true,
            TaskState::Claimed { by: holder, until } => holder == by || *until <= now,
            TaskState::Done => false,
        };
        free && self.escalated_by.as_ref() != Some(by)
    }

    /// The task after a reviewer's step at `now`. A step that was made before changes nothing.
    ///
    /// # Errors
    /// [`TaskRefusal`]; the task stays as it is.
    pub fn step(&self, event: &TaskEvent, now: Timestamp) -> Result<TaskChange, TaskRefusal> {
        let mut next = self.clone();
        match event {
            TaskEvent::Claim { by, until } => {
                match &self.state {
                    TaskState::Done => return Err(TaskRefusal::Done),
                    TaskState::Claimed { by: holder, until } if holder != by && *until > now => {
                        return Err(self.held(holder, *until));
                    }
                    TaskState::Open | TaskState::Claimed { .. } => {}
                }
                next.claim(by, *until);
            }
            TaskEvent::Extend { by, until } => {
                self.require_holder(by)?;
                next.claim(by, *until);
            }
            TaskEvent::Release { by } => {
                // An open one was given back before: the request was sent twice.
                if self.state != TaskState::Open {
                    self.require_holder(by)?;
                    next.state = TaskState::Open;
                }
            }
            TaskEvent::Reviewed { revision, then } if *revision > self.reviewed => {
                next.reviewed = *revision;
                next.after_review(then);
            }
            TaskEvent::Reviewed { .. } => {}
            TaskEvent::Close => next.state = TaskState::Done,
        }
        Ok(if next == *self {
            TaskChange::Unchanged
        } else {
            TaskChange::Changed(next)
        })
    }

    fn held(&self, by: &Reviewer, until: Timestamp) -> TaskRefusal {
        TaskRefusal::HeldBy {
            by: by.clone(),
            until,
        }
    }

    fn require_holder(&self, by: &Reviewer) -> Result<(), TaskRefusal> {
        match &self.state {
            TaskState::Claimed { by: holder, .. } if holder == by => Ok(()),
            TaskState::Claimed { by: holder, until } => Err(self.held(holder, *until)),
            TaskState::Open => Err(TaskRefusal::NotHeld),
            TaskState::Done => Err(TaskRefusal::Done),
        }
    }

    fn claim(&mut self, by: &Reviewer, until: Timestamp) {
        self.state = TaskState::Claimed {
            by: by.clone(),
            until,
        };
    }

    fn after_review(&mut self, then: &AfterReview) {
        match then {
            AfterReview::Done => {
                self.state = TaskState::Done;
                self.escalated_by = None;
            }
            AfterReview::Open => {
                self.state = TaskState::Open;
                self.escalated_by = None;
            }
            AfterReview::Escalated { by } => {
                self.state = TaskState::Open;
                self.escalated_by = Some(by.clone());
                self.add_reasons([TaskReason::Asked]);
                self.priority = PRIORITY_MAX;
            }
        }
    }

    /// Adds reasons; the most pressing one of all leads.
    pub(super) fn add_reasons(&mut self, more: impl IntoIterator<Item = TaskReason>) {
        for reason in more {
            let behind = reason.max(self.reason);
            self.reason = reason.min(self.reason);
            self.also.insert(behind);
        }
        self.also.remove(&self.reason);
    }

    /// What is stored when `new` is put where this task stands.
    ///
    /// An open task takes the reasons that it has not, the higher priority and the higher inclusion. One that is done
    /// stays so, unless `if_done` says otherwise or the inspection has come to another round, which has another report.
    #[must_use]
    pub fn merge(&self, new: &Self, if_done: IfDone) -> TaskChange {
        let next = if new.round > self.round {
            Self {
                reviewed: self.reviewed,
                ..new.clone()
            }
        } else if new.round < self.round || (self.state == TaskState::Done && if_done == IfDone::Keep) {
            return TaskChange::Unchanged;
        } else {
            self.joined(new)
        };
        if next == *self {
            TaskChange::Unchanged
        } else {
            TaskChange::Changed(next)
        }
    }

    fn joined(&self, new: &Self) -> Self {
        let mut next = self.clone();
        next.add_reasons(new.reasons());
        next.inclusion = self.inclusion.max(new.inclusion);
        next.priority = self.priority.max(new.priority);
        next.vehicle_id = self.vehicle_id.clone().or_else(|| new.vehicle_id.clone());
        next.classes.extend(new.classes.iter().cloned());
        if self.state == TaskState::Done {
            next.state = TaskState::Open;
            next.created_at = new.created_at;
            next.escalated_by = None;
        }
        next
    }
}
