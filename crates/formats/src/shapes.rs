//! What a format carries of a photo's annotations, and what it loses.

use crate::annotation::{Annotation, Key, Photo, Region};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use walkaround_domain::{PixelBox, Point, Polygon, Rle, Size};
use walkaround_vision::rle::{self, RleError};

/// A format of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// COCO's object detection.
    Coco,
    /// CVAT's XML 1.1 for images.
    Cvat,
    /// Label Studio's JSON.
    LabelStudio,
    /// Ultralytics' YOLO with segments.
    Yolo,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Coco, Self::Cvat, Self::LabelStudio, Self::Yolo];

    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coco => "coco",
            Self::Cvat => "cvat",
            Self::LabelStudio => "label-studio",
            Self::Yolo => "yolo",
        }
    }

    /// The format that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Where a shape is, in pixels of the upright photo.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// Its pixels.
    Mask(Rle),
    /// Rings without holes; what is inside one of them is inside.
    Rings(Vec<Vec<Point>>),
    /// A box.
    Box(PixelBox),
}

impl Geometry {
    /// Its pixels.
    ///
    /// # Errors
    /// Rings that cannot be rasterised, a code of another size.
    pub fn mask(&self, size: Size) -> Result<Rle, RleError> {
        match self {
            Self::Mask(mask) => rle::union(size, &[mask]),
            Self::Rings(rings) => rle::from_polygons(size, rings),
            Self::Box(it) => rle::from_polygons(size, &[corners(*it)]),
        }
    }
}

/// The corners of a box, clockwise.
pub(crate) fn corners(it: PixelBox) -> Vec<Point> {
    let (left, top) = (it.x as f32, it.y as f32);
    let (right, bottom) = (left + it.width as f32, top + it.height as f32);
    let point = |x, y| Point { x, y };
    vec![
        point(left, top),
        point(right, top),
        point(right, bottom),
        point(left, bottom),
    ]
}

/// The name of a shape in a file: that of its annotation and, where that has several, which part it is (`f3.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeKey {
    /// Which annotation.
    pub key: Key,
    /// Which of its shapes, from 0.
    pub part: u32,
}

impl fmt::Display for ShapeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => write!(f, "{}", self.key),
            part => write!(f, "{}.{part}", self.key),
        }
    }
}

impl ShapeKey {
    /// The key that a text names.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, part) = text.split_once('.').unwrap_or((text, "0"));
        Some(Self {
            key: Key::parse(key)?,
            part: part.parse().ok()?,
        })
    }
}

/// A shape as a format has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape<'a> {
    /// Its name.
    pub key: ShapeKey,
    /// What it is a shape of.
    pub annotation: &'a Annotation,
    /// Where it is.
    pub geometry: Geometry,
}

impl Shape<'_> {
    /// Its pixels: those of its region, where it is all of that.
    ///
    /// # Errors
    /// Rings that cannot be rasterised.
    pub fn pixels(&self, size: Size) -> Result<Cow<'_, Rle>, RleError> {
        let region = &self.annotation.region;
        match &self.geometry {
            Geometry::Mask(mask) => Ok(Cow::Borrowed(mask)),
            Geometry::Box(_) if region.is_box() => Ok(Cow::Borrowed(&region.mask)),
            Geometry::Rings(rings) if region.drawn && single_ring(region).as_ref() == rings.first() => {
                Ok(Cow::Borrowed(&region.mask))
            }
            other => other.mask(size).map(Cow::Owned),
        }
    }
}

/// What a format does not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Holes are filled.
    HolesFilled,
    /// The parts of one finding are findings of their own.
    PartsApart,
    /// The outline is the simplified one; the exact pixels are in the report.
    Simplified,
    /// A box without an outline is written as its four corners.
    BoxAsOutline,
    /// A box without an outline has no mask.
    BoxWithoutMask,
    /// An outline that covers no pixel is left out.
    NoPixel,
}

