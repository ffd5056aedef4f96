//! The polygons of one annotation, in the forms in which tools write them.

use super::value::number;
use crate::fault::{OutlineFault, Unit};
use serde_json::Value;
use walkaround_domain::{PixelBox, Point, Size};

/// Largest coordinate on either side of zero that is taken for a number of pixels.
const COORDINATE_MAX: f64 = 1e6;

/// Points whose distance from a line is this share of its length lie on it.
const ON_LINE: f64 = 1e-6;

/// Between these, outlines are in shares of the photo: tools overshoot a little, and no region in pixels is so small.
const SHARES: Span = Span {
    low: -0.05,
    high: 1.05,
};

/// Between these, outlines may be in percent of the photo.
const PERCENT: Span = Span {
    low: -1.0,
    high: 101.0,
};

/// Two boxes are one where no side differs by more than this many pixels, or by this share of the photo's side.
const BOX_PIXELS: f64 = 2.0;
const BOX_SHARE: f64 = 0.01;

/// Numbers from one to another.
#[derive(Clone, Copy)]
struct Span {
    low: f64,
    high: f64,
}

/// The polygons of one annotation.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(crate) rings: Vec<Vec<Point>>,
    /// Around all of them.
    bounds: Bounds,
    /// The box that the annotation states beside them.
    stated_box: Option<Bounds>,
    /// Whether rings without area were left out.
    pub(crate) reduced: bool,
}

/// A box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Bounds {
    /// Around points.
    fn of<'a>(points: impl Iterator<Item = &'a Point>) -> Self {
        let none = Self {
            left: f64::INFINITY,
            top: f64::INFINITY,
            right: f64::NEG_INFINITY,
            bottom: f64::NEG_INFINITY,
        };
        points.fold(none, |bounds, point| Self {
            left: bounds.left.min(point.x.into()),
            top: bounds.top.min(point.y.into()),
            right: bounds.right.max(point.x.into()),
            bottom: bounds.bottom.max(point.y.into()),
        })
    }

    /// A box as COCO states it: left, top, width, height; none where it has no area.
    pub(crate) fn stated(value: &Value) -> Option<Self> {
        let sides: Vec<f64> = value.as_array()?.iter().map(number).collect::<Option<_>>()?;
        match sides[..] {
            [left, top, width, height] if width > 0.0 && height > 0.0 => Some(Self {
                left,
                top,
                right: left + width,
                bottom: top + height,
            }),
            _ => None,
        }
    }

    /// The same in whole pixels; none where it begins left of or above the photo, or has no pixel.
    pub(crate) fn in_pixels(self) -> Option<PixelBox> {
        let sides = [self.left, self.top, self.right, self.bottom].map(f64::round);
        if sides.iter().any(|side| !(0.0..=COORDINATE_MAX).contains(side)) {
            return None;
        }
        let [x, y, right, bottom] = sides.map(|side| side as u32);
        let (width, height) = (right.checked_sub(x)?, bottom.checked_sub(y)?);
        (width > 0 && height > 0).then_some(PixelBox { x, y, width, height })
    }

    fn is_within(&self, span: Span) -> bool {
        [self.left, self.top].iter().all(|it| *it >= span.low)
            && [self.right, self.bottom].iter().all(|it| *it <= span.high)
    }

    fn scaled(&self, x: f64, y: f64) -> Self {
        Self {
            left: self.left * x,
            top: self.top * y,
            right: self.right * x,
            bottom: self.bottom * y,
        }
    }

    fn is_about(&self, other: &Self, size: Size) -> bool {
        let near = |a: f64, b: f64, side: u32| (a - b).abs() <= BOX_PIXELS.max(BOX_SHARE * f64::from(side));
        near(self.left, other.left, size.width)
            && near(self.right, other.right, size.width)
            && near(self.top, other.top, size.height)
            && near(self.bottom, other.bottom, size.height)
    }
}

impl Rings {
    /// The rings of a list; none when it has no points.
    pub(crate) fn read(list: &[Value], stated_box: Option<Bounds>) -> Result<Option<Self>, OutlineFault> {
        let rings: Vec<Vec<Point>> = if is_ring(list) {
            vec![points(list)?]
        } else {
            let rings = list
                .iter()
                .map(|ring| ring.as_array().ok_or(OutlineFault::UnknownForm));
            rings.map(|ring| points(ring?)).collect::<Result<_, _>>()?
        };
        let rings: Vec<Vec<Point>> = rings.into_iter().filter(|ring| !ring.is_empty()).collect();
        if rings.is_empty() {
            return Ok(None);
        }
        let all = rings.len();
        let points = rings.iter().map(Vec::len).max();
        let rings: Vec<Vec<Point>> = rings.into_iter().filter(|ring| has_area(ring)).collect();
        if rings.is_empty() {
            return Err(match points {
                Some(0..=2) => OutlineFault::BadRing,
                _ => OutlineFault::NoPixel,
            });
        }
        Ok(Some(Self {
            bounds: Bounds::of(rings.iter().flatten()),
            reduced: rings.len() < all,
            rings,
            stated_box,
        }))
    }

