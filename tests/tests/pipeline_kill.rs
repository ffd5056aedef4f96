//! Kill test: `up` and its workers are killed with SIGKILL again and again, and nothing is lost, nothing is
//! there twice, and nothing is half done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use walkaround_domain::{Inspection, InspectionRequest, Lane, Timestamp};
use walkaround_tests::stack::{TestStack, clean, damaged, ids, is_done, request, tail, until};

const PHOTOS: usize = 300;
const KILLS: usize = 10;
const BOUND: Duration = Duration::from_secs(60);

/// What is expected of photo `i`: dark ones end in triage; ones whose deadline has passed are segmented inline;
/// the others go to the workers, as no inline segmentation is quick enough for `INLINE_DRAIN_S=0`.
fn requests() -> Vec<InspectionRequest> {
    let one = |i: usize| InspectionRequest {
        deadline: (i % 4 == 1).then_some(Timestamp(1)),
        vehicle_id: Some(format!("vehicle-{}", i / 4)),
        ..request(&format!("kill/{i:03}.jpg"))
    };
    (0..PHOTOS).map(one).collect()
}

fn is_dark(i: usize) -> bool {
    i.is_multiple_of(4)
}

#[test]
fn nothing_is_lost_or_doubled_by_sigkill() {
    // Another seed, other moments: KILL_SEED=7 cargo nextest run ...
    let seed = match std::env::var("KILL_SEED") {
        Ok(text) => text.parse().expect("KILL_SEED is a whole number"),
        Err(_) => 1,
    };
    let mut jitter = fastrand::Rng::with_seed(seed);
    let stack = walkaround_tests::stack!(
        "slow",
        &[
            ("INLINE_DRAIN_S", "0"),
            ("WORKERS_MAX", "2"),
            ("LEASE_S", "1.5"),
            ("COLD_START_S", "1")
        ]
    );
    let (bright, dark) = (damaged(), clean());
    let requests = requests();
    stack.store((0..PHOTOS).map(|i| {
        let bytes = if is_dark(i) { &dark } else { &bright };
        (format!("kill/{i:03}.jpg"), bytes.as_slice())
    }));
    let mut hits = Vec::new();
    for (round, part) in requests.chunks(PHOTOS / KILLS).enumerate() {
        stack.submit(part);
        let submitted = ((round + 1) * PHOTOS / KILLS) as u64;
        let unfinished = submitted - stack.finished();
        // Before the last third, so that work is in flight: segmentation of this bundle takes about 50 ms.
        let more = jitter.u64(0..unfinished * 2 / 3);
        let pause = Duration::from_millis(jitter.u64(0..40));
        hits.push(run_and_kill(&stack, submitted - unfinished + more, pause));
    }
    let in_flight: Vec<u64> = hits.iter().map(|(leased, _)| *leased).collect();
    let workers: usize = hits.iter().map(|(_, workers)| workers).sum();
    println!("seed {seed}: leased at each kill {in_flight:?}, workers killed {workers}");
    assert!(
        in_flight.iter().filter(|leased| **leased > 0).count() >= KILLS / 2,
        "too few kills hit work in flight: {in_flight:?}"
    );
    assert!(workers > 0, "no kill hit a worker");

    let up = stack.start(&["up"], "up");
    stack.until_all_final(&ids(&requests), BOUND);
    check(&stack, &requests);
    drop(up);
}

/// Starts `up`, waits until so many are final, kills it and its workers; leases in flight then, workers killed.
fn run_and_kill(stack: &TestStack, finished: u64, pause: Duration) -> (u64, usize) {
    let mut up = stack.start(&["up"], "up");
    let there = until(BOUND, || stack.finished() >= finished || !up.is_running());
    assert!(
        there && up.is_running(),
        "only {} final, not {finished}:\n{}",
        stack.finished(),
        tail(&stack.logs(), 60)
    );
    std::thread::sleep(pause);
    up.kill();
    let workers = stack.kill_workers();
    (stack.leased(), workers)
}

fn check(stack: &TestStack, requests: &[InspectionRequest]) {
    let inspections = stack.inspections();
    let found: BTreeSet<String> = inspections.keys().cloned().collect();
    assert_eq!(found, ids(requests), "one record for each request, and no other");
    for (i, request) in requests.iter().enumerate() {
        let inspection = &inspections[request.id.as_str()];
        let wanted = if is_dark(i) { "clean" } else { "damaged" };
        assert!(is_done(&inspection.phase, wanted), "{i}: {:?}", inspection.phase);
        assert_eq!(&inspection.request, request);
        assert!(inspection.published_at.is_some(), "{i}: not published");
        let outcome = inspection.outcome.as_ref().expect("done means an outcome");
        let report = outcome.report.as_ref().expect("every inspection is reported");
        for blob in [Some(report), outcome.overlay.as_ref()].into_iter().flatten() {
            stack.check_blob(blob);
        }
    }
    check_lanes(requests, &inspections);
    let events = stack.events();
    for id in &found {
        let wanted = format!("{id}.done");
        let told = events.get(id).unwrap_or_else(|| panic!("{id}: no event"));
        assert!(told.iter().all(|event| *event == wanted), "{told:?}");
    }
    assert_eq!(events.len(), found.len(), "events of something else");
    assert_eq!(stack.parked(), [], "nothing is parked");
}

fn check_lanes(requests: &[InspectionRequest], inspections: &BTreeMap<String, Inspection>) {
    let lane = |i: usize| {
        let route = &inspections[requests[i].id.as_str()].route;
        route.as_ref().map(|(lane, _)| *lane)
    };
    let (dark, bright): (Vec<usize>, Vec<usize>) = (0..requests.len()).partition(|i| is_dark(*i));
    assert!(
        dark.iter().all(|i| lane(*i).is_none()),
        "a clean photo was routed"
    );
    let late = bright.iter().filter(|i| **i % 4 == 1);
    for i in late {
        assert_eq!(lane(*i), Some(Lane::Inline), "{i}");
    }
    let gpu = bright.iter().filter(|i| lane(**i) == Some(Lane::Gpu)).count();
    // All others but the few that came while the state of the lane was not read yet.
    assert!(gpu >= PHOTOS / 4, "only {gpu} photos went to the workers");
}
