//! The same requests again and again, shuffled, in every form that a message may have: one inspection each.

use std::time::Duration;
use walkaround_domain::{InspectionRequest, PhotoRef};
use walkaround_messages::request_protobuf;
use walkaround_ports::OutMessage;
use walkaround_tests::running::until;
use walkaround_tests::stack::{clean, damaged, ids, is_done, request};

const REQUESTS: usize = 1000;
const BOUND: Duration = Duration::from_secs(120);

/// A key that has to be encoded in an S3 event.
fn key(i: usize) -> String {
    format!("fleet/Kölln & Söhne/{i:04} front.jpg")
}

/// [`key`] as S3's records write it.
fn encoded_key(i: usize) -> String {
    format!("fleet/K%C3%B6lln+%26+S%C3%B6hne/{i:04}+front.jpg")
}

/// The request as a person would write it: without an id, so that it is derived from the photo.
fn json(i: usize) -> OutMessage {
    let photo = serde_json::json!({ "s3": { "bucket": "photos", "key": key(i) } });
    message(&serde_json::json!({ "version": 1, "photo": photo }))
}

fn protobuf(request: &InspectionRequest) -> OutMessage {
    let (body, attributes) = request_protobuf(request);
    OutMessage {
        body,
        attributes,
        ..OutMessage::default()
    }
}

/// Straight, or wrapped by EventBridge or SNS.
fn s3_event(i: usize) -> OutMessage {
    let event = serde_json::json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "photos" }, "object": { "key": encoded_key(i), "size": 1000 } },
    }] });
    match i % 3 {
        0 => message(&event),
        1 => message(&serde_json::json!({
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": { "bucket": { "name": "photos" }, "object": { "key": key(i) } },
        })),
        _ => message(&serde_json::json!({
            "Type": "Notification",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:photos",
            "Message": event.to_string(),
        })),
    }
}

fn message(body: &serde_json::Value) -> OutMessage {
    OutMessage {
        body: body.to_string(),
        ..OutMessage::default()
    }
}

#[test]
fn three_times_the_same_requests_in_three_forms_are_inspected_once() {
    let stack = walkaround_tests::stack!("trivial", &[("INLINE_DRAIN_S", "1"), ("WORKERS_MAX", "1")]);
    let (bright, dark) = (damaged(), clean());
    let requests: Vec<InspectionRequest> = (0..REQUESTS).map(|i| request(&key(i))).collect();
    stack.store((0..REQUESTS).map(|i| (key(i), if i % 2 == 0 { &bright[..] } else { &dark[..] })));
    let all = (0..REQUESTS).flat_map(|i| [json(i), protobuf(&requests[i]), s3_event(i)]);
    let mut messages: Vec<OutMessage> = all.collect();
    fastrand::Rng::with_seed(3).shuffle(&mut messages);
    stack.send(walkaround_local::INTAKE, &messages);

    let mut up = stack.start(&["up"], "up");
    let wanted = ids(&requests);
    stack.until_all_final(&wanted, BOUND);
    up.terminate();
    assert_eq!(up.exit_code(Duration::from_secs(40)), 0);

    let inspections = stack.inspections();
    assert_eq!(inspections.len(), REQUESTS);
    for (i, request) in requests.iter().enumerate() {
        let inspection = &inspections[request.id.as_str()];
        let verdict = if i % 2 == 0 { "damaged" } else { "clean" };
        assert!(is_done(&inspection.phase, verdict), "{i}: {:?}", inspection.phase);
        assert!(
            matches!(&inspection.request.photo, PhotoRef::S3 { key: read, .. } if *read == key(i)),
            "{:?}",
            inspection.request.photo
        );
        assert_eq!(stack.results(request.id.as_str(), "report.json").len(), 1, "{i}");
    }
    let events = stack.events();
    assert!(events.keys().eq(wanted.iter()));
    for (id, told) in &events {
        assert!(
            told.iter().all(|event| *event == format!("{id}.done")),
            "{told:?}"
        );
    }
    assert_eq!(stack.parked(), []);
}

#[test]
fn an_id_that_comes_again_with_another_photo_is_parked_with_the_reason() {
    let stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")]);
    let photo = clean();
    stack.store(["first.jpg", "second.jpg"].map(|key| (key.to_owned(), &photo[..])));
    let named = |key: &str| {
        let photo = serde_json::json!({ "s3": { "bucket": "photos", "key": key } });
        message(&serde_json::json!({ "version": 1, "photo": photo, "inspection_id": "mine-1" }))
    };
    let mut up = stack.start(&["up"], "up");
    stack.send(walkaround_local::INTAKE, &[named("first.jpg")]);
    stack.until_all_final(&["mine-1".to_owned()].into(), BOUND);
    stack.send(
        walkaround_local::INTAKE,
        &["first.jpg", "second.jpg", "first.jpg"].map(named),
    );
    assert!(until(BOUND, || !stack.parked().is_empty()), "{}", stack.logs());
    up.terminate();
    assert_eq!(up.exit_code(Duration::from_secs(40)), 0);

    let parked = stack.parked();
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].body.contains("second.jpg"), "{parked:?}");
    let reason = parked[0].reason.as_deref().unwrap_or_default();
    for words in [
        "inspection mine-1",
        "first.jpg",
        "second.jpg",
        "another photo needs another id",
    ] {
        assert!(reason.contains(words), "{reason}");
    }
    let inspection = &stack.inspections()["mine-1"];
    assert!(
        matches!(&inspection.request.photo, PhotoRef::S3 { key, .. } if key == "first.jpg"),
        "{:?}",
        inspection.request.photo
    );
}
