//! Workers come with the load and go with it, and there are never more than allowed.

use std::time::Duration;
use walkaround_domain::{InspectionRequest, Lane};
use walkaround_local::WorkerOptions;
use walkaround_ports::{GpuCapacity, WorkerJobState};
use walkaround_tests::stack::{TestStack, damaged, ids, is_done, request, tail, until};

const WORKERS_MAX: usize = 2;
const PHOTOS: usize = 80;
const BOUND: Duration = Duration::from_secs(90);

#[test]
fn workers_go_from_none_to_the_maximum_and_back_with_the_load() {
    let stack = walkaround_tests::stack!(
        "slow",
        &[
            ("INLINE_DRAIN_S", "0"),
            ("WORKERS_MAX", "2"),
            ("IDLE_EXIT_S", "0.5"),
            ("DRAIN_BUDGET_S", "10")
        ]
    );
    let photo = damaged();
    let mut up = stack.start(&["up"], "up");
    let ready = until(BOUND, || up.log().contains(" up "));
    assert!(ready, "{}", up.log());
    let mut all: Vec<InspectionRequest> = Vec::new();
    for load in 0..2 {
        assert_eq!(
            stack.workers().len(),
            0,
            "workers without work before load {load}"
        );
        let key = |i: usize| format!("load-{load}/{i}.jpg");
        stack.store((0..PHOTOS).map(|i| (key(i), photo.as_slice())));
        let requests: Vec<InspectionRequest> = (0..PHOTOS).map(|i| request(&key(i))).collect();
        stack.submit(&requests);
        all.extend(requests);
        let most = most_workers_until_gone(&stack, all.len() as u64);
        assert_eq!(most, WORKERS_MAX, "load {load}");
    }
    stack.until_all_final(&ids(&all), BOUND);
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
    check(&stack, &all);
}

/// Most workers at any look, until all photos are final and the last worker is gone.
fn most_workers_until_gone(stack: &TestStack, photos: u64) -> usize {
    let mut most = 0;
    let gone = until(BOUND, || {
        let now = stack.workers().len();
        assert!(now <= WORKERS_MAX, "{now} workers at once");
        most = most.max(now);
        now == 0 && stack.finished() == photos
    });
    assert!(
        gone,
        "{} of {photos} final, {} workers live:\n{}",
        stack.finished(),
        stack.workers().len(),
        tail(&stack.logs(), 60)
    );
    most
}

fn check(stack: &TestStack, requests: &[InspectionRequest]) {
    let inspections = stack.inspections();
    assert_eq!(inspections.len(), requests.len());
    for (id, inspection) in &inspections {
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{id}: {:?}",
            inspection.phase
        );
    }
    let by_workers = inspections
        .values()
        .filter(|i| matches!(i.route, Some((Lane::Gpu, _))))
        .count();
    assert!(
        by_workers > PHOTOS,
        "only {by_workers} photos went to the workers"
    );
    assert_eq!(stack.parked(), []);
    // Each of them ended by itself, in good order.
    let options = WorkerOptions {
        command: vec!["none".into()],
        ..WorkerOptions::default()
    };
    let fleet = stack.wait_for(async {
        let capacity = stack.local().capacity(options).await.expect("the jobs are read");
        capacity.fleet().await.expect("the jobs are listed")
    });
    assert!(fleet.len() >= 2 * WORKERS_MAX, "{fleet:?}");
    let fine = |state| state == WorkerJobState::Ended { exit: Some(0) };
    assert!(fleet.iter().all(|job| fine(job.state)), "{fleet:?}");
}
