//! What becomes of a message, by what happens to its photo: the worker and the steps that it shares with triage.

use crate::support::{ATTEMPTS, Bench, CLEAN, DAMAGED, Fetch, NO_VEHICLE, World, delivery, request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use walkaround_domain::{FailureCode, InspectionRequest, Phase, PhotoRef, Verdict};
use walkaround_messages::request_json;
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::{Delivery, PARKED_FROM, PARKED_REASON, PortErrorKind};

impl Bench {
    async fn handle(&self, delivery: &Delivery) -> Disposition {
        let worker = Segmentation {
            processor: self.processor(),
        };
        let (_trigger, never) = shutdown_signal();
        worker.handle(delivery, &never).await
    }

    /// Deliveries of a message until it is acknowledged.
    async fn work_off(&self, name: &str) -> u32 {
        for n in 1..20 {
            if self.handle(&delivery(name, n, &self.clock)).await == Disposition::Ack {
                return n;
            }
        }
        panic!("{name} is never acknowledged");
    }
}

/// How an inspection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done(Verdict),
    Failed(FailureCode),
}

struct PhotoCase {
    fetch: Fetch,
    end: End,
    deliveries: u32,
    recorded: &'static str,
}

const fn failed_at_once(fetch: Fetch, code: FailureCode, recorded: &'static str) -> PhotoCase {
    PhotoCase {
        fetch,
        end: End::Failed(code),
        deliveries: 1,
        recorded,
    }
}

const fn failed_after_all_attempts(fetch: Fetch, code: FailureCode, recorded: &'static str) -> PhotoCase {
    PhotoCase {
        fetch,
        end: End::Failed(code),
        deliveries: ATTEMPTS,
        recorded,
    }
}

const fn done(fetch: Fetch, verdict: Verdict, recorded: &'static str) -> PhotoCase {
    PhotoCase {
        fetch,
        end: End::Done(verdict),
        deliveries: 1,
        recorded,
    }
}

const CASES: &[PhotoCase] = &[
    done(Fetch::Picture(DAMAGED), Verdict::Damaged, "settled damaged"),
    done(Fetch::Picture(CLEAN), Verdict::Clean, "settled clean"),
    done(Fetch::Picture(NO_VEHICLE), Verdict::Unusable, "settled unusable"),
    done(Fetch::LargePicture(DAMAGED), Verdict::Damaged, "settled damaged"),
    done(Fetch::Garbage, Verdict::Unusable, "settled unusable"),
    failed_at_once(
        Fetch::Malformed,
        FailureCode::PhotoNotFound,
        "failed photo_not_found",
    ),
    failed_after_all_attempts(
        Fetch::NotFound,
        FailureCode::PhotoNotFound,
        "failed photo_not_found",
    ),
    failed_after_all_attempts(
        Fetch::Denied,
        FailureCode::PhotoForbidden,
        "failed photo_forbidden",
    ),
    failed_at_once(
        Fetch::Forbidden,
        FailureCode::PhotoForbidden,
        "failed photo_forbidden",
    ),
    failed_at_once(
        Fetch::TooLarge,
        FailureCode::PhotoTooLarge,
        "failed photo_too_large",
    ),
    failed_after_all_attempts(
        Fetch::Port(PortErrorKind::NotFound),
        FailureCode::PhotoNotFound,
        "failed photo_not_found",
    ),
    failed_at_once(
        Fetch::Port(PortErrorKind::TooLarge),
        FailureCode::PhotoTooLarge,
        "failed photo_too_large",
    ),
    failed_after_all_attempts(
        Fetch::Fails,
        FailureCode::PhotoUnreachable,
        "failed photo_unreachable",
    ),
    failed_after_all_attempts(
        Fetch::Port(PortErrorKind::Corrupt),
        FailureCode::PhotoUnreachable,
        "failed photo_unreachable",
    ),
    failed_after_all_attempts(
        Fetch::Port(PortErrorKind::Denied),
        FailureCode::PhotoForbidden,
        "failed photo_forbidden",
    ),
];

#[tokio::test]
async fn every_photo_ends_on_its_record() {
    for case in CASES {
        let bench = Bench::new(&[case.fetch]);
        let deliveries = bench.work_off("one").await;
        let inspection = bench.world.inspection("one").unwrap();
        let end = match &inspection.phase {
            Phase::Done { verdict } => End::Done(*verdict),
            Phase::Failed { code, .. } => End::Failed(*code),
            phase => panic!("{:?}: {phase:?}", case.fetch),
        };
        assert_eq!((end, deliveries), (case.end, case.deliveries), "{:?}", case.fetch);
        assert!(inspection.published_at.is_some(), "{:?}", case.fetch);
        let recorded = bench.world.recorded.lock().unwrap().clone();
        assert_eq!(recorded.last().unwrap(), case.recorded, "{:?}", case.fetch);
        assert_eq!(recorded.len() as u32, case.deliveries, "{recorded:?}");
    }
}

#[tokio::test]
async fn a_result_that_the_store_will_never_take_is_final_and_its_bundle_is_on_the_record() {
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    bench.world.blobs_too_large.store(true, Ordering::SeqCst);
    assert_eq!(bench.work_off("one").await, 1);
    let inspection = bench.world.inspection("one").unwrap();
    assert!(
        matches!(
            &inspection.phase,
            Phase::Failed {
                code: FailureCode::StoreFailed,
                ..
            }
        ),
        "{:?}",
        inspection.phase
    );
    assert_eq!(inspection.history.failed_with.unwrap().to_string(), "test 1");
}

/// A message that cannot be tied to an inspection.
struct ParkCase {
    name: &'static str,
    body: String,
    reason: &'static str,
}

