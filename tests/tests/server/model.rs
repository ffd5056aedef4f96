//! The monitor on either stack: what a pass reads and writes, and what is answered of it.

use crate::bench::{Bench, inspection};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::record::Drawn;
use walkaround_domain::review::{Correction, FindingsDecision, RejectReason};
use walkaround_domain::{
    BlobRef, BundleId, Decision, FindingSummary, Inspection, InspectionId, Outcome, Phase, PhotoQuality,
    PixelBox, Review, Reviewer, Size, TaskReason, Timestamp, Verdict,
};
use walkaround_messages::{record_body, utc_day};
use walkaround_pipeline::monitor::{Monitor, MonitorPolicy};
use walkaround_ports::{IndexKeys, Precondition, StoredRecord};

const HOUR: Duration = Duration::from_secs(3600);
const REPORT: [u8; 32] = [9; 32];
/// Photos of an hour, and of a reference.
const AN_HOUR: u64 = 22;
const REFERENCE: u64 = 500;

fn monitor(bench: &Bench) -> Monitor {
    let site = &bench.site;
    Monitor {
        records: Arc::clone(&site.records),
        reviews: Arc::clone(&site.people.as_ref().unwrap().service.reviews),
        blobs: Arc::clone(&site.blobs),
        state: Arc::clone(&site.state),
        clock: Arc::clone(&site.clock),
        policy: MonitorPolicy {
            reference_photos: REFERENCE,
            source_label: "source".to_owned(),
        },
    }
}

fn finding(class: &str) -> FindingSummary {
    FindingSummary {
        class: class.to_owned(),
        probability: 0.9,
        area_px: 25,
        area_share: 0.005,
        bbox: PixelBox {
            x: 1,
            y: 1,
            width: 5,
            height: 5,
        },
    }
}

/// A damaged photo that was finished at a moment. `number` spreads its figures.
fn finished(id: &str, number: u64, at: Timestamp, sharpness: f32) -> Inspection {
    let spread = (number * 7919 % 97) as f32 / 97.0;
    let outcome = Outcome {
        size: Some(Size::new(800, 600)),
        quality: Some(PhotoQuality {
            sharpness: sharpness * (0.4 + 1.2 * spread),
            luma_mean: 80.0 + 90.0 * ((number * 31 % 89) as f32 / 89.0),
        }),
        gate: Some((number * 13 % 83) as f32 / 83.0),
        findings: vec![finding("dent")],
        report: Some(BlobRef {
            bucket: "results".to_owned(),
            key: format!("{id}.json"),
            sha256: REPORT,
            bytes: 1,
            content_type: "application/json".to_owned(),
        }),
        bundle: BundleId::new("demo", "1"),
        drawn: Some(Drawn {
            inclusion: 1.0,
            reason: TaskReason::NearThreshold,
        }),
        ..Outcome::default()
    };
    Inspection {
        phase: Phase::Done {
            verdict: Verdict::Damaged,
        },
        outcome: Some(outcome),
        accepted_at: at,
        finished_at: Some(at),
        ..inspection(id, "car")
    }
}

async fn write(bench: &Bench, inspection: &Inspection, expect: Precondition) {
    let verdict = match &inspection.phase {
        Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
        _ => None,
    };
    let record = StoredRecord {
        id: inspection.request.id.clone(),
        version: 0,
        updated_at: bench.site.clock.now(),
        keys: IndexKeys {
            phase: inspection.phase.as_str().to_owned(),
            verdict,
            day: utc_day(inspection.accepted_at),
            vehicle_id: None,
            reservation_id: None,
        },
        body: record_body(inspection),
    };
    bench.site.records.write(&record, expect).await.unwrap();
}

async fn model(bench: &Bench) -> Value {
    let (status, model) = bench.json("/api/model?hours=48").await;
    assert_eq!(status, 200, "{model}");
    model
}

fn photos(model: &Value) -> u64 {
    let windows = model["windows"].as_array().map(Vec::as_slice).unwrap_or_default();
    windows
        .iter()
        .map(|window| window["photos"].as_u64().unwrap())
        .sum()
}

