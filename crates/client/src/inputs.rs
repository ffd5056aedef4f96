//! From the paths on the command line to a list of photos.
//!
//! What is named is taken, whatever its name is, if it is a regular file. Of a folder are taken pictures, by their content
//! or their name; the rest is counted and named, so that nobody has to wonder where a photo is.

mod left_out;
mod names;
mod regular;
mod walk;

use crate::Notice;
pub(crate) use left_out::{LeftOut, Why};
pub use names::FileNames;
pub use regular::open_regular;
pub(crate) use regular::{is_regular, read_head};
use std::io::Read;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;

/// Most photos of one run: bounds the list held in memory.
pub(crate) const PHOTOS_MAX: usize = 1_000_000;
/// What the names of marked pictures end with.
pub const OVERLAY_SUFFIX: &str = ".overlay.jpg";
/// Longest list on standard input, in bytes.
const LIST_BYTES_MAX: u64 = 512 << 20;

/// Photos, and what was left out.
#[derive(Default)]
struct Found {
    pub photos: Vec<PathBuf>,
    pub left_out: LeftOut,
}

/// All photos in order: files as named, folders by name, `-` as the lines of standard input. What is left out is told.
///
/// # Errors
/// Usage: something that is not there or no photo, no photos at all, too many.
pub fn expand(paths: &[PathBuf], notice: Notice<'_>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Found::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let names = FileNames::default();
            for line in standard_input()? {
                let located = names.locate(Path::new(""), &line);
                add(&located.map_err(Failure::usage)?, &mut found)?;
            }
        } else {
            add(path, &mut found)?;
        }
    }
    if found.photos.is_empty() {
        let mut line = "no photos: the folders hold no picture files".to_owned();
        for left_out in found.left_out.lines() {
            line = format!("{line}; {left_out}");
        }
        return Err(Failure::usage(line));
    }
    found.left_out.tell(notice)?;
    Ok(found.photos)
}

/// The lines of standard input, in whichever encoding an editor wrote them, without empty ones.
pub(crate) fn standard_input() -> Result<Vec<String>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(LIST_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIST_BYTES_MAX {
        return Err(Failure::usage(format!(
            "the list on standard input is over {} MiB; split it",
            LIST_BYTES_MAX >> 20
        )));
    }
    let text = crate::text::decode(&bytes).map_err(|why| Failure::usage(format!("standard input: {why}")))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn add(path: &Path, found: &mut Found) -> Result<(), Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        let name = path.display();
        Failure::usage(format!("cannot open `{name}`: {why}"))
    };
    let kind = std::fs::metadata(path).map_err(|e| match std::fs::read_link(path) {
        Ok(target) => cannot(&format_args!(
            "a link to `{}`, which leads nowhere",
            target.display()
        )),
        Err(_) => cannot(&e),
    })?;
    if kind.is_dir() {
        walk::folder(path, found)?;
    } else if kind.is_file() {
        found.photos.push(path.to_path_buf());
    } else {
        return Err(cannot(&"not a regular file"));
    }
    if found.photos.len() > PHOTOS_MAX {
        return Err(Failure::usage(format!("over {PHOTOS_MAX} photos; split the run")));
    }
    Ok(())
}

/// Whether a file's name is that of a picture.
pub fn is_picture_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    walkaround_domain::photo_name::is_picture_name(&name)
}
