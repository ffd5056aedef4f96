//! JPEG through libjpeg-turbo, scaled while decoding.
//!
//! libjpeg paints something for almost any input and only warns. The interface used here turns every warning
//! into an error and reports the text of the first one, so a success is a success. A complaint is sorted by the table
//! of all warnings (module `warning`): blocks were lost, or what stands in the file may be a whole picture with an
//! oddity. Then a copy without the oddity is decoded (module `repair`), and that must succeed.

use image::RgbImage;
use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};
use walkaround_domain::{Reason, Size};

use super::markers::{Marks, SCANS_MAX, end_of_picture};
use super::orientation::swaps_sides;
use super::warning::{Complaint, Meaning};
use super::{Aim, baseline, cut_short, repair};

/// The scale at which a JPEG is decoded, in eighths: for networks 1, 2, 4 or 8, which libjpeg does fastest; for people any.
fn eighths(size: Size, aim: Aim) -> u32 {
    let enough = |n: &u32| scaled(size, *n).long_side() >= aim.long_side_min().max(1);
    let found = match aim {
        Aim::Networks(_) => [1, 2, 4].into_iter().find(enough),
        Aim::View(_) => (1..8).find(enough),
    };
    found.unwrap_or(8)
}

fn scaled(size: Size, eighths: u32) -> Size {
    let side = |side: u32| (side * eighths).div_ceil(8);
    Size::new(side(size.width), side(size.height))
}

/// Working memory of [`decode`] of so many bytes, in bytes, including the turn to upright.
pub(super) fn decode_bytes(length: u64, marks: &Marks, aim: Aim) -> u64 {
    let eighths = eighths(marks.size, aim);
    let output = scaled(marks.size, eighths).pixels();
    let channels = if marks.sampling.len() == 4 { 4 } else { 3 };
    let turned = if swaps_sides(marks.orientation) {
        3 * output
    } else {
        0
    };
    // A progressive (or not interleaved) JPEG keeps every coefficient, 2 bytes each, whatever the scale.
    let coefficients = if marks.one_pass() {
        0
    } else {
        marks.blocks() * 64 * 2
    };
    // A few rows of blocks in and out of the colour conversion.
    let rows = u64::from(marks.size.width) * 64;
    // Decoded here, the components are kept beside the pixels, and the coded data are copied.
    let own = if is_small(eighths, aim) && marks.one_pass() {
        3 * output + rows + baseline::Coded::bytes(length, marks.blocks())
    } else {
        0
    };
    output * channels + turned + coefficients + rows + own
}

/// Whether a picture is so small that it may be decoded here.
fn is_small(eighths: u32, aim: Aim) -> bool {
    match aim {
        Aim::Networks(_) => eighths == 1,
        Aim::View(_) => eighths == 1 || baseline::REDUCED.contains(&eighths),
    }
}

/// Decodes at the smallest scale whose long side is at least what the aim wants. `coded` is what an earlier decode of the same
/// file gave; what this one gives serves a later one.
pub(super) fn decode(
    bytes: &[u8],
    marks: &Marks,
    aim: Aim,
    coded: Option<&baseline::Coded>,
) -> Result<(RgbImage, Option<baseline::Coded>), Reason> {
    if ends_too_early(bytes, marks) {
        return Err(cut_short());
    }
    let eighths = eighths(marks.size, aim);
    let own = match eighths {
        _ if !is_small(eighths, aim) => None,
        1 => baseline::eighth(bytes, marks).map(|(pixels, coded)| (pixels, Some(coded))),
        _ => baseline::reduced(bytes, marks, eighths, coded).map(|pixels| (pixels, None)),
    };
    match own {
        Some(decoded) => Ok(decoded),
        None => Ok((by_libjpeg(bytes, marks, eighths)?, None)),
    }
}

/// Decodes at so many eighths, whatever the coding.
pub(super) fn by_libjpeg(bytes: &[u8], marks: &Marks, eighths: u32) -> Result<RgbImage, Reason> {
    let mut canvas = Canvas::new(marks, eighths);
    if let Err(complaint) = canvas.paint(bytes) {
        canvas.forgive(bytes, marks, complaint)?;
    }
    Ok(canvas.into_rgb())
}

