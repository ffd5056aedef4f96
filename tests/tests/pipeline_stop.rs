//! How workers end: on a signal under load, without work, and when they cannot begin.

use std::time::Duration;
use walkaround_domain::InspectionRequest;
use walkaround_local::SEGMENTATION;
use walkaround_tests::stack::{TestStack, as_json, damaged, ids, is_done, request, tail, until};

const PHOTOS: usize = 90;
const BUDGET: Duration = Duration::from_secs(20);
const BOUND: Duration = Duration::from_secs(60);

/// A stack with slow photos in the segmentation queue.
fn loaded(settings: &[(&str, &str)]) -> (TestStack, Vec<InspectionRequest>) {
    let stack = walkaround_tests::stack!("slow", settings);
    let photo = damaged();
    let key = |i: usize| format!("stop/{i}.jpg");
    stack.store((0..PHOTOS).map(|i| (key(i), photo.as_slice())));
    let requests: Vec<InspectionRequest> = (0..PHOTOS).map(|i| request(&key(i))).collect();
    stack.send(SEGMENTATION, &requests.iter().map(as_json).collect::<Vec<_>>());
    (stack, requests)
}

/// Photos that a log says were settled, with how often.
fn settled(log: &str, request: &InspectionRequest) -> usize {
    let named = format!("inspection={} ", request.id);
    log.lines()
        .filter(|line| line.contains("settled") && line.contains(&named))
        .count()
}

#[test]
fn told_to_stop_under_load_a_worker_finishes_what_it_has_and_no_more() {
    let (stack, requests) = loaded(&[("DRAIN_BUDGET_S", "20"), ("LEASE_S", "30"), ("IDLE_EXIT_S", "1")]);
    let mut first = stack.start(&["worker"], "first");
    assert!(until(BOUND, || stack.finished() >= 3), "{}", first.log());
    first.terminate();
    assert_eq!(first.exit_code(BUDGET), 0, "{}", first.log());
    let by_first = stack.finished();
    assert!(by_first < PHOTOS as u64, "it was not under load");
    assert!(
        first.log().contains("exit=Stopped"),
        "the budget was enough, everything in flight was finished or given back:\n{}",
        tail(&first.log(), 10)
    );
    // With leases of 30 s, nothing but giving back makes them ready now.
    let depth = stack.depth(SEGMENTATION);
    assert_eq!(
        (depth.leased, depth.ready),
        (0, PHOTOS as u64 - by_first),
        "{depth:?}"
    );

    let mut second = stack.start(&["worker"], "second");
    stack.until_all_final(&ids(&requests), BOUND);
    assert_eq!(
        second.exit_code(BOUND),
        0,
        "idle for long enough: {}",
        second.log()
    );
    check_looked_at_once(&stack, &requests, 1);
    let log = first.log() + &second.log();
    for request in &requests {
        assert_eq!(settled(&log, request), 1, "{}", request.photo);
    }
}

#[test]
fn a_worker_whose_budget_is_spent_exits_all_the_same_and_nothing_is_lost() {
    let (stack, requests) = loaded(&[
        ("DRAIN_BUDGET_S", "0"),
        ("LEASE_S", "3"),
        // Longer than a lease, or the second one is gone before the photos of the first are free again.
        ("IDLE_EXIT_S", "6"),
        ("WORKER_IN_FLIGHT", "8"),
    ]);
    let mut first = stack.start(&["worker"], "first");
    assert!(until(BOUND, || stack.finished() >= 3), "{}", first.log());
    first.terminate();
    assert_eq!(first.exit_code(BOUND), 0, "{}", first.log());
    assert!(stack.finished() < PHOTOS as u64, "it was not under load");

    let mut second = stack.start(&["worker"], "second");
    stack.until_all_final(&ids(&requests), BOUND);
    assert_eq!(second.exit_code(BOUND), 0, "{}", second.log());
    // Gone between publishing and noting it, a process leaves its event to be published again, under the same id.
    check_looked_at_once(&stack, &requests, 2);
    let again = stack.inspections().values().filter(|i| i.attempts > 1).count();
    assert!(again <= 8, "{again} photos came back, 8 were in flight");
}

/// One final record, one report, one event (which may be published more than once), and at most one delivery more than the first.
fn check_looked_at_once(stack: &TestStack, requests: &[InspectionRequest], events_max: usize) {
    let (inspections, events) = (stack.inspections(), stack.events());
    assert_eq!(inspections.len(), requests.len());
    for request in requests {
        let id = request.id.as_str();
        let inspection = &inspections[id];
        assert!(is_done(&inspection.phase, "damaged"), "{:?}", inspection.phase);
        assert!(
            (1..=2).contains(&inspection.attempts),
            "{id}: {}",
            inspection.attempts
        );
        assert_eq!(stack.results(id, "report.json").len(), 1, "{id}");
        let told = &events[id];
        assert!((1..=events_max).contains(&told.len()), "{id}: {told:?}");
        assert!(told.iter().all(|event| *event == told[0]), "{id}: {told:?}");
    }
    assert_eq!(stack.parked(), []);
}

#[test]
fn told_to_stop_under_load_up_ends_its_workers_too() {
    let (stack, _requests) = loaded(&[("DRAIN_BUDGET_S", "20"), ("WORKERS_MAX", "2"), ("LEASE_S", "30")]);
    let mut up = stack.start(&["up"], "up");
    assert!(
        until(BOUND, || stack.finished() >= 3),
        "{}",
        tail(&stack.logs(), 40)
    );
    up.terminate();
    assert_eq!(up.exit_code(BUDGET * 2), 0, "{}", up.log());
    assert_eq!(stack.workers(), [] as [i32; 0], "{}", up.log());
    assert_eq!(stack.leased(), 0, "what was in flight was finished or given back");
    assert_eq!(stack.messages() + stack.finished(), PHOTOS as u64);
}

#[test]
fn a_worker_without_work_exits() {
    let stack = walkaround_tests::stack!("trivial", &[("IDLE_EXIT_S", "0.2")]);
    let mut worker = stack.start(&["worker"], "worker");
    assert_eq!(worker.exit_code(BOUND), 0, "{}", worker.log());
    assert!(worker.log().contains("exit=Idle"), "{}", worker.log());
}

#[test]
fn a_worker_that_cannot_begin_says_so_in_one_line() {
    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("bundle.toml"), "format = 1\nname = ").unwrap();
    let broken = broken.path().display().to_string();
    let cases = [
        ("THREADS", "many", 2, "WALKAROUND_THREADS"),
        ("WORKERS_MIN", "9", 2, "WALKAROUND_WORKERS_MIN"),
        ("BUNDLE", &broken, 1, "bundle.toml"),
        ("BUNDLE", "/nowhere", 2, "WALKAROUND_BUNDLE"),
    ];
    for (name, value, code, words) in cases {
        let mut stack = walkaround_tests::stack!("trivial", &[]);
        stack.set(name, value);
        for command in ["worker", "up"] {
            let mut process = stack.start(&[command], command);
            assert_eq!(process.exit_code(BOUND), code, "{command}: {}", process.log());
            let said = process.log();
            assert_eq!(said.lines().count(), 1, "{command}: {said}");
            assert!(said.contains(words), "{command}: no `{words}` in: {said}");
        }
    }
}
