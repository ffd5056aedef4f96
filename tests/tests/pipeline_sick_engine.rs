//! A device that fails every run after its networks were loaded costs no photo anything: the worker ends with its own
//! exit code, others do its work, and `doctor` names it.

use std::time::Duration;
use walkaround_domain::{InspectionRequest, Phase};
use walkaround_ports::WorkerJobState;
use walkaround_tests::onnx_proxy::{OnnxProxy, Sickness};
use walkaround_tests::stack::{TestStack, damaged, ids, is_done, request, tail, until};

const PHOTOS: usize = 300;
const BOUND: Duration = Duration::from_secs(180);
const EXIT_ENGINE: i32 = 70;

/// Every photo goes to the workers; none of them ends for want of work, so that the last end is that of the sick one.
const SETTINGS: &[(&str, &str)] = &[
    ("INLINE_DRAIN_S", "0"),
    ("WORKERS_MAX", "2"),
    ("COLD_START_S", "1"),
    ("IDLE_EXIT_S", "600"),
    ("ATTEMPTS", "2"),
];

/// How the workers that have ended did.
fn exits(stack: &TestStack) -> Vec<Option<i32>> {
    let jobs = stack
        .wait_for(stack.local().jobs())
        .expect("the workers of a root are listed");
    let exit = |state: &WorkerJobState| match state {
        WorkerJobState::Ended { exit } => Some(*exit),
        _ => None,
    };
    jobs.iter().filter_map(|job| exit(&job.state)).collect()
}

#[test]
fn one_sick_worker_of_two_fails_no_photo_of_300_and_ends_with_its_own_code() {
    let proxy = OnnxProxy::build(&[" worker"]);
    let mut stack = walkaround_tests::stack!("slow", SETTINGS);
    stack.set("ONNXRUNTIME", &proxy.library().display().to_string());
    let photo = damaged();
    let requests: Vec<InspectionRequest> = (0..PHOTOS)
        .map(|i| request(&format!("sick/{i:03}.jpg")))
        .collect();
    stack.store((0..PHOTOS).map(|i| (format!("sick/{i:03}.jpg"), photo.as_slice())));
    stack.submit(&requests);
    let mut up = stack.start(&["up"], "up");
    let working = until(BOUND, || stack.workers().len() == 2 && stack.finished() > 0);
    assert!(
        working && stack.finished() < 200,
        "{}\n{}",
        stack.finished(),
        tail(&stack.logs(), 60)
    );
    proxy.sicken_one(Sickness::Fail);
    assert!(
        until(BOUND, || exits(&stack).contains(&Some(EXIT_ENGINE))),
        "no worker ended with {EXIT_ENGINE}: {:?}\n{}",
        exits(&stack),
        tail(&stack.logs(), 60)
    );
    assert!(proxy.sick_process().is_some());
    let told = stack.output(&["doctor", "--format", "json"]);
    assert!(
        told.contains("code 70: its engine is faulty"),
        "doctor does not name it:\n{told}"
    );

    stack.until_all_final(&ids(&requests), BOUND);
    for (id, inspection) in stack.inspections() {
        assert!(
            !matches!(inspection.phase, Phase::Failed { .. }),
            "{id}: {:?}",
            inspection.phase
        );
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{id}: {:?}",
            inspection.phase
        );
        assert_eq!(
            inspection.attempts, 1,
            "{id}: an attempt was counted for a faulty engine"
        );
    }
    assert_eq!(stack.parked(), []);
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0);
}

#[test]
fn a_sick_engine_in_triage_ends_up_with_its_own_code_and_a_new_one_does_the_work() {
    let proxy = OnnxProxy::build(&[" up"]);
    let mut stack = walkaround_tests::stack!("slow", &[("WORKERS_MAX", "0"), ("ATTEMPTS", "1")]);
    stack.set("ONNXRUNTIME", &proxy.library().display().to_string());
    let photo = damaged();
    let requests: Vec<InspectionRequest> = (0..10).map(|i| request(&format!("sick/{i}.jpg"))).collect();
    stack.store((0..10).map(|i| (format!("sick/{i}.jpg"), photo.as_slice())));
    let mut up = stack.start(&["up"], "up");
    assert!(
        until(BOUND, || up.log().contains("bundle=")
            && up.log().contains("up root")),
        "{}",
        up.log()
    );
    proxy.sicken(Sickness::Fail);
    stack.submit(&requests);
    assert_eq!(up.exit_code(BOUND), EXIT_ENGINE);
    proxy.cure();
    let mut up = stack.start(&["up"], "up");
    stack.until_all_final(&ids(&requests), BOUND);
    for (id, inspection) in stack.inspections() {
        assert!(
            is_done(&inspection.phase, "damaged"),
            "{id}: {:?}",
            inspection.phase
        );
    }
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0);
}
