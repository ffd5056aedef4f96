//! A bad day on AWS, on ministack: requests twice, requests that nobody can read, workers killed, and one call in
//! ten throttled. One final record for each good photo, each poisoned message accounted for, none missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use walkaround_domain::{Inspection, InspectionRequest, PhotoRef};
use walkaround_messages::derived_id;
use walkaround_ports::OutMessage;
use walkaround_tests::cloud::TestCloud;
use walkaround_tests::requests::{as_json, clean, damaged, is_done};
use walkaround_tests::running::{tail, until};
use walkaround_tests::throttle::Throttle;

const REQUESTS: usize = 2_000;
/// Of the requests, so many are sent twice (5 %).
const DOUBLED: usize = 100;
/// Messages beside them that are no requests (2 %).
const POISONED: usize = 40;
/// Share of the calls.
const THROTTLED: f64 = 0.1;
const SEED: u64 = 4;
const BOUND: Duration = Duration::from_secs(420);

fn is_dark(n: usize) -> bool {
    !n.is_multiple_of(3)
}

fn requests(cloud: &TestCloud) -> Vec<InspectionRequest> {
    let one = |n: usize| {
        let photo = PhotoRef::S3 {
            bucket: cloud.output("PhotosBucket").into(),
            key: format!("{}/{n:04}.jpg", if is_dark(n) { "dark" } else { "bright" }),
            version: None,
        };
        InspectionRequest::of(derived_id(&photo), photo)
    };
    (0..REQUESTS).map(one).collect()
}

/// All messages in a drawn order.
fn messages(requests: &[InspectionRequest], jitter: &mut fastrand::Rng) -> Vec<OutMessage> {
    let mut all: Vec<OutMessage> = requests.iter().map(as_json).collect();
    all.extend(requests.iter().step_by(REQUESTS / DOUBLED).map(as_json));
    all.extend((0..POISONED).map(|n| OutMessage {
        body: format!("poison {n}"),
        ..OutMessage::default()
    }));
    jitter.shuffle(&mut all);
    all
}

fn deploy() -> TestCloud {
    let of = walkaround_tests::deployed!("warn");
    TestCloud::deploy_behind(
        |runtime, endpoint| Throttle::start(runtime, endpoint, THROTTLED, SEED),
        &of,
    )
}

#[test]
fn nothing_is_lost_on_a_bad_day() {
    let cloud = deploy();
    let mut jitter = fastrand::Rng::with_seed(SEED);
    let requests = requests(&cloud);
    let (bright, dark) = (damaged(), clean());
    cloud.put_photos(requests.iter().enumerate().map(|(n, request)| {
        let PhotoRef::S3 { key, .. } = &request.photo else {
            panic!("photos are in S3")
        };
        (
            key.clone(),
            if is_dark(n) { dark.clone() } else { bright.clone() },
        )
    }));
    for part in messages(&requests, &mut jitter).chunks(100) {
        cloud.send("IntakeQueueUrl", part.to_vec());
    }

    let program = env!("CARGO_BIN_EXE_batch-worker-under-test");
    let through = cloud.endpoint().to_owned();
    let start = |name: &str| {
        let more = [("AWS_ENDPOINT_URL", through.as_str()), ("WALKAROUND_LOG", "warn")];
        cloud.worker(program, name, "trivial", &more)
    };
    let mut workers = [start("job-0"), start("job-1")];
    for (kill, finished) in [(0, REQUESTS / 4), (1, REQUESTS / 2)] {
        let there = until(BOUND, || cloud.finished() >= finished);
        assert!(
            there,
            "only {} final:\n{}",
            cloud.finished(),
            tail(&cloud.logs(), 60)
        );
        workers[kill].kill();
        workers[kill] = start(&format!("job-{}", kill + 2));
    }
    let there = until(BOUND, || {
        cloud.finished() >= REQUESTS && cloud.messages("IntakeQueueUrl") == 0
    });
    assert!(
        there,
        "only {} final:\n{}",
        cloud.finished(),
        tail(&cloud.logs(), 60)
    );
    assert!(
        until(BOUND, || cloud.messages("SegmentationQueueUrl") == 0),
        "the GPU lane is not empty"
    );
    check(&cloud, &requests);
    let (throttled, passed) = cloud.proxy().expect("it was deployed behind one").counts();
    println!("{throttled} calls throttled, {passed} passed");
    let share = throttled as f64 / (throttled + passed) as f64;
    assert!(
        (share - THROTTLED).abs() < 0.02,
        "{share} of the calls were throttled"
    );
}

fn check(cloud: &TestCloud, requests: &[InspectionRequest]) {
    let found = cloud.inspections();
    // Triage looks up the version of each object: it is part of the ids.
    let by_photo: BTreeMap<String, &Inspection> =
        found.values().map(|i| (i.request.photo.to_string(), i)).collect();
    assert_eq!(
        (found.len(), by_photo.len()),
        (requests.len(), requests.len()),
        "a record for each photo, and no other"
    );
    let wanted: BTreeSet<String> = found.keys().cloned().collect();
    for (n, request) in requests.iter().enumerate() {
        let inspection = by_photo[&request.photo.to_string()];
        let verdict = if is_dark(n) { "clean" } else { "damaged" };
        assert!(is_done(&inspection.phase, verdict), "{n}: {:?}", inspection.phase);
        assert!(inspection.published_at.is_some(), "{n}: not published");
    }
    let events = cloud.events();
    assert_eq!(
        events.keys().cloned().collect::<BTreeSet<_>>(),
        wanted,
        "an event for each"
    );
    assert!(
        events.values().all(|ids| ids.len() == 1),
        "an inspection's events have one id"
    );
    let mut poison: Vec<String> = cloud
        .dead_letters("IntakeDeadQueueUrl")
        .into_iter()
        .map(|(body, _)| body)
        .collect();
    poison.sort();
    poison.dedup();
    let mut wanted: Vec<String> = (0..POISONED).map(|n| format!("poison {n}")).collect();
    wanted.sort();
    assert_eq!(poison, wanted, "every poisoned message is parked");
    assert_eq!(cloud.messages("SegmentationDeadQueueUrl"), 0);
}
