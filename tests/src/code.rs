//! Programs as the zips that Lambda takes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program as a `provided.al2023` zip: stripped, under the name `bootstrap`.
///
/// # Panics
/// When `strip` or Python is missing.
pub(crate) fn zipped(program: &Path, folder: &Path) -> PathBuf {
    let name = program.file_name().expect("a program has a name");
    let folder = folder.join("zips").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let run = |command: &mut Command| {
        let status = command.current_dir(&folder).status().expect("it can be started");
        assert!(status.success(), "{command:?}");
    };
    run(Command::new("strip").args(["-o", "bootstrap"]).arg(program));
    run(Command::new("python3").args(["-m", "zipfile", "-c", "function.zip", "bootstrap"]));
    folder.join("function.zip")
}