fn park_cases() -> Vec<ParkCase> {
    let other = InspectionRequest {
        photo: PhotoRef::File("two".into()),
        ..request("one")
    };
    vec![
        ParkCase {
            name: "unreadable",
            body: "{".to_owned(),
            reason: "",
        },
        ParkCase {
            name: "empty",
            body: String::new(),
            reason: "",
        },
        ParkCase {
            name: "no request",
            body:
                r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b","Time":"2026-11-22T00:00:00Z"}"#
                    .to_owned(),
            reason: "no request",
        },
        ParkCase {
            name: "another photo under the same id",
            body: request_json(&other),
            reason: "another photo needs another id",
        },
    ]
}

#[tokio::test]
async fn what_cannot_be_tied_to_an_inspection_is_parked_with_its_reason() {
    for case in park_cases() {
        let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
        bench.work_off("one").await;
        let message = Delivery {
            body: case.body,
            ..delivery("one", 1, &bench.clock)
        };
        assert_eq!(bench.handle(&message).await, Disposition::Ack, "{}", case.name);
        let parked = bench.world.parked.lock().unwrap();
        let parked = parked.last().unwrap();
        assert!(
            parked.attributes[PARKED_REASON].contains(case.reason),
            "{}: {parked:?}",
            case.name
        );
        assert_eq!(parked.attributes[PARKED_FROM], "segmentation");
        assert!(!parked.body.is_empty(), "SQS refuses empty bodies");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_parked_is_redelivered() {
    let faults: [fn(&World) -> &AtomicBool; 2] = [|world| &world.queue_away, |world| &world.queue_refuses];
    for fault in faults {
        let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
        fault(&bench.world).store(true, Ordering::SeqCst);
        let message = Delivery {
            body: "{".to_owned(),
            ..delivery("one", 3, &bench.clock)
        };
        assert!(matches!(bench.handle(&message).await, Disposition::Retry(delay) if !delay.is_zero()));
        assert_eq!(*bench.world.recorded.lock().unwrap(), ["returned"]);
    }
}

#[tokio::test]
async fn the_same_bytes_under_the_same_bundle_are_inspected_once() {
    for photo in [Fetch::Picture(DAMAGED), Fetch::Garbage] {
        let bench = Bench::new(&[photo]);
        bench.work_off("one").await;
        let runs = bench.world.engine_runs.load(Ordering::SeqCst);
        bench.work_off("two").await;
        assert_eq!(bench.world.engine_runs.load(Ordering::SeqCst), runs, "{photo:?}");
        let (one, two) = ["one", "two"]
            .map(|name| bench.world.inspection(name).unwrap())
            .into();
        assert_eq!(one.phase, two.phase);
        let (one, two) = (one.outcome.unwrap(), two.outcome.unwrap());
        assert_eq!(two.reused_from.unwrap().as_str(), "one");
        assert_eq!(one.overlay.is_some(), two.overlay.is_some());
        assert_ne!(one.report, two.report, "its report is its own");
        assert_eq!(one.findings, two.findings);
    }
}

/// Why a result is not reused.
struct NoReuseCase {
    name: &'static str,
    fault: fn(&World),
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_made_again() {
    let cases = [
        NoReuseCase {
            name: "its blobs are deleted",
            fault: |world| world.blobs.lock().unwrap().clear(),
        },
        NoReuseCase {
            name: "its report is no JSON",
            fault: |world| {
                let mut blobs = world.blobs.lock().unwrap();
                blobs.values_mut().for_each(|bytes| *bytes = b"{".to_vec());
            },
        },
        NoReuseCase {
            name: "its record is deleted",
            fault: |world| world.records.lock().unwrap().clear(),
        },
        NoReuseCase {
            name: "the index of results is out of reach",
            fault: |world| world.results_away.store(true, Ordering::SeqCst),
        },
        NoReuseCase {
            name: "the inspection has failed since",
            fault: |world| {
                let mut records = world.records.lock().unwrap();
                for record in records.values_mut() {
                    let mut inspection = walkaround_messages::parse_record(&record.body).unwrap();
                    inspection.phase = Phase::Accepted;
                    record.body = walkaround_messages::record_body(&inspection);
                }
            },
        },
    ];
    for case in cases {
        let bench = Bench::new(&[Fetch::Picture(DAMAGED)]);
        bench.work_off("one").await;
        (case.fault)(&bench.world);
        bench.work_off("two").await;
        let two = bench.world.inspection("two").unwrap();
        assert!(
            matches!(
                two.phase,
                Phase::Done {
                    verdict: Verdict::Damaged
                }
            ),
            "{}",
            case.name
        );
        assert_eq!(two.outcome.unwrap().reused_from, None, "{}", case.name);
    }
}

#[tokio::test]
async fn a_final_inspection_is_acknowledged_and_published_if_it_was_not() {
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    bench.world.topic_away.store(true, Ordering::SeqCst);
    assert!(matches!(
        bench.handle(&delivery("one", 1, &bench.clock)).await,
        Disposition::Retry(_)
    ));
    bench.world.topic_away.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(
            bench.handle(&delivery("one", 2, &bench.clock)).await,
            Disposition::Ack
        );
    }
    assert_eq!(*bench.world.events.lock().unwrap(), ["one.done"]);
}

#[tokio::test]
async fn a_shutdown_between_the_steps_returns_the_message_at_once() {
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    let worker = Segmentation {
        processor: bench.processor(),
    };
    let (trigger, stop) = shutdown_signal();
    trigger.stop();
    let handled = worker.handle(&delivery("one", 1, &bench.clock), &stop).await;
    assert_eq!(handled, Disposition::Retry(Duration::ZERO));
    assert!(bench.world.inspection("one").is_none());
}
