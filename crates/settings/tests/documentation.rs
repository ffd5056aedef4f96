//! `docs/settings.md` is what `SETTINGS` says. `UPDATE_DOCS=1 cargo test -p walkaround-settings` rewrites it.

use std::fmt::Write;
use std::path::Path;
use walkaround_settings::SETTINGS;

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
