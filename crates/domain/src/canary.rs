//! A canary: another bundle that answers for a share of the vehicles, until a written policy promotes it or rolls it back.
//!
//! Which photos are its own is a [draw](crate::draw) of the vehicle, so that all photos of one vehicle are answered by one
//! bundle. What is seen of it is [`Evidence`]; what follows is [`CanaryPolicy::decide`], pure.

mod evidence;
mod group;
mod policy;

pub use evidence::{Evidence, Group, LogMean, Observation, Observed, TimedStep};
pub use group::CanaryGroup;
pub use policy::{CanaryDecision, CanaryPolicy};

use crate::bundle::BundleId;
use crate::draw::is_drawn;
use crate::photo::InspectionRequest;
use crate::time::Timestamp;

/// The purpose of the draw of vehicles.
const CANARY: &str = "canary";
/// The purpose of the draw of those that it is compared with.
const CONTROL: &str = "canary-control";

/// A bundle that answers for a share of the vehicles.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Which bundle.
    pub bundle: BundleId,
    /// Its folder, where bundles are folders; none where it is in a registry.
    pub folder: Option<String>,
    /// The bundle that answers for all others.
    pub instead_of: BundleId,
    /// The folder of that one, likewise.
    pub instead_of_folder: Option<String>,
    /// Share of the vehicles, above 0 and at most [`SHARE_MAX`].
    pub share: f64,
    /// Since when: this names the canary, too.
    pub since: Timestamp,
    /// What decides about it.
    pub policy: CanaryPolicy,
    /// How it ended; none while it answers.
    pub end: Option<CanaryEnd>,
}

/// Largest share: as many vehicles must be left to compare with.
pub const SHARE_MAX: f64 = 0.5;

/// How a canary ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryEnd {
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: CanaryOutcome,
    /// Why, for people.
    pub why: String,
}

/// How a canary ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryOutcome {
    /// It answers for all vehicles now.
    Promoted,
    /// It answers for none any more: by the policy.
    RolledBack,
    /// It answers for none any more: by hand.
    Stopped,
}

impl CanaryOutcome {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Promoted, Self::RolledBack, Self::Stopped];

    /// The outcome that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Stopped => "stopped",
        }
    }
}

impl Canary {
    /// Whether it answers for photos.
    pub const fn is_running(&self) -> bool {
        self.end.is_none()
    }

    /// The group of a request's photo; none for most: their answers are not compared. It goes by the vehicle; without one by the
    /// reservation, and without that by the inspection.
    pub fn group(&self, request: &InspectionRequest) -> Option<CanaryGroup> {
        if !self.is_running() {
            return None;
        }
        let name = (request.vehicle_id.as_deref())
            .or(request.reservation_id.as_deref())
            .unwrap_or(request.id.as_str());
        if is_drawn(CANARY, name, self.share) {
            return Some(CanaryGroup::Canary);
        }
        // As many as the canary has.
        let share = self.share / (1.0 - self.share);
        is_drawn(CONTROL, name, share).then_some(CanaryGroup::Control)
    }
}

#[cfg(test)]
mod tests;
