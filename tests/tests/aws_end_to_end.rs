//! The way of a photo on AWS, on ministack: what the shipped templates make, S3's own notifications, the triage
//! function as Lambda runs it, a worker process on the GPU lane, and what comes out.

use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::{BundleId, Inspection, InspectionRequest, Lane, Phase, PhotoRef};
use walkaround_messages::{SUBMITTED_PREFIX, derived_id, request_protobuf};
use walkaround_ports::OutMessage;
use walkaround_tests::cloud::TestCloud;
use walkaround_tests::requests::{as_json, clean, damaged, is_done};
use walkaround_tests::running::{tail, until};

const BOUND: Duration = Duration::from_secs(90);
/// In a URL's query: must not be seen in any log line, record or event.
const SIGNATURE: &str = "5ignaturethatnobodymaysee";
/// As the worker's credentials: the same.
const SECRET: &str = "53cretthatnobodymaysee";

fn deploy() -> TestCloud {
    TestCloud::deploy(&walkaround_tests::deployed!("debug"))
}

fn request(cloud: &TestCloud, key: &str) -> InspectionRequest {
    let photo = PhotoRef::S3 {
        bucket: cloud.output("PhotosBucket").into(),
        key: key.into(),
        version: None,
    };
    InspectionRequest {
        vehicle_id: Some("B-WA 1".into()),
        ..InspectionRequest::of(derived_id(&photo), photo)
    }
}

fn final_ones(cloud: &TestCloud) -> BTreeMap<String, Inspection> {
    let mut all = cloud.inspections();
    all.retain(|_, i| i.phase.is_final() && i.published_at.is_some());
    all
}

#[test]
fn photos_go_their_way_and_a_poisoned_message_goes_alone() {
    let cloud = deploy();
    let secret = [("AWS_SECRET_ACCESS_KEY", SECRET), ("WALKAROUND_LOG", "debug")];
    let worker = env!("CARGO_BIN_EXE_batch-worker-under-test");
    let mut running = cloud.worker(worker, "job-1", "trivial", &secret);

    // No scaler runs here.
    cloud.leave_lane_state();
    // By S3's notification alone.
    for n in 0..6 {
        cloud.put_photo(&format!("in/bright+{n} ü.jpg"), &damaged());
    }
    for n in 0..3 {
        cloud.put_photo(&format!("in/dark {n}.jpg"), &clean());
    }
    // Nine requests and one that nobody can read, in one batch. S3 sends events of their photos, too, and names the version,
    // as the bucket keeps versions; the requests name none, which triage looks up: the same inspections.
    let asked: Vec<InspectionRequest> = (0..9)
        .map(|n| request(&cloud, &format!("asked/{n}.jpg")))
        .collect();
    for n in 0..9 {
        cloud.put_photo(&format!("asked/{n}.jpg"), &damaged());
    }
    let mut batch: Vec<OutMessage> = asked.iter().take(4).map(as_json).collect();
    batch.push(message("poison: this is no request"));
    batch.extend(asked[4..].iter().map(|request| {
        let (body, attributes) = request_protobuf(request);
        OutMessage {
            body,
            attributes,
            ..OutMessage::default()
        }
    }));
    cloud.send("IntakeQueueUrl", batch);
    // As `submit` does it: S3's event of the photo means nothing beside the request.
    let submitted = request(&cloud, &format!("{SUBMITTED_PREFIX}0a/photo.jpg"));
    cloud.put_photo(&format!("{SUBMITTED_PREFIX}0a/photo.jpg"), &damaged());
    cloud.send("IntakeQueueUrl", vec![as_json(&submitted)]);
    let signed = PhotoRef::Url(format!(
        "https://elsewhere.example/p.jpg?X-Amz-Signature={SIGNATURE}"
    ));
    let forbidden = InspectionRequest::of(derived_id(&signed), signed);
    cloud.send("IntakeQueueUrl", vec![as_json(&forbidden)]);

    let wanted = 6 + 3 + 9 + 1 + 1;
    let there = until(BOUND, || final_ones(&cloud).len() >= wanted);
    let so_far = final_ones(&cloud).len();
    assert!(there, "only {so_far} of {wanted}:\n{}", tail(&cloud.logs(), 80));
    for queue in ["IntakeQueueUrl", "SegmentationQueueUrl"] {
        assert!(
            until(BOUND, || cloud.messages(queue) == 0),
            "{queue} is not empty"
        );
    }
    // With the queues empty nothing more can come.
    let found = final_ones(&cloud);
    assert_eq!(found.len(), wanted);
    check_verdicts(&cloud, &found, &forbidden);
    let dead = cloud.dead_letters("IntakeDeadQueueUrl");
    let [(body, attributes)] = dead.as_slice() else {
        panic!("one dead letter, not {dead:?}")
    };
    assert_eq!(body, "poison: this is no request");
    assert!(attributes["parked_reason"].contains("JSON"), "{attributes:?}");
    assert_eq!(attributes["parked_from"], "intake");

    running.terminate();
    assert_eq!(running.exit_code(BOUND), 0);
    check_logs(&cloud);
}

