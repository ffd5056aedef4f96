//! Workers on a fake AWS Batch that answers as its reference says: what no emulator does.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod capacity_fake;

use capacity_fake::{FakeBatch, Fault, HastyClock};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use walkaround_aws::{ATTEMPTS_MAX, AwsBatchConfig, BatchCapacity};
use walkaround_conformance::{Capabilities, CapacityUnderTest, RealTime, capacity_suite};
use walkaround_ports::{Clock, GpuCapacity, PortErrorKind, WorkerJob, WorkerJobState};

const MINUTE: Duration = Duration::from_secs(60);

fn set_up() -> (FakeBatch, BatchCapacity, Arc<HastyClock>) {
    let clock = Arc::new(HastyClock::default());
    let batch = FakeBatch::new(clock.clone());
    let settings = AwsBatchConfig {
        job_queue: "gpu".to_owned(),
        job_definition: "worker".to_owned(),
        name_prefix: "fleet".to_owned(),
    };
    let capacity = BatchCapacity::new(batch.client(), settings, clock.clone());
    (batch, capacity, clock)
}

fn ids(fleet: &[WorkerJob]) -> BTreeSet<&str> {
    fleet.iter().map(|job| job.id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_kept() {
    let make = || async {
        let (batch, capacity, _) = set_up();
        batch.inner().moving = true;
        CapacityUnderTest {
            capacity: Arc::new(capacity),
            workers_max: None,
            time: Arc::new(RealTime {
                unit: Duration::from_millis(20),
                patience: Duration::ZERO,
            }),
            keep: Box::new(()),
        }
    };
    let capabilities = Capabilities::all().without(
        "never_more_than_the_most",
        "Batch takes any number of jobs; its compute environments bound what runs",
    );
    println!("{}", capacity_suite(make, &capabilities).await.require());
}

#[tokio::test]
async fn all_pages_are_read_and_described_in_hundreds() {
    let (batch, capacity, _) = set_up();
    for number in 0..250 {
        let status = ["RUNNABLE", "RUNNING"][number % 2];
        batch.add(&format!("job-{number}"), status, json!({}));
    }
    batch.inner().page = 30;
    let fleet = capacity.fleet().await.unwrap();
    assert_eq!((fleet.len(), ids(&fleet).len()), (250, 250));
    let described: Vec<usize> = batch
        .calls("describejobs")
        .iter()
        .map(|request| request["jobs"].as_array().unwrap().len())
        .collect();
    assert_eq!(described, [100, 100, 50]);
}

#[tokio::test]
async fn a_fleet_that_cannot_be_listed_to_its_end_is_an_error() {
    let (batch, capacity, _) = set_up();
    for number in 0..11 {
        batch.add(&format!("job-{number}"), "RUNNING", json!({}));
    }
    batch.inner().page = 1;
    let error = capacity.fleet().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "capacity.fleet: job queue gpu: more than 10 pages of live jobs"
    );
}

#[tokio::test]
async fn a_job_that_moves_between_two_lists_is_seen() {
    for (from, listed, to) in [
        ("RUNNABLE", "RUNNABLE", "STARTING"),
        ("STARTING", "PENDING", "RUNNING"),
        // Its machine was reclaimed: it waits for another attempt.
        ("RUNNING", "STARTING", "RUNNABLE"),
        ("RUNNING", "STARTING", "FAILED"),
    ] {
        let (batch, capacity, clock) = set_up();
        let stopped = clock.now().0;
        batch.add("job-0", from, json!({ "stoppedAt": stopped }));
        batch.inner().turn = Some((listed, "job-0", to));
        let fleet = capacity.fleet().await.unwrap();
        assert_eq!(fleet.len(), 1, "{from}, after {listed} {to}");
    }
}

#[tokio::test]
async fn jobs_of_others_are_neither_counted_nor_ended() {
    let (batch, capacity, _) = set_up();
    for name in [
        "fleet-eu-1-1",
        "fleet",
        "fleet-1",
        "fleetx-1-1",
        "fleet-1-1a",
        "other-1-1",
    ] {
        batch.add(name, "RUNNING", json!({ "jobName": name }));
    }
    assert_eq!(capacity.fleet().await.unwrap(), []);
    let error = capacity.end("fleet-eu-1-1", "stale").await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound);
    assert_eq!(batch.calls("terminatejob"), Vec::<Value>::new());
}

