//! A shadow changes nothing (B1): in every world everything goes as without it, and a fault planted on purpose is found.

use walkaround_simulation::{InjectedFault, Invariant, run_beside_shadow};

const SEEDS: u64 = 100;

#[test]
fn a_hundred_worlds_go_with_a_shadow_as_they_go_without_it() {
    let (mut taken, mut dropped) = (0, 0);
    for seed in 0..SEEDS {
        let (outcome, counts) = run_beside_shadow(seed, None);
        assert_eq!(outcome.violation, None, "seed {seed}");
        taken += counts.taken;
        dropped += counts.dropped;
    }
    // Nobody receives them: what there is no room for is dropped.
    assert!(
        taken > SEEDS && dropped > SEEDS,
        "{taken} taken, {dropped} dropped"
    );
}

#[test]
fn finds_a_shadow_that_is_waited_for() {
    let broken = (0..SEEDS).find_map(|seed| {
        let (outcome, _) = run_beside_shadow(seed, Some(InjectedFault::ShadowIsWaitedFor));
        outcome.violation
    });
    let violation = broken.expect("it is found in a hundred worlds");
    assert_eq!(violation.invariant, Invariant::B1, "{}", violation.detail);
}