fn message(body: &str) -> OutMessage {
    OutMessage {
        body: body.into(),
        ..OutMessage::default()
    }
}

fn check_verdicts(cloud: &TestCloud, found: &BTreeMap<String, Inspection>, forbidden: &InspectionRequest) {
    let mut lanes = Vec::new();
    for (id, inspection) in found {
        let photo = inspection.request.photo.to_string();
        if *id == forbidden.id.to_string() {
            assert!(
                matches!(&inspection.phase, Phase::Failed { .. }),
                "{:?}",
                inspection.phase
            );
            assert!(
                !format!("{inspection:?}").contains(SIGNATURE),
                "a record keeps a signature"
            );
            continue;
        }
        let wanted = if photo.contains("dark") {
            "clean"
        } else {
            "damaged"
        };
        assert!(
            is_done(&inspection.phase, wanted),
            "{photo}: {:?}",
            inspection.phase
        );
        let outcome = inspection.outcome.as_ref().expect("done means an outcome");
        assert_eq!(outcome.bundle, BundleId::new("trivial", "1.0.0"));
        let report = outcome.report.as_ref().expect("every look is reported");
        for blob in [Some(report), outcome.overlay.as_ref()].into_iter().flatten() {
            cloud.check_blob(blob);
        }
        if wanted == "damaged" {
            assert!(outcome.overlay.is_some(), "{photo}: no marked picture");
            lanes.push(inspection.route.as_ref().map(|(lane, _)| *lane).expect("a lane"));
        }
    }
    assert!(lanes.contains(&Lane::Gpu), "nothing went to the worker");
    let events = cloud.events();
    assert_eq!(
        events.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>(),
        "events of all, and of no other"
    );
    for (id, inspection) in found {
        // An event of S3 that came first was completed by the request.
        let told = u32::try_from(events[id].len()).expect("a handful of events");
        assert!(
            told <= 1 + inspection.photo_history.completions,
            "{id}: {:?}",
            events[id]
        );
        let asked = inspection.request.photo.to_string().contains("asked/");
        assert!(
            !asked || inspection.request.vehicle_id.is_some(),
            "{id} was not completed"
        );
    }
}

/// Nothing that a log must not hold is in one, at a level more talkative than anyone runs.
fn check_logs(cloud: &TestCloud) {
    let logs = cloud.logs();
    assert!(
        logs.contains("worker ready") && logs.contains("batch done"),
        "these are not the logs"
    );
    // A JPEG's first bytes, as base64 and as text of a list.
    for never in [SIGNATURE, SECRET, "X-Amz-Signature", "/9j/", "255, 216, 255"] {
        let line = logs.lines().find(|line| line.contains(never));
        assert!(line.is_none(), "`{never}` in a log: {}", line.unwrap_or_default());
    }
}
