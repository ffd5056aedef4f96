//! `walkaround review`: tasks, claims and decisions from a script, on the local stack.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use serde_json::Value;
use std::fs;
use std::time::Duration;
use walkaround_domain::hex;
use walkaround_ports::{Clock, SystemClock};
use walkaround_tests::places;
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::reviews::{REPORT, inspection, store};
use walkaround_tests::stack::{TestStack, clean, damaged, ids, request};

const BOUND: Duration = Duration::from_secs(120);

/// A stack with these done inspections.
fn stack(names: &[&str]) -> TestStack {
    let stack = walkaround_tests::stack!("trivial", &[]);
    for name in names {
        let inspection = inspection(name, SystemClock::new().now());
        stack.wait_for(store(stack.local(), &inspection)).unwrap();
    }
    stack
}

fn run(stack: &TestStack, arguments: &[&str]) -> Ran {
    with_input(stack, arguments, "")
}

fn with_input(stack: &TestStack, arguments: &[&str], input: &str) -> Ran {
    let root = stack.local().root().display().to_string();
    let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    program.run_with_input([&["review"][..], arguments, &["--root", &root]].concat(), input)
}

/// The documents that a command prints; it has to succeed.
fn documents(stack: &TestStack, arguments: &[&str]) -> Vec<Value> {
    let ran = run(stack, &[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    ran.stdout.lines().map(read).collect()
}

/// The only document that a command prints.
fn document(stack: &TestStack, arguments: &[&str]) -> Value {
    let mut all = documents(stack, arguments);
    assert_eq!(all.len(), 1, "{arguments:?}: {all:?}");
    all.remove(0)
}

/// A command that fails, in one line with these words.
fn refused(stack: &TestStack, arguments: &[&str], words: &str) {
    let ran = run(stack, arguments);
    assert!(ran.one_line(1).contains(words), "{arguments:?}: {ran:?}");
}

fn events(stack: &TestStack) -> Vec<String> {
    let events = stack.wait_for(stack.local().events_since(0, 1000)).unwrap();
    events.into_iter().map(|event| event.event.id).collect()
}

#[test]
fn a_task_is_asked_for_claimed_decided_and_undone() {
    let stack = stack(&["i-1"]);
    assert_eq!(run(&stack, &["list"]).stdout, "no tasks\n");
    let task = document(&stack, &["ask", "i-1"]);
    assert_eq!(
        (&task["reason"], &task["state"]),
        (&"asked".into(), &"open".into())
    );
    assert_eq!(task["classes"], serde_json::json!(["dent", "scratch"]));

    let claimed = document(&stack, &["claim", "--by", "ann"]);
    assert_eq!(
        (&claimed["inspection_id"], &claimed["claimed_by"]),
        (&"i-1".into(), &"ann".into())
    );
    refused(
        &stack,
        &["claim", "i-1", "--by", "bob"],
        "task of i-1: ann has claimed it",
    );
    let listed = run(&stack, &["list", "--reason", "asked"]);
    assert!(listed.stdout.contains("claimed by ann until"), "{listed:?}");
    assert!(listed.stdout.contains("not done: asked 1"), "{listed:?}");

    let decided = document(
        &stack,
        &["decide", "i-1", "--by", "ann", "--confirm", "--note", "fine"],
    );
    assert_eq!(decided["review"]["based_on"], hex(&REPORT).as_str());
    assert_eq!(
        (&decided["review"]["revision"], &decided["task"]["state"]),
        (&1.into(), &"done".into())
    );
    assert_eq!(decided["reviewed"]["judgement"], "confirmed");
    assert_eq!(events(&stack), ["i-1.reviewed.1"]);
    assert!(documents(&stack, &["list"]).is_empty());

    let undone = document(&stack, &["decide", "i-1", "--by", "bob", "--undo", "1"]);
    assert_eq!(undone["reviewed"]["judgement"], "unreviewed");
    assert_eq!(undone["task"]["state"], "open");
    let shown = document(&stack, &["show", "i-1"]);
    assert_eq!(
        (&shown["revisions"], &shown["reviewed"]["revision"]),
        (&2.into(), &0.into())
    );
    let history = documents(&stack, &["history", "i-1"]);
    let kinds: Vec<&Value> = history.iter().map(|review| &review["decision"]["kind"]).collect();
    assert_eq!(kinds, ["confirm", "undo"]);
    assert_eq!(history[0]["note"], "fine");
    let table = run(&stack, &["history", "i-1"]).stdout;
    assert!(table.contains("undo 1") && table.contains("ann"), "{table}");
}

#[test]
fn a_claim_is_extended_and_given_back() {
    let stack = stack(&["i-1"]);
    document(&stack, &["ask", "i-1"]);
    document(&stack, &["claim", "i-1", "--by", "ann"]);
    let longer = document(&stack, &["claim", "i-1", "--by", "ann", "--extend"]);
    assert_eq!(longer["state"], "claimed");
    let open = document(&stack, &["claim", "i-1", "--by", "ann", "--release"]);
    assert_eq!(open["state"], "open");
    refused(
        &stack,
        &["claim", "i-1", "--by", "ann", "--extend"],
        "nobody has claimed it",
    );
    let none = run(&stack, &["claim", "--by", "ann", "--reason", "audit"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:?}");
    assert!(none.stderr.contains("no task is open"), "{none:?}");
}

#[test]
fn a_decision_comes_from_a_document_and_is_stored_once() {
    let stack = stack(&["i-1"]);
    let body = r#"{"kind": "findings",
        "findings": [{"finding": 0, "decision": "reject", "why": "reflection"}],
        "added": [{"class": "dent", "polygons": [{"outer": [[1, 1], [9, 1], [9, 9.5]], "holes": []}]}]}"#;
    let arguments = [
        "decide",
        "i-1",
        "--by",
        "ann",
        "--file",
        "-",
        "--revision",
        "1",
        "--format",
        "json",
    ];
    let first = with_input(&stack, &arguments, body);
    assert_eq!(first.code, 0, "{first:?}");
    let again = with_input(&stack, &arguments, body);
    assert_eq!(
        (again.code, &again.stdout),
        (0, &first.stdout),
        "the same once more"
    );
    assert_eq!(documents(&stack, &["history", "i-1"]).len(), 1);
    assert_eq!(events(&stack), ["i-1.reviewed.1"]);
    let file = stack.folder().join("decision.json");
    fs::write(&file, body.replace("reflection", "dirt")).unwrap();
    let other = [
        "decide",
        "i-1",
        "--by",
        "ann",
        "--revision",
        "1",
        "--file",
        &file.display().to_string(),
    ];
    refused(&stack, &other, "revision 1 is by ann already");
}

#[test]
fn what_is_wrong_is_one_line() {
    let stack = stack(&["i-1"]);
    let cases: [(&[&str], i32, &str); 9] = [
        (&["decide", "i-1", "--by", "ann"], 2, "--confirm"),
        (
            &["decide", "i-1", "--by", "ann", "--unusable", "rain"],
            2,
            "expected one of blurred",
        ),
        (
            &["decide", "i-1", "--by", " ", "--confirm"],
            2,
            "not a reviewer's name",
        ),
        (
            &["decide", "i-1", "--by", "ann", "--undo", "1"],
            2,
            "undo: 1, expected an earlier revision than 1",
        ),
        (
            &["decide", "none", "--by", "ann", "--confirm"],
            1,
            "no inspection none",
        ),
        (
            &["decide", "i-1", "--by", "ann", "--confirm", "--revision", "3"],
            1,
            "no review yet, expected revision 1",
        ),
        (&["claim", "i-1", "--by", "ann"], 1, "no task of i-1; ask for one"),
        (&["list", "--reason", "boredom"], 2, "expected one of asked"),
        (
            &["list", "--after", "nowhere"],
            1,
            "not a token of an earlier page",
        ),
    ];
    for (arguments, code, words) in cases {
        let ran = run(&stack, arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {ran:?}");
        if code == 1 {
            ran.one_line(1);
        }
    }
    let other = hex(&[8; 32]);
    let ran = run(
        &stack,
        &["decide", "i-1", "--by", "ann", "--confirm", "--based-on", &other],
    );
    assert!(ran.one_line(1).contains("has another report now"), "{ran:?}");
    let ran = with_input(&stack, &["decide", "i-1", "--by", "ann", "--file", "-"], "{}");
    assert!(
        ran.one_line(2).contains("-: it does not match the schema"),
        "{ran:?}"
    );
    assert!(events(&stack).is_empty());
}

#[test]
fn pages_of_tasks_go_on_where_the_one_before_ended() {
    let names: Vec<String> = (0..5).map(|n| format!("i-{n}")).collect();
    let stack = stack(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        document(&stack, &["ask", name]);
    }
    let first = run(&stack, &["list", "--limit", "3", "--format", "json"]);
    assert_eq!(first.stdout.lines().count(), 3, "{first:?}");
    let (_, place) = first.stderr.trim_end().split_once("--after ").unwrap();
    let rest = documents(&stack, &["list", "--after", place.trim_matches('\'')]);
    let listed: Vec<&Value> = rest.iter().map(|task| &task["inspection_id"]).collect();
    assert_eq!(listed, ["i-3", "i-4"]);
}

#[test]
fn photos_of_a_running_stack_get_their_tasks() {
    let mut stack = walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")]);
    let bundle = stack.folder().join("audited");
    fs::create_dir(&bundle).unwrap();
    for file in fs::read_dir(places::root().join("tests/bundles/trivial")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), bundle.join(file.file_name())).unwrap();
    }
    let manifest = fs::read_to_string(bundle.join("bundle.toml")).unwrap();
    let review = "[review]\nband = 0.0\naudit_share = 1.0\n\n[[networks]]";
    fs::write(
        bundle.join("bundle.toml"),
        manifest.replacen("[[networks]]", review, 1),
    )
    .unwrap();
    stack.set("BUNDLE", &bundle.display().to_string());
    let requests = [request("bright.jpg"), request("dark.jpg")];
    let (bright, dark) = (damaged(), clean());
    stack.store([
        ("bright.jpg".to_owned(), bright.as_slice()),
        ("dark.jpg".to_owned(), dark.as_slice()),
    ]);
    stack.submit(&requests);
    let up = stack.start(&["up"], "up");
    stack.until_all_final(&ids(&requests), BOUND);
    let tasks = documents(&stack, &["list", "--reason", "audit"]);
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    assert!(tasks.iter().all(|task| task["inclusion"] == 1.0), "{tasks:?}");
    // A decision while the pipeline runs.
    let id = requests[0].id.as_str();
    let decided = document(&stack, &["decide", id, "--by", "ann", "--escalate"]);
    assert_eq!(decided["task"]["escalated_by"], "ann");
    let next = document(&stack, &["claim", "--by", "ann"]);
    assert_eq!(next["inspection_id"], requests[1].id.as_str());
    drop(up);
}