/// Huffman codes have at least one bit, and every block needs one code (progressive) or two (sequential): a
/// tiny file that claims to be a huge picture is refused without painting it.
fn ends_too_early(bytes: &[u8], marks: &Marks) -> bool {
    let codes_per_block = if marks.progressive { 1 } else { 2 };
    let data = (bytes.len() - marks.scan_at) as u64;
    !marks.arithmetic && data * 8 < marks.blocks() * codes_per_block
}

/// The pixels to be filled.
struct Canvas {
    pixels: Vec<u8>,
    size: Size,
    format: PixelFormat,
    scale: ScalingFactor,
}

impl Canvas {
    fn new(marks: &Marks, eighths: u32) -> Self {
        let size = scaled(marks.size, eighths);
        let format = if marks.sampling.len() == 4 {
            PixelFormat::CMYK
        } else {
            PixelFormat::RGB
        };
        let length = size.width as usize * size.height as usize * format.size();
        Self {
            pixels: vec![0; length],
            size,
            format,
            scale: ScalingFactor::new(eighths as usize, 8),
        }
    }

    fn paint(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        let mut decompressor = Decompressor::new().map_err(Complaint::from_error)?;
        decompressor
            .set_scaling_factor(self.scale)
            .map_err(Complaint::from_error)?;
        decompressor
            .set_scan_limit(SCANS_MAX)
            .map_err(Complaint::from_error)?;
        let width = self.size.width as usize;
        let output = turbojpeg::Image {
            pixels: self.pixels.as_mut_slice(),
            width,
            pitch: width * self.format.size(),
            height: self.size.height as usize,
            format: self.format,
        };
        decompressor
            .decompress(bytes, output)
            .map_err(Complaint::from_error)
    }

    /// Decides about a complaint; where a copy without the oddity may do better, paints again.
    fn forgive(&mut self, bytes: &[u8], marks: &Marks, complaint: Complaint) -> Result<(), Reason> {
        let mut complaint = complaint;
        let in_header = complaint.meaning == Meaning::Header || marks.strays || marks.arithmetic;
        if complaint.meaning != Meaning::Damage && in_header {
            match self.paint(&repair::clean_header(bytes, marks)) {
                Ok(()) => return Ok(()),
                Err(next) => complaint = next,
            }
        }
        if complaint.meaning == Meaning::Damage {
            return Err(complaint.reason());
        }
        let end = end_of_picture(bytes, marks);
        if marks.arithmetic {
            // These codes cannot be followed here. Padding in front of the end marker is all that is forgiven.
            let strays = complaint.strays_before_end();
            return match (end, strays) {
                (Some(end), Some(strays)) if repair::is_padding(&bytes[..end], strays) => Ok(()),
                _ => Err(complaint.reason()),
            };
        }
        match repair::whole_picture(bytes, marks) {
            Ok(whole) => match self.paint(&whole.copy) {
                Ok(()) => Ok(()),
                Err(complaint) if complaint.is_progression() && whole.every_bit => Ok(()),
                Err(complaint) => Err(complaint.reason()),
            },
            Err(_) if end.is_none() => Err(cut_short()),
            Err(_) => Err(complaint.reason()),
        }
    }

    fn into_rgb(mut self) -> RgbImage {
        if self.format == PixelFormat::CMYK {
            cmyk_to_rgb(&mut self.pixels);
        }
        RgbImage::from_raw(self.size.width, self.size.height, self.pixels)
            .expect("the buffer was made for three bytes a pixel")
    }
}

/// Four bytes a pixel to three, in place. Every known writer stores CMYK inverted, as Adobe does: 255 is no ink.
fn cmyk_to_rgb(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for i in 0..count {
        let [c, m, y, k] = [0, 1, 2, 3].map(|channel| u32::from(pixels[4 * i + channel]));
        let rgb = [c, m, y].map(|ink| ((ink * k + 127) / 255) as u8);
        pixels[3 * i..3 * i + 3].copy_from_slice(&rgb);
    }
    pixels.truncate(3 * count);
}
