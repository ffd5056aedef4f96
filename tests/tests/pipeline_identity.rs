//! Which inspection a request means: one photo for two purposes, a purpose that is given later, a photo that changes
//! under its name, and an id that is taken.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use serde_json::{Value, json};
use std::time::Duration;
use walkaround_domain::Inspection;
use walkaround_local::INTAKE;
use walkaround_ports::OutMessage;
use walkaround_tests::running::{Running, until};
use walkaround_tests::stack::{TestStack, clean, damaged, is_done};

const BOUND: Duration = Duration::from_secs(120);

fn stack() -> TestStack {
    walkaround_tests::stack!("trivial", &[("WORKERS_MAX", "0")])
}

fn send(stack: &TestStack, body: &Value) {
    let message = OutMessage {
        body: body.to_string(),
        ..OutMessage::default()
    };
    stack.send(INTAKE, &[message]);
}

/// Waits until the records are as wanted.
fn await_records(stack: &TestStack, wanted: impl Fn(&[Inspection]) -> bool) -> Vec<Inspection> {
    let all = || stack.inspections().into_values().collect::<Vec<_>>();
    assert!(until(BOUND, || wanted(&all())), "{:#?}\n{}", all(), stack.logs());
    all()
}

fn all_published(all: &[Inspection], count: usize) -> bool {
    all.len() == count && all.iter().all(|i| i.phase.is_final() && i.published_at.is_some())
}

fn of_vehicle<'a>(all: &'a [Inspection], vehicle: &str) -> &'a Inspection {
    let found = all
        .iter()
        .find(|i| i.request.vehicle_id.as_deref() == Some(vehicle));
    found.unwrap_or_else(|| panic!("no inspection for {vehicle}: {all:#?}"))
}

fn end(mut up: Running) {
    up.terminate();
    assert_eq!(up.exit_code(Duration::from_secs(60)), 0);
}

fn object(key: &str) -> Value {
    json!({"s3": {"bucket": "photos", "key": key}})
}

#[test]
fn one_photo_for_two_vehicles_is_two_inspections_and_asking_again_adds_none() {
    let stack = stack();
    stack.store([("one.jpg".to_owned(), &damaged()[..])]);
    let up = stack.start(&["up"], "up");
    let ask = |vehicle: &str| {
        send(
            &stack,
            &json!({"photo": object("one.jpg"), "vehicle_id": vehicle}),
        );
    };
    ask("a");
    await_records(&stack, |all| all_published(all, 1));
    ask("b");
    let all = await_records(&stack, |all| all_published(all, 2));
    let (first, second) = (of_vehicle(&all, "a"), of_vehicle(&all, "b"));
    assert_ne!(first.request.id, second.request.id);
    assert!(is_done(&first.phase, "damaged") && is_done(&second.phase, "damaged"));
    reused(&stack, first, second);
    for vehicle in ["b", "a", "b"] {
        ask(vehicle);
    }
    ask("c");
    // The one that was sent last is there: those before it added nothing.
    let all = await_records(&stack, |all| all_published(all, 3));
    of_vehicle(&all, "c");
    assert_eq!(stack.parked(), []);
    end(up);
}

/// The second inspection has the result of the first one, in blobs of its own, and says so.
fn reused(stack: &TestStack, first: &Inspection, second: &Inspection) {
    let (one, other) = (first.outcome.as_ref().unwrap(), second.outcome.as_ref().unwrap());
    assert_eq!(one.reused_from, None);
    assert_eq!(other.reused_from.as_ref(), Some(&first.request.id));
    assert_eq!(
        other.timings_ms.keys().collect::<Vec<_>>(),
        ["total"],
        "no network ran"
    );
    assert_eq!(
        (&one.findings, one.gate, one.size),
        (&other.findings, other.gate, other.size)
    );
    let blobs = |outcome: &walkaround_domain::Outcome| {
        let blobs = [outcome.report.clone(), outcome.overlay.clone()];
        blobs.map(|blob| blob.expect("a report and a marked picture"))
    };
    for (mine, theirs) in blobs(other).iter().zip(&blobs(one)) {
        assert!(mine.key.contains(second.request.id.as_str()), "{}", mine.key);
        stack.check_blob(mine);
        assert_eq!(mine.sha256, theirs.sha256, "the same photo under the same name");
    }
}

