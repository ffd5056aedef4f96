//! Every example of docs/messages.md is read, and what is written there is what is written by us.

mod common;

use common::attributes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_messages::{
    Intake, finished_event, heartbeat_body, lane_state_body, parse_event, parse_heartbeat, parse_intake,
    parse_lane_state, parse_record, parse_review, parse_reviewed_event, parse_task, record_body,
    request_protobuf, review_body, reviewed_event, task_body,
};

const PAGE: &str = include_str!("../../../docs/messages.md");

/// Fenced blocks as (words after the fence, text).
fn examples() -> Vec<(&'static str, &'static str)> {
    let mut parts = PAGE.split("\n```");
    parts.next();
    let mut found = Vec::new();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        found.push(block.split_once('\n').expect("a fence has a line of its own"));
    }
    found
}

fn same(written: &str, shown: &str) {
    let written: Value = serde_json::from_str(written).expect("json");
    let shown: Value = serde_json::from_str(shown).expect("json");
    assert_eq!(written, shown);
}

fn check(kind: &str, text: &str) {
    match kind {
        "json intake" => {
            let read = parse_intake(text, &BTreeMap::new()).expect(text);
            assert!(matches!(read.as_slice(), [Intake::Inspect(_)]), "{text}");
        }
        "json nothing" => {
            let read = parse_intake(text, &BTreeMap::new()).expect(text);
            assert!(matches!(read.as_slice(), [Intake::Nothing { .. }]), "{text}");
        }
        "text intake-protobuf" => {
            let announced = attributes(&[(
                "content-type",
                "application/x-protobuf; proto=walkaround.v1.InspectPhoto",
            )]);
            let read = parse_intake(text, &announced).expect(text);
            let [Intake::Inspect(request)] = read.as_slice() else {
                panic!("{read:?}");
            };
            assert_eq!(request.vehicle_id.as_deref(), Some("B-WA 1234"));
            assert_eq!(request_protobuf(request).1, announced);
        }
        "json record" => same(&record_body(&parse_record(text).expect(text)), text),
        "json event" => {
            let (id, inspection) = parse_event(text).expect(text);
            let event = finished_event(&inspection).expect("final");
            assert_eq!(event.id, id);
            same(&event.body, text);
        }
        "json review" => same(&review_body(&parse_review(text).expect(text)), text),
        "json task" => same(&task_body(&parse_task(text).expect(text)), text),
        "json reviewed" => {
            let (id, review) = parse_reviewed_event(text).expect(text);
            let event = reviewed_event(&review);
            assert_eq!(event.id, id);
            same(&event.body, text);
        }
        "json heartbeat" => same(&heartbeat_body(&parse_heartbeat(text).expect(text)), text),
        "json lane" => same(&lane_state_body(&parse_lane_state(text).expect(text)), text),
        other => panic!("an example of unknown kind: {other}"),
    }
}

#[test]
fn every_example_is_true() {
    let all = examples();
    for (kind, text) in &all {
        check(kind, text);
    }
    let kinds: BTreeSet<_> = all.iter().map(|(kind, _)| *kind).collect();
    assert_eq!((all.len(), kinds.len()), (15, 10));
}

#[test]
fn the_encoded_and_the_plain_key_of_the_page_are_one_photo() {
    let of = |mark: &str| {
        let (_, text) = *examples().iter().find(|(_, t)| t.contains(mark)).expect(mark);
        parse_intake(text, &BTreeMap::new()).expect(text)
    };
    assert_eq!(of("\"Records\""), of("\"Object Created\""));
}
