//! `docs/settings.md` is what `SETTINGS` says. `UPDATE_DOCS=1 cargo test -p walkaround-settings` rewrites it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use walkaround_settings::{OTHER_NAMES, SETTINGS};

const INTRODUCTION: &str = "# Settings

Every program reads its settings from the environment, once, at start. For a bad value it prints one line that names the
variable, and exits with code 2. An empty value means none, not the default. A `WALKAROUND_*` variable that no program reads
is ignored, with a warning at start that names the nearest setting. Settings whose meaning begins with *aws:* are used on AWS
only; there the templates in `infra/` set them, except `WALKAROUND_HEARTBEAT_FILE`, as AWS Batch runs no health check. Those
that begin with *local:* are used on the local stack only.

This page is generated from `crates/settings/src/list.rs`; a test compares the two.

| variable | default | meaning |
| --- | --- | --- |
";

#[test]
fn the_page_of_settings_is_true() {
    let mut page = INTRODUCTION.to_owned();
    for setting in SETTINGS {
        let default = match setting.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let meaning = match setting.meaning.split_once(": ") {
            Some((stack @ ("aws" | "local"), rest)) => format!("*{stack}:* {rest}"),
            _ => setting.meaning.to_owned(),
        };
        writeln!(
            page,
            "| `{}` | {default} | {} |",
            setting.name,
            meaning.replace('|', "\\|")
        )
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/settings.md is old: UPDATE_DOCS=1 cargo test -p walkaround-settings"
    );
}

/// Whether a file below a folder has a word.
fn is_named_below(folder: &Path, word: &str) -> bool {
    let entries = fs::read_dir(folder).expect("a folder of the workspace");
    entries.map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return is_named_below(&path, word);
        }
        fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(word))
    })
}

#[test]
fn names_that_are_no_settings_are_read_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = fs::read_dir(root.join("crates")).expect("the crates");
    let others = crates.map(|entry| entry.expect("a crate").path());
    let own = root.join("crates/settings");
    let folders: Vec<_> = others
        .filter(|folder| *folder != own)
        .chain(["scripts", "tests", "benches"].map(|folder| root.join(folder)))
        .collect();
    for name in OTHER_NAMES {
        assert!(
            folders.iter().any(|folder| is_named_below(folder, name)),
            "{name} is read nowhere"
        );
    }
}
