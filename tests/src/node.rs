//! Node, for what tests run in JavaScript.

use crate::places;
use std::path::PathBuf;

/// The first of these programs that is on PATH.
pub fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|program| program.is_file())
}

/// Node: the system's, or that of `.tools`.
pub fn node() -> Option<PathBuf> {
    let own = places::root().join(".tools/node/bin/node");
    on_path(&["node"]).or_else(|| own.is_file().then_some(own))
}
