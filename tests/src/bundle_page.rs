//! docs/bundle.md and its examples.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use crate::places::root;
use std::fs;

/// The page.
pub fn page() -> String {
    fs::read_to_string(root().join("docs/bundle.md")).unwrap()
}

/// The fenced TOML blocks of the page: what stands behind `toml` on the opening line, and the text.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```toml") else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push((kind.trim().to_owned(), text.join("\n")));
    }
    found
}
