//! People review in worlds with trouble of every kind: V1 to V3, and every other promise.

use walkaround_simulation::{CoverageEvent, InjectedFault, Invariant, run_beside_reviewers};

const SEEDS: u64 = 150;

#[test]
fn no_decision_is_lost_none_counts_twice_and_no_task_stays() {
    let mut tasks = 0;
    for seed in 0..SEEDS {
        let outcome = run_beside_reviewers(seed, None);
        assert_eq!(outcome.violation, None, "seed {seed}");
        tasks += outcome.counts.of(CoverageEvent::TaskPut);
    }
    assert!(tasks > SEEDS, "{tasks} tasks");
}

#[test]
fn the_same_seed_reviews_the_same() {
    let (first, second) = (run_beside_reviewers(3, None), run_beside_reviewers(3, None));
    assert_eq!(first.digest, second.digest);
}

#[test]
fn finds_decisions_that_are_lost() {
    let broken =
        (0..SEEDS).find_map(|seed| run_beside_reviewers(seed, Some(InjectedFault::DecisionLost)).violation);
    let violation = broken.expect("it is found");
    assert_eq!(violation.invariant, Invariant::V1, "{}", violation.detail);
}
