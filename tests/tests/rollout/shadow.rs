//! A shadow: what it writes, and that nothing else is another with it on, whatever becomes of it.

use crate::support::{BOUND, GATE_OPEN, photos, run, stop, variant};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use walkaround_domain::draw::is_drawn;
use walkaround_domain::{Inspection, InspectionRequest, TaskReason};
use walkaround_ports::BlobAddress;
use walkaround_tests::running::until;
use walkaround_tests::stack::{TestStack, ids, tail};

const SHARE: f64 = 0.5;

/// The reports of the shadow, by inspection.
fn reports(stack: &TestStack, bundle: &str) -> BTreeSet<String> {
    let at = BlobAddress {
        bucket: "results".into(),
        key: format!("shadow/{bundle}/"),
    };
    let keys = stack
        .wait_for(stack.local().blobs().list(&at, None, 1000))
        .unwrap();
    let name = |key: String| {
        Path::new(&key)
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    keys.into_iter().map(name).collect()
}

fn drawn(requests: &[InspectionRequest]) -> BTreeSet<String> {
    let ids = requests.iter().map(|request| request.id.as_str());
    ids.filter(|id| is_drawn("shadow", id, SHARE))
        .map(str::to_owned)
        .collect()
}

fn start_shadow(stack: &TestStack, name: &str, folder: &Path) -> Value {
    let (share, folder) = (SHARE.to_string(), folder.display().to_string());
    let ran = run(
        stack,
        &[
            "bundle", "shadow", name, "2.0.0", "--share", &share, "--bundle", &folder, "--format", "json",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// What a record says, without moments, times and who inspected.
fn without_times(records: BTreeMap<String, Inspection>) -> BTreeMap<String, Inspection> {
    let strip = |mut inspection: Inspection| {
        inspection.accepted_at = Default::default();
        (
            inspection.finished_at,
            inspection.published_at,
            inspection.routed_at,
        ) = (None, None, None);
        inspection.route = inspection.route.map(|(lane, _)| (lane, String::new()));
        if let Some(outcome) = &mut inspection.outcome {
            outcome.timings_ms.clear();
        }
        inspection
    };
    records
        .into_iter()
        .map(|(id, inspection)| (id, strip(inspection)))
        .collect()
}

/// Photos one after the other, so that none finds the shadow busy; then the end of `up`.
fn one_by_one(stack: &TestStack, requests: &[InspectionRequest], after_each: &dyn Fn(usize)) {
    let up = stack.start(&["up"], "up");
    let mut sent = BTreeSet::new();
    for (number, request) in requests.iter().enumerate() {
        stack.submit(std::slice::from_ref(request));
        sent.extend(ids(std::slice::from_ref(request)));
        stack.until_all_final(&sent, BOUND);
        after_each(number);
    }
    stop(up);
}

#[test]
fn a_shadow_sees_its_share_and_everything_else_is_as_without_it() {
    let (with, without) = (
        walkaround_tests::stack!("trivial", &[]),
        walkaround_tests::stack!("trivial", &[]),
    );
    let open = variant(&with, "trivial", "2.0.0", &[GATE_OPEN]);
    let started = start_shadow(&with, "trivial", &open);
    assert_eq!(started["shadow"]["share"], SHARE);
    let requests = photos(&with, 0..30);
    let same = photos(&without, 0..30);
    assert_eq!(requests, same);
    let expected = drawn(&requests);
    assert!(expected.len() >= 8 && expected.len() <= 22, "{}", expected.len());
    let last = requests.len() - 1;
    one_by_one(&with, &requests, &|number| {
        // The last photos are waited for before the end.
        let all = || reports(&with, "trivial/2.0.0") == expected;
        assert!(number < last || until(BOUND, all), "{}", tail(&with.logs(), 40));
    });
    one_by_one(&without, &requests, &|_| {});
    assert!(reports(&without, "trivial/2.0.0").is_empty());
    assert_eq!(
        without_times(with.inspections()),
        without_times(without.inspections())
    );
    assert_eq!(with.events(), without.events());
    assert!(with.parked().is_empty());
    tasks_of_disagreement(&with, &expected);
    compared(&with, &expected);
}

/// Each drawn photo that the gate of the stack's bundle stops is a disagreement.
fn tasks_of_disagreement(stack: &TestStack, drawn: &BTreeSet<String>) {
    let page = stack
        .wait_for(
            stack
                .local()
                .reviews()
                .open_tasks(Some(TaskReason::Disagreement), None, 200),
        )
        .unwrap();
    let records = stack.inspections();
    let clean = records.iter().filter(|(id, inspection)| {
        drawn.contains(*id) && inspection.outcome.as_ref().is_some_and(|o| o.findings.is_empty())
    });
    let clean: BTreeSet<String> = clean.map(|(id, _)| id.clone()).collect();
    let tasks: BTreeSet<String> = page
        .tasks
        .iter()
        .map(|task| task.inspection.to_string())
        .collect();
    assert_eq!(tasks, clean);
    assert!(page.tasks.iter().all(|task| task.inclusion == SHARE), "{page:?}");
}

fn compared(stack: &TestStack, drawn: &BTreeSet<String>) {
    let ran = run(
        stack,
        &[
            "bundle",
            "compare",
            "trivial@1.0.0",
            "trivial@2.0.0",
            "--format",
            "json",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["photos"], drawn.len());
    assert_eq!(document["classes"][0]["photos_new"], drawn.len());
    assert!(document["time"]["new_median_ms"].as_f64().is_some(), "{document}");
}

#[test]
fn a_shadow_that_is_missing_or_killed_costs_nothing_but_a_line() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let slow = variant(&stack, "slow", "2.0.0", &[GATE_OPEN]);
    start_shadow(&stack, "slow", &slow);
    let requests = photos(&stack, 0..40);
    let drawn = drawn(&requests);
    let killed = || stack.logs().matches("signal: 9").count();
    one_by_one(&stack, &requests, &|number| {
        if !drawn.contains(requests[number].id.as_str()) || killed() >= 3 {
            return;
        }
        let before = killed();
        let seen = || reports(&stack, "slow/2.0.0").contains(requests[number].id.as_str());
        // Whatever it does, the process of the shadow is killed; the next photo starts another one, three times. One that is
        // killed when it is done with its photo is missed at the next one.
        let found = || {
            let over = seen();
            for pid in shadow_processes(&stack) {
                kill(pid);
            }
            over || killed() > before
        };
        assert!(until(BOUND, found), "{}", tail(&stack.logs(), 40));
    });
    assert_eq!(killed(), 3, "{}", tail(&stack.logs(), 40));
    assert!(stack.logs().contains("the shadow gets no more photos"));
    let done = stack.inspections();
    assert_eq!(done.len(), requests.len());
    assert!(done.values().all(|inspection| inspection.outcome.is_some()));

    // The folder is gone after the shadow was started.
    std::fs::remove_dir_all(&slow).unwrap();
    let more = photos(&stack, 40..52);
    one_by_one(&stack, &more, &|_| {});
    assert_eq!(stack.inspections().len(), 52);
    assert!(
        stack.logs().contains("the shadow's process ended"),
        "{}",
        tail(&stack.logs(), 40)
    );
    assert!(stack.parked().is_empty());
}

/// SIGKILL; it may have ended.
fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// The shadow's processes of this root.
fn shadow_processes(stack: &TestStack) -> Vec<i32> {
    let read = |pid: i32, file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let has = |text: &[u8], part: &str| text.split(|byte| *byte == 0).any(|p| p == part.as_bytes());
    stack
        .workers()
        .into_iter()
        .filter(|pid| has(&read(*pid, "cmdline"), "--shadow"))
        .collect()
}

#[test]
fn a_shadow_is_started_shown_and_ended_and_what_cannot_be_one_is_one_line() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let show = |arguments: &[&str]| run(&stack, &[&["bundle", "shadow"][..], arguments].concat());
    assert_eq!(show(&[]).stdout, "no shadow\n");
    let two = variant(&stack, "trivial", "2.0.0", &[]);
    start_shadow(&stack, "trivial", &two);
    assert!(
        show(&[])
            .stdout
            .starts_with("trivial 2.0.0 sees 50 % of the settled photos since ")
    );
    let folder = two.display().to_string();
    for (arguments, words) in [
        (
            &["trivial", "3.0.0", "--bundle", &folder][..],
            "has trivial 2.0.0, not trivial 3.0.0",
        ),
        (
            &["trivial", "2.0.0", "--bundle", &folder, "--share", "0"],
            "expected more than 0 and at most 1",
        ),
        (&["trivial", "9"], "has trivial 9: name its folder with --bundle"),
    ] {
        let ran = show(arguments);
        assert!(ran.one_line(2).contains(words), "{arguments:?}: {ran:?}");
    }
    assert_eq!(show(&["--off"]).stdout, "no shadow\n");
    assert_eq!(show(&[]).stdout, "no shadow\n");
}
