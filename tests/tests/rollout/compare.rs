//! `walkaround bundle compare` from a replay, with and without reviews.

use crate::support::{GATE_OPEN, inspected, photos, run, variant};
use serde_json::Value;
use std::sync::Arc;
use walkaround_domain::{Decision, InspectionId, Reviewer};
use walkaround_pipeline::review::{DecisionRequest, ReviewService, report_digest};
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::SystemClock;
use walkaround_tests::stack::TestStack;

fn service(stack: &TestStack) -> ReviewService {
    let local = stack.local();
    ReviewService {
        store: InspectionStore::new(local.records()),
        blobs: local.blobs(),
        reviews: local.reviews(),
        publisher: local.publisher(),
        clock: Arc::new(SystemClock::new()),
    }
}

fn json(stack: &TestStack, arguments: &[&str]) -> Value {
    let ran = run(
        stack,
        &[&["bundle", "compare", "--format", "json"][..], arguments].concat(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

#[test]
#[allow(clippy::too_many_lines, reason = "one replay, shown in each form")]
fn a_replay_is_compared_in_figures_and_pictures_and_with_what_people_decided() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let open = variant(&stack, "trivial", "2.0.0", &[GATE_OPEN]);
    let requests = photos(&stack, 0..24);
    inspected(&stack, &requests);
    let file = stack.folder().join("replay.jsonl").display().to_string();
    let ran = run(
        &stack,
        &["replay", &file, "--bundle", &open.display().to_string()],
    );
    assert_eq!(ran.code, 0, "{ran:?}");

    let document = json(&stack, &["--replay", &file]);
    assert_eq!(
        (&document["photos"], &document["flips"]),
        (&24.into(), &12.into())
    );
    assert_eq!(document["flip_share"]["value"], 0.5);
    let low = document["flip_share"]["low"].as_f64().unwrap();
    assert!((0.25..0.5).contains(&low), "{document}");
    let class = &document["classes"][0];
    assert_eq!(
        (
            &class["class"],
            &class["photos_old"],
            &class["photos_new"],
            &class["mean_iou"]
        ),
        (&"mark".into(), &12.into(), &24.into(), &1.0.into())
    );
    assert_eq!(document["reviews"]["reviewed"], 0);
    assert_eq!(document["worst"].as_array().unwrap().len(), 12);

    // The verdict that stands is confirmed for each photo: the other bundle is wrong where it differs.
    let (service, records) = (service(&stack), stack.inspections());
    for (id, inspection) in &records {
        let request = DecisionRequest {
            inspection: InspectionId::new(id.as_str()).unwrap(),
            revision: 1,
            by: Reviewer::new("ann").unwrap(),
            based_on: report_digest(inspection).unwrap(),
            decision: Decision::Confirm,
            note: None,
        };
        stack.wait_for(service.decide(request)).unwrap();
    }
    let reviews = &json(&stack, &["trivial@1.0.0", "trivial@2.0.0", "--replay", &file])["reviews"];
    assert_eq!(
        (
            &reviews["reviewed"],
            &reviews["flips_old_right"],
            &reviews["flips_new_right"]
        ),
        (&24.into(), &12.into(), &0.into())
    );
    assert_eq!(
        (&reviews["old_right"]["value"], &reviews["new_right"]["value"]),
        (&1.0.into(), &0.5.into())
    );

    let table = run(&stack, &["bundle", "compare", "--replay", &file]);
    assert_eq!(table.code, 0, "{table:?}");
    assert!(
        table
            .stdout
            .contains("trivial 1.0.0 and trivial 2.0.0 on 24 photos: 12 with another verdict"),
        "{table:?}"
    );
    page(&stack, &file);
}

fn page(stack: &TestStack, file: &str) {
    let out = stack.folder().join("page");
    let ran = run(
        stack,
        &[
            "bundle",
            "compare",
            "--replay",
            file,
            "--format",
            "html",
            "--out",
            &out.display().to_string(),
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    let pictures = out.join("pictures").read_dir().unwrap().count();
    assert_eq!(pictures, 12);
    for number in 1..=12 {
        let name = format!("pictures/difference-{number:02}.jpg");
        // On both sides, each from disk.
        assert_eq!(page.matches(&format!("href=\"{name}\"")).count(), 2, "{name}");
        assert!(out.join(name).is_file());
    }
    assert!(
        !page.contains("{{") && !page.contains("http"),
        "it works without a network"
    );
}

#[test]
fn what_cannot_be_compared_is_one_line() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let notes = stack.folder().join("notes.txt");
    std::fs::write(&notes, "my notes\n").unwrap();
    let notes = notes.display().to_string();
    for (arguments, code, words) in [
        (&["--replay", &notes][..], 2, "is no file of a replay"),
        (&["--replay", "/nowhere.jsonl"], 2, "is no file of a replay"),
        (
            &["trivial@1", "trivial@2"],
            1,
            "no photo of these days was seen by both",
        ),
    ] {
        let ran = run(&stack, &[&["bundle", "compare"][..], arguments].concat());
        assert!(ran.one_line(code).contains(words), "{arguments:?}: {ran:?}");
    }
}
