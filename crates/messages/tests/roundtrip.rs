//! What is written is read back whole.

mod common;

use common::{any_inspection, any_request, attributes};
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;
use walkaround_domain::record::PhotoHistory;
use walkaround_domain::{BundleId, Inspection, InspectionRequest, PhotoRef, Timestamp};
use walkaround_messages::{
    HeartbeatDocument, Intake, WorkerState, finished_event, heartbeat_body, parse_event, parse_heartbeat,
    parse_intake, parse_record, parse_rfc3339, record_body, request_json, request_protobuf, rfc3339, utc_day,
    v1,
};

proptest! {
    #[test]
    fn a_request_survives_json(request in any_request()) {
        let read = parse_intake(&request_json(&request), &BTreeMap::new()).unwrap();
        prop_assert_eq!(read, [Intake::Inspect(request)]);
    }

    #[test]
    fn a_request_survives_protobuf(request in any_request()) {
        let (body, attributes) = request_protobuf(&request);
        let read = parse_intake(&body, &attributes).unwrap();
        prop_assert_eq!(read, [Intake::Inspect(request)]);
    }

    #[test]
    fn an_inspection_survives_its_record(inspection in any_inspection()) {
        prop_assert_eq!(parse_record(&record_body(&inspection)).unwrap(), inspection);
    }

    #[test]
    fn an_inspection_survives_protobuf(inspection in any_inspection()) {
        let bytes = v1::Inspection::from(&inspection).encode_to_vec();
        let wire = v1::Inspection::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(Inspection::try_from(wire).unwrap(), inspection);
    }

    #[test]
    fn an_event_tells_the_same_every_time(mut inspection in any_inspection()) {
        let event = finished_event(&inspection);
        prop_assert_eq!(event.is_some(), inspection.phase.is_final());
        inspection.published_at = Some(Timestamp(5));
        prop_assert_eq!(&finished_event(&inspection), &event);
        if let Some(event) = event {
            prop_assert_eq!(Some(event.id.clone()), inspection.event_id());
            inspection.published_at = None;
            // What later requests were compared with is no part of it.
            inspection.photo_history = PhotoHistory {
                completions: inspection.photo_history.completions,
                ..PhotoHistory::default()
            };
            prop_assert_eq!(parse_event(&event.body).unwrap(), (event.id, inspection));
            prop_assert!(event.attributes.len() <= 10);
        }
    }

    #[test]
    fn subscribers_never_hear_of_a_smoke_photo(mut inspection in any_inspection()) {
        for (key, is_smoke) in [
            ("walkaround-smoke/v1.png", true),
            ("returns/walkaround-smoke/v1.png", true),
            ("my-walkaround-smoke/v1.png", false),
            ("walkaround-smoke", false),
        ] {
            inspection.request.photo = PhotoRef::S3 { bucket: "photos".into(), key: key.into(), version: None };
            let heard = finished_event(&inspection).is_some();
            prop_assert_eq!(heard, inspection.phase.is_final() && !is_smoke, "{}", key);
        }
    }

    #[test]
    fn a_moment_survives_text(ms in 0..=253_402_300_799_999_u64) {
        let text = rfc3339(Timestamp(ms));
        prop_assert!(text.ends_with('Z'));
        prop_assert_eq!(parse_rfc3339(&text).unwrap(), Timestamp(ms));
    }
}

#[test]
fn days_and_moments_are_utc() {
    assert_eq!(utc_day(Timestamp(0)), "1970-01-01");
    assert_eq!(utc_day(Timestamp(951_782_400_000)), "2000-02-29");
    assert_eq!(utc_day(Timestamp(951_868_799_999)), "2000-02-29");
    assert_eq!(utc_day(Timestamp(951_868_800_000)), "2000-03-01");
    assert_eq!(utc_day(Timestamp(u64::MAX)), "9999-12-31");
    assert_eq!(rfc3339(Timestamp(1_500)), "1970-01-01T00:00:01.5Z");
    assert_eq!(
        parse_rfc3339("1970-01-01T02:00:01+02:00").unwrap(),
        Timestamp(1_000)
    );
    assert!(parse_rfc3339("1969-12-31T23:59:59Z").is_err());
    assert!(parse_rfc3339("yesterday").is_err());
}