impl Loss {
    /// What was lost, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HolesFilled => "holes are filled",
            Self::PartsApart => "parts of one finding are findings of their own",
            Self::Simplified => "outlines are the simplified ones",
            Self::BoxAsOutline => "boxes without an outline are written as four corners",
            Self::BoxWithoutMask => "boxes without an outline have no mask",
            Self::NoPixel => "outlines that cover no pixel are left out",
        }
    }
}

/// How many annotations a format carried with each loss.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses(pub BTreeMap<Loss, u64>);

impl Losses {
    fn add(&mut self, loss: Loss) {
        *self.0.entry(loss).or_default() += 1;
    }

    /// Adds those of another photo.
    pub fn extend(&mut self, other: &Self) {
        for (loss, count) in &other.0 {
            *self.0.entry(*loss).or_default() += count;
        }
    }
}

/// The shapes of a photo in a format, by key, and what that loses.
pub fn lower(format: Format, photo: &Photo) -> (Vec<Shape<'_>>, Losses) {
    let mut losses = Losses::default();
    let mut shapes = Vec::new();
    for annotation in &photo.annotations {
        let Some(tight) = annotation.region.bounding_box() else {
            losses.add(Loss::NoPixel);
            continue;
        };
        let all = match format {
            Format::Coco => coco(&annotation.region, tight, &mut losses),
            Format::Cvat => cvat(&annotation.region, tight),
            Format::LabelStudio => label_studio(&annotation.region, tight, &mut losses),
            Format::Yolo => yolo(&annotation.region, tight, photo.size(), &mut losses),
        };
        shapes.extend((0..).zip(all).map(|(part, geometry)| Shape {
            key: ShapeKey {
                key: annotation.key,
                part,
            },
            annotation,
            geometry,
        }));
    }
    (shapes, losses)
}

fn coco(region: &Region, tight: PixelBox, losses: &mut Losses) -> Vec<Geometry> {
    if region.is_box() {
        losses.add(Loss::BoxWithoutMask);
        return vec![Geometry::Box(tight)];
    }
    vec![Geometry::Mask(region.mask.clone())]
}

/// What a person drew stays an outline, where it is one ring; everything else is a mask.
fn cvat(region: &Region, tight: PixelBox) -> Vec<Geometry> {
    match single_ring(region) {
        _ if region.is_box() => vec![Geometry::Box(tight)],
        Some(ring) if region.drawn => vec![Geometry::Rings(vec![ring])],
        _ => vec![Geometry::Mask(region.mask.clone())],
    }
}

/// One ring is an outline that people can move; holes and parts take a brush.
fn label_studio(region: &Region, tight: PixelBox, losses: &mut Losses) -> Vec<Geometry> {
    if region.is_box() {
        return vec![Geometry::Box(tight)];
    }
    match single_ring(region) {
        Some(ring) => {
            if !region.drawn {
                losses.add(Loss::Simplified);
            }
            vec![Geometry::Rings(vec![ring])]
        }
        None => vec![Geometry::Mask(region.mask.clone())],
    }
}

/// Every outline is an object of its own, without its holes and inside the photo: shares of it are from 0 to 1.
fn yolo(region: &Region, tight: PixelBox, size: Size, losses: &mut Losses) -> Vec<Geometry> {
    if region.is_box() {
        losses.add(Loss::BoxAsOutline);
        return vec![Geometry::Rings(vec![corners(tight)])];
    }
    if region.outlines.len() > 1 {
        losses.add(Loss::PartsApart);
    }
    if region.outlines.iter().any(|outline| !outline.holes.is_empty()) {
        losses.add(Loss::HolesFilled);
    }
    if !region.drawn {
        losses.add(Loss::Simplified);
    }
    let inside = |point: &Point| Point {
        x: point.x.clamp(0.0, size.width as f32),
        y: point.y.clamp(0.0, size.height as f32),
    };
    let ring = |outline: &Polygon| Geometry::Rings(vec![outline.outer.iter().map(inside).collect()]);
    region.outlines.iter().map(ring).collect()
}

fn single_ring(region: &Region) -> Option<Vec<Point>> {
    match region.outlines.as_slice() {
        [only] if only.holes.is_empty() => Some(only.outer.clone()),
        _ => None,
    }
}
