//! From the paths on the command line to a list of photos.

use super::output::OVERLAY_SUFFIX;
use crate::failure::Failure;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Most photos of one run: bounds the list held in memory.
const PHOTOS_MAX: usize = 1_000_000;
/// Deepest folder below a named one.
const DEPTH_MAX: usize = 32;
/// What is taken from a folder. Files named one by one are taken whatever their name is.
const EXTENSIONS: [&str; 13] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "heif", "avif",
];

/// All photos in order: files as named, folders by name, `-` as the lines of standard input.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut photos = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            for line in std::io::stdin().lock().lines() {
                let line = line?;
                if !line.trim().is_empty() {
                    add(Path::new(line.trim()), &mut photos)?;
                }
            }
        } else {
            add(path, &mut photos)?;
        }
    }
    if photos.is_empty() {
        return Err(Failure::usage("no photos: the folders hold no picture files"));
    }
    Ok(photos)
}

fn add(path: &Path, photos: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let kind = std::fs::metadata(path)
        .map_err(|e| Failure::usage(format!("cannot open `{}`: {e}", path.display())))?;
    if kind.is_dir() {
        walk(path, DEPTH_MAX, photos)?;
    } else {
        photos.push(path.to_path_buf());
    }
    if photos.len() > PHOTOS_MAX {
        return Err(Failure::usage(format!("over {PHOTOS_MAX} photos; split the run")));
    }
    Ok(())
}

fn walk(folder: &Path, depth: usize, photos: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let read = |e: std::io::Error| Failure::usage(format!("cannot read folder `{}`: {e}", folder.display()));
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(read)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        if is_our_own(&name.to_string_lossy()) {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !entry.file_type().map_err(read)?.is_symlink() {
                walk(&path, depth - 1, photos)?;
            }
        } else if is_picture_name(&path) {
            photos.push(path);
        }
        if photos.len() > PHOTOS_MAX {
            return Ok(());
        }
    }
    Ok(())
}

/// Hidden files, and what this program writes beside photos: masks of drawn samples, marked pictures.
fn is_our_own(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".mask.png") || name.ends_with(OVERLAY_SUFFIX)
}

pub(crate) fn is_picture_name(path: &Path) -> bool {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}
