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
        "`{}` is no bucket name",
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
