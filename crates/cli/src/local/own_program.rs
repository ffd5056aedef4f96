//! This program as a command of its own, on the same stack: workers, and the shadow's process.

use crate::failure::Failure;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;
use walkaround_settings::Settings;

/// This program and a command of it.
pub(crate) fn own_command(command: &str) -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok(vec![program.display().to_string(), command.to_owned()])
}

/// The settings of a stack as variables, where the command line may have changed them.
pub(crate) fn variables(s: &Settings) -> BTreeMap<String, String> {
    let absolute = |path: &Path| {
        path.canonicalize()
            .unwrap_or_else(|_| path.to_path_buf())
            .display()
            .to_string()
    };
    let mut variables = BTreeMap::from([
        ("WALKAROUND_ROOT".to_owned(), absolute(&s.root)),
        ("WALKAROUND_BUNDLE".to_owned(), absolute(&s.bundle)),
        ("WALKAROUND_DEVICE".to_owned(), s.device.as_str().to_owned()),
        ("WALKAROUND_THREADS".to_owned(), s.threads.to_string()),
    ]);
    if let Some(library) = &s.onnxruntime {
        variables.insert("WALKAROUND_ONNXRUNTIME".to_owned(), absolute(library));
    }
    variables
}