    /// Whether no point is inside a photo of the given size, as far as the box around them can tell.
    pub(crate) fn are_outside(&self, size: Size) -> bool {
        let bounds = &self.bounds;
        bounds.right <= 0.0
            || bounds.bottom <= 0.0
            || bounds.left >= f64::from(size.width)
            || bounds.top >= f64::from(size.height)
    }

    /// The unit that the coordinates certainly have instead of pixels, in a photo of the given size.
    pub(crate) fn other_unit(&self, size: Size) -> Option<Unit> {
        if self.may_be(Unit::Shares) {
            return Some(Unit::Shares);
        }
        let in_pixels = self
            .bounds
            .scaled(f64::from(size.width) / 100.0, f64::from(size.height) / 100.0);
        let stated = self.stated_box.filter(|_| self.may_be(Unit::Percent))?;
        (stated.is_about(&in_pixels, size) && !stated.is_about(&self.bounds, size)).then_some(Unit::Percent)
    }

    /// Whether the coordinates are in the range of a unit.
    pub(crate) fn may_be(&self, unit: Unit) -> bool {
        self.bounds.is_within(match unit {
            Unit::Shares => SHARES,
            Unit::Percent => PERCENT,
        })
    }
}

/// Whether a list is one ring and not a list of rings: of numbers, or of at least three pairs.
fn is_ring(list: &[Value]) -> bool {
    let is_pair = |value: &Value| {
        let pair = value.as_array().map_or(&[][..], Vec::as_slice);
        pair.len() == 2 && pair.iter().all(is_scalar)
    };
    !list.is_empty() && (list.iter().all(is_scalar) || (list.len() >= 3 && list.iter().all(is_pair)))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// The points of a ring: x, y, x, y ... or pairs.
fn points(ring: &[Value]) -> Result<Vec<Point>, OutlineFault> {
    let flat = ring.iter().all(is_scalar);
    let chunks: Vec<&[Value]> = if flat {
        ring.chunks(2).collect()
    } else {
        let pairs = ring.iter().map(|point| point.as_array().map(Vec::as_slice));
        pairs.collect::<Option<_>>().ok_or(OutlineFault::UnknownForm)?
    };
    chunks.into_iter().map(point).collect()
}

fn point(pair: &[Value]) -> Result<Point, OutlineFault> {
    let [x, y] = pair else {
        return Err(OutlineFault::BadRing);
    };
    let coordinate = |value| {
        number(value)
            .filter(|it| it.abs() <= COORDINATE_MAX)
            .map(|it| it as f32)
            .ok_or(OutlineFault::Coordinate)
    };
    Ok(Point {
        x: coordinate(x)?,
        y: coordinate(y)?,
    })
}

/// Whether there are three points that do not lie on one line.
fn has_area(ring: &[Point]) -> bool {
    let offset = |from: &Point, to: &Point| (f64::from(to.x - from.x), f64::from(to.y - from.y));
    let Some(first) = ring.first() else {
        return false;
    };
    let length = |(x, y): (f64, f64)| x.hypot(y);
    let offsets = ring.iter().map(|point| offset(first, point));
    let Some(far) = offsets.clone().max_by(|a, b| length(*a).total_cmp(&length(*b))) else {
        return false;
    };
    offsets
        .map(|(x, y)| (far.0 * y - far.1 * x).abs())
        .any(|area| area > ON_LINE * length(far).powi(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unit(ring: &Value, stated_box: &Value) -> Option<Unit> {
        let list = [ring.clone()];
        let rings = Rings::read(&list, Bounds::stated(stated_box)).unwrap().unwrap();
        rings.other_unit(Size::new(1600, 1200))
    }

    #[test]
    fn a_box_in_pixels_gives_percent_away_and_one_pixel_is_a_share() {
        let percent = json!([52.6, 63.8, 97.1, 63.8, 97.1, 100.0, 52.6, 100.0]);
        assert_eq!(unit(&percent, &json!([841, 766, 713, 434])), Some(Unit::Percent));
        // The box says nothing else than the outline.
        assert_eq!(unit(&percent, &json!([52.6, 63.8, 44.5, 36.2])), None);
        assert_eq!(unit(&percent, &json!([10, 10, 20, 20])), None);
        assert_eq!(unit(&percent, &json!(null)), None);
        let shares = json!([0.5, 0.6, 0.9, 0.6, 0.9, 1.0]);
        assert_eq!(unit(&shares, &json!(null)), Some(Unit::Shares));
        assert_eq!(unit(&json!([0.5, 0.6, 2.0, 0.6, 2.0, 1.0]), &json!(null)), None);
    }
}
