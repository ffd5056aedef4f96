//! Decisions of the default policy about planted bundles, in many drawn fleets.

use super::*;
use crate::ids::InspectionId;
use crate::inspection::Lane;
use crate::photo::PhotoRef;
use crate::verdict::Verdict;
use fastrand::Rng;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn request(number: u64) -> InspectionRequest {
    let id = InspectionId::new(format!("i-{number}")).expect("an id");
    let mut request = InspectionRequest::of(id, PhotoRef::File("a.jpg".to_owned()));
    request.vehicle_id = Some(format!("B-WA {}", number / 4));
    request
}

fn canary(share: f64) -> Canary {
    Canary {
        bundle: BundleId::new("demo", "2"),
        folder: None,
        instead_of: BundleId::new("demo", "1"),
        instead_of_folder: None,
        share,
        since: Timestamp(0),
        policy: CanaryPolicy::default(),
        end: None,
    }
}

#[test]
fn a_vehicle_is_in_one_group_and_groups_are_alike_in_size() {
    let (canary, mut counts) = (canary(0.1), [0_u32; 3]);
    for vehicle in 0..10_000 {
        let groups: Vec<_> = (0..4).map(|n| canary.group(&request(vehicle * 4 + n))).collect();
        assert!(groups.windows(2).all(|pair| pair[0] == pair[1]), "{groups:?}");
        counts[match groups[0] {
            Some(CanaryGroup::Canary) => 0,
            Some(CanaryGroup::Control) => 1,
            None => 2,
        }] += 1;
    }
    // Four standard deviations.
    assert!(
        (880..=1120).contains(&counts[0]) && (880..=1120).contains(&counts[1]),
        "{counts:?}"
    );
    let ended = Canary {
        end: Some(CanaryEnd {
            at: Timestamp(1),
            how: CanaryOutcome::Stopped,
            why: String::new(),
        }),
        ..canary
    };
    assert!((0..100).all(|n| ended.group(&request(n)).is_none()));
}

/// What a planted bundle does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Planted {
    Same,
    AllClean,
    AllDamaged,
    Slow,
    Crashing,
    Unsure,
}

/// A fleet with this share of damaged photos.
struct Fleet {
    rng: Rng,
    damaged: f64,
    planted: Planted,
}

impl Fleet {
    fn verdict(&mut self) -> Verdict {
        match self.rng.f64() {
            draw if draw < self.damaged => Verdict::Damaged,
            draw if draw > 0.97 => Verdict::Unusable,
            _ => Verdict::Clean,
        }
    }

    fn answered(&mut self, group: CanaryGroup, verdict: Verdict, factor: f64) -> Observation {
        let spread = |rng: &mut Rng, mean: f64| (mean * factor * (0.5 + rng.f64() * 1.5)) as u64;
        Observation {
            group,
            observed: Observed::Answered {
                verdict,
                lane: (verdict == Verdict::Damaged).then_some(Lane::Gpu),
                micros: [spread(&mut self.rng, 40_000.0), spread(&mut self.rng, 300_000.0)],
            },
        }
    }

    /// One photo of the canary, and one of other vehicles.
    fn photo(&mut self, evidence: &mut Evidence) {
        let (before, other) = (self.verdict(), self.verdict());
        let control = self.answered(CanaryGroup::Control, other, 1.0);
        evidence.add(&[control]);
        let now = match self.planted {
            Planted::AllClean if before == Verdict::Damaged => Verdict::Clean,
            Planted::AllDamaged if before == Verdict::Clean => Verdict::Damaged,
            Planted::Unsure if before == Verdict::Clean && self.rng.f64() < 0.5 => Verdict::Damaged,
            _ => before,
        };
        let factor = if self.planted == Planted::Slow { 4.0 } else { 1.0 };
        let failed = self.planted == Planted::Crashing && self.rng.f64() < 0.1;
        let group = CanaryGroup::Canary;
        let seen = match failed {
            true => vec![Observation {
                group,
                observed: Observed::Failed,
            }],
            false => {
                let before = Observation {
                    group,
                    observed: Observed::Before(before),
                };
                vec![self.answered(group, now, factor), before]
            }
        };
        evidence.add(&seen);
    }