#[tokio::test]
async fn ended_jobs_are_told_for_an_hour_with_exit_and_reason() {
    let (batch, capacity, clock) = set_up();
    let ended = |exit: i32| {
        json!({ "stoppedAt": clock.now().0, "statusReason": "Essential container in task exited",
            "container": { "exitCode": exit } })
    };
    batch.add("long-ago", "FAILED", ended(1));
    clock.advance(2 * MINUTE);
    batch.add("done", "SUCCEEDED", ended(0));
    let mut reclaimed = ended(0);
    reclaimed["statusReason"] = json!("Host EC2 (instance i-0)\nterminated.");
    reclaimed["container"] = json!({ "reason": "spot" });
    reclaimed["attempts"] = json!([{}, { "container": { "exitCode": 143 } }]);
    batch.add("reclaimed", "FAILED", reclaimed);
    batch.add("cancelled", "FAILED", json!({ "statusReason": "too many" }));
    clock.advance(59 * MINUTE);
    let mut fleet = capacity.fleet().await.unwrap();
    fleet.sort_by(|a, b| a.id.cmp(&b.id));
    let told: Vec<_> = fleet
        .iter()
        .map(|job| (job.id.as_str(), job.state, job.reason.as_deref().unwrap()))
        .collect();
    let over = |exit| WorkerJobState::Ended { exit };
    let expected = [
        ("cancelled", over(None), "too many"),
        ("done", over(Some(0)), "Essential container in task exited"),
        (
            "reclaimed",
            over(Some(143)),
            "Host EC2 (instance i-0) terminated.; spot; 2 attempts",
        ),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_waiting_job_says_why_and_a_running_one_counts_from_its_begin() {
    let (batch, capacity, clock) = set_up();
    let asked = clock.now();
    let why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no instance type has 2 GPUs";
    batch.add(
        "waits",
        "RUNNABLE",
        json!({ "statusReason": why, "startedAt": null }),
    );
    clock.advance(90 * MINUTE);
    let began = clock.now();
    batch.add(
        "runs",
        "RUNNING",
        json!({ "createdAt": asked.0, "startedAt": began.0 }),
    );
    let fleet = capacity.fleet().await.unwrap();
    let of = |id: &str| fleet.iter().find(|job| job.id == id).unwrap();
    let waits = of("waits");
    assert_eq!((waits.state, waits.since), (WorkerJobState::Starting, asked));
    assert_eq!(waits.reason.as_deref(), Some(why));
    // It waited for an hour and a half: nobody may take it for stale before it has begun.
    assert_eq!(
        (of("runs").state, of("runs").since),
        (WorkerJobState::Running, began)
    );
}

#[tokio::test]
async fn a_job_that_waits_again_counts_from_the_end_of_its_last_attempt() {
    let (batch, capacity, clock) = set_up();
    let asked = clock.now().0;
    clock.advance(90 * MINUTE);
    let ended = clock.now();
    let attempts = json!([{ "stoppedAt": asked }, { "stoppedAt": ended.0 }]);
    let job = json!({ "createdAt": asked, "startedAt": asked, "attempts": attempts });
    batch.add("again", "RUNNABLE", job);
    clock.advance(MINUTE);
    let fleet = capacity.fleet().await.unwrap();
    assert_eq!(
        (fleet[0].state, fleet[0].since),
        (WorkerJobState::Starting, ended)
    );
}

#[tokio::test]
async fn a_submission_names_queue_definition_and_tag_and_nothing_else_of_the_job() {
    let (batch, capacity, clock) = set_up();
    capacity.start(2).await.unwrap();
    let submitted = batch.calls("submitjob");
    let names: Vec<&str> = submitted.iter().map(|s| s["jobName"].as_str().unwrap()).collect();
    let now = clock.now().0;
    assert_eq!(names, [format!("fleet-{now}-1"), format!("fleet-{now}-2")]);
    assert_eq!(
        (&submitted[0]["jobQueue"], &submitted[0]["jobDefinition"]),
        (&json!("gpu"), &json!("worker"))
    );
    // What a worker is given stands in the job definition, once.
    assert_eq!(submitted[0]["containerOverrides"], Value::Null);
    // Rights to end jobs ask for it.
    assert_eq!(submitted[1]["tags"], json!({ "walkaround": "fleet" }));
}

#[tokio::test]
async fn what_was_accepted_before_a_failure_comes_back() {
    let (batch, capacity, _) = set_up();
    batch.inner().faults = vec![("submitjob", 2, Fault::Refused(400, "ClientException"))];
    assert_eq!(capacity.start(5).await.unwrap().len(), 2);
    assert_eq!(batch.calls("submitjob").len(), 3);
    batch.inner().faults = vec![("submitjob", 0, Fault::Refused(403, "AccessDeniedException"))];
    let error = capacity.start(5).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Denied);
    assert_eq!(
        error.to_string(),
        "capacity.start: job queue gpu: AccessDeniedException: a fault"
    );
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_not_sent_again() {
    let (batch, capacity, _) = set_up();
    batch.inner().faults = vec![("submitjob", 0, Fault::AnswerLost)];
    let error = capacity.start(1).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unavailable);
    assert_eq!(batch.calls("submitjob").len(), 1);
    // The next listing shows what became of it.
    assert_eq!(capacity.fleet().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_throttled_submission_is_tried_three_times() {
    let throttled = ("submitjob", 0, Fault::Refused(429, "TooManyRequestsException"));
    let (batch, capacity, clock) = set_up();
    let began = clock.now();
    batch.inner().faults = vec![throttled; 2];
    assert_eq!(capacity.start(1).await.unwrap().len(), 1);
    assert_eq!(clock.now().since(began), Duration::from_millis(750));
    batch.inner().faults = vec![throttled; 10];
    let error = capacity.start(1).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Throttled);
    assert_eq!(batch.calls("submitjob").len(), 6);
}

#[tokio::test]
async fn a_throttled_look_says_so() {
    let (batch, capacity, _) = set_up();
    batch.inner().faults =
        vec![("listjobs", 0, Fault::Refused(429, "TooManyRequestsException")); ATTEMPTS_MAX as usize];
    let error = capacity.fleet().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Throttled);
    assert_eq!(batch.calls("listjobs").len(), ATTEMPTS_MAX as usize);
}

#[tokio::test]
async fn ending_has_a_reason_and_is_not_repeated() {
    let (batch, capacity, _) = set_up();
    batch.add("runs", "RUNNING", json!({}));
    batch.add("told", "RUNNING", json!({ "isTerminated": true }));
    batch.add("races", "RUNNING", json!({}));
    capacity.end("told", "again").await.unwrap();
    assert_eq!(batch.calls("terminatejob"), Vec::<Value>::new());
    capacity.end("runs", &"x".repeat(2000)).await.unwrap();
    capacity.end("runs", "again").await.unwrap();
    let reason = "x".repeat(1024);
    assert_eq!(
        batch.calls("terminatejob"),
        [json!({ "jobId": "runs", "reason": reason })]
    );
    batch.inner().faults = vec![("terminatejob", 0, Fault::EndedMeanwhile)];
    capacity.end("races", "stale").await.unwrap();
    batch.add("stays", "RUNNING", json!({}));
    batch.inner().faults = vec![("terminatejob", 0, Fault::Refused(400, "ClientException"))];
    let error = capacity.end("stays", "stale").await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Invalid);
}
