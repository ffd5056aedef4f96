//! `walkaround doctor` names the cause that was planted: in the local stack, and on AWS on an emulator.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[path = "../aws_client/mod.rs"]
mod aws_client;
mod cloud;
mod local;

use aws_client::Names;
use serde_json::Value;
use std::collections::BTreeMap;

/// What `doctor` says, by check: level, what, fix.
type Findings = BTreeMap<String, (String, String, String)>;

fn findings(names: &Names, arguments: &[&str]) -> (i32, Findings) {
    let ran = names.run(&[&["doctor", "--format", "json"], arguments].concat());
    assert!(ran.stderr.is_empty(), "{ran:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |line: &str| {
        let d: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        (
            text(&d["check"]),
            (text(&d["level"]), text(&d["what"]), text(&d["fix"])),
        )
    };
    (ran.code, ran.stdout.lines().map(one).collect())
}

/// Holds that one check fails with these words and has a fix, and that the exit code says so.
fn fails(names: &Names, check: &str, words: &str) {
    let (code, found) = findings(names, &[]);
    let (level, what, fix) = found
        .get(check)
        .unwrap_or_else(|| panic!("no check {check}: {found:#?}"));
    assert!(
        level == "fail" && what.contains(words) && !fix.is_empty(),
        "{check}: `{words}`: {found:#?}"
    );
    assert_eq!(code, 1, "{found:#?}");
}
