//! A bucket for results that is away for a while, on ministack: triage and worker give photos back, count no attempt,
//! and finish each once the bucket is there again.

use std::time::Duration;
use walkaround_domain::{Inspection, InspectionRequest, PhotoRef};
use walkaround_messages::derived_id;
use walkaround_tests::cloud::TestCloud;
use walkaround_tests::requests::{as_json, clean, damaged, is_done};
use walkaround_tests::running::{tail, until};
use walkaround_tests::throttle::Throttle;

const BOUND: Duration = Duration::from_secs(180);
/// Photos of each kind.
const PHOTOS: usize = 5;
/// Calls that the bucket refuses before it is there again: the AWS SDK makes at most three of one write, so that each
/// photo comes back several times.
const REFUSALS: u64 = 100;

fn deploy() -> TestCloud {
    let of = walkaround_tests::deployed!("warn");
    TestCloud::deploy_behind(
        |runtime, endpoint| Throttle::start(runtime, endpoint, 0.0, 0),
        &of,
    )
}

fn key(n: usize) -> String {
    format!("away/{n}.jpg")
}

fn requests(cloud: &TestCloud) -> Vec<InspectionRequest> {
    let one = |n: usize| {
        let photo = PhotoRef::S3 {
            bucket: cloud.output("PhotosBucket").into(),
            key: key(n),
            version: None,
        };
        InspectionRequest::of(derived_id(&photo), photo)
    };
    (0..2 * PHOTOS).map(one).collect()
}

#[test]
fn results_that_s3_refuses_for_long_use_up_no_attempt_and_every_photo_ends_done() {
    let cloud = deploy();
    let (bright, dark) = (damaged(), clean());
    for n in 0..2 * PHOTOS {
        let picture = if n < PHOTOS { &bright } else { &dark };
        cloud.put_photo(&key(n), picture);
    }
    cloud.leave_lane_state();
    let proxy = cloud.proxy().expect("it was deployed behind one");
    proxy.set_away(Some(cloud.output("ResultsBucket")));
    let requests = requests(&cloud);
    cloud.send("IntakeQueueUrl", requests.iter().map(as_json).collect());
    let program = env!("CARGO_BIN_EXE_batch-worker-under-test");
    let through = cloud.endpoint().to_owned();
    let more = [
        ("AWS_ENDPOINT_URL", through.as_str()),
        ("WALKAROUND_RETRY_FIRST_S", "0.05"),
        ("WALKAROUND_ATTEMPTS", "1"),
    ];
    let _worker = cloud.worker(program, "job-0", "trivial", &more);

    let refused = || proxy.counts().0;
    let there = until(BOUND, || refused() >= REFUSALS);
    assert!(
        there,
        "only {} calls refused:\n{}",
        refused(),
        tail(&cloud.logs(), 60)
    );
    assert_eq!(cloud.finished(), 0, "final while no result could be stored");
    proxy.set_away(None);
    let there = until(BOUND, || cloud.finished() == requests.len());
    assert!(
        there,
        "only {} final:\n{}",
        cloud.finished(),
        tail(&cloud.logs(), 60)
    );
    let inspections = cloud.inspections();
    for n in 0..2 * PHOTOS {
        let of_photo = |i: &&Inspection| i.request.photo.to_string().ends_with(&key(n));
        let inspection = inspections
            .values()
            .find(of_photo)
            .expect("a record of each photo");
        let verdict = if n < PHOTOS { "damaged" } else { "clean" };
        assert!(is_done(&inspection.phase, verdict), "{n}: {:?}", inspection.phase);
        assert_eq!(inspection.attempts, 1, "{n}");
    }
    for queue in ["IntakeDeadQueueUrl", "SegmentationDeadQueueUrl"] {
        assert_eq!(cloud.messages(queue), 0, "{queue}");
    }
}