    /// Photos of the canary until it is decided, and the decision.
    fn run(mut self) -> (u64, CanaryDecision) {
        let (policy, mut evidence) = (CanaryPolicy::default(), Evidence::default());
        for photo in 1..=2000 {
            self.photo(&mut evidence);
            // As often as `up` does on a busy day.
            if photo % 5 == 0 {
                match policy.decide(&evidence, HOUR) {
                    CanaryDecision::Wait(_) => {}
                    decided => return (photo, decided),
                }
            }
        }
        (2000, CanaryDecision::Wait("nothing".to_owned()))
    }
}

fn runs(planted: Planted, damaged: f64) -> Vec<(u64, CanaryDecision)> {
    (0..100)
        .map(|seed| {
            let fleet = Fleet {
                rng: Rng::with_seed(seed),
                damaged,
                planted,
            };
            fleet.run()
        })
        .collect()
}

#[test]
fn a_bad_bundle_is_rolled_back_within_500_photos() {
    for planted in [
        Planted::AllClean,
        Planted::AllDamaged,
        Planted::Slow,
        Planted::Crashing,
        Planted::Unsure,
    ] {
        for damaged in [0.05, 0.3, 0.6] {
            for (photos, decision) in runs(planted, damaged) {
                assert!(
                    matches!(decision, CanaryDecision::RollBack(_)) && photos <= 500,
                    "{planted:?}, {damaged} damaged: {decision:?} after {photos}"
                );
            }
        }
    }
}

#[test]
fn a_bundle_that_changes_nothing_is_promoted() {
    for damaged in [0.05, 0.3, 0.6] {
        let promoted = runs(Planted::Same, damaged)
            .iter()
            .filter(|(_, decision)| matches!(decision, CanaryDecision::Promote(_)))
            .count();
        assert!(promoted >= 98, "{promoted} of 100 with {damaged} damaged");
    }
}

#[test]
fn what_is_not_known_is_waited_for_and_not_for_ever() {
    let policy = CanaryPolicy {
        precision_min: Some(0.8),
        photos_min: 1,
        ..CanaryPolicy::default()
    };
    let mut evidence = Evidence::default();
    let decide = |evidence: &Evidence, age| policy.decide(evidence, age);
    assert!(matches!(decide(&evidence, HOUR), CanaryDecision::Wait(_)));
    let mut fleet = Fleet {
        rng: Rng::with_seed(1),
        damaged: 0.5,
        planted: Planted::Same,
    };
    (0..60).for_each(|_| fleet.photo(&mut evidence));
    let CanaryDecision::Wait(why) = decide(&evidence, HOUR) else {
        panic!("nobody has reviewed anything");
    };
    assert_eq!(why, "0 of 20 damaged photos reviewed");
    let CanaryDecision::RollBack(why) = decide(&evidence, HOUR * 24 * 7) else {
        panic!("a week is over");
    };
    assert!(why.starts_with("nothing was decided in 7 days: "), "{why}");
    (0..20).for_each(|_| evidence.add_review(0.5, Some(true)));
    assert!(matches!(decide(&evidence, HOUR), CanaryDecision::Promote(_)));
    (0..20).for_each(|_| evidence.add_review(0.5, Some(false)));
    let CanaryDecision::RollBack(why) = decide(&evidence, HOUR) else {
        panic!("half of what it finds is no damage");
    };
    assert_eq!(why, "50 % of what it calls damaged is, by 40 reviewed photos");
}

#[test]
fn what_was_noted_twice_or_in_another_order_counts_once() {
    let group = CanaryGroup::Canary;
    let answered = Observation {
        group,
        observed: Observed::Answered {
            verdict: Verdict::Clean,
            lane: None,
            micros: [10, 0],
        },
    };
    let before = Observation {
        group,
        observed: Observed::Before(Verdict::Damaged),
    };
    let failed = Observation {
        group,
        observed: Observed::Failed,
    };
    for seen in [vec![answered, before], vec![before, answered, answered]] {
        let mut evidence = Evidence::default();
        evidence.add(&seen);
        assert_eq!(
            (evidence.canary.photos(), evidence.pairs(), evidence.flips()),
            (1, 1, 1)
        );
    }
    let mut evidence = Evidence::default();
    evidence.add(&[failed, before, failed]);
    assert_eq!(
        (
            evidence.canary.failed,
            evidence.canary.answered(),
            evidence.pairs()
        ),
        (1, 0, 0)
    );
    evidence.add(&[before]);
    assert_eq!(evidence.canary.photos(), 1, "nothing to compare with");
}
