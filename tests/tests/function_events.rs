//! The sample events of events/, each handed to the real function behind a runtime API, on an emulator: what comes out
//! is what the table of events/README.md says.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::{InspectionId, InspectionRequest, Occasion, Phase, PhotoRef};
use walkaround_messages::{parse_rfc3339, request_protobuf};
use walkaround_tests::function_stack::{DAY, FunctionStack, PHOTOS, photo_keys};
use walkaround_tests::places;
use walkaround_tests::requests::{damaged, is_done};
use walkaround_tests::runtime_api::{Answer, Function};
use walkaround_tests::slack::SECRET_PATH;

const PARKED: &str = "WALKAROUND_INTAKE_DEAD_QUEUE";

fn stack() -> FunctionStack {
    FunctionStack::start(&places::root().join("tests/bundles/trivial"))
}

fn event(name: &str) -> Value {
    let path = places::root().join(format!("events/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The table of events/README.md: event, function, answer.
fn table() -> Vec<(String, String, Value)> {
    let text = std::fs::read_to_string(places::root().join("events/README.md")).expect("events/README.md");
    let rows = text.lines().filter(|line| line.starts_with("| [`"));
    let table: Vec<_> = rows.map(row).collect();
    assert!(!table.is_empty(), "events/README.md has no table");
    table
}

fn row(line: &str) -> (String, String, Value) {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [event, function, _, answer] = cells.as_slice() else {
        panic!("not four cells: {line}")
    };
    let event = event.split('`').nth(1).expect("an event's name");
    let answer = serde_json::from_str(answer.trim_matches('`')).unwrap_or_else(|e| panic!("{e}: {line}"));
    (event.to_owned(), (*function).to_owned(), answer)
}

/// Hands every sample of this function to it, in the table's order, and compares its answers with the table's.
fn invoke_all(function: &str, process: &mut Function) {
    let samples: Vec<_> = table().into_iter().filter(|(_, of, _)| of == function).collect();
    assert!(!samples.is_empty(), "the table has nothing for {function}");
    for (name, _, expected) in samples {
        assert_eq!(
            process.invoke(&event(&name)),
            Ok(expected),
            "{name}\n{}",
            process.log()
        );
    }
}

#[test]
fn the_table_names_every_file_and_no_other() {
    let files = places::root()
        .join("events")
        .read_dir()
        .expect("the folder of events");
    let files: BTreeSet<String> = files
        .filter_map(|entry| {
            Some(
                entry
                    .ok()?
                    .file_name()
                    .to_str()?
                    .strip_suffix(".json")?
                    .to_owned(),
            )
        })
        .collect();
    let named: BTreeSet<String> = table().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(named, files);
}

#[test]
fn triage_does_with_each_sample_what_the_table_says() {
    let stack = stack();
    for key in photo_keys() {
        stack.put_photo(&key, &damaged());
    }
    let mut triage = stack.function(env!("CARGO_BIN_EXE_triage-under-test"), &[]);
    invoke_all("triage", &mut triage);
    let records = stack.inspections(DAY);
    let (done, other): (BTreeMap<_, _>, BTreeMap<_, _>) = records
        .iter()
        .partition(|(_, inspection)| is_done(&inspection.phase, "damaged"));
    let photos: BTreeSet<&str> = done.values().filter_map(|i| key_of(&i.request.photo)).collect();
    let expected = photo_keys();
    assert_eq!(photos, expected.iter().map(String::as_str).collect(), "{other:?}");
    // The one by URL: its host is on no list.
    let [(id, by_url)] = other.into_iter().collect::<Vec<_>>()[..] else {
        panic!("one record beside the photos of the bucket")
    };
    assert_eq!(id, "r-20261122-0007.return.roof");
    assert!(matches!(by_url.phase, Phase::Failed { .. }), "{by_url:?}");
    let parked = stack.depth(PARKED);
    assert_eq!(
        (parked.ready, parked.leased),
        (1, 0),
        "the poisoned message is parked"
    );
    let log = triage.log();
    let settled: Vec<&str> = log.lines().filter(|line| line.contains("\"settled\"")).collect();
    assert!(
        !settled.is_empty() && settled.iter().all(|line| line.contains("\"request_id\"")),
        "what is logged of a photo names its invocation: {settled:?}"
    );
    assert!(
        triage.stdout().contains("\"Photos\""),
        "metrics come out: {}",
        triage.stdout()
    );
}

fn key_of(photo: &PhotoRef) -> Option<&str> {
    match photo {
        PhotoRef::S3 { key, .. } => Some(key),
        _ => None,
    }
}

#[test]
fn scaler_does_with_each_sample_what_the_table_says() {
    let stack = stack();
    let mut scaler = stack.function(env!("CARGO_BIN_EXE_scaler-under-test"), &[]);
    invoke_all("scaler", &mut scaler);
}

#[test]
fn monitor_does_with_each_sample_what_the_table_says() {
    let stack = stack();
    let mut monitor = stack.function(env!("CARGO_BIN_EXE_monitor-under-test"), &[]);
    invoke_all("monitor", &mut monitor);
}

/// The sample of a protobuf request as the messages crate writes it.
#[test]
fn the_protobuf_sample_is_what_the_messages_crate_writes() {
    let photo = PhotoRef::S3 {
        bucket: PHOTOS.into(),
        key: "samples/B-WA 1234/left.jpg".into(),
        version: None,
    };
    let id = InspectionId::new("r-20261122-0007.return.left").expect("an id");
    let mut request = InspectionRequest::of(id, photo);
    request.vehicle_id = Some("B-WA 1234".into());
    request.reservation_id = Some("r-20261122-0007".into());
    request.occasion = Some(Occasion::Return);
    request.viewpoint = Some("left".into());
    request.taken_at = Some(parse_rfc3339("2026-11-22T17:04:05Z").expect("a time"));
    let (body, attributes) = request_protobuf(&request);
    let sample = event("request-protobuf");
    let message = &sample["Records"][0];
    assert_eq!(
        message["body"], body,
        "events/request-protobuf.json: set its body to this"
    );
    let written: BTreeMap<&str, &Value> = attributes
        .keys()
        .map(|name| (name.as_str(), &message["messageAttributes"][name]["stringValue"]))
        .collect();
    for (name, value) in &attributes {
        assert_eq!(written[name.as_str()], value, "{name}");
    }
}

fn notifier(stack: &FunctionStack) -> Function {
    stack.function(
        env!("CARGO_BIN_EXE_notifier-under-test"),
        &[("WALKAROUND_LOG", "trace")],
    )
}

fn sent(sent: u32, counted: u32, failed: u32) -> Answer {
    Ok(json!({"sent": sent, "counted": counted, "failed": failed, "nothing": []}))
}

/// How often the log has a line with this message.
fn lines(function: &Function, message: &str) -> usize {
    let message = format!("\"message\":\"{message}\"");
    function
        .log()
        .lines()
        .filter(|line| line.contains(&message))
        .count()
}

fn assert_no_secret(function: &Function) {
    let secret = SECRET_PATH.rsplit('/').next().expect("a last part");
    let told = function.log() + &function.stdout();
    let leaks: Vec<&str> = told.lines().filter(|line| line.contains(secret)).collect();
    assert!(leaks.is_empty(), "the webhook is logged: {leaks:?}");
}

#[test]
fn notifier_does_with_each_sample_what_the_table_says() {
    let stack = stack();
    let mut notifier = notifier(&stack);
    invoke_all("notifier", &mut notifier);
    let titles: Vec<String> = stack.slack.take_messages().iter().map(title).collect();
    assert_eq!(
        titles,
        [
            ":red_circle: A worker failed: the bundle cannot be used",
            ":red_circle: A worker failed: its engine is faulty: it failed on a picture that is known to be good",
            ":red_circle: A worker failed: it did not start: the machine's NVIDIA driver is older than the image's \
             CUDA requires",
            ":red_circle: No worker can start: AWS has no such instance available",
            ":red_circle: Alarm walkaround-segmentation-age",
            ":large_green_circle: Resolved: walkaround-segmentation-age",
            ":red_circle: Alarm walkaround-table-throttles",
            ":red_circle: Function walkaround-notifier gave up on an event",
            ":red_circle: Messages were parked",
            ":large_yellow_circle: Budget walkaround",
        ]
    );
    assert_no_secret(&notifier);
}

fn title(message: &Value) -> String {
    message["blocks"][0]["text"]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_cause_is_told_once_in_a_window_and_an_end_only_after_its_beginning() {
    let stack = stack();
    let mut notifier = notifier(&stack);
    let (alarm, resolved) = (event("alarm"), event("alarm-resolved"));
    let unknown = Ok(json!({"sent": 0, "counted": 0, "failed": 0,
        "nothing": ["the end of an alarm that was not sent"]}));
    assert_eq!(notifier.invoke(&resolved), unknown);
    assert_eq!(notifier.invoke(&alarm), sent(1, 0, 0));
    assert_eq!(notifier.invoke(&alarm), sent(0, 1, 0));
    assert_eq!(stack.slack.take_messages().len(), 1);
    assert_eq!(lines(&notifier, "already sent in this window"), 1);
    // Told by another process of the function, too.
    let mut other = self::notifier(&stack);
    assert_eq!(other.invoke(&alarm), sent(0, 1, 0));
    assert_eq!(other.invoke(&resolved), sent(1, 0, 0));
    assert_eq!(notifier.invoke(&resolved), unknown);
    assert_eq!(stack.slack.take_messages().len(), 1);
    // It is over: what begins again is told at once.
    assert_eq!(notifier.invoke(&alarm), sent(1, 0, 0));
    assert_eq!(stack.slack.take_messages().len(), 1);
}

#[test]
fn a_webhook_that_fails_is_tried_again_then_logged_and_the_next_event_tells() {
    let stack = stack();
    let mut notifier = notifier(&stack);
    stack.slack.answer_with(&[503]);
    assert_eq!(notifier.invoke(&event("budget")), sent(1, 0, 0));
    assert_eq!(stack.slack.take_messages().len(), 2);

    let failed = event("batch-job-failed");
    stack.slack.answer_with(&[404]);
    assert_eq!(
        notifier.invoke(&failed),
        sent(0, 0, 1),
        "nothing is gained by this event coming again"
    );
    assert_eq!(stack.slack.take_messages().len(), 1);
    assert_eq!(lines(&notifier, "not sent"), 1);
    assert!(notifier.log().contains("the webhook answered 404"));
    assert_eq!(
        notifier.invoke(&failed),
        sent(1, 0, 0),
        "its window was given back"
    );
    assert_eq!(stack.slack.take_messages().len(), 1);

    let alarm = event("alarm");
    stack.slack.answer_with(&[500; 4]);
    let error = notifier
        .invoke(&alarm)
        .expect_err("the event is to be delivered again");
    assert!(
        error.to_string().contains("this event is to be delivered again"),
        "{error}"
    );
    assert_eq!(stack.slack.take_messages().len(), 4);
    assert_eq!(lines(&notifier, "not sent"), 2);
    assert_eq!(
        notifier.invoke(&alarm),
        sent(1, 0, 0),
        "its window was given back"
    );
    assert_no_secret(&notifier);
}

#[test]
fn without_a_webhook_causes_are_logged() {
    let stack = stack();
    let setting = [("WALKAROUND_ALERT_SECRET", "")];
    let mut notifier = stack.function(env!("CARGO_BIN_EXE_notifier-under-test"), &setting);
    assert_eq!(notifier.invoke(&event("budget")), sent(0, 0, 1));
    assert!(
        notifier.log().contains("ACTUAL cost $412.06"),
        "{}",
        notifier.log()
    );
}
