//! The same photos, in whichever message format, are the same inspections.

mod common;

use common::any_request;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::identity::object_content;
use walkaround_domain::{InspectionId, PhotoRef};
use walkaround_messages::{Intake, base_id, parse_intake, request_json, request_protobuf};

const PHOTOS: usize = 1000;

type Message = (String, BTreeMap<String, String>);

fn photos() -> Vec<PhotoRef> {
    (0..PHOTOS)
        .map(|i| PhotoRef::S3 {
            bucket: format!("fleet-{}", i % 3),
            key: format!("in/Müller & Söhne+{i}%2F a.jpg"),
            // Of every four, one bucket keeps versions.
            version: (i % 4 == 0).then(|| format!("v{i}")),
        })
        .collect()
}

/// As S3 writes it: everything but the unreserved and the slash escaped, a space as `+`; every other
/// message with the slash escaped too, as some stores do.
fn encode(key: &str, slash_too: bool) -> String {
    key.bytes()
        .map(|b| match b {
            b'/' if !slash_too => "/".to_owned(),
            b' ' => "+".to_owned(),
            _ if b.is_ascii_alphanumeric() || b"-_.*".contains(&b) => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

fn s3_event(i: usize, photo: &PhotoRef) -> Message {
    let PhotoRef::S3 { bucket, key, version } = photo else {
        unreachable!("all photos here are S3 objects");
    };
    let mut object = json!({"key": encode(key, i.is_multiple_of(2)), "size": 9, "eTag": format!("e{i}"), "sequencer": format!("{i:X}")});
    match version {
        Some(version) => object["versionId"] = json!(version),
        None if i.is_multiple_of(3) => object["versionId"] = json!("null"),
        None => {}
    }
    let body = json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:CompleteMultipartUpload",
        "s3": {"bucket": {"name": bucket}, "object": object},
    }]});
    (body.to_string(), BTreeMap::new())
}

/// What is known of the photo's bytes, where no version says it.
fn content(i: usize, photo: &PhotoRef) -> Option<String> {
    let plain = matches!(photo, PhotoRef::S3 { version: None, .. });
    plain.then(|| object_content(&format!("e{i}"), 9))
}

/// A request as a caller writes it: without an id.
fn json_message(i: usize, photo: &PhotoRef) -> Message {
    let PhotoRef::S3 { bucket, key, version } = photo else {
        unreachable!("all photos here are S3 objects");
    };
    let object = json!({"bucket": bucket, "key": key, "version": version});
    let body = json!({"photo": {"s3": object, "content": content(i, photo)}});
    (body.to_string(), BTreeMap::new())
}

fn protobuf_message(i: usize, photo: &PhotoRef) -> Message {
    use base64::Engine;
    use prost::Message;
    let wire = walkaround_messages::v1::InspectPhoto {
        photo: Some(walkaround_messages::v1::Photo {
            content: content(i, photo),
            ..photo.into()
        }),
        ..Default::default()
    };
    let body = base64::engine::general_purpose::STANDARD.encode(wire.encode_to_vec());
    let attributes = common::attributes(&[("Content-Type", "application/x-protobuf")]);
    (body, attributes)
}

fn ids(messages: &[Message]) -> Vec<InspectionId> {
    messages
        .iter()
        .flat_map(|(body, attributes)| parse_intake(body, attributes).expect("readable"))
        .map(|intake| match intake {
            Intake::Inspect(request) => request.id,
            Intake::Nothing { why } => panic!("{why}"),
        })
        .collect()
}

#[test]
fn a_thousand_photos_in_three_formats_are_a_thousand_inspections() {
    let photos = photos();
    let mut messages: Vec<Message> = photos
        .iter()
        .enumerate()
        .map(|(i, p)| json_message(i, p))
        .collect();
    messages.extend(photos.iter().enumerate().map(|(i, p)| protobuf_message(i, p)));
    messages.extend(photos.iter().enumerate().map(|(i, p)| s3_event(i, p)));
    let mut runner = TestRunner::deterministic();
    let order = Just(messages).prop_shuffle();
    let shuffled = order.new_tree(&mut runner).expect("a shuffle").current();
    let all = ids(&shuffled);
    assert_eq!(all.len(), 3 * PHOTOS);
    let distinct: BTreeSet<_> = all.into_iter().collect();
    let wanted = |(i, photo)| base_id(photo, content(i, photo).as_deref());
    assert_eq!(distinct, photos.iter().enumerate().map(wanted).collect());
    assert_eq!(distinct.len(), PHOTOS);
}

#[test]
fn a_new_version_is_a_new_inspection() {
    let id_of = |version: Option<&str>| {
        let photo = json!({"s3": {"bucket": "b", "key": "k", "version": version}});
        ids(&[(json!({ "photo": photo }).to_string(), BTreeMap::new())])
    };
    assert_ne!(id_of(Some("1")), id_of(Some("2")));
    assert_ne!(id_of(Some("1")), id_of(None));
    assert_eq!(id_of(Some("null")), id_of(None));
}

#[test]
fn an_object_written_again_without_versions_is_a_new_inspection() {
    let event = |etag: &str, size: u64| {
        let object = json!({"key": "a.jpg", "size": size, "eTag": etag, "sequencer": "1"});
        let record = json!({
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "fleet"}, "object": object},
        });
        ids(&[(json!({"Records": [record]}).to_string(), BTreeMap::new())])
    };
    assert_eq!(event("e1", 9), event("e1", 9), "delivered twice");
    assert_ne!(event("e1", 9), event("e2", 9));
    assert_ne!(event("e1", 9), event("e1", 10));
}

/// The flips that turn a valid body into something a broken sender might send.
fn mutate(body: &str, flips: &[(usize, u8)], cut: usize) -> String {
    let mut bytes = body.as_bytes().to_vec();
    for (at, with) in flips {
        let at = at % bytes.len();
        bytes[at] = *with;
    }
    bytes.truncate(bytes.len().saturating_sub(cut));
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn broken_bodies_never_panic_and_reasons_are_short_lines(
        request in any_request(),
        flips in vec((any::<usize>(), any::<u8>()), 0..6),
        cut in 0_usize..4,
        form in 0..4,
    ) {
        let plain = request_json(&request);
        let (body, attributes) = match form {
            0 => (plain, BTreeMap::new()),
            1 => request_protobuf(&request),
            2 => s3_event(1, &photos()[1]),
            _ => (json!({"Type": "Notification", "TopicArn": "t", "Message": plain}).to_string(), BTreeMap::new()),
        };
        match parse_intake(&mutate(&body, &flips, cut), &attributes) {
            Ok(read) => prop_assert!(!read.is_empty()),
            Err(e) => prop_assert!(!e.reason.contains('\n') && e.reason.len() < 600, "{}", e.reason),
        }
    }

    #[test]
    fn any_text_and_any_bytes_never_panic(text in "\\PC{0,200}", bytes in vec(any::<u8>(), 0..200)) {
        use base64::Engine;
        let _ = parse_intake(&text, &BTreeMap::new());
        let body = base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = parse_intake(&body, &common::attributes(&[("content-type", "application/x-protobuf")]));
        let _ = walkaround_messages::parse_record(&text);
    }
}
