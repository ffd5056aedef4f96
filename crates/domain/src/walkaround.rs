//! The photos of one vehicle event, taken together: what a back office looks at.

use crate::ids::InspectionId;
use crate::inspection::Phase;
use crate::photo::Occasion;
use crate::record::Inspection;
use crate::supersede::superseded_by;
use crate::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What ties photos together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalkaroundKey {
    /// Reservation.
    pub reservation_id: String,
    /// Pick-up or return, as its document word; empty when the requests do not say.
    pub occasion: &'static str,
}

/// Inspections of one reservation and occasion.
#[derive(Debug, Clone, PartialEq)]
pub struct Walkaround<'a> {
    /// What ties them.
    pub key: WalkaroundKey,
    /// Its inspections, by viewpoint and then by id.
    pub inspections: Vec<&'a Inspection>,
}

impl Walkaround<'_> {
    /// Inspections that are not final yet.
    pub fn pending(&self) -> usize {
        self.inspections.iter().filter(|i| !i.phase.is_final()).count()
    }

    /// The worst verdict so far: damaged before unusable before clean; none while no photo is done.
    pub fn verdict(&self) -> Option<Verdict> {
        let rank = |v: Verdict| match v {
            Verdict::Damaged => 2,
            Verdict::Unusable => 1,
            Verdict::Clean => 0,
        };
        let verdicts = self.inspections.iter().filter_map(|i| match i.phase {
            Phase::Done { verdict } => Some(verdict),
            _ => None,
        });
        verdicts.max_by_key(|v| rank(*v))
    }

    /// Findings over all photos, by class.
    pub fn findings(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for finding in self
            .inspections
            .iter()
            .filter_map(|i| i.outcome.as_ref())
            .flat_map(|o| &o.findings)
        {
            *counts.entry(finding.class.as_str()).or_default() += 1;
        }
        counts
    }
}

/// Groups inspections by reservation and occasion. Inspections without a reservation belong to none, and those that a done one
/// supersedes are left out.
pub fn group<'a>(inspections: impl IntoIterator<Item = &'a Inspection>) -> Vec<Walkaround<'a>> {
    let all: Vec<&Inspection> = inspections.into_iter().collect();
    let superseded = superseded(&all);
    let mut groups: BTreeMap<WalkaroundKey, Vec<&Inspection>> = BTreeMap::new();
    for inspection in all {
        if superseded.contains(&inspection.request.id) {
            continue;
        }
        let Some(reservation_id) = inspection.request.reservation_id.clone() else {
            continue;
        };
        let occasion = inspection.request.occasion.map_or("", Occasion::as_str);
        groups
            .entry(WalkaroundKey {
                reservation_id,
                occasion,
            })
            .or_default()
            .push(inspection);
    }
    groups
        .into_iter()
        .map(|(key, mut inspections)| {
            inspections.sort_by(|a, b| {
                (&a.request.viewpoint, &a.request.id).cmp(&(&b.request.viewpoint, &b.request.id))
            });
            Walkaround { key, inspections }
        })
        .collect()
}

/// Those that a done inspection supersedes; and of several that supersede one, all but the latest.
fn superseded<'a>(all: &[&'a Inspection]) -> BTreeSet<&'a InspectionId> {
    let mut newer: BTreeMap<&str, Vec<&Inspection>> = BTreeMap::new();
    for inspection in all {
        if let (Phase::Done { .. }, Some(old)) = (&inspection.phase, superseded_by(&inspection.request)) {
            newer.entry(old).or_default().push(inspection);
        }
    }
    for group in newer.values_mut() {
        group.sort_by_key(|inspection| (inspection.accepted_at, &inspection.request.id));
        group.pop();
    }
    let is_old = |inspection: &&&Inspection| newer.contains_key(inspection.request.id.as_str());
    let old = all.iter().filter(is_old).map(|inspection| &inspection.request.id);
    let earlier = newer.values().flatten().map(|inspection| &inspection.request.id);
    old.chain(earlier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::{InspectionRequest, PhotoRef};
    use crate::time::Timestamp;

    fn inspection(
        id: &str,
        reservation: Option<&str>,
        occasion: Option<Occasion>,
        phase: Phase,
    ) -> Inspection {
        let request = InspectionRequest {
            id: InspectionId::new(id).unwrap(),
            photo: PhotoRef::File(id.into()),
            vehicle_id: None,
            reservation_id: reservation.map(Into::into),
            occasion,
            viewpoint: Some(format!("side of {id}")),
            taken_at: None,
            deadline: None,
            labels: BTreeMap::new(),
            content: None,
        };
        Inspection {
            phase,
            ..Inspection::accepted(request, Timestamp(0))
        }
    }

    #[test]
    fn what_a_done_inspection_supersedes_is_left_out() {
        let done = |verdict| Phase::Done { verdict };
        let old = inspection("old", Some("r1"), None, done(Verdict::Damaged));
        let mut new = inspection("new", Some("r1"), None, Phase::Accepted);
        new.request
            .labels
            .insert("supersedes".to_owned(), "old".to_owned());
        let ids = |all: &[Inspection]| -> Vec<String> {
            let groups = group(all);
            groups[0]
                .inspections
                .iter()
                .map(|i| i.request.id.to_string())
                .collect()
        };
        assert_eq!(ids(&[old.clone(), new.clone()]), ["new", "old"]);
        new.phase = done(Verdict::Clean);
        assert_eq!(ids(&[old.clone(), new.clone()]), ["new"]);
        // For another reason, later: of both only the later one is shown.
        let mut later = new.clone();
        later.request.id = InspectionId::new("later").unwrap();
        later.accepted_at = Timestamp(new.accepted_at.0 + 1);
        assert_eq!(ids(&[old, later, new]), ["later"]);
    }

    #[test]
    fn pick_up_and_return_of_a_reservation_are_two_walkarounds() {
        let done = |verdict| Phase::Done { verdict };
        let all = [
            inspection("b", Some("r1"), Some(Occasion::Return), done(Verdict::Clean)),
            inspection("a", Some("r1"), Some(Occasion::Return), done(Verdict::Damaged)),
            inspection("c", Some("r1"), Some(Occasion::PickUp), Phase::Accepted),
            inspection("d", Some("r2"), None, done(Verdict::Unusable)),
            inspection("e", None, None, done(Verdict::Clean)),
        ];
        let groups = group(&all);
        assert_eq!(groups.len(), 3);
        assert_eq!(
            (groups[0].key.occasion, groups[0].pending(), groups[0].verdict()),
            ("pick_up", 1, None)
        );
        assert_eq!(groups[1].verdict(), Some(Verdict::Damaged));
        assert_eq!(groups[1].inspections[0].request.id.as_str(), "a");
        assert_eq!(groups[2].verdict(), Some(Verdict::Unusable));
    }
}
