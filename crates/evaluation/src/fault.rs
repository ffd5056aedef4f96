//! What is wrong with a file of annotations or of a mapping, and with one outline.

use std::fmt;
use thiserror::Error;
use walkaround_vision::rle::RleError;

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
    /// It has no content.
    #[error("an empty file")]
    Empty,
    /// It is an archive, as CVAT exports it.
    #[error("a zip archive; unpack it and name the JSON file inside")]
    Zip,
    /// It is text in UTF-16, as PowerShell writes it.
    #[error("UTF-16 text; save it as UTF-8")]
    Utf16,
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    /// It is JSON that cannot be taken apart, such as one with two lists of the same name.
    #[error("not a COCO annotation file: {0}")]
    BadForm(serde_json::Error),
    /// It is a list, or something else that no annotation file is.
    #[error(
        "not a COCO annotation file: expected an object with the lists `images`, `annotations` and `categories`"
    )]
    NoObject,
    /// One of its lists is not there.
    #[error("not a COCO annotation file: it has no list `{0}`")]
    NoSection(&'static str),
    /// One of its lists is something else.
    #[error("not a COCO annotation file: `{0}` is not a list")]
    NotAList(&'static str),
    /// A category lacks a part.
    #[error("category {0} has no `id` or no `name`")]
    BadCategory(String),
    /// Two categories have the same id.
    #[error("two categories have the id {0}")]
    CategoryIdTwice(String),
    /// An image names no file.
    #[error("image {0} has no `file_name`")]
    NoFileName(String),
    /// An image has no id.
    #[error("image `{0}` has no `id`")]
    NoImageId(String),
    /// It lists a file of a photo twice.
    #[error("lists `{file_name}` twice: images {} and {}", ids[0], ids[1])]
    FileTwice {
        /// The file of the photo.
        file_name: String,
        /// The ids of both images.
        ids: [String; 2],
    },
    /// Two images have the same id.
    #[error("two images have the id {id}: `{}` and `{}`", file_names[0], file_names[1])]
    IdTwice {
        /// Their id.
        id: String,
        /// The files of both photos.
        file_names: [String; 2],
    },
    /// An annotation does not say which image it is of.
    #[error("annotation {0} has no `image_id`")]
    NoImage(String),
    /// None of its annotations is of an image that is listed.
    #[error("no annotation is of a listed image, such as annotation {annotation} of image {image}")]
    NoListedImage {
        /// The first annotation.
        annotation: String,
        /// The id of its image.
        image: String,
    },
    /// An annotation is of a category that is not listed.
    #[error("annotation {annotation} of `{image}` is of {category}, which is not listed")]
    UnknownCategory {
        /// The annotation.
        annotation: String,
        /// The file of its photo.
        image: String,
        /// What it is of.
        category: String,
    },
    /// All of its outlines are in another unit.
    #[error("outlines seem to be in {unit}, not in pixels, such as annotation {annotation} of `{image}`; {}", unit.remedy())]
    OtherUnit {
        /// Their unit.
        unit: Unit,
        /// The first annotation with an outline.
        annotation: String,
        /// The file of its photo.
        image: String,
    },
}

/// A unit of coordinates other than pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shares of the width and of the height: 0 to 1.
    Shares,
    /// Percent of the width and of the height: 0 to 100.
    Percent,
}

impl Unit {
    fn remedy(self) -> &'static str {
        match self {
            Self::Shares => "multiply x by the width and y by the height",
            Self::Percent => "multiply x by the width / 100 and y by the height / 100",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shares => "shares of the photo (0 to 1)",
            Self::Percent => "percent of the photo (0 to 100)",
        })
    }
}

/// Why the outline of an annotation gives no region. Displays as what is said of the photos with such an annotation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutlineFault {
    /// There are neither polygons nor a run-length code.
    #[error("with an annotation that has no outline")]
    Missing,
    /// There is a box and no outline: how much of the box is damaged is unknown.
    #[error("with an annotation that has a box and no outline")]
    BoxOnly,
    /// There is something else.
    #[error("with an outline that is neither polygons nor a run-length code")]
    UnknownForm,
    /// A polygon is no list of at least three points.
    #[error("with an outline that is not a list of at least three points")]
    BadRing,
    /// A coordinate is no number, or no number of pixels.
    #[error("with a coordinate that is not a number of pixels")]
    Coordinate,
    /// The coordinates are in another unit.
    #[error("with an outline in {0}, not in pixels")]
    OtherUnit(Unit),
    /// No part of it is inside the photo.
    #[error("with an outline wholly outside of the photo")]
    Outside,
    /// It is inside the photo, or a run-length code, and covers no pixel.
    #[error("with an outline that covers no pixel")]
    NoPixel,
    /// A run-length code is of another size.
    #[error("with a run-length code of another size than the photo has")]
    OtherCodeSize,
    /// A run length is no whole number.
    #[error("with a run-length code whose counts are not whole numbers")]
    BadRuns,
    /// The mask cannot be made.
    #[error("with an outline that cannot be drawn: {0}")]
    Mask(#[from] RleError),
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
