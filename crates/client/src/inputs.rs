//! From the paths on the command line to a list of photos.
//!
//! What is named is taken, whatever its name is, if it is a regular file. Of a folder are taken pictures, by their content
//! or their name; the rest is counted and named, so that nobody has to wonder where a photo is.

mod found;
mod left_out;
mod names;
mod picture_name;
mod regular;
mod results;
mod walk;

use crate::Notice;
use found::Found;
pub(crate) use found::PHOTOS_MAX;
pub use left_out::{LeftOut, Why};
pub use names::FileNames;
pub use picture_name::{OVERLAY_SUFFIX, is_picture_name};
pub(crate) use regular::is_regular;
pub use regular::{open_regular, read_head};
pub use results::is_result;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;

/// Longest list on standard input, in bytes.
const LIST_BYTES_MAX: u64 = 512 << 20;

/// All photos in order: files as named, folders by name, `-` as the lines of standard input. What is left out is
/// reported.
///
/// # Errors
/// Usage: something that is not there or no photo, no photos at all, too many.
pub fn expand(paths: &[PathBuf], notice: Notice<'_>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Found::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let names = FileNames::default();
            for line in standard_input()? {
                add(&line.path(&names)?, &mut found)?;
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

/// A line of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Text(String),
    /// No UTF-8, and the very bytes are the name of what is there.
    Path(PathBuf),
}

impl Line {
    /// What it names, in the folder that the program was started in.
    pub(crate) fn path(&self, names: &FileNames) -> Result<PathBuf, Failure> {
        match self {
            Self::Text(text) => names.locate(Path::new(""), text).map_err(Failure::usage),
            Self::Path(path) => Ok(path.clone()),
        }
    }
}

/// The lines of standard input, in whichever encoding an editor wrote them, without empty ones. Names of files may be in
/// none at all (`find` prints them as they are).
pub(crate) fn standard_input() -> Result<Vec<Line>, Failure> {
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
    lines(&bytes).map_err(|why| Failure::usage(format!("standard input: {why}")))
}

fn lines(bytes: &[u8]) -> Result<Vec<Line>, String> {
    let text = crate::text::decode(bytes)?;
    // Lines that are no UTF-8 were guessed: each is tried as it is first.
    if text.guessed.is_none() {
        return Ok(text.lines().map(|line| Line::Text(line.to_owned())).collect());
    }
    let mut lines = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let path = Path::new(OsStr::from_bytes(line));
        if std::str::from_utf8(line).is_err() && path.symlink_metadata().is_ok() {
            lines.push(Line::Path(path.to_path_buf()));
        } else {
            let text = crate::text::decode(line)?;
            lines.extend(text.lines().map(|line| Line::Text(line.to_owned())));
        }
    }
    Ok(lines)
}

fn add(path: &Path, found: &mut Found) -> Result<(), Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        let name = path.display();
        Failure::usage(format!("cannot open `{name}`: {why}"))
    };
    let kind = std::fs::metadata(path).map_err(|e| match std::fs::read_link(path) {
        Ok(target) => cannot(&format_args!("a broken link to `{}`", target.display())),
        Err(_) => cannot(&why_missing(path, &e)),
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

/// Why a path leads nowhere, with the part of it that is wrong.
pub(crate) fn why_missing(path: &Path, error: &std::io::Error) -> String {
    let above = || {
        path.ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
    };
    match error.kind() {
        ErrorKind::NotADirectory => {
            let file = above().find(|part| part.symlink_metadata().is_ok() && !part.is_dir());
            let file = file.map(|file| {
                format!(
                    "; `{}` is a file and has nothing below it, correct the path",
                    file.display()
                )
            });
            format!("{error}{}", file.unwrap_or_default())
        }
        ErrorKind::NotFound => {
            let folder = above().take_while(|part| part.symlink_metadata().is_err()).last();
            let folder = folder.map(|folder| {
                format!(
                    "; there is no folder `{}`, correct the path or mount it",
                    folder.display()
                )
            });
            format!("{error}{}", folder.unwrap_or_default())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_a_path_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |below: &str| folder.path().join(below);
        std::fs::write(at("a.jpg"), "a photo").unwrap();
        let words = |path: &Path| match expand(&[path.to_path_buf()], &|_| Ok(())) {
            Err(Failure::Usage(words)) => words,
            other => panic!("{other:?}"),
        };
        let below_a_file = words(&at("a.jpg/b.jpg"));
        assert!(
            below_a_file.contains(&format!("`{}` is a file", at("a.jpg").display())),
            "{below_a_file}"
        );
        let no_folder = words(&at("none/deeper/b.jpg"));
        assert!(
            no_folder.contains(&format!("there is no folder `{}`", at("none").display())),
            "{no_folder}"
        );
        let no_file = words(&at("b.jpg"));
        assert!(
            no_file.contains("No such file") && !no_file.contains("folder `"),
            "{no_file}"
        );
    }

    #[test]
    fn a_name_that_is_no_utf_8_is_tried_as_it_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let name = |rest: &[u8]| [folder.path().as_os_str().as_bytes(), rest].concat();
        let (there, not_there) = (name(b"/t\xfcr.jpg"), name(b"/gr\xfcn.jpg"));
        let plain = name(b"/a.jpg");
        let there_path = PathBuf::from(OsStr::from_bytes(&there));
        std::fs::write(&there_path, "a photo").unwrap();
        let list = [&plain[..], b"\r\n", &there, b"\r\n\n", &not_there, b"\n"].concat();
        let guessed = format!("{}/grün.jpg", folder.path().display());
        let plain = String::from_utf8(plain).unwrap();
        assert_eq!(
            lines(&list).unwrap(),
            [
                Line::Text(plain),
                Line::Path(there_path.clone()),
                Line::Text(guessed)
            ]
        );
        let found = Line::Path(there_path.clone())
            .path(&FileNames::default())
            .unwrap();
        assert_eq!(found, there_path);
    }
}
