//! Photos whose bytes were inspected more than once.

use super::{Bench, COCO, line_of, manifest};
use serde_json::Value;

#[test]
fn where_the_latest_inspection_is_left_out_the_one_before_stands() {
    let mut bench = Bench::new();
    bench.inspect_again("single", "late", true);
    let lines = manifest(&bench.export("set", &COCO));
    let (single, late) = (line_of(&lines, "single"), line_of(&lines, "late"));
    assert!(single["file"].is_string(), "{single}");
    assert_eq!(
        (&late["left_out"], &late["file"]),
        (&"unusable".into(), &Value::Null)
    );
    // Of what cannot be judged no class is known: it is not asked for, and no error.
    let into = bench.stack.folder().join("class");
    let ran = bench.run_export(&into, &[&COCO[..], &["--class", "dent"]].concat());
    assert!(ran.code == 0 && !ran.stderr.contains("late"), "{ran:?}");
    let lines = manifest(&into);
    assert!(line_of(&lines, "single")["file"].is_string());
    assert!(
        lines.iter().all(|line| line["inspection_id"] != "late"),
        "{lines:?}"
    );
}

#[test]
fn what_a_person_cannot_judge_no_other_inspection_answers_for() {
    let mut bench = Bench::new();
    bench.inspect_again("single", "late", false);
    bench.decide("single", r#"{"kind": "unusable", "why": "blurred"}"#);
    let lines = manifest(&bench.export("set", &COCO));
    let why = |id: &str| line_of(&lines, id)["left_out"].clone();
    assert_eq!(
        (why("single"), why("late")),
        ("unusable".into(), "same_photo".into())
    );
}

#[test]
fn the_bytes_come_from_wherever_they_are() {
    let mut bench = Bench::new();
    bench.inspect_again("single", "late", false);
    bench.remove_photo("late");
    let lines = manifest(&bench.export("set", &COCO));
    assert!(line_of(&lines, "late")["file"].is_string(), "{lines:?}");
    assert_eq!(line_of(&lines, "single")["left_out"], "same_photo");
    // The place of one whose report says nothing will do, too.
    bench.inspect_again("single", "latest", true);
    bench.remove_photo("single");
    let lines = manifest(&bench.export("again", &COCO));
    assert!(line_of(&lines, "late")["file"].is_string(), "{lines:?}");
}
