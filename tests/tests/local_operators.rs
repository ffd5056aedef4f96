//! What an operator of the local stack does to it: `retry`, `prune`, and reading what strangers wrote.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::{
    Event, FailureCode, Inspection, InspectionId, InspectionRequest, Phase, PhotoRef, Timestamp, Verdict,
};
use walkaround_local::{INTAKE, INTAKE_DEAD};
use walkaround_messages::record_body;
use walkaround_ports::{BlobAddress, Clock, IndexKeys, OutMessage, Precondition, StoredRecord, SystemClock};
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::running::until;
use walkaround_tests::stack::{TestStack, damaged, is_done, request};

const BOUND: Duration = Duration::from_secs(120);
/// Longer ago than anything is kept here.
const LONG_AGO: Duration = Duration::from_secs(40 * 86_400);

fn run(stack: &TestStack, arguments: &[&str]) -> Ran {
    let root = stack.local().root().display().to_string();
    let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    program.run([arguments, &["--root", &root]].concat())
}

fn documents(ran: &Ran) -> Vec<serde_json::Value> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    ran.stdout.lines().map(read).collect()
}

/// Stores an inspection as it was left at a moment.
fn store(stack: &TestStack, request: &InspectionRequest, event: &Event, at: Timestamp) {
    let inspection = Inspection::accepted(request.clone(), at);
    let inspection = inspection.advance(event, at).unwrap().unwrap();
    let verdict = match &inspection.phase {
        Phase::Done { verdict } => Some(verdict.as_str().to_owned()),
        _ => None,
    };
    let record = StoredRecord {
        id: request.id.clone(),
        version: 0,
        updated_at: at,
        keys: IndexKeys {
            phase: inspection.phase.as_str().to_owned(),
            verdict,
            day: walkaround_messages::utc_day(at),
            vehicle_id: request.vehicle_id.clone(),
            reservation_id: request.reservation_id.clone(),
        },
        body: record_body(&inspection),
    };
    let records = stack.local().records();
    stack
        .wait_for(records.write(&record, Precondition::Absent))
        .unwrap();
}

fn done() -> Event {
    Event::Complete {
        verdict: Verdict::Clean,
    }
}

