//! Which photos people should label next, and review tasks for them.

use super::listing::each_done;
use crate::StackClient;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_bootstrap::Failure;
use walkaround_domain::sampling::{self, Chosen, Nearness};
use walkaround_domain::{Inspection, InspectionId, Phase, ReviewPolicy, Verdict, hex};
use walkaround_messages::utc_day;
use walkaround_pipeline::past::Window;
use walkaround_pipeline::review::ReviewError;

/// Where a network changes its mind, as far as the bundle says.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Of the gates.
    pub gates: Vec<f32>,
    /// By class.
    pub classes: BTreeMap<String, f32>,
    /// Of everything that is not named.
    pub other: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            gates: Vec::new(),
            classes: BTreeMap::new(),
            other: 0.5,
        }
    }
}

impl From<&ReviewPolicy> for Thresholds {
    fn from(policy: &ReviewPolicy) -> Self {
        Self {
            gates: policy.gate_thresholds.clone(),
            classes: policy.class_thresholds.clone(),
            ..Self::default()
        }
    }
}

impl Thresholds {
    /// The probability of a photo that is nearest to its threshold.
    fn nearest(&self, inspection: &Inspection) -> Option<Nearness> {
        let outcome = inspection.outcome.as_ref()?;
        let other = [self.other];
        let gates = if self.gates.is_empty() {
            &other[..]
        } else {
            &self.gates[..]
        };
        let gates = outcome.gate.into_iter().flat_map(|value| {
            gates.iter().map(move |&threshold| Nearness {
                what: "gate".to_owned(),
                value,
                threshold,
            })
        });
        let findings = outcome.findings.iter().map(|finding| Nearness {
            what: finding.class.clone(),
            value: finding.probability,
            threshold: self.classes.get(&finding.class).copied().unwrap_or(self.other),
        });
        gates
            .chain(findings)
            .min_by(|a, b| a.margin().total_cmp(&b.margin()))
    }
}

/// What is sampled.
#[derive(Debug, Clone)]
pub struct SampleOptions {
    /// Photos of this time.
    pub window: Window,
    /// How many.
    pub count: usize,
    /// Where networks change their mind.
    pub thresholds: Thresholds,
    /// Whether each gets a review task.
    pub ask: bool,
}

/// A chosen photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which, and why.
    pub chosen: Chosen,
    /// Vehicle, where it is known.
    pub vehicle_id: Option<String>,
    /// UTC day of acceptance.
    pub day: String,
    /// As the machine has it.
    pub verdict: Verdict,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The photos.
    pub photos: Vec<Sample>,
    /// Inspections whose records cannot be read.
    pub unreadable: Vec<InspectionId>,
}

/// Chooses photos that nobody has decided about, each with the reason; with `ask`, opens their review tasks.
///
/// # Errors
/// The stack does not answer.
pub async fn sample(stack: &dyn StackClient, options: &SampleOptions) -> Result<Sampled, Failure> {
    // The same bytes are labelled once: of several inspections of them, the first one by its id.
    let mut photos: BTreeMap<[u8; 32], (sampling::Candidate, Sample)> = BTreeMap::new();
    let unreadable = each_done(stack, options.window, |inspection| {
        let (Phase::Done { verdict }, Some(photo)) = (&inspection.phase, inspection.photo_sha256()) else {
            return;
        };
        let stands = |there: &(sampling::Candidate, Sample)| there.0.id < inspection.request.id;
        if *verdict != Verdict::Unusable && !photos.get(photo).is_some_and(stands) {
            photos.insert(*photo, candidate(&inspection, *verdict, &options.thresholds));
        }
    })
    .await?;
    let (mut candidates, mut known) = (Vec::new(), BTreeMap::new());
    for (candidate, sample) in photos.into_values() {
        known.insert(candidate.id.clone(), sample);
        candidates.push(candidate);
    }
    let service = stack.reviews()?;
    let (mut open, mut chosen) = (BTreeSet::new(), Vec::new());
    // Whoever was reviewed is looked up only once it is chosen: most are never.
    loop {
        let drawn = sampling::sample(&candidates, options.count);
        let mut reviewed = BTreeSet::new();
        for one in &drawn {
            if open.contains(&one.id) {
                continue;
            }
            if service.reviews.history(&one.id).await?.is_empty() {
                open.insert(one.id.clone());
            } else {
                reviewed.insert(one.id.clone());
            }
        }
        if reviewed.is_empty() {
            chosen.extend(drawn);
            break;
        }
        candidates.retain(|candidate| !reviewed.contains(&candidate.id));
    }
    if options.ask {
        for one in &chosen {
            match service.ask(&one.id).await {
                Ok(_) => {}
                Err(ReviewError::Port(error)) => return Err(Failure::of_port(error)),
                Err(error) => return Err(Failure::Failed(error.into())),
            }
        }
    }
    let sample = |one: Chosen| {
        known.remove(&one.id).map(|sample| Sample {
            chosen: one,
            ..sample
        })
    };
    Ok(Sampled {
        photos: chosen.into_iter().filter_map(sample).collect(),
        unreadable,
    })
}

fn candidate(
    inspection: &Inspection,
    verdict: Verdict,
    thresholds: &Thresholds,
) -> (sampling::Candidate, Sample) {
    let request = &inspection.request;
    let photo = inspection.photo_sha256().map(|digest| hex(digest));
    let group = request
        .vehicle_id
        .clone()
        .or_else(|| request.reservation_id.clone());
    let day = utc_day(inspection.accepted_at);
    let candidate = sampling::Candidate {
        id: request.id.clone(),
        nearest: thresholds.nearest(inspection),
        vehicle: group.or(photo).unwrap_or_default(),
        day: day.clone(),
    };
    let sample = Sample {
        chosen: Chosen {
            id: request.id.clone(),
            why: sampling::Why::Random,
        },
        vehicle_id: request.vehicle_id.clone(),
        day,
        verdict,
    };
    (candidate, sample)
}
