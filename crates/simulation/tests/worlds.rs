//! Two hundred worlds keep every promise, a seed says everything, and faults planted on purpose are found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use walkaround_simulation::{Counts, CoverageEvent, InjectedFault, Invariant, Outcome, run};

const SEEDS: u64 = 200;
/// Worlds within which a planted fault must be found.
const FOUND_WITHIN: u64 = 300;

const PANICKED: &str = "no world panicked";

/// Runs worlds on two threads, until one of them breaks a promise.
fn worlds(seeds: u64, plant: Option<InjectedFault>) -> (Counts, Option<Outcome>) {
    let next = AtomicU64::new(0);
    let sum = Mutex::new((Counts::default(), None));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while sum.lock().expect(PANICKED).1.is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let outcome = run(seed, plant);
                    let mut sum = sum.lock().expect(PANICKED);
                    sum.0.add(&outcome.counts);
                    if outcome.violation.is_some() {
                        sum.1 = Some(outcome);
                    }
                }
            });
        }
    });
    sum.into_inner().expect(PANICKED)
}

#[test]
fn two_hundred_worlds_keep_every_promise_and_everything_happens_in_them() {
    let (counts, broken) = worlds(SEEDS, None);
    if let Some(outcome) = broken {
        let violation = outcome.violation.expect("this outcome is kept for its violation");
        panic!(
            "{}\nseed {} breaks {:?}: {} (again: make simulate SEED={})",
            outcome.lines.join("\n"),
            outcome.seed,
            violation.invariant,
            violation.detail,
            outcome.seed
        );
    }
    let never: Vec<&str> = CoverageEvent::ALL
        .iter()
        .filter(|happening| counts.of(**happening) == 0)
        .map(|happening| happening.words())
        .collect();
    assert!(never.is_empty(), "never happened in {SEEDS} worlds: {never:?}");
}

#[test]
fn a_seed_says_everything() {
    for seed in 0..20 {
        let (first, second) = (run(seed, None), run(seed, None));
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.lines, second.lines, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
    }
    assert_ne!(run(0, None).digest, run(1, None).digest);
}

/// A planted fault is found by the promise that it breaks.
fn finds(plant: InjectedFault, invariant: Invariant) {
    let (_, broken) = worlds(FOUND_WITHIN, Some(plant));
    let outcome = broken.unwrap_or_else(|| panic!("{plant:?} is not found in {FOUND_WITHIN} worlds"));
    let violation = outcome.violation.expect("this outcome is kept for its violation");
    assert_eq!(violation.invariant, invariant, "{plant:?}: {}", violation.detail);
    let told = outcome.lines.iter().any(|line| line.contains(&violation.detail));
    assert!(told, "the last lines tell of it: {:#?}", outcome.lines);
}

#[test]
fn finds_an_acknowledgement_before_settling() {
    finds(InjectedFault::AckOnReceive, Invariant::J3);
}

#[test]
fn finds_an_unconditional_final_write() {
    finds(InjectedFault::UnconditionalWrite, Invariant::J1);
}

#[test]
fn finds_a_released_lease_that_counts_as_success() {
    finds(InjectedFault::ReleaseIsSuccess, Invariant::J3);
}

#[test]
fn finds_an_expired_lease_that_counts_as_success() {
    finds(InjectedFault::ExpiryIsSuccess, Invariant::J3);
}

#[test]
fn finds_a_lost_event() {
    finds(InjectedFault::EventLost, Invariant::J5);
}

#[test]
fn finds_an_event_marked_as_published_too_early() {
    finds(InjectedFault::PublishedTooEarly, Invariant::J5);
}

#[test]
fn finds_a_sick_engine_whose_photos_are_blamed() {
    finds(InjectedFault::ProbeAlwaysPasses, Invariant::E1);
}

#[test]
fn finds_a_store_that_is_away_and_makes_photos_fail() {
    finds(InjectedFault::StoreTroubleIsFinal, Invariant::A1);
}

#[test]
fn finds_a_lost_blob() {
    finds(InjectedFault::BlobLost, Invariant::J2);
}

#[test]
fn finds_a_lost_review_task() {
    finds(InjectedFault::TaskLost, Invariant::J7);
}

#[test]
fn finds_a_scaler_that_ends_workers_when_the_clock_jumps() {
    finds(InjectedFault::SilenceEndsAtOnce, Invariant::C1);
}

#[test]
fn finds_photos_left_in_a_lane_that_never_comes() {
    finds(InjectedFault::LaneNeverLate, Invariant::R1);
}

#[test]
fn finds_workers_started_again_and_again_though_they_die_at_start() {
    finds(InjectedFault::NoBackOff, Invariant::S2);
}

#[test]
fn finds_a_process_that_goes_on_when_its_device_hangs() {
    finds(InjectedFault::StallIgnored, Invariant::T3);
}

#[test]
fn finds_a_second_purpose_that_is_ignored() {
    finds(InjectedFault::PurposeIgnored, Invariant::I2);
}

#[test]
fn finds_a_photo_that_changed_and_is_not_looked_at_again() {
    finds(InjectedFault::ContentIgnored, Invariant::I3);
}

#[test]
fn finds_an_id_that_stands_for_two_photos() {
    finds(InjectedFault::PhotoReplaced, Invariant::I1);
}
