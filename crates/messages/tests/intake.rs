//! Every form that may arrive, and every way to get it wrong.

mod common;

use common::{attributes, refused, request, requests};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use walkaround_domain::{Occasion, PhotoRef, Timestamp};
use walkaround_messages::{
    INTAKE_BYTES_MAX, Intake, NoPhoto, REQUESTS_PER_MESSAGE_MAX, SUBMITTED_PREFIX, derived_id, parse_intake,
    request_json, request_protobuf,
};

fn s3(key: &str, version: Option<&str>) -> PhotoRef {
    PhotoRef::S3 {
        bucket: "photos".into(),
        key: key.into(),
        version: version.map(str::to_owned),
    }
}

fn record(key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key, "size": 9, "eTag": "e", "sequencer": "1"}},
    })
}

fn event(key: &str) -> String {
    json!({"Records": [record(key)]}).to_string()
}

fn event_bridge(key: &str) -> String {
    json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "photos"}, "object": {"key": key, "size": 9, "etag": "e"}},
    })
    .to_string()
}

fn sns(message: &str) -> String {
    json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": message})
        .to_string()
}

fn nothing(body: &str) -> String {
    match parse_intake(body, &BTreeMap::new()).expect("readable").as_slice() {
        [Intake::Nothing { why }] => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn json_reads_both_spellings_words_and_nulls() {
    let snake = json!({
        "version": 1, "photo": {"s3": {"bucket": "photos", "key": "a b.jpg", "version": null}, "url": null},
        "vehicle_id": "v", "reservation_id": "r", "occasion": "pick-up", "viewpoint": "rear",
        "taken_at": "2026-11-22T18:04:05.25+01:00", "deadline": null, "labels": {"depot": "ber"},
        "inspection_id": null, "colour_of_tomorrow": {"any": ["thing"]},
    });
    let read = request(&snake.to_string());
    assert_eq!(read.photo, s3("a b.jpg", None));
    assert_eq!(read.occasion, Some(Occasion::PickUp));
    assert_eq!(read.taken_at, Some(Timestamp(1_795_367_045_250)));
    assert_eq!((read.deadline, read.labels["depot"].as_str()), (None, "ber"));
    assert_eq!(read.id, derived_id(&read.photo));

    let camel = json!({
        "photo": {"s3": {"bucket": "photos", "key": "a b.jpg"}}, "vehicleId": "v", "reservationId": "r",
        "occasion": "OCCASION_PICK_UP", "viewpoint": "rear", "takenAt": "2026-11-22T17:04:05.250Z",
        "labels": {"depot": "ber"},
    });
    assert_eq!(request(&camel.to_string()), read);
}

#[test]
fn words_of_occasions() {
    for (word, expected) in [
        ("pick_up", Some(Occasion::PickUp)),
        ("PICK_UP", Some(Occasion::PickUp)),
        ("return", Some(Occasion::Return)),
        ("OCCASION_RETURN", Some(Occasion::Return)),
        ("OCCASION_UNSPECIFIED", None),
        ("", None),
    ] {
        let body = json!({"photo": {"file": "a.jpg"}, "occasion": word}).to_string();
        assert_eq!(request(&body).occasion, expected, "{word}");
    }
    let body = json!({"photo": {"file": "a.jpg"}, "occasion": "theft"}).to_string();
    assert!(
        refused(&body).starts_with("occasion: expected"),
        "{}",
        refused(&body)
    );
}

#[test]
fn protobuf_is_told_by_its_content_type() {
    let asked = request(r#"{"photo": {"file": "a.jpg"}, "vehicle_id": "v"}"#);
    let (body, _) = request_protobuf(&asked);
    let bare = body.trim_end_matches('=').to_owned();
    for (name, value, body) in [
        ("content-type", "application/x-protobuf", &body),
        ("Content-Type", "Application/X-Protobuf; charset=x", &body),
        (
            "content-type",
            "application/protobuf;proto=\"walkaround.v1.InspectPhoto\"",
            &bare,
        ),
    ] {
        let read = parse_intake(body, &attributes(&[(name, value)])).unwrap();
        assert_eq!(read, [Intake::Inspect(asked.clone())], "{value}");
    }
    let other = attributes(&[(
        "content-type",
        "application/x-protobuf; proto=walkaround.v1.Heartbeat",
    )]);
    let reason = parse_intake(&body, &other).unwrap_err().reason;
    assert!(reason.contains("walkaround.v1.InspectPhoto"), "{reason}");
    let as_json = attributes(&[("content-type", "application/json")]);
    let read = parse_intake(&request_json(&asked), &as_json).unwrap();
    assert_eq!(read, [Intake::Inspect(asked)]);
}

#[test]
fn broken_protobuf_is_refused() {
    let announced = attributes(&[("content-type", "application/x-protobuf")]);
    for (body, expected) in [
        ("{}", "not base64"),
        ("////", "not protobuf"),
        ("CAE=", "photo: missing"),
        (" ", "an empty body"),
    ] {
        let reason = parse_intake(body, &announced).unwrap_err().reason;
        assert!(reason.starts_with(expected), "{body}: {reason}");
    }
}

#[test]
fn s3_events_come_straight_and_wrapped() {
    let straight = request(&event("in/1.jpg"));
    assert_eq!(straight.photo, s3("in/1.jpg", None));
    for wrapped in [
        event_bridge("in/1.jpg"),
        sns(&event("in/1.jpg")),
        sns(&event_bridge("in/1.jpg")),
        sns(r#"{"photo": {"s3": {"bucket": "photos", "key": "in/1.jpg"}, "content": "e/9"}}"#),
    ] {
        assert_eq!(request(&wrapped), straight, "{wrapped}");
    }
}

#[test]
fn sns_hands_its_attributes_on() {
    let asked = request(r#"{"photo": {"file": "a.jpg"}}"#);
    let (body, attributes) = request_protobuf(&asked);
    let wrapped = json!({
        "Type": "Notification", "TopicArn": "arn", "Message": body,
        "MessageAttributes": {"content-type": {"Type": "String", "Value": attributes["content-type"]}},
    });
    assert_eq!(request(&wrapped.to_string()), asked);
}

#[test]
fn keys_of_records_are_decoded() {
    for (encoded, key) in [
        ("in/a+b%2B%C3%BC.png", "in/a b+ü.png"),
        ("in%2Fa%20b.png", "in/a b.png"),
        ("in/ü.png", "in/ü.png"),
        ("in/100%25.png", "in/100%.png"),
        ("in/100%.png", "in/100%.png"),
        ("in/%zz%4.png", "in/%zz%4.png"),
    ] {
        assert_eq!(request(&event(encoded)).photo, s3(key, None), "{encoded}");
        assert_eq!(
            request(&event_bridge(encoded)).photo,
            s3(encoded, None),
            "{encoded}"
        );
    }
    assert_eq!(
        refused(&event("in/%FF.png")),
        "Records[0]: s3.object.key: expected UTF-8"
    );
}

#[test]
fn versions_of_objects_are_kept_unless_null() {
    for (given, kept) in [
        (json!("v1"), Some("v1")),
        (json!("null"), None),
        (json!(""), None),
        (json!(null), None),
    ] {
        let mut by_record = record("k");
        by_record["s3"]["object"]["versionId"] = given.clone();
        let by_record = request(&json!({"Records": [by_record]}).to_string());
        let mut by_bridge: Value = serde_json::from_str(&event_bridge("k")).unwrap();
        by_bridge["detail"]["object"]["version-id"] = given.clone();
        let by_bridge = request(&by_bridge.to_string());
        let object = json!({"bucket": "photos", "key": "k", "version": given});
        let content = kept.is_none().then_some("e/9");
        let json = json!({"photo": {"s3": object, "content": content}});
        assert_eq!(by_record.photo, s3("k", kept));
        assert_eq!(by_record, by_bridge);
        assert_eq!(by_record, request(&json.to_string()));
    }
}

#[test]
fn a_sequencer_makes_no_other_inspection_and_an_etag_does() {
    let mut again = record("k");
    again["s3"]["object"]["sequencer"] = json!("2");
    again["eventTime"] = json!("2027-01-01T00:00:00Z");
    let told = |record: &Value| request(&json!({"Records": [record]}).to_string());
    assert_eq!(told(&again), request(&event("k")));
    again["s3"]["object"]["eTag"] = json!("other");
    assert_ne!(told(&again).id, request(&event("k")).id);
}

/// A mount of a bucket writes an empty object when a file is opened: its event must not use up the photo's inspection.
#[test]
fn an_empty_object_asks_for_nothing_whichever_way_its_event_comes() {
    let why = |body: &str| match parse_intake(body, &BTreeMap::new()).expect("readable").as_slice() {
        [Intake::Nothing { why }] => *why,
        other => panic!("{other:?}"),
    };
    for size in [json!(0), json!(0.0), json!("0")] {
        let mut empty = record("s3fs/x.jpg");
        empty["s3"]["object"]["size"] = size.clone();
        let event = json!({"Records": [empty]}).to_string();
        let mut bridge: Value = serde_json::from_str(&event_bridge("s3fs/x.jpg")).expect("JSON");
        bridge["detail"]["object"]["size"] = size;
        let bridge = bridge.to_string();
        for body in [&event, &bridge, &sns(&event), &sns(&bridge)] {
            assert_eq!(why(body), NoPhoto::EmptyObject, "{body}");
        }
    }
    let mut marker = record("in/");
    marker["s3"]["object"]["size"] = json!(0);
    assert_eq!(
        why(&json!({"Records": [marker]}).to_string()),
        NoPhoto::FolderMarker
    );
    // The photo itself comes next, and one without a size is inspected.
    assert_eq!(requests(&event("s3fs/x.jpg")).len(), 1);
    let mut unsaid = record("s3fs/x.jpg");
    unsaid["s3"]["object"]
        .as_object_mut()
        .expect("an object")
        .remove("size");
    assert_eq!(requests(&json!({"Records": [unsaid]}).to_string()).len(), 1);
}

#[test]
fn what_a_system_put_beside_photos_asks_for_nothing() {
    for key in [
        "in/%40eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
        "__MACOSX/._a.jpg",
        "in/Thumbs.db",
    ] {
        let read = parse_intake(&event(key), &BTreeMap::new()).expect("readable");
        let why = NoPhoto::SystemFile;
        assert_eq!(read, [Intake::Nothing { why }], "{key}");
    }
}

#[test]
fn several_records_give_several_requests() {
    let mut deleted = record("2");
    deleted["eventName"] = json!("ObjectRemoved:Delete");
    let body = json!({"Records": [record("1"), deleted, record("3")]}).to_string();
    let read = parse_intake(&body, &BTreeMap::new()).unwrap();
    assert!(matches!(
        read.as_slice(),
        [Intake::Inspect(_), Intake::Nothing { .. }, Intake::Inspect(_)]
    ));
    let many = |n: usize| json!({"Records": vec![record("k"); n]}).to_string();
    assert_eq!(
        requests(&many(REQUESTS_PER_MESSAGE_MAX)).len(),
        REQUESTS_PER_MESSAGE_MAX
    );
    assert!(refused(&many(REQUESTS_PER_MESSAGE_MAX + 1)).starts_with("101 records"));
}

#[test]
fn what_asks_for_nothing() {
    let mut removed = record("k");
    removed["eventName"] = json!("ObjectRemoved:DeleteMarkerCreated");
    let mut folder = record("in/");
    folder["s3"]["object"]["size"] = json!(0);
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}).to_string();
    for body in [
        json!({"Records": [removed]}).to_string(),
        json!({"Records": [folder]}).to_string(),
        json!({"Records": []}).to_string(),
        event(&format!("{SUBMITTED_PREFIX}0a/a.jpg")),
        event_bridge(&format!("{SUBMITTED_PREFIX}0a/a.jpg")),
        event_bridge("k").replace("Object Created", "Object Deleted"),
        sns("x").replace("Notification", "SubscriptionConfirmation"),
        sns(&test),
        test,
    ] {
        assert!(!nothing(&body).is_empty(), "{body}");
    }
    // A request for the same photo is one.
    let photo = json!({"s3": {"bucket": "photos", "key": format!("{SUBMITTED_PREFIX}0a/a.jpg")}});
    request(&json!({"version": 1, "photo": photo}).to_string());
}

#[test]
fn what_cannot_be_read_says_what_was_expected() {
    let mut foreign = record("k");
    foreign["eventSource"] = json!("aws:sqs");
    let mut major = record("k");
    major["eventVersion"] = json!("3.0");
    let long = format!("{{\"photo\": \"{}\"}}", "x".repeat(300 * 1024));
    for (body, expected) in [
        (String::new(), "an empty body, expected a request"),
        (" \n".into(), "an empty body"),
        ("hello".into(), "not JSON: line 1, column 1; expected a request"),
        ("[]".into(), "JSON of an unknown form, expected a request"),
        ("{\"photos\": 1}".into(), "JSON of an unknown form"),
        (long, "a body of 307213 bytes, expected at most 262144"),
        (json!({"Records": 5}).to_string(), "Records: expected a list"),
        (
            json!({"Records": [foreign]}).to_string(),
            "Records[0]: eventSource: expected aws:s3",
        ),
        (
            json!({"Records": [major]}).to_string(),
            "Records[0]: eventVersion: expected 2.x",
        ),
        (
            event_bridge("k").replace("aws.s3", "me"),
            "source: expected aws.s3",
        ),
        (sns("{}"), "in the SNS notification: JSON of an unknown form"),
        (
            sns(&sns(&event("k"))),
            "in the SNS notification: JSON of an unknown form",
        ),
        (event(""), "Records[0]: photo.s3.key: empty"),
    ] {
        let reason = refused(&body);
        assert!(reason.starts_with(expected), "{reason}");
    }
    assert_eq!(
        request(&format!("{}{}", event("k"), " ".repeat(1000))).photo,
        s3("k", None)
    );
    assert!(parse_intake(&" ".repeat(INTAKE_BYTES_MAX), &BTreeMap::new()).is_err());
}

#[test]
fn empty_texts_are_fields_left_out() {
    let read = request(r#"{"photo": {"file": "a"}, "vehicle_id": "", "viewpoint": "", "inspection_id": ""}"#);
    assert_eq!(read, request(r#"{"photo": {"file": "a"}}"#));
}

#[test]
fn a_callers_id_stands() {
    let read = request(r#"{"photo": {"file": "a"}, "inspection_id": "mine-1"}"#);
    assert_eq!(read.id.as_str(), "mine-1");
}
