//! A JPEG turned upright by its coefficients, as `jpegtran -perfect -copy none` does it: no segment of the file is left, nor
//! what stands behind its picture.

use super::colours::Colours;
use super::limits::Limits;
use super::markers::{self, EOI, Marks, SCANS_MAX, SOS, Segments};
use super::orientation;
use image::RgbImage;
use turbojpeg::{Transform, TransformOp, Transformer};

/// The coefficients of a JPEG in a new file, turned upright; none where that would lose something.
pub(crate) fn turned_jpeg(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let marks = &markers::read(bytes).ok()?;
    // Coefficients of two bytes, before and after.
    let memory = marks.blocks() * 64 * 2 * 2;
    let plain = marks.sampling.len() != 4 && !marks.strays && scans(bytes, marks) <= SCANS_MAX;
    if !plain || memory > limits.decode_bytes_max || converts_colours(bytes, marks) {
        return None;
    }
    let mut transform = Transform::op(match marks.orientation {
        2 => TransformOp::Hflip,
        3 => TransformOp::Rot180,
        4 => TransformOp::Vflip,
        5 => TransformOp::Transpose,
        6 => TransformOp::Rot90,
        7 => TransformOp::Transverse,
        8 => TransformOp::Rot270,
        _ => TransformOp::None,
    });
    transform.perfect = true;
    transform.copy_none = true;
    transform.optimize = true;
    transform.progressive = marks.progressive;
    // A warning is an error here, too: a damaged picture is left to the decoder, which knows what may pass.
    let turned = Transformer::new()
        .ok()?
        .transform_to_owned(&transform, bytes)
        .ok()?;
    let expected = orientation::upright(marks.size, marks.orientation);
    let written = markers::read(&turned).ok()?;
    (written.size == expected && written.orientation == 1).then(|| turned.to_vec())
}

/// Whether the colours have to be converted to sRGB.
fn converts_colours(bytes: &[u8], marks: &Marks) -> bool {
    let mut pixel = RgbImage::new(1, 1);
    marks.profile.profile(bytes).apply(&mut pixel) == Colours::Converted
}

/// How many passes over the picture there are, counted until there are too many.
fn scans(bytes: &[u8], marks: &Marks) -> u32 {
    let mut segments = Segments {
        bytes,
        at: marks.scan_at,
    };
    let mut scans = 0;
    while let Ok(segment) = segments.next() {
        match segment.marker {
            SOS => scans += 1,
            EOI => break,
            _ => {}
        }
        if scans > SCANS_MAX {
            break;
        }
    }
    scans
}
