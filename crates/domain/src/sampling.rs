//! Which photos people should label next: those that the networks are least sure of, spread over vehicles and days, and a
//! quarter at random. Pure, and the same candidates always give the same sample.

use crate::draw::drawn_at;
use crate::ids::InspectionId;
use std::collections::{BTreeMap, BTreeSet};

/// One photo in so many is drawn at random: what the networks are sure of can be wrong, too.
pub const RANDOM_ONE_IN: usize = 4;
/// Each further photo of one vehicle on one day counts as this much farther from its threshold.
pub const REPEAT_PENALTY: f32 = 0.1;

/// A probability beside its threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearness {
    /// What it is the probability of: a class, or `gate`.
    pub what: String,
    /// The probability.
    pub value: f32,
    /// The threshold.
    pub threshold: f32,
}

impl Nearness {
    /// How far they are apart.
    pub fn margin(&self) -> f32 {
        (self.value - self.threshold).abs()
    }
}

/// A photo that may be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its inspection.
    pub id: InspectionId,
    /// The probability that is nearest to its threshold; none where no network gave any.
    pub nearest: Option<Nearness>,
    /// Vehicle, or what stands for it.
    pub vehicle: String,
    /// UTC day.
    pub day: String,
}

/// Why a photo was chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// A probability is near its threshold; so many photos of this vehicle and day are nearer.
    Near {
        /// Which.
        nearest: Nearness,
        /// Photos of the same vehicle and day before it.
        before: usize,
    },
    /// It was drawn.
    Random,
}

/// A chosen photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its inspection.
    pub id: InspectionId,
    /// Why.
    pub why: Why,
}

/// Chooses `count` photos: the near ones first, then those drawn at random, each in the order of how much they are wanted.
///
/// Where too few have a probability, more are drawn.
pub fn sample(candidates: &[Candidate], count: usize) -> Vec<Chosen> {
    let near_max = count - count.div_ceil(RANDOM_ONE_IN);
    let near = nearest(candidates, near_max);
    let taken: BTreeSet<&InspectionId> = near.iter().map(|chosen| &chosen.id).collect();
    let left = candidates
        .iter()
        .filter(|candidate| !taken.contains(&candidate.id));
    let mut drawn: Vec<(f64, &InspectionId)> = left
        .map(|candidate| (drawn_at("sample", candidate.id.as_str()), &candidate.id))
        .collect();
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    let random = drawn.into_iter().take(count - near.len()).map(|(_, id)| Chosen {
        id: id.clone(),
        why: Why::Random,
    });
    let random: Vec<Chosen> = random.collect();
    near.into_iter().chain(random).collect()
}

fn nearest(candidates: &[Candidate], count: usize) -> Vec<Chosen> {
    let mut near: Vec<(&Candidate, &Nearness)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate, candidate.nearest.as_ref()?)))
        .collect();
    near.sort_by(|a, b| a.1.margin().total_cmp(&b.1.margin()).then(a.0.id.cmp(&b.0.id)));
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut wanted = Vec::new();
    for (candidate, nearest) in near {
        let before = seen.entry((&candidate.vehicle, &candidate.day)).or_default();
        let distance = nearest.margin() + REPEAT_PENALTY * *before as f32;
        wanted.push((distance, candidate, nearest, *before));
        *before += 1;
    }
    // Stable: of equal distances the nearer one stays first.
    wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let chosen = wanted.into_iter().take(count);
    chosen
        .map(|(_, candidate, nearest, before)| Chosen {
            id: candidate.id.clone(),
            why: Why::Near {
                nearest: nearest.clone(),
                before,
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, value: Option<f32>, vehicle: &str) -> Candidate {
        Candidate {
            id: InspectionId::new(name).unwrap(),
            nearest: value.map(|value| Nearness {
                what: "dent".to_owned(),
                value,
                threshold: 0.5,
            }),
            vehicle: vehicle.to_owned(),
            day: "2026-11-28".to_owned(),
        }
    }

    fn ids(chosen: &[Chosen]) -> Vec<&str> {
        chosen.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn near_ones_come_first_and_vehicles_take_turns() {
        let all = [
            candidate("a1", Some(0.51), "a"),
            candidate("a2", Some(0.48), "a"),
            candidate("a3", Some(0.47), "a"),
            candidate("b1", Some(0.45), "b"),
            candidate("c1", Some(0.95), "c"),
            candidate("d1", None, "d"),
        ];
        let chosen = sample(&all, 4);
        assert_eq!(ids(&chosen[..3]), ["a1", "b1", "a2"]);
        assert!(
            matches!(&chosen[2].why, Why::Near { before: 1, .. }),
            "{chosen:?}"
        );
        assert_eq!(chosen[3].why, Why::Random);
    }

    #[test]
    fn a_quarter_is_drawn_whatever_the_order_of_the_candidates() {
        let mut all: Vec<Candidate> = (0..200)
            .map(|n| {
                candidate(
                    &format!("p-{n}"),
                    Some(0.5 + n as f32 / 1000.0),
                    &format!("v-{n}"),
                )
            })
            .collect();
        let chosen = sample(&all, 40);
        let drawn = chosen.iter().filter(|one| one.why == Why::Random).count();
        assert_eq!((chosen.len(), drawn), (40, 10));
        let distinct: BTreeSet<&str> = ids(&chosen).into_iter().collect();
        assert_eq!(distinct.len(), 40);
        all.reverse();
        assert_eq!(sample(&all, 40), chosen);
    }

    #[test]
    fn too_few_candidates_are_all_chosen() {
        let all = [candidate("a", None, "a"), candidate("b", Some(0.5), "b")];
        assert_eq!(ids(&sample(&all, 10)), ["b", "a"]);
        assert!(sample(&[], 10).is_empty() && sample(&all, 0).is_empty());
    }
}
