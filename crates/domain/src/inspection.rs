//! The life of an inspection as a pure state machine.
//!
//! `accepted → routed(lane, reason) → done(verdict)`, or `→ failed(code)`; `done` and `failed` are final.
//! Messages arrive twice and late, so a step that changes nothing is a value ([`Step::AlreadyApplied`]),
//! and only what contradicts the state is an error.

use crate::verdict::Verdict;
use std::fmt;

/// Where the segmentation happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// On the CPU, in the triage function.
    Inline,
    /// On a GPU worker.
    Gpu,
}

impl Lane {
    /// The lane that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Inline, Self::Gpu].into_iter().find(|l| l.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Gpu => "gpu",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an inspection failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The photo does not exist (any more).
    PhotoNotFound,
    /// The photo may not be fetched: host or path outside what is allowed, access denied.
    PhotoForbidden,
    /// The photo could not be fetched within its attempts, which are spread over hours.
    PhotoUnreachable,
    /// More bytes than the limit.
    PhotoTooLarge,
    /// The networks failed on this photo in every attempt, and worked on another picture right after.
    EngineFailed,
    /// The store refuses the results for good: too large, malformed. An unavailable store is never a failure.
    StoreFailed,
    /// The process died each time that it worked on this photo alone.
    ProcessDied,
}

impl FailureCode {
    /// Every code.
    pub const ALL: [Self; 7] = [
        Self::PhotoNotFound,
        Self::PhotoForbidden,
        Self::PhotoUnreachable,
        Self::PhotoTooLarge,
        Self::EngineFailed,
        Self::StoreFailed,
        Self::ProcessDied,
    ];

    /// The code that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhotoNotFound => "photo_not_found",
            Self::PhotoForbidden => "photo_forbidden",
            Self::PhotoUnreachable => "photo_unreachable",
            Self::PhotoTooLarge => "photo_too_large",
            Self::EngineFailed => "engine_failed",
            Self::StoreFailed => "store_failed",
            Self::ProcessDied => "process_died",
        }
    }
}

/// Where an inspection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The request is durable.
    Accepted,
    /// A lane was chosen, and why.
    Routed {
        /// Which.
        lane: Lane,
        /// In words, for the record.
        reason: String,
    },
    /// Final: the photo was inspected.
    Done {
        /// The verdict.
        verdict: Verdict,
    },
    /// Final: the photo could not be inspected.
    Failed {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        detail: String,
    },
}

impl Phase {
    /// Whether only [`Event::Reopen`] and [`Event::Remake`] still change it.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }

    /// The word used in documents.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Routed { .. } => "routed",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What happens to an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A lane was chosen.
    Route {
        /// Which.
        lane: Lane,
        /// Why, in words.
        reason: String,
    },
    /// The photo was inspected.
    Complete {
        /// The verdict.
        verdict: Verdict,
    },
    /// The photo cannot be inspected.
    Fail {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        detail: String,
    },
    /// An attempt failed, and there are attempts left.
    AttemptFailed {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        detail: String,
    },
    /// A process begins to work on it, and wants that to be known should it die.
    Start {
        /// Whether that process works on nothing else meanwhile.
        alone: bool,
    },
    /// A process that had announced its start gives the work back in good order: stopped, or waiting for a store.
    GiveBack,
    /// An operator asks for another round of attempts at a failed inspection.
    Reopen,
    /// An operator asks for another inspection of a photo whose stored result is lost.
    Remake,
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The next phase.
    Advance(Phase),
    /// The event changes nothing: it was applied before, or came too late to matter.
    AlreadyApplied,
}

/// An event that contradicts the phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IllegalTransition {
    /// Where the inspection stands.
    pub from: &'static str,
    /// What was tried.
    pub event: &'static str,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an inspection that is {} cannot {}", self.from, self.event)
    }
}

impl std::error::Error for IllegalTransition {}

impl Phase {
    /// The phase after an event.
    ///
    /// A final phase absorbs what a duplicate or a straggler repeats: the first final write wins, and a
    /// second look at the same photo is not a contradiction (two workers may both have looked).
    ///
    /// What concerns attempts ([`Event::AttemptFailed`], [`Event::Start`], [`Event::GiveBack`]) leaves the phase as it
    /// is and counts in [`AttemptHistory`](crate::record::AttemptHistory); a final phase absorbs it.
    ///
    /// # Errors
    /// [`IllegalTransition`] when a done inspection is said to have failed, or the reverse, when a done one is to be
    /// reopened, and when the result of a failed one, which has none, is to be remade.
    pub fn step(&self, event: &Event) -> Result<Step, IllegalTransition> {
        match (self, event) {
            (Self::Accepted, Event::Route { lane, reason }) => Ok(Step::Advance(Self::Routed {
                lane: *lane,
                reason: reason.clone(),
            })),
            // A route may be revised while nothing is final: the GPU lane closed, the deadline came near.
            (Self::Routed { lane: now, .. }, Event::Route { lane, reason }) if now != lane => {
                Ok(Step::Advance(Self::Routed {
                    lane: *lane,
                    reason: reason.clone(),
                }))
            }
            (Self::Routed { .. } | Self::Done { .. } | Self::Failed { .. }, Event::Route { .. }) => {
                Ok(Step::AlreadyApplied)
            }
            (Self::Accepted | Self::Routed { .. }, Event::Complete { verdict }) => {
                Ok(Step::Advance(Self::Done { verdict: *verdict }))
            }
            (Self::Accepted | Self::Routed { .. }, Event::Fail { code, detail }) => {
                Ok(Step::Advance(Self::Failed {
                    code: *code,
                    detail: detail.clone(),
                }))
            }
            (Self::Done { .. }, Event::Complete { .. }) | (Self::Failed { .. }, Event::Fail { .. }) => {
                Ok(Step::AlreadyApplied)
            }
            (
                Self::Accepted | Self::Routed { .. },
                Event::AttemptFailed { .. } | Event::Start { .. } | Event::GiveBack,
            ) => Ok(Step::Advance(self.clone())),
            (
                Self::Done { .. } | Self::Failed { .. },
                Event::AttemptFailed { .. } | Event::Start { .. } | Event::GiveBack,
            )
            | (Self::Accepted | Self::Routed { .. }, Event::Reopen | Event::Remake) => {
                Ok(Step::AlreadyApplied)
            }
            (Self::Failed { .. }, Event::Reopen) | (Self::Done { .. }, Event::Remake) => {
                Ok(Step::Advance(Self::Accepted))
            }
            (Self::Failed { .. }, Event::Remake) => Err(IllegalTransition {
                from: "failed",
                event: "be remade",
            }),
            (Self::Done { .. }, Event::Reopen) => Err(IllegalTransition {
                from: "done",
                event: "be reopened",
            }),
            (Self::Done { .. }, Event::Fail { .. }) => Err(IllegalTransition {
                from: "done",
                event: "fail",
            }),
            (Self::Failed { .. }, Event::Complete { .. }) => Err(IllegalTransition {
                from: "failed",
                event: "complete",
            }),
        }
    }
}
