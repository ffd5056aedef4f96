//! Which photos people should label next, and review tasks for them.

use super::listing::each_done;
use crate::StackClient;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_bootstrap::Failure;
use walkaround_domain::review::TaskState;
use walkaround_domain::sampling::{self, Chosen, Nearness};
use walkaround_domain::{Inspection, InspectionId, Phase, ReviewPolicy, Verdict, hex};
use walkaround_messages::utc_day;
use walkaround_pipeline::past::Window;
use walkaround_pipeline::review::{ReviewError, ReviewService};
use walkaround_ports::Reviews;

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
    let mut photos = Photos::new();
    let unreadable = each_done(stack, options.window, |inspection| {
        take(&mut photos, &inspection, &options.thresholds);
    })
    .await?;
    let (mut candidates, mut known) = (Vec::new(), BTreeMap::new());
    for SamePhoto { ids, first } in photos.into_values() {
        if let Some((candidate, sample)) = first {
            known.insert(candidate.id.clone(), (sample, ids));
            candidates.push(candidate);
        }
    }
    let service = stack.reviews()?;
    let chosen = unreviewed(&*service.reviews, candidates, &known, options.count).await?;
    if options.ask {
        for one in &chosen {
            if let Some((_, ids)) = known.get(&one.id) {
                ask(&service, &one.id, ids).await?;
            }
        }
    }
    let sample = |one: Chosen| {
        known.remove(&one.id).map(|(sample, _)| Sample {
            chosen: one,
            ..sample
        })
    };
    Ok(Sampled {
        photos: chosen.into_iter().filter_map(sample).collect(),
        unreadable,
    })
}

/// By the digest of the photo: the same bytes are labelled once.
type Photos = BTreeMap<[u8; 32], SamePhoto>;
/// By the inspection that stands for a photo: how it is shown, and every inspection of the same bytes.
type Known = BTreeMap<InspectionId, (Sample, BTreeSet<InspectionId>)>;

/// The inspections of the same bytes.
#[derive(Default)]
struct SamePhoto {
    /// All of them: a person may have decided about any.
    ids: BTreeSet<InspectionId>,
    /// The first one by its id whose photo can be judged.
    first: Option<(sampling::Candidate, Sample)>,
}

fn take(photos: &mut Photos, inspection: &Inspection, thresholds: &Thresholds) {
    let (Phase::Done { verdict }, Some(photo)) = (&inspection.phase, inspection.photo_sha256()) else {
        return;
    };
    let same = photos.entry(*photo).or_default();
    same.ids.insert(inspection.request.id.clone());
    let stands = same
        .first
        .as_ref()
        .is_some_and(|first| first.0.id < inspection.request.id);
    if *verdict != Verdict::Unusable && !stands {
        same.first = Some(candidate(inspection, *verdict, thresholds));
    }
}

/// Draws until nobody has decided about any inspection of what is drawn. That is looked up only once a photo is drawn: most are
/// never.
async fn unreviewed(
    reviews: &dyn Reviews,
    mut candidates: Vec<sampling::Candidate>,
    known: &Known,
    count: usize,
) -> Result<Vec<Chosen>, Failure> {
    let mut open = BTreeSet::new();
    loop {
        let drawn = sampling::sample(&candidates, count);
        let mut reviewed = BTreeSet::new();
        for one in &drawn {
            if !open.insert(one.id.clone()) {
                continue;
            }
            for id in known.get(&one.id).iter().flat_map(|(_, ids)| ids) {
                if !reviews.history(id).await?.is_empty() {
                    reviewed.insert(one.id.clone());
                    break;
                }
            }
        }
        if reviewed.is_empty() {
            return Ok(drawn);
        }
        candidates.retain(|candidate| !reviewed.contains(&candidate.id));
    }
}

/// Opens a review task, unless one is there under another inspection of the same bytes.
async fn ask(
    service: &ReviewService,
    id: &InspectionId,
    same: &BTreeSet<InspectionId>,
) -> Result<(), Failure> {
    for other in same.iter().filter(|other| *other != id) {
        let task = service.reviews.task(other).await?;
        if task.is_some_and(|task| task.state != TaskState::Done) {
            return Ok(());
        }
    }
    match service.ask(id).await {
        Ok(_) => Ok(()),
        Err(ReviewError::Port(error)) => Err(Failure::of_port(error)),
        Err(error) => Err(Failure::Failed(error.into())),
    }
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
