//! One `up` runs a root, and others see how it gets on.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use std::sync::Arc;
use std::time::Duration;
use walkaround_local::{LocalStack, OpenError, Options, SystemClock, UpReport};
use walkaround_ports::Clock;

fn open(root: &std::path::Path) -> LocalStack {
    LocalStack::open(root, Options::default(), Arc::new(SystemClock::new())).unwrap()
}

#[tokio::test]
async fn a_root_is_run_by_one_process_and_free_again_when_that_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let (one, other) = (open(root.path()), open(root.path()));
    assert_eq!(one.running_up().unwrap(), None);
    let lock = one.lock_up().unwrap();
    let own = i32::try_from(std::process::id()).unwrap();
    match other.lock_up() {
        Err(OpenError::UpRuns { process, .. }) => assert_eq!(process, Some(own)),
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(other.running_up().unwrap().unwrap().process, Some(own));
    // The kernel gives a lock back when its process is gone, as here when its file is closed.
    drop(lock);
    assert_eq!(other.running_up().unwrap(), None);
    other.lock_up().unwrap();
}

#[tokio::test]
async fn a_report_is_seen_while_its_up_runs() {
    let root = tempfile::tempdir().unwrap();
    let (one, other) = (open(root.path()), open(root.path()));
    let lock = one.lock_up().unwrap();
    assert_eq!(other.running_up().unwrap().unwrap().report, None);
    let report = UpReport {
        at: SystemClock::new().now(),
        progressed_at: SystemClock::new().now() - Duration::from_secs(7),
        stalled_after: Duration::from_secs(150),
        in_flight: 3,
        drop_folder: Some("the drop folder /nas/in is away".to_owned()),
        unresponsive_hosts: vec!["photos.example".to_owned()],
    };
    lock.report(&report).unwrap();
    assert_eq!(other.running_up().unwrap().unwrap().report, Some(report));
    std::fs::write(root.path().join("up.json"), "half a docum").unwrap();
    assert_eq!(other.running_up().unwrap().unwrap().report, None);
}
