//! A canary in worlds with trouble of every kind: K1 to K3, and every other promise.

use walkaround_simulation::{PlantedBundle, run_beside_canary};

/// Worlds of each planted bundle.
const SEEDS: u64 = 6;

fn worlds(planted: PlantedBundle) {
    for seed in 0..SEEDS {
        let outcome = run_beside_canary(seed, planted);
        assert_eq!(outcome.violation, None, "{planted:?}, seed {seed}");
    }
}

#[test]
fn a_good_canary_is_not_rolled_back() {
    worlds(PlantedBundle::Same);
}

#[test]
fn a_canary_that_finds_nothing_is_rolled_back() {
    worlds(PlantedBundle::AllClean);
}

#[test]
fn a_canary_that_finds_damage_everywhere_is_rolled_back() {
    worlds(PlantedBundle::AllDamaged);
}

#[test]
fn a_canary_that_fails_costs_no_photo_and_is_rolled_back() {
    worlds(PlantedBundle::Failing);
}

#[test]
fn a_canary_that_ends_its_processes_costs_no_photo_and_is_rolled_back() {
    worlds(PlantedBundle::Crashing);
}
