//! The console in a real browser: node runs the tests of `crates/server/console/tests` on the program under test. Where there is no
//! Chromium, no Node or no built console, each says so and is skipped.

#![allow(
    clippy::print_stdout,
    reason = "a test says what it skips, and what the browser's tests said"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use walkaround_tests::node::{node, on_path};
use walkaround_tests::places;

fn console() -> PathBuf {
    places::root().join("crates/server/console")
}

/// What is missing for these tests; none where all is there.
fn missing(browser: Option<&Path>, node: Option<&Path>) -> Option<&'static str> {
    if browser.is_none() {
        return Some("there is no chromium: scripts/setup.sh browser installs it, as root on Debian");
    }
    if node.is_none() || !console().join("node_modules/playwright-core").is_dir() {
        return Some(
            "there is no Node, or the console's packages are not installed: scripts/setup.sh console",
        );
    }
    let built = console().join("built/index.html").is_file();
    (!built).then_some("the console is not built: scripts/setup.sh console")
}

/// Runs one file of tests.
fn run(file: &str) {
    let browser = on_path(&["chromium", "chromium-browser"]);
    let node = node();
    if let Some(why) = missing(browser.as_deref(), node.as_deref()) {
        println!("skipped: {why}");
        return;
    }
    let (Some(browser), Some(node)) = (browser, node) else {
        unreachable!("neither is missing");
    };
    let output = Command::new(node)
        .args(["--test", "--test-reporter=spec"])
        .arg(console().join("tests").join(file))
        .env("WALKAROUND_PROGRAM", env!("CARGO_BIN_EXE_walkaround-under-test"))
        .env("WALKAROUND_CHROMIUM", browser)
        .env("WALKAROUND_BUNDLE", places::root().join("bundles/demo"))
        .env("WALKAROUND_ONNXRUNTIME", places::onnxruntime())
        .env_remove("WALKAROUND_REVIEWER")
        .output()
        .expect("node starts");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{file} failed: see above");
    let passed = text
        .lines()
        .any(|line| line.contains("pass ") && !line.ends_with("pass 0"));
    assert!(passed, "{file} ran no test");
}

#[test]
fn each_page_opens_in_both_languages_and_is_accessible() {
    run("pages.test.mjs");
}

#[test]
fn polygons_are_drawn_moved_and_undone() {
    run("tools.test.mjs");
}

#[test]
fn photos_are_reviewed_by_keys_and_no_decision_is_lost() {
    run("review.test.mjs");
}
