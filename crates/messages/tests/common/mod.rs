//! Requests and inspections, drawn at random or fixed.
#![allow(dead_code, reason = "each test takes what it needs")]

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use walkaround_domain::record::PhotoHistory;
use walkaround_domain::{
    AttemptFailure, AttemptHistory, BlobRef, BundleId, Drawn, FailureCode, FindingSummary, Inspection,
    InspectionId, InspectionRequest, Lane, Occasion, Outcome, Phase, PhotoQuality, PhotoRef, PixelBox,
    Reason, ReasonCode, Size, TaskReason, Timestamp, Verdict,
};
use walkaround_messages::{Intake, Unreadable, parse_intake};

/// Attributes from pairs.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// The requests of a body without attributes.
pub(crate) fn requests(body: &str) -> Vec<InspectionRequest> {
    let intakes = parse_intake(body, &BTreeMap::new()).expect("a readable body");
    intakes
        .into_iter()
        .map(|i| match i {
            Intake::Inspect(request) => request,
            Intake::Nothing { why } => panic!("nothing to inspect: {why}"),
        })
        .collect()
}

/// The only request of a body without attributes.
pub(crate) fn request(body: &str) -> InspectionRequest {
    let mut all = requests(body);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Why a body without attributes cannot be read.
pub(crate) fn refused(body: &str) -> String {
    let Unreadable { reason } = parse_intake(body, &BTreeMap::new()).expect_err("an unreadable body");
    assert!(!reason.contains('\n'), "one line: {reason}");
    reason
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..=253_402_300_799_999_u64).prop_map(Timestamp)
}

fn name() -> impl Strategy<Value = String> {
    "\\PC{1,40}"
}

fn digest() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn photo() -> impl Strategy<Value = PhotoRef> {
    prop_oneof![
        (
            "[a-z0-9.-]{1,30}",
            "\\PC{1,60}",
            option::of("[A-Za-z0-9._]{1,32}")
        )
            .prop_map(|(bucket, key, version)| PhotoRef::S3 {
                bucket: format!("b{bucket}"),
                key,
                version: version.filter(|v| v != "null"),
            }),
        "https://\\PC{1,60}".prop_map(PhotoRef::Url),
        "\\PC{1,60}".prop_map(PhotoRef::File),
    ]
}

/// Any request within the bounds.
pub(crate) fn any_request() -> impl Strategy<Value = InspectionRequest> {
    (
        (
            "[A-Za-z0-9_-][A-Za-z0-9._-]{0,80}",
            photo(),
            option::of("[a-z0-9/]{1,40}"),
        ),
        (option::of(name()), option::of(name()), option::of(name())),
        option::of(prop_oneof![Just(Occasion::PickUp), Just(Occasion::Return)]),
        (option::of(moment()), option::of(moment())),
        btree_map("\\PC{0,20}", "\\PC{0,20}", 0..5),
    )
        .prop_map(
            |(
                (id, photo, content),
                (vehicle_id, reservation_id, viewpoint),
                occasion,
                (taken_at, deadline),
                labels,
            )| {
                InspectionRequest {
                    id: InspectionId::new(id).expect("drawn as an id"),
                    photo,
                    content,
                    vehicle_id,
                    reservation_id,
                    occasion,
                    viewpoint,
                    taken_at,
                    deadline,
                    labels,
                }
            },
        )
}

fn blob() -> impl Strategy<Value = BlobRef> {
    (name(), name(), digest(), any::<u32>(), name()).prop_map(|(bucket, key, sha256, bytes, content_type)| {
        BlobRef {
            bucket,
            key,
            sha256,
            bytes: u64::from(bytes),
            content_type,
        }
    })
}

fn finding() -> impl Strategy<Value = FindingSummary> {
    (
        name(),
        0.0_f32..=1.0,
        any::<u32>(),
        0.0_f64..=1.0,
        any::<[u32; 4]>(),
    )
        .prop_map(
            |(class, probability, area_px, area_share, [x, y, width, height])| FindingSummary {
                class,
                probability,
                area_px: u64::from(area_px),
                area_share,
                bbox: PixelBox { x, y, width, height },
            },
        )
}

fn reason() -> impl Strategy<Value = Reason> {
    (proptest::sample::select(&ReasonCode::ALL[..]), "\\PC{0,40}")
        .prop_map(|(code, detail)| Reason::new(code, detail))
}

