//! The retired words of docs/STYLE.md are found nowhere: not in code, not in docs, not in help, logs or templates.

use std::fs;
use std::path::{Path, PathBuf};
use walkaround_tests::places;

/// Names that were retired, as whole words.
const NAMES: &[&str] = &[
    "Looker",
    "CurrentLooker",
    "LookerSettings",
    "LookSettings",
    "FirstLook",
    "first_look",
    "InlineLook",
    "inline_look",
    "InHand",
    "FileMark",
    "Sitting",
    "Desk",
    "take_up",
    "handle_trouble",
    "Unrecordable",
    "EngineSick",
    "Handled",
    "Stopper",
    "Situation",
    "SituationSettings",
    "Ledger",
    "LedgerError",
    "Heart",
    "is_silent",
    "Happened",
    "Dice",
    "put_new",
    "PutNew",
    "AlreadySame",
    "AlreadyOther",
    "StateItems",
    "InvocationEnd",
    "Heard",
    "Tallies",
    "Lately",
    "Pace",
    "Plant",
    "Happening",
    "CloudStack",
    "Embedded",
    "EmbeddedClient",
    "walkaround_embedded",
    "walkaround_assembly",
    "walkaround_cloud",
    "WALKAROUND_BUNDLE_LOOK_S",
    "WALKAROUND_LANES_FRESH_S",
];

/// Retired words that no name may have as a part, as `lazy_looker` or `first_look_only`. The others are plain words or sentences
/// beside other words.
const PARTS: &[&str] = &[
    "looker",
    "first_look",
    "inline_look",
    "look_settings",
    "in_hand",
    "file_mark",
    "take_up",
    "handle_trouble",
    "engine_sick",
    "put_new",
    "already_same",
    "already_other",
    "state_items",
    "invocation_end",
    "cloud_stack",
];

/// Phrases that were retired, whatever their case.
const PHRASES: &[&str] = &[
    "heavy look",
    "cheap look",
    "first look",
    "inline look",
    "looked by",
    "two looks",
    "look failed",
    "sign of life",
    "signs of life",
    " in hand",
    "no reason told",
    "the house",
    "nobody takes",
    "embedded stack",
    " mend ",
    " mends ",
    " mended",
    "is neither true",
];

/// Where they are allowed: the pages that retire them, this list, and what is something else.
const ALLOWED: &[&str] = &[
    "CHANGELOG.md",
    "docs/STYLE.md",
    "tests/tests/words.rs",
    // A loss function of that name.
    "training/losses.py",
];
/// Folders that are not ours to word, or that are made.
const SKIPPED: &[&str] = &[".git", "target", ".tools", "out", "node_modules"];
const KINDS: &[&str] = &[
    "rs", "md", "toml", "yaml", "yml", "py", "sh", "proto", "html", "json", "c", "tf",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that can be listed") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_symlink() || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if name == "Makefile" || path.extension().is_some_and(|e| KINDS.iter().any(|k| e == *k)) {
            found.push(path);
        }
    }
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let before = text[..at].chars().next_back().is_some_and(joins);
    let after = text[at + length..].chars().next().is_some_and(joins);
    !before && !after
}

/// The names of a line in one form: `FirstLook` and `first_look` are both `_first_look_`.
fn snake_names(line: &str) -> Vec<String> {
    let names = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    let snake = |name: &str| {
        let mut snake = String::from("_");
        let mut before = '_';
        for c in name.chars() {
            if c.is_uppercase() && (before.is_lowercase() || before.is_numeric()) {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
            before = c;
        }
        snake + "_"
    };
    names.filter(|name| !name.is_empty()).map(snake).collect()
}

fn retired_in(line: &str) -> Option<&'static str> {
    let name = NAMES.iter().find(|name| {
        let mut hits = line.match_indices(**name);
        hits.any(|(at, hit)| is_word(line, at, hit.len()))
    });
    let names = snake_names(line);
    let part = || {
        let is_part = |part: &&&str| names.iter().any(|name| name.contains(&format!("_{part}_")));
        PARTS.iter().find(is_part)
    };
    let lower = line.to_lowercase();
    let phrase = || PHRASES.iter().find(|phrase| lower.contains(**phrase));
    name.or_else(part).or_else(phrase).copied()
}

#[test]
fn retired_words_are_found_nowhere() {
    let root = places::root();
    let mut all = Vec::new();
    files(root, &mut all);
    assert!(all.len() > 300, "only {} files were found", all.len());
    let mut faults = Vec::new();
    for path in all {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if ALLOWED.contains(&shown.as_str()) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = retired_in(line) {
                faults.push(format!("{shown}:{}: `{word}`", number + 1));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "retired words (docs/STYLE.md says what to write):\n{}",
        faults.join("\n")
    );
}

#[test]
fn a_retired_word_is_found_only_as_a_word() {
    assert_eq!(retired_in("let desk: Desk = x;"), Some("Desk"));
    assert_eq!(retired_in("a Desktop of MyDesk"), None);
    assert_eq!(retired_in("let lazy_looker = x;"), Some("looker"));
    assert_eq!(retired_in("OnnxFirstLookOnly"), Some("first_look"));
    assert_eq!(retired_in("an onlooker"), None);
    assert_eq!(retired_in("what a Heavy Look costs"), Some("heavy look"));
}
