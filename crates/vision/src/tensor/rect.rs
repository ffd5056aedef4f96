//! Rectangles in pixels of a picture.

use walkaround_domain::{Size, UnitRect};

/// A rectangle in pixels of the picture, fractions included.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelRect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl PixelRect {
    pub(super) fn clip(region: UnitRect, photo: Size) -> Self {
        let (left, width) = clip_side(region.x0, region.x1, photo.width);
        let (top, height) = clip_side(region.y0, region.y1, photo.height);
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// The largest part in the middle with the shape of `size`.
    pub(super) fn centre(self, size: Size) -> Self {
        let aspect = f64::from(size.width) / f64::from(size.height);
        let width = snap(self.width.min(self.height * aspect));
        let height = snap(self.height.min(self.width / aspect));
        let left = self.left + snap((self.width - width) / 2.0);
        let top = self.top + snap((self.height - height) / 2.0);
        Self {
            left,
            top,
            width,
            height,
        }
    }

    pub(super) fn in_units(self, photo: Size) -> UnitRect {
        let (width, height) = (f64::from(photo.width), f64::from(photo.height));
        UnitRect {
            x0: (self.left / width) as f32,
            y0: (self.top / height) as f32,
            x1: ((self.left + self.width) / width) as f32,
            y1: ((self.top + self.height) / height) as f32,
        }
    }
}

/// Start and length in pixels of a side from `from` to `to` (shares of `length`): inside, at least one pixel.
fn clip_side(from: f32, to: f32, length: u32) -> (f64, f64) {
    let length = f64::from(length);
    // `max` before `min`: a NaN becomes the edge.
    let start = snap((f64::from(from) * length).max(0.0).min(length - 1.0));
    let end = snap((f64::from(to) * length).min(length).max(start + 1.0));
    (start, end - start)
}

/// To 1/65536 of a pixel: sums and differences of such numbers are exact, so that a rectangle which fits the
/// picture still does when its left and width are added up.
pub(super) fn snap(pixels: f64) -> f64 {
    (pixels * 65536.0).round() / 65536.0
}
