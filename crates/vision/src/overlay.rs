//! The marked picture: the photo at review size, regions tinted and outlined in their class's colour, a label
//! by each, a legend, and a footer bar with the headline below the photo.
//!
//! Regions are drawn from their polygons (smooth outlines, holes left untinted); `rle` stays the exact truth.
//! Everything is drawn in plain loops on one RGB buffer: the picture is resized straight into it.

mod labels;
mod paint;
mod shape;
mod text;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use thiserror::Error;
use walkaround_domain::{Finding, Size};

use crate::mask::ClassSpec;
use crate::resample;
use labels::{draw_labels, draw_legend};
use paint::{Ink, Rect, Surface};
use shape::Shape;
use text::{Line, Text};

/// Sizes and strengths of an overlay. Lengths are given for a long side of 1600 pixels and shrink with the
/// picture, as far as they stay legible.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlayStyle {
    /// Larger pictures are shrunk to this long side, in pixels.
    pub long_side_max: u32,
    /// Smaller pictures are enlarged to this long side, in pixels, so that labels have room.
    pub long_side_min: u32,
    /// JPEG quality of the file, 1 to 100; for callers of [`encode_jpeg`].
    pub jpeg_quality: u8,
    /// How much of the class colour goes over a region, 0 to 1.
    pub tint: f32,
    /// Width of the coloured outline, in pixels.
    pub outline: f32,
    /// Font size, in pixels.
    pub font: f32,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self {
            long_side_max: 1600,
            long_side_min: 640,
            jpeg_quality: 85,
            tint: 0.35,
            outline: 3.0,
            font: 22.0,
        }
    }
}

/// What is marked on a photo.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// Size of the upright original photo, to whose pixels the findings refer.
    pub original: Size,
    /// The regions.
    pub findings: &'a [Finding],
    /// The bundle's classes: colours and the order of the legend.
    pub classes: &'a [ClassSpec],
    /// One line for the bar below the photo; cut short when it is too long.
    pub headline: &'a str,
}

/// Why a picture could not be written as JPEG.
#[derive(Debug, Error)]
#[error("the overlay cannot be written as JPEG")]
pub struct EncodeError(#[from] turbojpeg::Error);

/// The long side for which [`OverlayStyle`]'s lengths are meant.
const REFERENCE_SIDE: f32 = 1600.0;

/// Colour of findings whose class is not in the list.
const UNKNOWN_COLOUR: [u8; 3] = [200, 200, 200];

const FOOTER_COLOUR: [u8; 3] = [23, 25, 28];
const FOOTER_TEXT: [u8; 3] = [233, 235, 238];

/// Draws findings over a photo.
///
/// `pixels` is the upright photo at any scale. The result has its proportions, its long side between the
/// style's two limits, and a bar with the headline below. Headline and labels are drawn in Latin-1 and a few
/// marks (`·×–…`); other characters become `?`.
pub fn render(pixels: &RgbImage, marks: Marks<'_>, style: &OverlayStyle) -> RgbImage {
    let size = output_size(Size::new(pixels.width(), pixels.height()), style);
    let scale = (size.long_side() as f32 / REFERENCE_SIDE).clamp(0.62, 2.0);
    let text = Text::new((style.font * scale).max(11.0));
    let footer = (text.size() * 1.9).round() as u32;
    let photo_bytes = size.pixels() as usize * 3;
    let bytes = photo_bytes + size.width as usize * footer as usize * 3;
    let mut output = RgbImage::from_raw(size.width, size.height + footer, resized(pixels, size, bytes))
        .expect("the buffer was made for photo and bar");

    let shapes: Vec<Shape> = marks
        .findings
        .iter()
        .map(|finding| {
            Shape::new(
                finding,
                marks.original,
                size,
                colour(&finding.class, marks.classes),
            )
        })
        .collect();
    let mut photo = Surface::new(&mut output.as_mut()[..photo_bytes], size);
    for shape in &shapes {
        shape.tint(&mut photo, style.tint);
    }
    for shape in &shapes {
        shape.outline(&mut photo, (style.outline * scale).max(2.2));
    }
    let legend = draw_legend(&mut photo, &shapes, marks.classes, &text);
    draw_labels(&mut photo, &shapes, legend, &text);

    let mut bar = Surface::new(&mut output.as_mut()[photo_bytes..], Size::new(size.width, footer));
    draw_footer(&mut bar, marks.headline, &text);
    output
}

/// A picture as JPEG, 4:2:0, at a quality of 1 to 100.
///
/// # Errors
/// When libjpeg-turbo refuses the picture, for instance one without pixels.
pub fn encode_jpeg(pixels: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let quality = i32::from(quality.clamp(1, 100));
    Ok(turbojpeg::compress_image(pixels, quality, turbojpeg::Subsamp::Sub2x2)?.to_vec())
}

/// Size of the photo's part of the overlay.
fn output_size(pixels: Size, style: &OverlayStyle) -> Size {
    let max = style.long_side_max.max(1);
    let long = u64::from(pixels.long_side().clamp(style.long_side_min.min(max), max));
    let from = u64::from(pixels.long_side().max(1));
    let side = |side: u32| ((u64::from(side) * long * 2 + from) / (from * 2)).max(1) as u32;
    Size::new(side(pixels.width), side(pixels.height))
}

/// The photo at another size at the start of a buffer of `length` bytes. A photo without pixels leaves it black.
fn resized(pixels: &RgbImage, size: Size, length: usize) -> Vec<u8> {
    if (pixels.width(), pixels.height()) == (size.width, size.height) {
        let mut buffer = Vec::with_capacity(length);
        buffer.extend_from_slice(pixels.as_raw());
        buffer.resize(length, 0);
        return buffer;
    }
    let mut buffer = vec![0; length];
    let enlarges = size.width > pixels.width();
    let filter = if enlarges {
        FilterType::CatmullRom
    } else {
        FilterType::Bilinear
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let target = &mut buffer[..size.pixels() as usize * 3];
    let from = Size::new(pixels.width(), pixels.height());
    resample::rgb(&mut Resizer::new(), pixels.as_raw(), from, target, size, &options);
    buffer
}

fn colour(class: &str, classes: &[ClassSpec]) -> [u8; 3] {
    classes
        .iter()
        .find(|spec| spec.name == class)
        .map_or(UNKNOWN_COLOUR, |spec| spec.colour)
}

fn draw_footer(bar: &mut Surface<'_>, headline: &str, text: &Text) {
    let area = Rect::whole(bar.size());
    bar.fill(area, Ink::opaque(FOOTER_COLOUR));
    let margin = (text.size() * 0.75).round();
    let fitted = text.fit(headline, area.width() - 2.0 * margin);
    let baseline = text.centred_baseline(area.y0, area.y1);
    text.draw(
        bar,
        &Line {
            text: &fitted,
            x: margin,
            baseline,
            colour: FOOTER_TEXT,
        },
    );
}