#[test]
fn a_manifest_with_two_photos_under_one_id_is_refused_before_anything_is_sent() {
    let stack = stack();
    let folder = stack.folder();
    for name in ["a.jpg", "b.jpg", "c.jpg"] {
        std::fs::write(folder.join(name), clean()).unwrap();
    }
    let list = folder.join("list.csv");
    std::fs::write(&list, "photo,inspection_id\na.jpg,one\nb.jpg,one\nc.jpg,one\n").unwrap();
    let mut submit = stack.start(&["submit", &list.display().to_string()], "submit");
    assert_eq!(submit.exit_code(BOUND), 2);
    let log = stack.logs();
    assert!(
        log.contains("inspection_id `one` is given twice: it is of "),
        "{log}"
    );
    assert!(log.contains("nothing was sent"), "{log}");
    assert_eq!(stack.messages(), 0);
}

#[test]
fn an_id_that_is_final_for_another_photo_is_refused_by_submit() {
    let stack = stack();
    let up = stack.start(&["up"], "up");
    let folder = stack.folder();
    let submit = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).unwrap();
        let list = folder.join("list.csv");
        std::fs::write(&list, format!("photo,inspection_id\n{name},mine-1\n")).unwrap();
        let mut submit = stack.start(&["submit", "--wait", &list.display().to_string()], "submit");
        submit.exit_code(BOUND)
    };
    assert_eq!(submit("a.jpg", &clean()), 0, "{}", stack.logs());
    assert_eq!(submit("a.jpg", &clean()), 0, "the same photo is known");
    assert_eq!(submit("b.jpg", &damaged()), 1, "{}", stack.logs());
    let log = stack.logs();
    assert!(log.contains("inspection mine-1 is of s3://"), "{log}");
    assert!(log.contains("another photo needs another id"), "{log}");
    assert_eq!(stack.inspections().len(), 1);
    end(up);
}

#[test]
fn submit_waits_for_the_inspection_of_its_own_purpose_and_of_a_file_that_changed() {
    let mut stack = stack();
    let photos = stack.folder().join("photos");
    std::fs::create_dir(&photos).unwrap();
    stack.set("PHOTO_ROOTS", &photos.display().to_string());
    let up = stack.start(&["up"], "up");
    let file = photos.join("one.jpg");
    let submit = |vehicle: &str, bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let path = file.display().to_string();
        let words = ["submit", "--wait", "--by-path", "--vehicle-id", vehicle, &path];
        let mut submit = stack.start(&words, "submit");
        assert_eq!(submit.exit_code(BOUND), 0, "{}", stack.logs());
        stack.inspections().len()
    };
    assert_eq!(submit("a", &clean()), 1);
    assert_eq!(submit("a", &damaged()), 2, "the file changed");
    let path = file.display().to_string();
    let words = ["submit", "--wait", "--by-path", "--vehicle-id", "b", &path];
    let mut again = stack.start(&words, "submit");
    assert_eq!(again.exit_code(BOUND), 0, "{}", stack.logs());
    let all = await_records(&stack, |all| all_published(all, 3));
    assert!(is_done(&of_vehicle(&all, "b").phase, "damaged"));
    end(up);
}

#[test]
fn submit_names_the_inspection_of_each_request_of_one_run_and_sends_none_twice() {
    let stack = stack();
    let folder = stack.folder();
    std::fs::write(folder.join("one.jpg"), clean()).unwrap();
    let list = folder.join("list.csv");
    let rows = "photo,vehicle_id\none.jpg,a\none.jpg,b\none.jpg,a\n";
    std::fs::write(&list, rows).unwrap();
    let words = ["submit", "--format", "json", &list.display().to_string()];
    let printed = stack.output(&words);
    let documents: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let states: Vec<_> = documents.iter().map(|d| d["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sent", "sent", "repeated"], "{documents:?}");
    assert_eq!(stack.messages(), 2);
    let up = stack.start(&["up"], "up");
    let all = await_records(&stack, |all| all_published(all, 2));
    for (document, vehicle) in documents.iter().zip(["a", "b", "a"]) {
        assert_eq!(
            document["inspection_id"],
            of_vehicle(&all, vehicle).request.id.as_str()
        );
    }
    end(up);
}

