//! Small copies of photos for pages that work from disk, and outlines to lay over them.

use image::imageops::{FilterType, resize};
use std::fmt::Write;
use walkaround_domain::Size;
use walkaround_messages::report::PolygonDocument;
use walkaround_vision::decode::{Limits, decode};
use walkaround_vision::overlay;

/// Long side of the copies, in pixels.
const LONG_SIDE: u32 = 640;
const JPEG_QUALITY: u8 = 82;

/// A small copy of a photo, upright, as JPEG; none when it cannot be decoded.
pub(crate) fn small_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let limits = Limits::default();
    let pixels = decode(bytes, &limits, LONG_SIDE).ok()?.pixels;
    let (width, height) = pixels.dimensions();
    let small = small(Size::new(width, height));
    let picture = if (small.width, small.height) == (width, height) {
        pixels
    } else {
        resize(&pixels, small.width, small.height, FilterType::Triangle)
    };
    overlay::encode_jpeg(&picture, JPEG_QUALITY).ok()
}

/// A size with the long side at most that of the copies.
pub(crate) fn small(size: Size) -> Size {
    let long = u64::from(size.long_side());
    if long <= u64::from(LONG_SIDE) {
        return size;
    }
    let side = |side: u32| ((u64::from(side) * u64::from(LONG_SIDE) + long / 2) / long).max(1) as u32;
    Size::new(side(size.width), side(size.height))
}

/// Outlines as an SVG path.
pub(crate) fn polygons(polygons: &[PolygonDocument]) -> String {
    let mut path = String::new();
    for polygon in polygons {
        for ring in std::iter::once(&polygon.outer).chain(&polygon.holes) {
            push_ring(&mut path, ring.iter().map(|p| (p[0], p[1])));
        }
    }
    path
}

/// Adds an outline to an SVG path.
pub(crate) fn push_ring(path: &mut String, points: impl Iterator<Item = (f32, f32)>) {
    for (at, (x, y)) in points.enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
    }
    path.push('Z');
}