fn beat() -> HeartbeatDocument {
    HeartbeatDocument {
        worker: "job-1".into(),
        at: Timestamp(1_700_000_015_000),
        started_at: Timestamp(1_700_000_000_000),
        state: WorkerState::Working,
        device: "cuda".into(),
        host: "ip-10-0-0-7".into(),
        bundle: BundleId::new("demo", "3"),
        photos_done: 120,
        photos_failed: 1,
        photos_per_second: 8.25,
        memory_bytes: 12 << 30,
        in_flight: 16,
        progressed_at: Some(Timestamp(1_795_363_454_000)),
    }
}

#[test]
fn a_heartbeat_survives_its_document() {
    for state in WorkerState::ALL {
        let beat = HeartbeatDocument { state, ..beat() };
        assert_eq!(parse_heartbeat(&heartbeat_body(&beat)).unwrap(), beat);
    }
}

#[test]
fn what_json_cannot_write_stays_readable() {
    let beat = HeartbeatDocument {
        photos_per_second: f64::NAN,
        at: Timestamp(u64::MAX),
        ..beat()
    };
    let read = parse_heartbeat(&heartbeat_body(&beat)).unwrap();
    assert_eq!(read.photos_per_second, 0.0);
    assert_eq!(rfc3339(read.at), "9999-12-31T23:59:59.999Z");
}

#[test]
fn later_versions_are_refused_everywhere() {
    let expected = "version 2 is not known here, expected version 1";
    let later = |body: &str| body.replacen("\"version\":1", "\"version\":2", 1);
    let request = request();
    let inspection = Inspection::accepted(request.clone(), Timestamp(1));
    assert_eq!(
        parse_record(&later(&record_body(&inspection)))
            .unwrap_err()
            .reason,
        expected
    );
    assert_eq!(
        parse_heartbeat(&later(&heartbeat_body(&beat())))
            .unwrap_err()
            .reason,
        expected
    );
    let json = later(&request_json(&request));
    assert_eq!(
        parse_intake(&json, &BTreeMap::new()).unwrap_err().reason,
        expected
    );
    let mut wire = v1::InspectPhoto::from(&request);
    wire.version = 2;
    let body = base64(&wire.encode_to_vec());
    let as_protobuf = attributes(&[("content-type", "application/x-protobuf")]);
    assert_eq!(parse_intake(&body, &as_protobuf).unwrap_err().reason, expected);
}

#[test]
fn a_contradictory_record_names_the_field() {
    let body = record_body(&Inspection::accepted(request(), Timestamp(1)));
    for (from, to, field) in [
        ("\"accepted\"", "\"done\"", "phase"),
        ("\"accepted\"", "\"routed\"", "phase"),
        ("\"accepted\"", "\"vanished\"", "phase"),
        ("\"accepted_at\"", "\"rejected_at\"", "accepted_at"),
        ("\"url\"", "\"uri\"", "request: photo"),
    ] {
        let reason = parse_record(&body.replacen(from, to, 1)).unwrap_err().reason;
        assert!(reason.starts_with(field), "{field}: {reason}");
    }
}

fn request() -> InspectionRequest {
    common::request(r#"{"photo": {"url": "https://photos.example/1.jpg"}}"#)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn a_lane_state_survives_its_document() {
    use std::time::Duration;
    use walkaround_domain::lane::{LaneState, ScalerMemory};
    use walkaround_domain::scaling::BackOff;
    use walkaround_messages::{lane_state_body, parse_lane_state};
    let at = Timestamp(1_795_305_600_123);
    let whole = LaneState {
        at,
        workers_max: 14,
        live: 3,
        starting: 2,
        awaited_since: Some(at),
        backlog: 12_345,
        rate_per_worker: Some(8.25),
        cold_start: Some(Duration::from_millis(241_500)),
        back_off: Some(BackOff {
            failures: 4,
            last_end: at,
            until: at + Duration::from_secs(900),
        }),
        memory: ScalerMemory {
            asked_for: vec![("job-1".to_owned(), at)],
            unresponsive: vec![("job-2".to_owned(), at)],
        },
    };
    for state in [LaneState::default(), whole] {
        assert_eq!(parse_lane_state(&lane_state_body(&state)).unwrap(), state);
    }
    for bad in [
        "",
        "{}",
        r#"{"version": 2}"#,
        r#"{"version": 1, "at": "2026-11-22T00:00:00Z", "cold_start_s": -1.0}"#,
    ] {
        assert!(parse_lane_state(bad).is_err(), "{bad}");
    }
}
