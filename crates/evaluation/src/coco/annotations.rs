//! The content of an annotation file.

use super::outline::Outline;
use crate::error::Unscorable;
use crate::remarks::Remarks;
use walkaround_domain::{PixelBox, Point, Rle, Size};

/// The content of an annotation file, with every reference between its parts resolved.
#[derive(Debug)]
pub struct Annotations {
    /// Names of the categories.
    pub categories: Vec<String>,
    /// The pictures.
    pub images: Vec<Image>,
    /// What was read otherwise than it is written, or not at all.
    pub remarks: Remarks,
}

/// One picture.
#[derive(Debug)]
pub struct Image {
    /// As the file has it: relative to the folder of photos.
    pub file_name: String,
    /// Width and height as the file states them.
    pub size: StatedSize,
    /// Its annotated regions.
    pub shapes: Vec<Shape>,
}

/// What a file states as the size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedSize {
    /// Nothing, or only one of both sides.
    Missing,
    /// A size.
    Of(Size),
    /// Numbers that no picture has, such as -1600, 0 or 1600.5.
    Invalid,
}

/// One annotated region.
#[derive(Debug)]
pub struct Shape {
    /// Index into [`Annotations::categories`].
    pub category: usize,
    /// The id of the annotation, or its place in the list where it has none.
    pub annotation: String,
    pub(crate) outline: Outline,
}

impl Shape {
    /// The region in a photo of the given size; it has at least one pixel.
    ///
    /// # Errors
    /// When there is no outline, none that fits the size, or none that covers a pixel.
    pub fn mask(&self, size: Size) -> Result<Rle, Unscorable> {
        self.outline.mask(size).map_err(|fault| Unscorable::Annotation {
            annotation: self.annotation.clone(),
            fault,
        })
    }

    /// The rings that outline it, in pixels, where polygons do; what is inside one of them is inside. [`Shape::mask`] says
    /// whether they can be used.
    pub fn rings(&self) -> Option<&[Vec<Point>]> {
        match &self.outline {
            Outline::Rings(rings) => Some(&rings.rings),
            _ => None,
        }
    }

    /// The box that it has instead of an outline, in whole pixels.
    pub fn box_only(&self) -> Option<PixelBox> {
        match &self.outline {
            Outline::BoxOnly(bounds) => bounds.in_pixels(),
            _ => None,
        }
    }
}