pub(crate) async fn a_pass_counts_each_photo_once_whenever_it_was_finished(bench: Bench) {
    let monitor = monitor(&bench);
    assert_eq!(model(&bench).await["state"], "empty", "before the first pass");
    let now = bench.site.clock.now();
    for number in 0..30 {
        let at = now - HOUR * u32::try_from(number % 3).unwrap();
        write(
            &bench,
            &finished(&format!("i-{number}"), number, at, 400.0),
            Precondition::Absent,
        )
        .await;
    }
    let mut open = inspection("late", "car");
    open.accepted_at = now;
    write(&bench, &open, Precondition::Absent).await;
    let pass = monitor.pass().await.unwrap();
    assert_eq!((pass.records, pass.windows), (31, 3));
    let first = model(&bench).await;
    assert_eq!((photos(&first), &first["state"]), (30, &"learning".into()));
    assert_eq!(first["bundle"]["name"], "demo");

    // Nothing has changed: the same windows.
    assert_eq!(monitor.pass().await.unwrap().windows, 0);
    assert_eq!(photos(&model(&bench).await), 30);

    // Finished behind the first pass, in an hour that it has read.
    write(
        &bench,
        &finished("late", 99, now, 400.0),
        Precondition::Version(1),
    )
    .await;
    assert_eq!(monitor.pass().await.unwrap().windows, 1);
    assert_eq!(photos(&model(&bench).await), 31);

    let (_, _, metrics) = bench.get("/metrics").await;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(
        metrics.contains("walkaround_model_drifting_figures 0\n"),
        "{metrics}"
    );
    for wrong in ["0", "961", "x"] {
        assert_eq!(
            bench.json(&format!("/api/model?hours={wrong}")).await.0,
            400,
            "{wrong}"
        );
    }
}

pub(crate) async fn a_pass_reads_what_people_decided(bench: Bench) {
    let monitor = monitor(&bench);
    let now = bench.site.clock.now();
    for number in 0..40 {
        write(
            &bench,
            &finished(&format!("i-{number}"), number, now, 400.0),
            Precondition::Absent,
        )
        .await;
    }
    monitor.pass().await.unwrap();
    let before = &model(&bench).await["reviews"];
    assert_eq!((&before["drawn"], &before["reviewed"]), (&40.into(), &0.into()));
    assert!(before["measures"][0]["value"].is_null(), "{before}");

    let reviews = &bench.site.people.as_ref().unwrap().service.reviews;
    for number in 0..40_u32 {
        let wrong = FindingsDecision {
            findings: [(0, Correction::Reject(RejectReason::Dirt))].into(),
            added: Vec::new(),
        };
        let decision = if number < 10 {
            Decision::Findings(wrong)
        } else {
            Decision::Confirm
        };
        let review = Review {
            inspection: InspectionId::new(format!("i-{number}")).unwrap(),
            revision: 1,
            by: Reviewer::new("ann").unwrap(),
            at: now,
            based_on: REPORT,
            decision,
            note: None,
        };
        reviews.append(&review).await.unwrap();
    }
    monitor.pass().await.unwrap();
    let after = model(&bench).await;
    assert_eq!(after["reviews"]["reviewed"], 40);
    let measures = after["reviews"]["measures"].as_array().unwrap();
    let of = |kind: &str, class: Option<&str>| {
        let found = measures
            .iter()
            .find(|m| m["kind"] == kind && m["class"].as_str() == class);
        found.unwrap_or_else(|| panic!("{kind} {class:?}: {after}"))["value"].clone()
    };
    assert_eq!(of("precision", None), 0.75);
    assert_eq!(of("precision", Some("dent")), 0.75);
    assert_eq!(of("recall", Some("dent")), 1.0);
}

pub(crate) async fn blur_is_drift_and_stays_the_same_alarm(bench: Bench) {
    let monitor = monitor(&bench);
    let now = bench.site.clock.now();
    let mut number = 0;
    for back in (7..31).rev() {
        for _ in 0..AN_HOUR {
            number += 1;
            let at = now - HOUR * back;
            write(
                &bench,
                &finished(&format!("i-{number}"), number, at, 400.0),
                Precondition::Absent,
            )
            .await;
        }
    }
    let learnt = monitor.pass().await.unwrap().model;
    assert_eq!(learnt.state.as_str(), "waiting", "{learnt:?}");
    assert_eq!(learnt.reference.unwrap().photos, 24 * AN_HOUR);
    // Ten times blurrier.
    for _ in 0..520 {
        number += 1;
        write(
            &bench,
            &finished(&format!("i-{number}"), number, now - HOUR, 40.0),
            Precondition::Absent,
        )
        .await;
    }
    let drifted = monitor.pass().await.unwrap().model;
    let figures: Vec<&str> = drifted.drifting().map(|f| f.figure.as_str()).collect();
    assert_eq!((drifted.state.as_str(), figures), ("drift", vec!["sharpness"]));
    let since = drifted.drifting().next().unwrap().since.clone();
    let again = monitor.pass().await.unwrap().model;
    assert_eq!(again.drifting().next().unwrap().since, since, "the same alarm");
    let (_, _, metrics) = bench.get("/metrics").await;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(
        metrics.contains("walkaround_model_drifting_figures 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("walkaround_model_psi{figure=\"sharpness\"}"),
        "{metrics}"
    );
    // The reference is fixed: another pass does not take the blurred photos in.
    assert_eq!(again.reference.unwrap().photos, 24 * AN_HOUR);
}