#[test]
fn a_failed_photo_that_is_there_by_now_is_retried_and_done() {
    let stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")]);
    let photo = request("late.jpg");
    stack.submit(std::slice::from_ref(&photo));
    let _up = stack.start(&["up"], "up");
    let failed = || {
        stack
            .inspections()
            .get(photo.id.as_str())
            .is_some_and(|i| i.phase.is_final())
    };
    assert!(until(BOUND, failed), "{}", stack.logs());
    let code = |i: &Inspection| match &i.phase {
        Phase::Failed { code, .. } => Some(*code),
        _ => None,
    };
    assert_eq!(
        code(&stack.inspections()[photo.id.as_str()]),
        Some(FailureCode::PhotoNotFound)
    );

    let bytes = damaged();
    stack.store([("late.jpg".to_owned(), bytes.as_slice())]);
    let id = photo.id.as_str();
    let dry = run(&stack, &["retry", "--failed", "--dry-run", "--format", "json"]);
    assert_eq!(documents(&dry)[0]["state"], "would_reopen", "{dry:?}");
    assert_eq!(stack.inspections()[id].phase.as_str(), "failed");
    for (arguments, found) in [
        (["--code", "engine_failed"], 0),
        (["--day", "2020-01-01"], 0),
        (["--bundle", "another"], 0),
        (["--bundle", "trivial"], 1),
    ] {
        let dry = run(
            &stack,
            &[&["retry", "--dry-run", "--format", "json"][..], &arguments].concat(),
        );
        assert_eq!(dry.code, 0, "{dry:?}");
        assert_eq!(documents(&dry).len(), found, "{arguments:?}: {dry:?}");
    }
    let ran = run(&stack, &["retry", "--code", "photo_not_found"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("1 inspection tried again"), "{ran:?}");
    let looked_at = || is_done(&stack.inspections()[id].phase, "damaged");
    assert!(
        until(BOUND, looked_at),
        "{:?}\n{}",
        stack.inspections()[id],
        stack.logs()
    );
    assert_eq!(stack.inspections()[id].history.reopened, 1);
    let events = stack.events();
    assert_eq!(
        events[id].len(),
        2,
        "both ends are published, under ids of their own: {events:?}"
    );
    assert_ne!(events[id][0], events[id][1]);

    let ran = run(&stack, &["retry", id]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("it is done"), "{ran:?}");
}

#[test]
fn a_result_that_is_lost_is_made_again() {
    let stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")]);
    let (photo, bytes) = (request("lost.jpg"), damaged());
    let id = photo.id.as_str();
    stack.store([("lost.jpg".to_owned(), bytes.as_slice())]);
    stack.submit(std::slice::from_ref(&photo));
    let _up = stack.start(&["up"], "up");
    let is_inspected = || {
        stack
            .inspections()
            .get(id)
            .is_some_and(|i| is_done(&i.phase, "damaged"))
    };
    assert!(until(BOUND, is_inspected), "{}", stack.logs());
    let report = stack.inspections()[id].outcome.clone().unwrap().report.unwrap();
    let at = BlobAddress {
        bucket: report.bucket,
        key: report.key,
    };
    let file = stack.local().blob_file(&at).unwrap();
    let whole = run(&stack, &["retry", "--lost"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.stdout.contains("no lost result matches"), "{whole:?}");
    std::fs::remove_file(&file).unwrap();
    let ran = run(&stack, &["retry", "--lost"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("1 inspection tried again"), "{ran:?}");
    let remade = || file.exists() && is_done(&stack.inspections()[id].phase, "damaged");
    assert!(
        until(BOUND, remade),
        "{:?}\n{}",
        stack.inspections()[id],
        stack.logs()
    );
    assert_eq!(stack.inspections()[id].history.reopened, 1);
}

#[test]
fn a_retry_that_leaves_everything_alone_says_why_and_fails() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let now = SystemClock::new().now();
    let fail = Event::Fail {
        code: FailureCode::PhotoForbidden,
        detail: "answered 403".to_owned(),
    };
    for id in ["a", "b"] {
        let signed = PhotoRef::Url(format!("https://cdn.example/{id}.jpg"));
        let request = InspectionRequest::of(InspectionId::new(id).unwrap(), signed);
        store(&stack, &request, &fail, now);
    }
    store(&stack, &request("clean.jpg"), &done(), now);
    let clean = request("clean.jpg").id;
    for (arguments, code, words) in [
        (
            &["retry", "--failed"][..],
            1,
            "0 inspections tried again, 2 left: the URL may have been signed",
        ),
        (
            &["retry", "a", clean.as_str(), "nobody"],
            1,
            "1 left: not failed, nothing to do, 1 left: no such inspection",
        ),
        (
            &["retry", "--day", "2020-01-01"],
            0,
            "0 inspections tried again: no failed inspection matches",
        ),
    ] {
        let ran = run(&stack, arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stdout.contains(words), "{ran:?}");
        let ran = run(&stack, &[arguments, &["--format", "json"]].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
}

/// A misspelt setting would be ignored, and its default be used.
#[test]
fn a_misspelt_setting_is_named_by_every_command_and_what_is_known_is_not() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let root = stack.local().root().display().to_string();
    let warned = |arguments: &[&str], name: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
            .args([arguments, &["--root", &root]].concat())
            .env(name, "3")
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        text.lines()
            .filter(|line| line.contains(name))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for command in ["status", "list", "parked", "prune", "doctor"] {
        let lines = warned(&[command], "WALKAROUND_ATTEMPT");
        assert_eq!(lines.len(), 1, "{command}: {lines:?}");
        assert!(
            lines[0].contains("did you mean WALKAROUND_ATTEMPTS?"),
            "{lines:?}"
        );
        for known in ["WALKAROUND_PHOTOS", "WALKAROUND_LAB", "WALKAROUND_ATTEMPTS"] {
            assert_eq!(warned(&[command], known), [""; 0], "{command}");
        }
    }
}

#[test]
fn a_list_goes_on_behind_its_last_line() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let now = SystemClock::new().now();
    let photos: Vec<InspectionRequest> = (0..5)
        .map(|n| InspectionRequest {
            vehicle_id: Some("car-7".to_owned()),
            ..request(&format!("{n}.jpg"))
        })
        .collect();
    for (n, photo) in photos.iter().enumerate() {
        // Two were accepted at the same moment.
        store(&stack, photo, &done(), now - Duration::from_secs(n as u64 / 2));
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let mut arguments = vec!["list", "--vehicle", "car-7", "--limit", "2", "--format", "json"];
        arguments.extend(after.iter().flat_map(|id: &String| ["--after", id]));
        let ran = run(&stack, &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        let page = documents(&ran);
        let ids = page
            .iter()
            .map(|d| d["inspection_id"].as_str().unwrap().to_owned());
        listed.extend(ids);
        let last = listed.last().cloned().unwrap();
        if ran.stderr.is_empty() {
            break;
        }
        assert!(
            ran.stderr.contains(&format!("there are more: --after {last}")),
            "{ran:?}"
        );
        after = Some(last);
    }
    let mut all: Vec<String> = photos.iter().map(|photo| photo.id.to_string()).collect();
    all.sort();
    assert_eq!(listed.len(), all.len(), "each once: {listed:?}");
    listed.sort();
    assert_eq!(listed, all);
    let latest = run(&stack, &["list", "--limit", "2"]);
    assert!(latest.stderr.contains("there are more: --limit"), "{latest:?}");
    let refused = run(&stack, &["list", "--after", &all[0]]);
    assert!(refused.one_line(2).contains("--after goes with"), "{refused:?}");
    let refused = run(&stack, &["list", "--vehicle", "car-7", "--after", "nobody"]);
    assert!(
        refused.one_line(2).contains("there is no such inspection"),
        "{refused:?}"
    );
}

#[test]
fn prune_says_what_it_would_remove_and_then_removes_it() {
    let stack = walkaround_tests::stack!("seven", &[]);
    let now = SystemClock::new().now();
    store(&stack, &request("old.jpg"), &done(), now - LONG_AGO);
    store(&stack, &request("new.jpg"), &done(), now);
    let heartbeats = stack.local().root().join("logs/worker-9.heartbeat.json");
    std::fs::write(&heartbeats, "{}").unwrap();
    let old = std::time::SystemTime::now() - LONG_AGO;
    std::fs::File::options()
        .write(true)
        .open(&heartbeats)
        .unwrap()
        .set_modified(old)
        .unwrap();

    let removed = |arguments: &[&str], days: &str| -> BTreeMap<String, u64> {
        let root = stack.local().root().display().to_string();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
            .args([&["prune", "--format", "json", "--root", &root][..], arguments].concat())
            .env("WALKAROUND_RECORD_DAYS", days)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let read = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let of = |d: serde_json::Value| {
            (
                d["kind"].as_str().unwrap().to_owned(),
                d["removed"].as_u64().unwrap(),
            )
        };
        text.lines().map(|line| of(read(line))).collect()
    };
    // For ever, by default: only what nobody can ask for.
    assert_eq!(removed(&["--dry-run"], "0")["records"], 0);
    let would = removed(&["--dry-run"], "30");
    assert_eq!((would["records"], would["heartbeat files"]), (1, 1));
    let count = || {
        let counts = stack.wait_for(stack.local().counts()).unwrap();
        counts.iter().map(|t| t.records).sum::<u64>()
    };
    assert_eq!(count(), 2, "a dry run removes nothing");
    assert_eq!(removed(&[], "30"), would);
    assert_eq!(count(), 1);
    assert!(!heartbeats.exists());
    let table = run(&stack, &["prune"]).succeeded().stdout;
    assert!(
        table.contains("for ever") && table.contains("0 removed"),
        "{table}"
    );
}

#[test]
fn nothing_that_strangers_wrote_reaches_a_terminal_as_it_is() {
    const EVIL: &str = "A\u{1b}[31m\u{9b}2J\u{202e}B\nforged";
    let stack = walkaround_tests::stack!("seven", &[]);
    let now = SystemClock::new().now();
    // As an older version, or another program, may have stored it.
    let mut known = request(&format!("{EVIL}.jpg"));
    (known.vehicle_id, known.reservation_id) = (Some(EVIL.to_owned()), Some(EVIL.to_owned()));
    known.labels.insert(EVIL.to_owned(), EVIL.to_owned());
    let fail = Event::Fail {
        code: FailureCode::PhotoForbidden,
        detail: EVIL.to_owned(),
    };
    store(&stack, &known, &fail, now);
    let parked = OutMessage {
        body: EVIL.to_owned(),
        attributes: [("parked_reason".to_owned(), EVIL.to_owned())].into(),
        ..OutMessage::default()
    };
    stack.send(INTAKE_DEAD, &[parked]);
    let id = known.id.as_str();
    for arguments in [
        &["list", "--vehicle", EVIL][..],
        &["list", "--reservation", EVIL],
        &["show", id],
        &["parked"],
        &["status"],
        &["retry", "--failed", "--dry-run"],
        &["show", EVIL],
        &["submit", EVIL],
        &["submit", "--vehicle-id", EVIL, "https://example.com/a.jpg"],
    ] {
        for format in ["table", "json"] {
            let ran = run(&stack, &[arguments, &["--format", format]].concat());
            for text in [&ran.stdout, &ran.stderr] {
                let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
                assert!(!text.contains(obeyed), "{arguments:?} --format {format}: {ran:?}");
                assert!(
                    !text.lines().any(|l| l.starts_with("forged")),
                    "{arguments:?}: {ran:?}"
                );
            }
            if format == "json" {
                documents(&ran);
            }
        }
    }
    let refused = run(
        &stack,
        &[
            "submit",
            "--vehicle-id",
            "A\u{1b}[31mB",
            "https://example.com/a.jpg",
        ],
    );
    assert!(
        refused
            .one_line(2)
            .contains("vehicle_id: expected no control characters"),
        "{refused:?}"
    );
    assert_eq!(stack.depth(INTAKE).ready, 0, "it is not sent");
}
