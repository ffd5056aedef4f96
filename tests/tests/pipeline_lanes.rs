//! Photos do not wait for a GPU lane that is closed or whose workers die at their start.

use std::time::Duration;
use walkaround_domain::{InspectionRequest, Lane};
use walkaround_local::{INTAKE, SEGMENTATION};
use walkaround_ports::{OutMessage, WorkerJobState};
use walkaround_tests::stack::{TestStack, as_json, damaged, ids, is_done, request, tail, until};

const BOUND: Duration = Duration::from_secs(120);
const PHOTOS: usize = 12;

fn requests(stack: &TestStack) -> Vec<InspectionRequest> {
    let photo = damaged();
    let key = |i: usize| format!("lanes/{i}.jpg");
    stack.store((0..PHOTOS).map(|i| (key(i), photo.as_slice())));
    (0..PHOTOS).map(|i| request(&key(i))).collect()
}

fn check_done_inline(stack: &TestStack, why: &[&str]) {
    let inspections = stack.inspections();
    assert_eq!(inspections.len(), PHOTOS);
    for (id, inspection) in &inspections {
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{id}: {:?}",
            inspection.phase
        );
        let Some((Lane::Inline, reason)) = &inspection.route else {
            panic!("{id}: {:?}", inspection.route);
        };
        assert!(why.iter().any(|w| reason.contains(w)), "{id}: {reason}");
    }
    assert_eq!(stack.parked(), []);
}

#[test]
fn photos_of_a_lane_that_was_closed_are_routed_again_and_a_second_request_adds_no_message() {
    // As they are left when the lane is closed after they were routed there.
    let stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")]);
    let requests = requests(&stack);
    let messages: Vec<OutMessage> = requests.iter().map(as_json).collect();
    stack.send(SEGMENTATION, &messages);
    let mut up = stack.start(&["up"], "up");
    stack.until_all_final(&ids(&requests), BOUND);
    check_done_inline(&stack, &["the GPU lane is closed"]);
    stack.send(INTAKE, &messages);
    assert!(
        until(BOUND, || stack.messages() == 0),
        "{}",
        tail(&stack.logs(), 40)
    );
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
}

#[test]
fn a_segmenter_that_is_gone_starts_a_few_workers_and_photos_are_looked_at_inline() {
    let mut stack = walkaround_tests::stack!("trivial", &[("INLINE_DRAIN_S", "0"), ("WORKERS_MAX", "3")]);
    let bundle = stack.folder().join("bundle");
    std::fs::create_dir(&bundle).expect("a folder");
    let from = walkaround_tests::places::root().join("tests/bundles/trivial");
    for entry in from.read_dir().expect("a bundle") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), bundle.join(entry.file_name())).expect("a copy");
    }
    stack.set("BUNDLE", &bundle.display().to_string());
    let mut up = stack.start(&["up"], "up");
    assert!(until(BOUND, || up.log().contains(" up ")), "{}", up.log());
    // Triage has loaded its networks; workers that start from now on cannot.
    std::fs::remove_file(bundle.join("marks.onnx")).expect("the segmenter is there");
    let requests = requests(&stack);
    stack.submit(&requests);
    stack.until_all_final(&ids(&requests), BOUND);
    let jobs = stack.wait_for(stack.local().jobs()).expect("jobs");
    let died = |exit: Option<i32>| exit != Some(0);
    let died = jobs
        .iter()
        .filter(|job| matches!(job.state, WorkerJobState::Ended { exit } if died(exit)));
    assert!(died.count() >= 1, "{jobs:?}");
    assert!(jobs.len() <= 3, "the first volley alone, and no second: {jobs:?}");
    // While the next worker is tried, the lane looks as if it came: what it gave back stays here all the same.
    check_done_inline(&stack, &["fail at their start", "the GPU lane returned it"]);
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
}
