//! Shapes on a photo. Pixel coordinates are those of the upright original (EXIF orientation applied), with
//! the origin at the top left corner of the top left pixel, x to the right and y down.

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// A size from its two sides, in pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of pixels.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The longer side, in pixels.
    pub const fn long_side(self) -> u32 {
        if self.width > self.height {
            self.width
        } else {
            self.height
        }
    }
}

/// A rectangle in fractions of a photo's width and height: (0, 0) is the top left corner, (1, 1) the bottom
/// right one. It may reach outside the photo: a letterboxed tensor covers more than the photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitRect {
    /// Left edge.
    pub x0: f32,
    /// Top edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Bottom edge.
    pub y1: f32,
}

impl UnitRect {
    /// The whole photo.
    pub const WHOLE: Self = Self {
        x0: 0.0,
        y0: 0.0,
        x1: 1.0,
        y1: 1.0,
    };

    /// Width as a share of the photo's width.
    pub fn width(self) -> f32 {
        self.x1 - self.x0
    }

    /// Height as a share of the photo's height.
    pub fn height(self) -> f32 {
        self.y1 - self.y0
    }
}

/// An axis-aligned box in whole pixels, as COCO writes it: left, top, width, height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelBox {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Extent to the right.
    pub width: u32,
    /// Extent downwards.
    pub height: u32,
}

/// A position in pixels of the original photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// One outline with the holes inside it. Rings are not closed: the last point is joined to the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// Outline, clockwise as seen on the photo.
    pub outer: Vec<Point>,
    /// Holes, anticlockwise.
    pub holes: Vec<Vec<Point>>,
}

/// A binary mask as COCO's uncompressed run-length code: columns from left to right, each from top to
/// bottom; runs alternate between background and region, and the first run is background (possibly 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rle {
    /// Size of the mask; the counts sum to `size.pixels()`.
    pub size: Size,
    /// Run lengths in pixels.
    pub counts: Vec<u32>,
}

impl Rle {
    /// Number of pixels inside the mask.
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&n| u64::from(n)).sum()
    }
}
