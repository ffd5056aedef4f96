//! `walkaround sample`.

use super::{Bench, DAYS};
use serde_json::Value;

fn sampled(bench: &Bench, count: &str, options: &[&str]) -> Vec<Value> {
    let bundle = walkaround_tests::places::root()
        .join("tests/bundles/trivial")
        .display()
        .to_string();
    let arguments = ["sample", count, "--format", "json", "--bundle", &bundle];
    let ran = bench.run(&[&arguments[..], &DAYS[..], options].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn photos_are_chosen_with_their_reason_and_asked_for() {
    let bench = Bench::new();
    let chosen = sampled(&bench, "4", &[]);
    assert_eq!(
        chosen,
        sampled(&bench, "4", &[]),
        "the same stack, the same sample"
    );
    let kinds: Vec<&str> = chosen.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["near_threshold", "near_threshold", "near_threshold", "random"]
    );
    let mut vehicles: Vec<&Value> = chosen[..3].iter().map(|one| &one["vehicle_id"]).collect();
    vehicles.dedup();
    assert_eq!(vehicles.len(), 3, "vehicles take turns: {chosen:?}");
    assert!(
        chosen[0]["why"].as_str().unwrap().contains("from its threshold"),
        "{chosen:?}"
    );

    // Whoever was reviewed is not chosen again.
    let first = chosen[0]["inspection_id"].as_str().unwrap();
    bench.decide(first, r#"{"kind": "confirm"}"#);
    let next = sampled(&bench, "10", &["--ask"]);
    assert_eq!(next.len(), bench.cases.len() - 1);
    assert!(next.iter().all(|one| one["inspection_id"] != first), "{next:?}");
    let tasks = bench.run(&["review", "list", "--reason", "asked", "--format", "json"]);
    assert_eq!(tasks.stdout.lines().count(), next.len(), "{tasks:?}");
}

#[test]
fn a_photo_that_was_reviewed_or_asked_for_under_another_inspection_is_not_asked_for_again() {
    let mut bench = Bench::new();
    bench.inspect_again("single", "single-late", false);
    bench.inspect_again("boxed", "boxed-late", false);
    bench.decide("single-late", r#"{"kind": "confirm"}"#);
    let asked = bench.run(&["review", "ask", "boxed-late"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let next = sampled(&bench, "20", &["--ask"]);
    // Seven photos, less the reviewed one.
    assert_eq!(next.len(), 6, "{next:?}");
    assert!(
        next.iter().all(|one| one["inspection_id"] != "single"),
        "{next:?}"
    );
    let tasks = bench.run(&["review", "list", "--reason", "asked", "--format", "json"]);
    let tasks: Vec<&str> = tasks.stdout.lines().collect();
    assert_eq!(tasks.len(), 6, "{tasks:?}");
    assert!(tasks.iter().any(|task| task.contains("boxed-late")), "{tasks:?}");
}
