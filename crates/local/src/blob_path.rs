//! From any key to a file below the root, and never two keys to one file.
//!
//! A key's parts between slashes become folders and a file. Bytes other than letters, digits and a few marks
//! become `%XX`. A folder's name never holds a dot and a file's always does, or ends with `%`: so that `a`
//! and `a/b`, which a bucket may both hold, do not meet. A part that is too long for a file name becomes
//! several folders, each but the last ending with `%+`. Ordinary keys (`inspections/4f/overlay.jpg`) stay as
//! they are.

use crate::error::Fault;
use std::fmt::Write;
use std::path::PathBuf;
use walkaround_ports::BlobAddress;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// Longest bucket name, in bytes.
const BUCKET_BYTES_MAX: usize = 63;
/// Longest piece of a name, in bytes; the filesystem takes 255.
const PIECE_BYTES_MAX: usize = 200;

/// The path of a blob, relative to the folder of blobs.
pub(crate) fn blob_path(at: &BlobAddress) -> Result<PathBuf, Fault> {
    check_bucket(&at.bucket)?;
    check_key(&at.key)?;
    let mut path = PathBuf::from(&at.bucket);
    let (folders, file) = match at.key.rsplit_once('/') {
        Some((folders, file)) => (Some(folders), file),
        None => (None, at.key.as_str()),
    };
    for folder in folders.into_iter().flat_map(|f| f.split('/')) {
        push_folder(&mut path, folder);
    }
    push_file(&mut path, file);
    Ok(path)
}

/// A bucket is a plain folder name.
pub(crate) fn check_bucket(bucket: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = (1..=BUCKET_BYTES_MAX).contains(&bucket.len()) && bucket.bytes().all(plain);
    if fits && !bucket.starts_with('.') {
        return Ok(());
    }
    let shown: String = bucket.chars().take(BUCKET_BYTES_MAX).collect();
    Err(Fault::invalid(format!(
        "`{}` is not a valid bucket name",
        shown.escape_default()
    )))
}

fn check_key(key: &str) -> Result<(), Fault> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Fault::invalid(format!(
            "a key of {} bytes: 1 to {KEY_BYTES_MAX}",
            key.len()
        )));
    }
    if key.contains('\0') {
        return Err(Fault::invalid("a key with a NUL character"));
    }
    Ok(())
}

fn push_folder(path: &mut PathBuf, part: &str) {
    // A lone `%-` is no encoded byte: the name of the empty part.
    if part.is_empty() {
        path.push("%-");
        return;
    }
    let mut pieces = pieces(&encode(part, false)).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let continued = if pieces.peek().is_some() { "%+" } else { "" };
        path.push(format!("{piece}{continued}"));
    }
}

fn push_file(path: &mut PathBuf, part: &str) {
    let plain = encode(part, true);
    if plain.len() <= PIECE_BYTES_MAX && plain.contains('.') && !plain.starts_with('.') {
        path.push(plain);
        return;
    }
    let mut pieces = pieces(&encode(part, false));
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        path.push(piece + "%+");
    }
    path.push(last + "%");
}

/// Dots are kept in file names only.
fn encode(part: &str, keep_dots: bool) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b',' | b'@');
        if plain || (keep_dots && byte == b'.') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Cuts an encoded (ASCII) name into pieces that a file name can hold, without cutting a `%XX` apart.
fn pieces(encoded: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut rest = encoded.chars();
    while let Some(mark) = rest.next() {
        let width = if mark == '%' { 3 } else { 1 };
        if piece.len() + width > PIECE_BYTES_MAX {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push(mark);
        piece.extend(rest.by_ref().take(width - 1));
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Component;

    fn path_of(key: &str) -> PathBuf {
        let at = BlobAddress {
            bucket: "b".to_owned(),
            key: key.to_owned(),
        };
        blob_path(&at).unwrap()
    }

    /// Every key of up to six characters of a nasty alphabet.
    fn short_keys() -> Vec<String> {
        let mut keys = vec![String::new()];
        let mut all = Vec::new();
        for _ in 0..6 {
            keys = keys
                .iter()
                .flat_map(|key| ['a', '.', '/', '%'].map(|c| format!("{key}{c}")))
                .collect();
            all.extend(keys.iter().cloned());
        }
        all
    }

    /// Keys around the lengths at which names are cut.
    fn long_keys() -> Vec<String> {
        let mut keys = Vec::new();
        for length in [199, 200, 201, 400, 401, 600] {
            for part in ["a", ".", "a.", "%"] {
                let name: String = part.chars().cycle().take(length).collect();
                keys.push(format!("{name}/{name}"));
                keys.push(name.clone() + "/");
                keys.push(name);
            }
        }
        keys
    }

    #[test]
    fn no_two_keys_meet_and_none_escapes() {
        let mut seen: BTreeMap<PathBuf, String> = BTreeMap::new();
        let fits = |key: &String| key.len() <= KEY_BYTES_MAX;
        for key in short_keys()
            .into_iter()
            .chain(long_keys().into_iter().filter(fits))
        {
            let path = path_of(&key);
            assert!(
                path.components().all(|c| matches!(c, Component::Normal(_))),
                "`{key}` leaves its folder: {path:?}"
            );
            assert!(
                path.iter().all(|part| part.len() <= 255),
                "`{key}` has a long name: {path:?}"
            );
            if let Some(other) = seen.insert(path, key.clone()) {
                assert_eq!(other, key, "two keys, one file");
            }
        }
        for (path, key) in &seen {
            for folder in path.ancestors().skip(1) {
                assert!(!seen.contains_key(folder), "`{key}` needs a file as its folder");
            }
        }
    }

    #[test]
    fn ordinary_keys_stay_as_they_are() {
        assert_eq!(
            path_of("inspections/4f-1_a/overlay.jpg"),
            PathBuf::from("b/inspections/4f-1_a/overlay.jpg")
        );
    }

    #[test]
    fn odd_buckets_are_refused() {
        for bucket in ["", ".", "..", ".hidden", "a/b", "a\0", "ü", &"x".repeat(64)] {
            let at = BlobAddress {
                bucket: bucket.to_owned(),
                key: "k".to_owned(),
            };
            assert!(blob_path(&at).is_err(), "`{bucket}` was taken");
        }
    }
}
