//! What counts as an attempt at a photo, and how work on a photo begins after processes died at it.
//!
//! An attempt is a failure of the photo itself, counted on its record. How often a queue has delivered its message
//! says nothing: deliveries end in stops, throttles, crashes of a neighbour and trouble of stores as well.

use crate::record::AttemptHistory;

/// Most attempts that an operator may ask for (`WALKAROUND_ATTEMPTS`). With it and the longest delays a photo's
/// attempts still end well within the four days that a queue keeps a message.
pub const ATTEMPTS_MAX: u32 = 20;

/// Deliveries after which a queue parks a message by itself, on both stacks: the most that SQS allows
/// (`maxReceiveCount`, 1 to 1,000; AWS, "Amazon SQS message quotas"). Only the last guard.
pub const DELIVERIES_MAX: u32 = 1000;

/// Unfinished starts after which a photo is processed with nothing else in flight: one may be a neighbour's fault.
pub const STARTS_TOGETHER_MAX: u32 = 2;

/// Unfinished starts alone after which the photo is what kills its process.
pub const STARTS_ALONE_MAX: u32 = 3;

/// How work on a delivered photo begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartPlan {
    /// At once, beside others: most messages are delivered once, and cost no extra write.
    Plain,
    /// The start is announced on the record first, so that a crash leaves a trace.
    Announced,
    /// Announced, and with nothing else in flight.
    Alone,
    /// Not at all: the photo kills its process.
    GiveUp,
}

impl StartPlan {
    /// The plan for a photo with this history. `watched`: its message was delivered before, or its networks are new.
    pub const fn of(history: &AttemptHistory, watched: bool) -> Self {
        if history.unfinished_starts_alone >= STARTS_ALONE_MAX {
            Self::GiveUp
        } else if history.unfinished_starts >= STARTS_TOGETHER_MAX {
            Self::Alone
        } else if watched || history.unfinished_starts > 0 {
            Self::Announced
        } else {
            Self::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(starts: u32, alone: u32, redelivered: bool) -> StartPlan {
        let history = AttemptHistory {
            unfinished_starts: starts,
            unfinished_starts_alone: alone,
            ..AttemptHistory::default()
        };
        StartPlan::of(&history, redelivered)
    }

    #[test]
    fn a_photo_is_suspected_only_after_several_starts_without_an_end() {
        assert_eq!(after(0, 0, false), StartPlan::Plain);
        assert_eq!(after(0, 0, true), StartPlan::Announced);
        assert_eq!(after(1, 0, true), StartPlan::Announced);
        assert_eq!(after(2, 0, true), StartPlan::Alone);
        assert_eq!(
            after(9, 2, true),
            StartPlan::Alone,
            "its neighbours may be at fault"
        );
        assert_eq!(after(5, 3, true), StartPlan::GiveUp);
    }
}
