//! What is wrong with a file of annotations or of a mapping.

use thiserror::Error;

/// Largest annotation file, in bytes.
pub(crate) const ANNOTATION_BYTES_MAX: u64 = 1 << 30;

/// What is wrong with an annotation file.
#[derive(Debug, Error)]
pub enum AnnotationFault {
    /// It cannot be opened.
    #[error("cannot open: {0}")]
    Open(std::io::Error),
    /// It cannot be read.
    #[error("cannot read: {0}")]
    Read(std::io::Error),
    /// It is larger than any that is read here.
    #[error("over the limit of {} MiB", ANNOTATION_BYTES_MAX >> 20)]
    TooLarge,
    /// It is not JSON of the expected form.
    #[error("not a COCO annotation file: {0}")]
    NotCoco(serde_json::Error),
    /// It lists a file of a photo twice.
    #[error("lists `{0}` twice")]
    FileTwice(String),
    /// Two images have the same id.
    #[error("two images have the id {0}")]
    IdTwice(String),
    /// An annotation is of an image that is not listed.
    #[error("an annotation names image {0}, which is not listed")]
    UnknownImage(String),
    /// An annotation is of a category that is not listed.
    #[error("an annotation names category {0}, which is not listed")]
    UnknownCategory(String),
}

/// What is wrong with a mapping file.
#[derive(Debug, Error)]
pub enum MapFileFault {
    /// It cannot be read.
    #[error("cannot read: {0}")]
    Read(std::io::Error),
    /// It is not TOML of the expected form.
    #[error("{}", .0.message().replace('\n', " "))]
    Parse(toml::de::Error),
    /// It maps a category and ignores it too.
    #[error("`{0}` is both mapped and ignored")]
    MappedAndIgnored(String),
}
