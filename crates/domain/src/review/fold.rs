//! The reviewed state: a pure fold over the reviews of one report.

use super::{Decision, FindingsDecision, Review, Reviewer, UnusableReason};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// What people say about a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Judgement {
    /// Nothing, or nothing that still counts.
    #[default]
    Unreviewed,
    /// It is right.
    Confirmed,
    /// It is right but for this.
    Corrected(FindingsDecision),
    /// The photo cannot be judged.
    Unusable(UnusableReason),
}

impl Judgement {
    /// The word used in documents.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreviewed => "unreviewed",
            Self::Confirmed => "confirmed",
            Self::Corrected(_) => "corrected",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// What the reviews of one report come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reviewed {
    /// The last decision about the report that counts.
    pub judgement: Judgement,
    /// Its revision; 0 when there is none.
    pub revision: u32,
    /// Who decided so.
    pub by: Option<Reviewer>,
    /// When.
    pub at: Option<Timestamp>,
    /// Who asked for another person's decision last, and has none yet.
    pub escalated_by: Option<Reviewer>,
}

/// Folds the reviews of the report with this digest, whatever order they are given in. Reviews of other reports do not
/// count.
///
/// From the last revision to the first, an undo that counts takes its revision out; of the rest, the last decision
/// about the report stands.
pub fn reviewed<'a>(reviews: impl IntoIterator<Item = &'a Review>, report: &[u8; 32]) -> Reviewed {
    let mut all: Vec<&Review> = reviews.into_iter().filter(|r| r.based_on == *report).collect();
    all.sort_by_key(|review| std::cmp::Reverse(review.revision));
    let mut undone = BTreeSet::new();
    let mut escalated_by = None;
    for review in all {
        if undone.contains(&review.revision) {
            continue;
        }
        let judgement = match &review.decision {
            Decision::Undo(revision) => {
                undone.insert(*revision);
                continue;
            }
            Decision::Escalate => {
                escalated_by.get_or_insert_with(|| review.by.clone());
                continue;
            }
            Decision::Confirm => Judgement::Confirmed,
            Decision::Findings(decision) => Judgement::Corrected(decision.clone()),
            Decision::Unusable(why) => Judgement::Unusable(*why),
        };
        return Reviewed {
            judgement,
            revision: review.revision,
            by: Some(review.by.clone()),
            at: Some(review.at),
            escalated_by,
        };
    }
    Reviewed {
        escalated_by,
        ..Reviewed::default()
    }
}
