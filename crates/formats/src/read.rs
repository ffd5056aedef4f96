//! What a file that comes back says.

use crate::shapes::{Geometry, ShapeKey};

/// Largest file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;
/// Most shapes of one photo that are read.
pub(crate) const SHAPES_MAX: usize = 10_000;

/// A photo of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPhoto {
    /// As the file names it.
    pub name: String,
    /// What is on it. An entry that cannot be read is an error of this photo alone.
    pub shapes: Result<Vec<ReadShape>, ReadError>,
}

/// A shape of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadShape {
    /// The name that it was given, where the file keeps it.
    pub key: Option<ShapeKey>,
    /// Its class.
    pub class: String,
    /// Where it is.
    pub geometry: Geometry,
}

/// A file, or a photo of it, that cannot be read: one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

impl ReadError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The SHA-256 in the name of an exported file: the last 64 hexadecimal digits in a row. Tools put folders and prefixes of
/// their own before it.
pub fn photo_digest(name: &str) -> Option<String> {
    let stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = stem.split('.').next().unwrap_or(stem);
    let digest = stem.get(stem.len().checked_sub(64)?..)?;
    let plain = digest.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| digest.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::photo_digest;

    #[test]
    fn a_digest_is_found_behind_what_tools_put_before_it() {
        let digest = "0123456789abcdef".repeat(4);
        for name in [
            format!("{digest}.jpg"),
            format!("images/{digest}.png"),
            format!("/data/upload/3/1f2e3d4c-{digest}.jpg"),
            format!("C:\\photos\\{}.JPG", digest.to_uppercase()),
        ] {
            assert_eq!(photo_digest(&name), Some(digest.clone()), "{name}");
        }
        for name in ["front.jpg", "", "images/", &digest[1..]] {
            assert_eq!(photo_digest(name), None, "{name}");
        }
    }
}