#[test]
fn a_url_that_failed_before_its_bytes_were_seen_is_known_as_failed_at_once() {
    let stack = stack();
    let up = stack.start(&["up"], "up");
    // No host is allowed.
    let words = [
        "submit",
        "--wait",
        "--timeout",
        "60",
        "https://photos.example.com/a.jpg",
    ];
    for summary in ["1 photo sent, 0 already known", "0 photos sent, 1 already known"] {
        let printed = stack.output(&words);
        assert!(
            printed.contains(summary) && printed.contains("1 failed"),
            "{printed}"
        );
    }
    assert_eq!(stack.messages(), 0);
    end(up);
}

#[test]
fn what_an_event_left_open_is_completed_by_a_later_request_and_published_again() {
    let stack = stack();
    stack.store([("one.jpg".to_owned(), &clean()[..])]);
    let up = stack.start(&["up"], "up");
    send(
        &stack,
        &json!({"Records": [{
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "photos"}, "object": {"key": "one.jpg", "size": 1000}},
        }]}),
    );
    await_records(&stack, |all| all_published(all, 1));
    send(
        &stack,
        &json!({"photo": object("one.jpg"), "reservation_id": "r-7", "occasion": "return", "vehicle_id": "v"}),
    );
    let complete =
        |all: &[Inspection]| all_published(all, 1) && all[0].request.reservation_id.as_deref() == Some("r-7");
    let all = await_records(&stack, complete);
    assert_eq!(all[0].request.vehicle_id.as_deref(), Some("v"));
    assert_eq!(all[0].photo_history.completions, 1);
    let id = all[0].request.id.to_string();
    let told = &stack.events()[&id];
    assert_eq!(told, &[format!("{id}.done"), format!("{id}.done.completed-1")]);
    end(up);
}

#[test]
fn a_file_that_changed_under_its_path_is_looked_at_again() {
    let mut stack = stack();
    let photos = stack.folder().join("photos");
    std::fs::create_dir(&photos).unwrap();
    stack.set("PHOTO_ROOTS", &photos.display().to_string());
    let file = photos.join("one.jpg");
    std::fs::write(&file, clean()).unwrap();
    let up = stack.start(&["up"], "up");
    let ask = || send(&stack, &json!({"photo": {"file": "one.jpg"}}));
    ask();
    let first = await_records(&stack, |all| all_published(all, 1)).remove(0);
    assert!(is_done(&first.phase, "clean"));

    ask();
    await_records(&stack, |all| {
        all_published(all, 1) && all[0].photo_history.compared_at.is_some()
    });

    std::fs::write(&file, damaged()).unwrap();
    ask();
    let all = await_records(&stack, |all| {
        all_published(all, 2) && all.iter().any(|i| i.photo_history.other_bytes.is_some())
    });
    let (before, after): (Vec<_>, Vec<_>) = all.iter().partition(|i| i.request.id == first.request.id);
    assert!(is_done(&before[0].phase, "clean"), "the stored result is kept");
    assert!(is_done(&after[0].phase, "damaged"));
    assert_eq!(
        before[0].photo_history.other_bytes.as_ref(),
        Some(&after[0].request.id)
    );
    end(up);
}

#[test]
fn an_id_of_the_callers_with_another_purpose_is_parked_with_the_reason() {
    let stack = stack();
    stack.store([("one.jpg".to_owned(), &clean()[..])]);
    let up = stack.start(&["up"], "up");
    let ask = |vehicle: &str| {
        let body = json!({"photo": object("one.jpg"), "vehicle_id": vehicle, "inspection_id": "mine-1"});
        send(&stack, &body);
    };
    ask("a");
    await_records(&stack, |all| all_published(all, 1));
    ask("b");
    assert!(until(BOUND, || !stack.parked().is_empty()), "{}", stack.logs());
    let reason = stack.parked()[0].reason.clone().unwrap_or_default();
    assert!(
        reason.contains("inspection mine-1 is for vehicle a, not b: another purpose needs another id"),
        "{reason}"
    );
    assert_eq!(stack.inspections().len(), 1);
    end(up);
}
