//! `walkaround reinspect`: new inspections beside the old ones, once for each reason.

use crate::support::{BOUND, GATE_OPEN, inspected, photos, run, stop, variant};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::{Inspection, Phase, Verdict};
use walkaround_tests::stack::TestStack;

fn documents(stack: &TestStack, arguments: &[&str]) -> Vec<Value> {
    let ran = run(
        stack,
        &[&["reinspect", "--format", "json"][..], arguments].concat(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    ran.stdout.lines().map(read).collect()
}

/// How many documents are in each state.
fn states(documents: &[Value]) -> BTreeMap<&str, usize> {
    let mut states = BTreeMap::new();
    for document in documents {
        *states.entry(document["state"].as_str().unwrap()).or_default() += 1;
    }
    states
}

#[test]
fn photos_are_inspected_anew_with_another_bundle_and_the_old_records_stay() {
    let mut stack = walkaround_tests::stack!("trivial", &[]);
    let open = variant(&stack, "trivial", "2.0.0", &[GATE_OPEN]);
    let mut requests = photos(&stack, 0..8);
    for request in &mut requests {
        request.reservation_id = Some("r-1".to_owned());
    }
    inspected(&stack, &requests);
    let old = stack.inspections();
    let because = [
        "--reason",
        "the gate let damage through",
        "--bundle",
        "trivial@1.0.0",
    ];

    let dry = documents(&stack, &[&because[..], &["--dry-run"]].concat());
    assert!(
        dry.iter().all(|document| document["state"] == "would_send"),
        "{dry:?}"
    );
    assert_eq!((dry.len(), stack.messages()), (8, 0));
    let new = |documents: &[Value]| -> BTreeSet<String> {
        let ids = documents.iter().map(|document| &document["new_inspection_id"]);
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let expected = new(&dry);
    assert_eq!(expected.len(), 8, "ids are derived");

    // Five at a time: the next run goes on behind those that are on record.
    stack.set("BUNDLE", &open.display().to_string());
    let up = stack.start(&["up"], "up");
    let five = [&because[..], &["--limit", "5"]].concat();
    let first = documents(&stack, &five);
    assert_eq!(states(&first), [("sent", 5)].into());
    let mut all: BTreeSet<String> = old.keys().cloned().chain(new(&first)).collect();
    stack.until_all_final(&all, BOUND);
    let second = documents(&stack, &five);
    assert_eq!(states(&second), [("known", 5), ("sent", 3)].into());
    assert_eq!(new(&second), expected);
    all.extend(expected.iter().cloned());
    stack.until_all_final(&all, BOUND);
    stop(up);
    let records = stack.inspections();
    assert_eq!(records.len(), 16);
    for (id, before) in &old {
        assert_eq!(&records[id], before, "the old record stays");
    }
    for id in &expected {
        superseding(&records[id], &old);
    }
    // Once more, for the same reason: they are there already, and supersede themselves no more.
    let again = documents(&stack, &because);
    assert!(
        again.iter().all(|document| document["state"] == "known"),
        "{again:?}"
    );
    assert_eq!((again.len(), stack.messages()), (8, 0));
    let listed = run(&stack, &["list", "--reservation", "r-1"]);
    assert!(
        listed.stdout.contains("8 photos, 0 pending"),
        "the old ones are left out: {listed:?}"
    );
}

fn superseding(new: &Inspection, old: &BTreeMap<String, Inspection>) {
    let labels = &new.request.labels;
    let before = &old[&labels["supersedes"]];
    assert_eq!(labels["supersedes_because"], "the gate let damage through");
    assert_eq!(new.request.photo, before.request.photo);
    assert_eq!(
        new.phase,
        Phase::Done {
            verdict: Verdict::Damaged
        }
    );
    let outcome = new.outcome.as_ref().unwrap();
    assert_eq!(
        (outcome.bundle.version.as_str(), &outcome.reused_from),
        ("2.0.0", &None)
    );
}

#[test]
fn what_cannot_be_reinspected_is_said() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    for (arguments, words) in [
        (&["i-1", "--reason", "why"][..], "there is no inspection i-1"),
        (&["--since", "soon", "--reason", "why"], "--since: expected a day"),
    ] {
        let ran = run(&stack, &[&["reinspect"][..], arguments].concat());
        assert!(ran.one_line(2).contains(words), "{arguments:?}: {ran:?}");
    }
    let without = run(&stack, &["reinspect", "--since", "1d"]);
    assert!(
        without.code == 2 && without.stderr.contains("--reason"),
        "{without:?}"
    );
}
