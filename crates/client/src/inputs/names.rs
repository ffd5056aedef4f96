//! Names as lists write them, and as the file system has them.
//!
//! A list from Windows has `\` in its paths; a list from most editors writes `ü` as one character (NFC), where files that
//! a Mac made have two (NFD, Unicode Standard Annex 15).

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Most names kept of all folders together.
const NAMES_MAX: usize = 1_000_000;

/// The names in one folder: by NFC, and by NFC in lower case for hints. None where two names have one such form.
#[derive(Debug, Default)]
struct Names {
    composed: HashMap<String, Option<OsString>>,
    lower: HashMap<String, Option<OsString>>,
}

/// Finds files by the names of a list; remembers what folders hold.
#[derive(Debug, Default)]
pub struct FileNames {
    folders: RefCell<HashMap<PathBuf, Names>>,
}

/// What was found for a name.
enum Match {
    File(PathBuf),
    /// There is one that differs in case alone.
    OtherCase(PathBuf),
    Nothing,
}

impl FileNames {
    /// The path of a file that a list names, relative to `base`.
    ///
    /// # Errors
    /// A line that says why there is none.
    pub fn locate(&self, base: &Path, text: &str) -> Result<PathBuf, String> {
        let as_written = base.join(text);
        if as_written.symlink_metadata().is_ok() {
            return Ok(as_written);
        }
        let mut hint = None;
        let slashes = text.replace('\\', "/");
        for text in [text, &slashes] {
            match self.search(base, Path::new(text)) {
                Match::File(path) => return Ok(path),
                Match::OtherCase(path) => hint = Some(path),
                Match::Nothing => {}
            }
        }
        let why = match hint {
            _ if is_windows_path(text) => {
                "a path of a Windows machine; write it relative to the list's folder".to_owned()
            }
            _ if text.starts_with("file:") => "a file URL; write the path alone".to_owned(),
            Some(path) => format!(
                "no such file; its name may be `{}` (case matters)",
                path.display()
            ),
            None => "no such file or folder".to_owned(),
        };
        Err(format!("cannot open `{}`: {why}", as_written.display()))
    }

    /// Name by name, so that folders too may be written otherwise.
    fn search(&self, base: &Path, path: &Path) -> Match {
        let mut at = base.to_path_buf();
        let mut exact = true;
        for part in path.components() {
            let Component::Normal(name) = part else {
                at.push(part);
                continue;
            };
            let next = at.join(name);
            if next.symlink_metadata().is_ok() {
                at = next;
                continue;
            }
            let Some(name) = name.to_str() else {
                return Match::Nothing;
            };
            match self.similar(&at, name) {
                Some((found, same)) => {
                    at.push(found);
                    exact &= same;
                }
                None => return Match::Nothing,
            }
        }
        if exact {
            Match::File(at)
        } else {
            Match::OtherCase(at)
        }
    }

    /// The one name in a folder that is written like this, and whether in the same case.
    fn similar(&self, folder: &Path, name: &str) -> Option<(OsString, bool)> {
        let mut folders = self.folders.borrow_mut();
        if !folders.contains_key(folder) {
            let kept: usize = folders.values().map(|names| names.composed.len()).sum();
            if kept > NAMES_MAX {
                folders.clear();
            }
            folders.insert(folder.to_path_buf(), Names::of(folder));
        }
        let names = folders.get(folder)?;
        let composed: String = name.nfc().collect();
        if let Some(Some(found)) = names.composed.get(&composed) {
            return Some((found.clone(), true));
        }
        let found = names.lower.get(&composed.to_lowercase())?.as_ref()?;
        Some((found.clone(), false))
    }
}

impl Names {
    fn of(folder: &Path) -> Self {
        // A relative list's own folder has an empty name.
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let mut names = Self::default();
        for entry in std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .take(NAMES_MAX)
        {
            let name = entry.file_name();
            let Some(text) = name.to_str() else { continue };
            let composed: String = text.nfc().collect();
            let lower = composed.to_lowercase();
            for (map, key) in [(&mut names.composed, composed), (&mut names.lower, lower)] {
                map.entry(key)
                    .and_modify(|same| *same = None)
                    .or_insert_with(|| Some(name.clone()));
            }
        }
        names
    }
}

/// `C:\...`, `C:/...` or `\\server\share\...`.
fn is_windows_path(text: &str) -> bool {
    let mut chars = text.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('\\' | '/'));
    drive || text.starts_with("\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_a_list_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("Ka\u{308}fer");
        std::fs::create_dir(&sub).unwrap();
        for name in ["Tu\u{308}r.jpg", "IMG_1.JPG", "a\\b.jpg"] {
            std::fs::write(sub.join(name), "x").unwrap();
        }
        let names = FileNames::default();
        let locate = |text: &str| names.locate(folder.path(), text);
        let door = sub.join("Tu\u{308}r.jpg");
        for text in [
            "K\u{e4}fer/T\u{fc}r.jpg",
            "K\u{e4}fer\\T\u{fc}r.jpg",
            "Ka\u{308}fer/Tu\u{308}r.jpg",
        ] {
            assert_eq!(locate(text).as_deref(), Ok(door.as_path()), "{text}");
        }
        assert_eq!(locate("K\u{e4}fer/a\\b.jpg"), Ok(sub.join("a\\b.jpg")));
        for (text, why) in [
            ("K\u{e4}fer/img_1.jpg", "case matters"),
            ("C:\\photos\\a.jpg", "a Windows machine"),
            ("\\\\nas\\photos\\a.jpg", "a Windows machine"),
            ("file:///photos/a.jpg", "a file URL"),
            ("none.jpg", "no such file or folder"),
        ] {
            let error = locate(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
