//! The canary in the document of a rollout.

use crate::Unreadable;
use crate::document::finite;
use crate::moment::{parse_rfc3339, rfc3339};
use crate::report::BundleDocument;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use walkaround_domain::BundleId;
use walkaround_domain::canary::{Canary, CanaryEnd, CanaryOutcome, CanaryPolicy, Evidence, Group};
use walkaround_domain::estimate::Estimate;
use walkaround_domain::verdict::Verdict;

/// A bundle that answers for a share of the vehicles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryDocument {
    /// Which.
    pub bundle: BundleDocument,
    /// Its folder; left out where it is in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The bundle that answers for all other vehicles.
    pub instead_of: BundleDocument,
    /// The folder of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of_folder: Option<String>,
    /// Share of the vehicles, above 0 and at most 0.5.
    pub share: f64,
    /// Since when, RFC 3339.
    pub since: String,
    /// What decides about it.
    pub policy: CanaryPolicyDocument,
    /// `running`, `promoted`, `rolled_back`, `stopped`.
    pub state: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What decides about a canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryPolicyDocument {
    /// Photos that it answers for before it may be promoted.
    pub photos_min: u64,
    /// Largest share of photos with another verdict than before.
    pub flips_max: f64,
    /// Largest share of photos that it fails on.
    pub failures_max: f64,
    /// Largest factor by which the share of a verdict may differ from that of other vehicles.
    pub change_max: f64,
    /// Largest factor by which its networks may be slower.
    pub slower_max: f64,
    /// Smallest share of its damaged photos that people must find damaged; left out where reviews do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_min: Option<f64>,
    /// After so many seconds without a decision it is rolled back.
    pub patience_s: u64,
}

/// The word for a canary that answers.
const RUNNING: &str = "running";

impl From<&CanaryPolicy> for CanaryPolicyDocument {
    fn from(policy: &CanaryPolicy) -> Self {
        Self {
            photos_min: policy.photos_min,
            flips_max: finite(policy.flips_max),
            failures_max: finite(policy.failures_max),
            change_max: finite(policy.change_max),
            slower_max: finite(policy.slower_max),
            precision_min: policy.precision_min.map(finite),
            patience_s: policy.patience.as_secs(),
        }
    }
}

impl From<&CanaryPolicyDocument> for CanaryPolicy {
    fn from(wire: &CanaryPolicyDocument) -> Self {
        Self {
            photos_min: wire.photos_min,
            flips_max: wire.flips_max,
            failures_max: wire.failures_max,
            change_max: wire.change_max,
            slower_max: wire.slower_max,
            precision_min: wire.precision_min,
            patience: Duration::from_secs(wire.patience_s),
        }
    }
}

impl From<&Canary> for CanaryDocument {
    fn from(canary: &Canary) -> Self {
        let end = canary.end.as_ref();
        Self {
            bundle: (&canary.bundle).into(),
            folder: canary.folder.clone(),
            instead_of: (&canary.instead_of).into(),
            instead_of_folder: canary.instead_of_folder.clone(),
            share: finite(canary.share),
            since: rfc3339(canary.since),
            policy: (&canary.policy).into(),
            state: end.map_or(RUNNING, |end| end.how.as_str()).to_owned(),
            ended_at: end.map(|end| rfc3339(end.at)),
            why: end.map(|end| end.why.clone()),
        }
    }
}

impl TryFrom<CanaryDocument> for Canary {
    type Error = Unreadable;

    fn try_from(wire: CanaryDocument) -> Result<Self, Unreadable> {
        let end = match wire.state.as_str() {
            RUNNING => None,
            state => {
                let how = CanaryOutcome::parse(state)
                    .ok_or_else(|| Unreadable::new("canary.state: a word that is not known here"))?;
                let at = wire.ended_at.as_deref().unwrap_or(&wire.since);
                Some(CanaryEnd {
                    at: parse_rfc3339(at).map_err(|e| e.within("canary.ended_at"))?,
                    how,
                    why: wire.why.unwrap_or_default(),
                })
            }
        };
        Ok(Self {
            policy: (&wire.policy).into(),
            bundle: BundleId::new(wire.bundle.name, wire.bundle.version),
            folder: wire.folder,
            instead_of: BundleId::new(wire.instead_of.name, wire.instead_of.version),
            instead_of_folder: wire.instead_of_folder,
            share: wire.share,
            since: parse_rfc3339(&wire.since).map_err(|e| e.within("canary.since"))?,
            end,
        })
    }
}

/// What is seen of a canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceDocument {
    /// Of the canary's photos.
    pub canary: GroupDocument,
    /// Of those that it is compared with.
    pub control: GroupDocument,
    /// Photos of which both bundles have said something.
    pub pairs: u64,
    /// Those of them on which their verdicts differ.
    pub flips: u64,
    /// Share of what it calls damaged that is, by what people say of photos that were drawn; left out where too few are reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// Reviewed photos that this rests on.
    pub reviewed: u64,
}

/// What one group comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupDocument {
    /// Photos that its bundle answered for.
    pub answered: u64,
    /// Those of them that are damaged.
    pub damaged: u64,
    /// Those of them that are clean.
    pub clean: u64,
    /// Those of them that cannot be judged.
    pub unusable: u64,
    /// Photos that the canary failed on.
    pub failed: u64,
    /// Geometric means of the networks' times.
    pub times: Vec<StepTime>,
}

/// The time of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// `inline`, `gpu`; left out where no segmenter was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// `screening`, `segmentation`.
    pub step: String,
    /// Milliseconds.
    pub ms: f64,
    /// Photos.
    pub photos: u64,
}

impl From<&Group> for GroupDocument {
    fn from(group: &Group) -> Self {
        let times = group.times.iter().map(|((lane, step), time)| StepTime {
            lane: lane.map(|lane| lane.as_str().to_owned()),
            step: step.as_str().to_owned(),
            ms: time.value().map_or(0.0, |micros| (micros / 10.0).round() / 100.0),
            photos: time.count,
        });
        Self {
            answered: group.answered(),
            damaged: group.with(Verdict::Damaged),
            clean: group.with(Verdict::Clean),
            unusable: group.with(Verdict::Unusable),
            failed: group.failed,
            times: times.collect(),
        }
    }
}

impl From<&Evidence> for EvidenceDocument {
    fn from(evidence: &Evidence) -> Self {
        let (precision, reviewed) = match evidence.precision() {
            Estimate::Known(found) => (Some(finite(found.value)), found.units),
            Estimate::TooFew { units } => (None, units),
        };
        Self {
            canary: (&evidence.canary).into(),
            control: (&evidence.control).into(),
            pairs: evidence.pairs(),
            flips: evidence.flips(),
            precision,
            reviewed,
        }
    }
}