fn quality() -> impl Strategy<Value = PhotoQuality> {
    (0.0_f32..1e5, 0.0_f32..=255.0).prop_map(|(sharpness, luma_mean)| PhotoQuality { sharpness, luma_mean })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0.001_f64..=1.0, proptest::sample::select(&TaskReason::ALL[..]))
        .prop_map(|(inclusion, reason)| Drawn { inclusion, reason })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    (
        (vec(reason(), 0..3), vec(finding(), 0..4)),
        option::of(any::<[u32; 2]>()),
        (
            option::of(digest()),
            option::of(0.0_f32..=1.0),
            option::of(quality()),
        ),
        (option::of(blob()), option::of(blob())),
        (name(), "\\PC{0,20}").prop_map(|(name, version)| BundleId { name, version }),
        (
            "\\PC{0,20}",
            btree_map("[a-z]{1,8}", 0.0_f64..1e7, 0..5),
            option::of(drawn()),
        ),
    )
        .prop_map(
            |(
                (reasons, findings),
                size,
                (photo_sha256, gate, quality),
                (report, overlay),
                bundle,
                (worker, timings_ms, drawn),
            )| {
                Outcome {
                    reasons,
                    size: size.map(|[w, h]| Size::new(w, h)),
                    photo_sha256,
                    quality,
                    gate,
                    findings,
                    report,
                    overlay,
                    bundle,
                    timings_ms,
                    worker,
                    reused_from: None,
                    drawn,
                }
            },
        )
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![Just(Lane::Inline), Just(Lane::Gpu)]
}

/// A phase with the route that it leaves on the record.
fn phase() -> impl Strategy<Value = (Phase, Option<(Lane, String)>)> {
    let route = || option::of((lane(), "\\PC{0,40}".prop_map(String::from)));
    prop_oneof![
        Just((Phase::Accepted, None)),
        (lane(), "\\PC{0,40}").prop_map(|(lane, reason)| {
            let route = Some((lane, reason.clone()));
            (Phase::Routed { lane, reason }, route)
        }),
        (proptest::sample::select(&Verdict::ALL[..]), route())
            .prop_map(|(verdict, route)| (Phase::Done { verdict }, route)),
        (
            proptest::sample::select(&FailureCode::ALL[..]),
            "\\PC{0,40}",
            route()
        )
            .prop_map(|(code, detail, route)| (Phase::Failed { code, detail }, route)),
    ]
}

fn history() -> impl Strategy<Value = AttemptHistory> {
    let failure = (
        proptest::sample::select(&FailureCode::ALL[..]),
        "\\PC{0,40}",
        moment(),
    )
        .prop_map(|(code, detail, at)| AttemptFailure { code, detail, at });
    let bundle = ("\\PC{0,20}", "\\PC{0,20}").prop_map(|(name, version)| BundleId { name, version });
    (
        any::<u32>(),
        option::of(failure),
        any::<u32>(),
        any::<u32>(),
        option::of(bundle),
    )
        .prop_map(
            |(reopened, last_failure, unfinished_starts, unfinished_starts_alone, failed_with)| {
                AttemptHistory {
                    reopened,
                    last_failure,
                    unfinished_starts,
                    unfinished_starts_alone,
                    failed_with,
                }
            },
        )
}

fn photo_history() -> impl Strategy<Value = PhotoHistory> {
    let id = "[a-z0-9-]{1,20}".prop_map(|id| InspectionId::new(id).expect("drawn as an id"));
    (
        option::of(digest()),
        option::of(moment()),
        option::of(id),
        0_u32..9,
    )
        .prop_map(
            |(photo_sha256, compared_at, other_bytes, completions)| PhotoHistory {
                photo_sha256,
                compared_at,
                other_bytes,
                completions,
            },
        )
}

/// Any inspection.
pub(crate) fn any_inspection() -> impl Strategy<Value = Inspection> {
    (
        any_request(),
        phase(),
        option::of(outcome()),
        (
            moment(),
            option::of(moment()),
            option::of(moment()),
            option::of(moment()),
        ),
        any::<u32>(),
        (history(), photo_history()),
    )
        .prop_map(
            |(
                request,
                (phase, route),
                outcome,
                (accepted_at, routed_at, finished_at, published_at),
                attempts,
                (history, photo_history),
            )| {
                Inspection {
                    request,
                    phase,
                    route,
                    outcome,
                    accepted_at,
                    routed_at,
                    finished_at,
                    published_at,
                    attempts,
                    history,
                    photo_history,
                }
            },
        )
}
