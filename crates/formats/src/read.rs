//! What a file that comes back says.

use crate::shapes::{Geometry, ShapeKey};
use walkaround_domain::{Rle, Size};
use walkaround_evaluation::StatedSize;
use walkaround_vision::rle::MASK_PIXELS_MAX;

/// Largest file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;
/// Most photos of a file that are read.
pub(crate) const PHOTOS_MAX: usize = 300_000;
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
    /// Its pixels, where reading has made them.
    pub pixels: Option<Rle>,
}

/// How large the photo of a name is, as it was exported.
pub type SizeOf<'a> = &'a dyn Fn(&str) -> Option<Size>;

/// The size of a photo: what a file states has to be what was exported, whatever the format. Nothing is rasterised before.
pub(crate) fn photo_size(name: &str, stated: StatedSize, size_of: SizeOf<'_>) -> Result<Size, ReadError> {
    let known = size_of(name).ok_or_else(|| ReadError::new("it was not exported, or without a size"))?;
    if known.pixels() == 0 || known.pixels() > MASK_PIXELS_MAX {
        return Err(ReadError::new("its size in the manifest is no size of a photo"));
    }
    match stated {
        StatedSize::Missing => Ok(known),
        StatedSize::Of(stated) if stated == known => Ok(known),
        StatedSize::Of(stated) => Err(ReadError::new(format!(
            "the file says {} x {} pixels, expected {} x {}: the size that was exported",
            stated.width, stated.height, known.width, known.height
        ))),
        StatedSize::Invalid => Err(ReadError::new("the file states a size that no photo has")),
    }
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
