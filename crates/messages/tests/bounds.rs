//! Every field of a request that is wrong or too long is named, and nothing of it is quoted.

mod common;

use common::refused;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn long(length: usize) -> String {
    "x".repeat(length)
}

fn s3(bucket: &str, key: &str, version: &str) -> Value {
    json!({"s3": {"bucket": bucket, "key": key, "version": version}})
}

fn check(field: &str, value: Value, expected: &str) {
    let mut body = json!({"photo": {"file": "a.jpg"}});
    body[field] = value;
    let reason = refused(&body.to_string());
    assert!(reason.starts_with(expected), "{field}: {reason}");
    assert!(!reason.contains("sig="), "{reason}");
}

#[test]
fn the_photo() {
    for (field, value, expected) in [
        ("photo", json!({}), "photo: expected one of s3, url, file"),
        ("photo", json!({"url": ""}), "photo.url: empty"),
        (
            "photo",
            json!({"url": long(4097)}),
            "photo.url: 4097 bytes, expected at most 4096",
        ),
        ("photo", json!({"file": long(4097)}), "photo.file: 4097 bytes"),
        (
            "photo",
            json!({"url": "https://a", "file": "b"}),
            "photo: a field given twice, or two that exclude",
        ),
        (
            "photo",
            json!("https://x/?sig=1"),
            "photo: expected walkaround.v1.Photo",
        ),
        ("photo", s3("", "k", ""), "photo.s3.bucket: empty"),
        ("photo", s3("..", "k", ""), "photo.s3.bucket: expected letters"),
        ("photo", s3("a/b", "k", ""), "photo.s3.bucket: expected letters"),
        ("photo", s3("b", "", ""), "photo.s3.key: empty"),
        ("photo", s3("b", &long(1025), ""), "photo.s3.key: 1025 bytes"),
        ("photo", s3("b", "k", &long(1025)), "photo.s3.version: 1025 bytes"),
        (
            "photo",
            s3("b", "k", "\u{1f}"),
            "photo.s3.version: expected no control",
        ),
    ] {
        check(field, value, expected);
    }
}

#[test]
fn everything_else() {
    let labels: BTreeMap<String, String> = (0..33).map(|i| (i.to_string(), String::new())).collect();
    for (field, value, expected) in [
        (
            "vehicle_id",
            json!(long(257)),
            "vehicle_id: 257 bytes, expected at most 256",
        ),
        ("reservation_id", json!(long(257)), "reservation_id: 257 bytes"),
        ("viewpoint", json!(long(257)), "viewpoint: 257 bytes"),
        ("vehicle_id", json!(7), "vehicle_id: expected a string"),
        ("labels", json!(labels), "labels: 33 entries, expected at most 32"),
        ("labels", json!({"a": long(257)}), "labels: 257 bytes"),
        ("labels", json!({long(257): "a"}), "labels: 257 bytes"),
        (
            "labels",
            json!({"https://x/?sig=1": 5}),
            "labels: expected a string",
        ),
        (
            "inspection_id",
            json!("a/b"),
            "inspection_id: expected 1 to 128 letters",
        ),
        (
            "inspection_id",
            json!(long(129)),
            "inspection_id: expected 1 to 128 letters",
        ),
        ("taken_at", json!("noon"), "taken_at: expected RFC 3339"),
        ("taken_at", json!(12), "taken_at: expected RFC 3339"),
        (
            "deadline",
            json!("1969-12-31T23:59:59Z"),
            "deadline: expected a moment from 1970",
        ),
        (
            "version",
            json!(2),
            "version 2 is not known here, expected version 1",
        ),
        ("version", json!("2"), "version 2 is not known here"),
        ("version", json!("two"), "version: expected 1"),
        ("version", json!(-1), "version: expected 1"),
    ] {
        check(field, value, expected);
    }
}

/// C0, DEL and C1, a line end, and what separates the parts of an identity.
const CONTROLS: [&str; 6] = [
    "A\u{1b}[31mB",
    "A\nB",
    "\u{7f}",
    "\u{9b}31m",
    "A\u{0}",
    "A\u{1f}B",
];

#[test]
fn control_characters_are_refused_in_every_field_of_a_request() {
    for bad in CONTROLS {
        for (field, value, expected) in [
            ("photo", s3("b", bad, ""), "photo.s3.key: expected no control"),
            (
                "photo",
                s3("b", "k", bad),
                "photo.s3.version: expected no control",
            ),
            ("photo", s3(bad, "k", ""), "photo.s3.bucket: expected no control"),
            ("photo", json!({"url": bad}), "photo.url: expected no control"),
            ("photo", json!({"file": bad}), "photo.file: expected no control"),
            ("vehicle_id", json!(bad), "vehicle_id: expected no control"),
            (
                "reservation_id",
                json!(bad),
                "reservation_id: expected no control",
            ),
            ("viewpoint", json!(bad), "viewpoint: expected no control"),
            ("labels", json!({"a": bad}), "labels: expected no control"),
            ("labels", json!({bad: "a"}), "labels: expected no control"),
            ("inspection_id", json!(bad), "inspection_id: expected 1 to 128"),
        ] {
            check(field, value, expected);
        }
    }
}

#[test]
fn control_characters_are_refused_in_the_key_of_an_s3_event() {
    let event = json!({"Records": [{
        "eventSource": "aws:s3", "eventVersion": "2.1", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "a%1B%5B31m.jpg"}},
    }]});
    let reason = refused(&event.to_string());
    assert!(
        reason.contains("photo.s3.key: expected no control characters"),
        "{reason}"
    );
}
