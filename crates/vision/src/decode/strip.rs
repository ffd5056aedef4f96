//! The picture of a photo and nothing else: upright, and without a word about where, when and with what it was taken.
//!
//! A JPEG keeps the coefficients of its file wherever its picture can be turned without loss: libjpeg-turbo writes them
//! anew (as `jpegtran -perfect -copy none` does), so that no segment of the file is left, nor what stands behind its
//! picture. Everything else is decoded at full size and encoded again.

use super::markers::{EOI, Marks, SCANS_MAX, SOS, Segments};
use super::{Aim, Colours, Format, Limits, decode, inspect_header, markers, orientation};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use turbojpeg::{Subsamp, Transform, TransformOp, Transformer};
use walkaround_domain::{Reason, ReasonCode, Size};

/// Quality of a JPEG that has to be encoded again; its colours keep their resolution.
const QUALITY: i32 = 95;

/// A photo without metadata.
#[derive(Debug, Clone)]
pub struct Stripped {
    /// The file.
    pub bytes: Vec<u8>,
    /// Of this format: [`Format::Jpeg`] or [`Format::Png`].
    pub format: Format,
    /// Its size in pixels.
    pub size: Size,
    /// Whether its pixels are those of the photo's file, to the last bit.
    pub lossless: bool,
}

/// The picture of a photo, upright, in a file without metadata. Colours that are not sRGB are converted.
///
/// Photos whose format loses detail stay or become JPEG, others become PNG.
///
/// # Errors
/// The reason why the photo cannot be used, as [`decode`] gives it.
pub fn strip(bytes: &[u8], limits: &Limits) -> Result<Stripped, Reason> {
    let header = inspect_header(bytes, limits, Aim::Networks(u32::MAX))?;
    if header.format == Format::Jpeg {
        let marks = markers::read(bytes)?;
        if let Some(bytes) = transformed(bytes, &marks, limits) {
            return Ok(Stripped {
                bytes,
                format: Format::Jpeg,
                size: header.upright,
                lossless: true,
            });
        }
    }
    let decoded = decode(bytes, limits, Aim::Networks(u32::MAX))?;
    let pixels = decoded.pixels;
    let size = Size::new(pixels.width(), pixels.height());
    let (bytes, format) = match header.format {
        Format::Jpeg | Format::Heic | Format::Avif => (jpeg(&pixels)?, Format::Jpeg),
        Format::Png | Format::WebP | Format::Bmp | Format::Tiff | Format::Gif => (png(&pixels)?, Format::Png),
    };
    Ok(Stripped {
        bytes,
        format,
        size,
        lossless: format == Format::Png && decoded.colours != Colours::Converted,
    })
}

/// The coefficients of a JPEG in a new file, turned upright; none where that would lose something.
fn transformed(bytes: &[u8], marks: &Marks, limits: &Limits) -> Option<Vec<u8>> {
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
    let turned = Transformer::new().ok()?.transform_to_owned(&transform, bytes).ok()?;
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

fn jpeg(pixels: &RgbImage) -> Result<Vec<u8>, Reason> {
    let encoded = turbojpeg::compress_image(pixels, QUALITY, Subsamp::None);
    encoded.map(|bytes| bytes.to_vec()).map_err(|error| unencoded(&error))
}

fn png(pixels: &RgbImage) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, pixels.width(), pixels.height(), ExtendedColorType::Rgb8)
        .map_err(|error| unencoded(&error))?;
    Ok(bytes)
}

fn unencoded(error: &dyn std::fmt::Display) -> Reason {
    Reason::new(ReasonCode::Unreadable, format!("it cannot be encoded again: {error}"))
}
