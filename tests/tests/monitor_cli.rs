//! `walkaround monitor` on the local stack: table, page, document, and its exit code.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use serde_json::Value;
use std::time::Duration;
use walkaround_domain::{BundleId, PhotoQuality, Size};
use walkaround_messages::BundleDocument;
use walkaround_messages::monitor::{
    BinDocument, MODEL_STATE, ModelDocument, ModelState, ShiftDocument, model_body,
};
use walkaround_ports::{Clock, SystemClock};
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::reviews::{inspection, store};
use walkaround_tests::stack::TestStack;

fn run(stack: &TestStack, arguments: &[&str]) -> Ran {
    let root = stack.local().root().display().to_string();
    let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    program.run([&["monitor"][..], arguments, &["--root", &root]].concat())
}

#[test]
fn a_pass_is_made_on_request_and_shown_in_three_forms() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let ran = run(&stack, &[]);
    assert!(ran.one_line(1).contains("walkaround monitor --now"), "{ran:?}");
    for name in ["i-1", "i-2", "i-3"] {
        let mut inspection = inspection(name, SystemClock::new().now());
        inspection.finished_at = Some(inspection.accepted_at);
        stack.wait_for(store(stack.local(), &inspection)).unwrap();
    }
    let ran = run(&stack, &["--now", "--fail-on-drift"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("learning, 3 of 2000 photos"), "{ran:?}");
    assert!(ran.stderr.contains("read 3 records"), "{ran:?}");
    let ran = run(&stack, &["--format", "json", "--since", "2h"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["state"], "learning");
    let page = run(&stack, &["--format", "html"]).stdout;
    assert!(
        page.starts_with("<!doctype html>") && !page.contains("{{"),
        "{page}"
    );
    assert_eq!(run(&stack, &["--since", "5m"]).code, 2);
}

/// Some hours of a small fleet: `an_hour` photos in each of these hours ago, which are so sharp.
fn fleet(stack: &TestStack, hours_ago: std::ops::Range<u32>, an_hour: u32, sharpness: f32) {
    let now = SystemClock::new().now();
    for back in hours_ago.rev() {
        for number in 0..an_hour {
            let name = format!("h{back}-{number}");
            let mut inspection = inspection(&name, now - Duration::from_secs(3600) * back);
            let spread = ((back * an_hour + number) * 7919 % 97) as f32 / 97.0;
            let outcome = inspection.outcome.as_mut().unwrap();
            outcome.size = Some(Size::new(4032, 3024));
            outcome.gate = Some(0.5 + spread / 2.0);
            outcome.quality = Some(PhotoQuality {
                sharpness: sharpness * (0.4 + 1.2 * spread),
                luma_mean: 80.0 + 90.0 * ((number * 31 % 89) as f32 / 89.0),
            });
            outcome.bundle = BundleId::new("demo", "3");
            stack.wait_for(store(stack.local(), &inspection)).unwrap();
        }
    }
}

/// Records of two days: blurred photos after a sharp day.
#[test]
fn blur_after_a_sharp_day_is_printed() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    fleet(&stack, 26..60, 60, 400.0);
    fleet(&stack, 0..25, 22, 40.0);
    let ran = run(&stack, &["--now"]);
    println!("{}", ran.stdout);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("demo 3: drift in sharpness\n"), "{ran:?}");
    println!("{}", run(&stack, &["--format", "json"]).stdout);
    assert_eq!(run(&stack, &["--fail-on-drift"]).code, 1);
}

#[test]
fn drift_is_said_and_fails_only_where_it_is_asked_for() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let model = ModelDocument {
        at: Some("2026-11-22T17:00:00Z".to_owned()),
        bundle: Some(BundleDocument {
            name: "demo".to_owned(),
            version: "3".to_owned(),
        }),
        state: ModelState::Drift,
        figures: vec![ShiftDocument {
            figure: "size".to_owned(),
            state: "drift".to_owned(),
            since: Some("2026-11-22T16:00:00Z".to_owned()),
            psi: 1.5,
            limit: 0.2,
            bins: vec![BinDocument::new("<i>4032 x 3024</i>".to_owned(), 0.9, 0.1)],
            ..ShiftDocument::default()
        }],
        ..ModelDocument::empty(2000)
    };
    let state = stack.local().state();
    stack
        .wait_for(state.write(MODEL_STATE, &model_body(&model), Duration::from_secs(600)))
        .unwrap();
    let ran = run(&stack, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("demo 3: drift in size\n"), "{ran:?}");
    assert!(ran.stdout.contains("90.0 % to 10.0 %"), "{ran:?}");
    assert_eq!(run(&stack, &["--fail-on-drift"]).code, 1);
    let page = run(&stack, &["--format", "html"]).stdout;
    assert!(
        page.contains("&lt;i&gt;4032 x 3024&lt;/i&gt;") && page.contains("<svg"),
        "{page}"
    );
}
