//! Which inspections a person should see: a pure policy over what is on the record.

use super::{ReviewTask, TaskReason};
use crate::draw;
use crate::ids::InspectionId;
use crate::photo::{InspectionRequest, Occasion};
use crate::record::Outcome;
use crate::time::Timestamp;
use crate::verdict::{ReasonCode, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Half the width of the band around a threshold, unless the bundle says otherwise: a probability.
pub const BAND: f32 = 0.05;
/// Share of all photos that is drawn at random, unless the bundle says otherwise.
pub const AUDIT_SHARE: f64 = 0.01;

/// Which inspections get a task. From a bundle's manifest: its `[review]`, and the thresholds that it has anyway.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewPolicy {
    /// A finding or the gate this close to its threshold is looked at; 0 for none.
    pub band: f32,
    /// Thresholds of the gates.
    pub gate_thresholds: Vec<f32>,
    /// Threshold of each class.
    pub class_thresholds: BTreeMap<String, f32>,
    /// Whether a photo is looked at when a gate is sure of damage and nothing is found.
    pub damage_not_located: bool,
    /// Whether an unusable photo of a return is looked at.
    pub unusable_at_return: bool,
    /// Share of all photos that is drawn at random, 0 to 1.
    pub audit_share: f64,
}

/// The policy that selects nothing.
pub static NO_REVIEWS: ReviewPolicy = ReviewPolicy {
    band: 0.0,
    gate_thresholds: Vec::new(),
    class_thresholds: BTreeMap::new(),
    damage_not_located: false,
    unusable_at_return: false,
    audit_share: 0.0,
};

impl Default for ReviewPolicy {
    fn default() -> Self {
        Self {
            band: BAND,
            gate_thresholds: Vec::new(),
            class_thresholds: BTreeMap::new(),
            damage_not_located: true,
            unusable_at_return: true,
            audit_share: AUDIT_SHARE,
        }
    }
}

/// The result that a task would be about.
#[derive(Debug, Clone, Copy)]
pub struct ReviewSubject<'a> {
    /// What was asked.
    pub request: &'a InspectionRequest,
    /// The verdict.
    pub verdict: Verdict,
    /// The rest of the result, as it is on the record.
    pub outcome: &'a Outcome,
    /// The round of the inspection ([`AttemptHistory::reopened`](crate::record::AttemptHistory::reopened)).
    pub round: u32,
}

impl ReviewPolicy {
    /// The task that a result gets; none when nobody needs to see it.
    ///
    /// `inclusion` is the probability that a result like this one gets a task: 1 where a reason applies that depends on
    /// the result alone, for each such photo gets one whether it was drawn or not; else the share that is drawn.
    pub fn task(&self, subject: &ReviewSubject<'_>, now: Timestamp) -> Option<ReviewTask> {
        let certain = self.certain_reasons(subject);
        let id = &subject.request.id;
        let drawn = is_drawn(id, self.audit_share).then_some(TaskReason::Audit);
        let first = *certain.first().or(drawn.as_ref())?;
        let mut task = ReviewTask::open(id.clone(), first, now);
        task.add_reasons(certain.iter().copied().chain(drawn));
        if certain.is_empty() {
            task.inclusion = self.audit_share;
        }
        task.round = subject.round;
        task.vehicle_id = subject.request.vehicle_id.clone();
        task.classes = subject.outcome.findings.iter().map(|f| f.class.clone()).collect();
        Some(task)
    }

    /// The reasons that depend on the result alone.
    fn certain_reasons(&self, subject: &ReviewSubject<'_>) -> BTreeSet<TaskReason> {
        let mut reasons = BTreeSet::new();
        let unusable = subject.verdict == Verdict::Unusable;
        let not_located = unusable
            && subject
                .outcome
                .reasons
                .iter()
                .any(|reason| reason.code == ReasonCode::DamageNotLocated);
        if self.damage_not_located && not_located {
            reasons.insert(TaskReason::DamageNotLocated);
        }
        if self.unusable_at_return && unusable && subject.request.occasion == Some(Occasion::Return) {
            reasons.insert(TaskReason::UnusableAtReturn);
        }
        if self.is_near_threshold(subject.outcome) {
            reasons.insert(TaskReason::NearThreshold);
        }
        reasons
    }

    fn is_near_threshold(&self, outcome: &Outcome) -> bool {
        let near = |value: f32, threshold: f32| self.band > 0.0 && (value - threshold).abs() <= self.band;
        let gate = outcome
            .gate
            .is_some_and(|gate| self.gate_thresholds.iter().any(|t| near(gate, *t)));
        let finding = outcome.findings.iter().any(|finding| {
            let threshold = self.class_thresholds.get(&finding.class);
            threshold.is_some_and(|t| near(finding.probability, *t))
        });
        gate || finding
    }
}

/// Whether an inspection is in the random share, by a [draw](crate::draw) of its id.
pub fn is_drawn(id: &InspectionId, share: f64) -> bool {
    draw::is_drawn("audit", id.as_str(), share)
}
