//! Embeds the browser console where it was built (`scripts/setup.sh console`). Without it the program says how to get it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    let built = PathBuf::from(crate_folder).join("console/built");
    println!("cargo:rerun-if-changed={}", built.display());
    let mut files = Vec::new();
    if built.join("index.html").is_file() {
        collect(&built, &built, &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[");
    for (name, path) in files {
        write!(
            code,
            "({name:?}, include_bytes!({:?}).as_slice()),",
            path.display()
        )?;
    }
    code.push(']');
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("console.rs"), code)?;
    Ok(())
}

/// Files with their path under `top`, slashes between its parts.
fn collect(
    top: &Path,
    folder: &Path,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn std::error::Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(top, &path, files)?;
            continue;
        }
        let parts: Vec<_> = path
            .strip_prefix(top)?
            .iter()
            .map(|part| part.to_string_lossy())
            .collect();
        let name = parts.join("/");
        if !name.starts_with('.') {
            files.push((name, path));
        }
    }
    Ok(())
}
