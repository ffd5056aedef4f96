//! JPEG through libjpeg-turbo, scaled while decoding.
//!
//! libjpeg paints something for almost any input and only warns. The interface used here turns every warning
//! into an error and tells the text of the first one, so a success is a success; a complaint is sorted: the
//! file ends early, the data is damaged, or it is one of the oddities that do no harm. Those in the header
//! stop libjpeg-turbo's interface before the first pixel: then a cleaned copy is decoded.

use image::RgbImage;
use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};
use walkaround_domain::{Reason, Size};

use super::markers::{Marks, cleaned, end_of_picture};
use super::orientation::swaps_sides;
use super::{cut_short, unreadable};

/// Passes over the picture; encoders use about ten. Each costs a walk over all coefficients, however short.
const SCANS_MAX: u32 = 200;
/// Bytes between the coded data and the end marker that are taken for padding. Some cameras leave a few.
const PADDING_MAX: usize = 64;

/// The scale at which a JPEG is decoded: one `denominator`-th.
fn denominator(size: Size, long_side_min: u32) -> u32 {
    [8, 4, 2]
        .into_iter()
        .find(|n| size.long_side().div_ceil(*n) >= long_side_min.max(1))
        .unwrap_or(1)
}

fn scaled(size: Size, denominator: u32) -> Size {
    Size::new(
        size.width.div_ceil(denominator),
        size.height.div_ceil(denominator),
    )
}

/// Working memory of [`decode`], in bytes, including the turn to upright.
pub(super) fn decode_bytes(marks: &Marks, long_side_min: u32) -> u64 {
    let output = scaled(marks.size, denominator(marks.size, long_side_min)).pixels();
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
    output * channels + turned + coefficients + rows
}

/// Decodes at the smallest of the scales 1, 1/2, 1/4, 1/8 whose long side is at least `long_side_min`.
pub(super) fn decode(bytes: &[u8], marks: &Marks, long_side_min: u32) -> Result<RgbImage, Reason> {
    if ends_too_early(bytes, marks) {
        return Err(cut_short());
    }
    let denominator = denominator(marks.size, long_side_min);
    let mut canvas = Canvas::new(marks, denominator);
    if let Err(complaint) = canvas.paint(bytes) {
        canvas.forgive(bytes, marks, &complaint)?;
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
    fn new(marks: &Marks, denominator: u32) -> Self {
        let size = scaled(marks.size, denominator);
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
            scale: ScalingFactor::new(1, denominator as usize),
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

    /// Decides about a complaint; where a cleaned copy may do better, paints again.
    fn forgive(&mut self, bytes: &[u8], marks: &Marks, complaint: &Complaint) -> Result<(), Reason> {
        let end = end_of_picture(bytes, marks);
        let padding = |strays: usize| end.is_some_and(|end| is_padding(&bytes[..end], strays));
        match complaint {
            Complaint::StraysBeforeEnd(strays) if padding(*strays) => return Ok(()),
            Complaint::Header => {}
            Complaint::StraysBeforeSegment if marks.strays => {}
            Complaint::EndOfFile if end.is_none() => {}
            other => return Err(other.reason()),
        }
        // Where only the end marker is missing, the picture is whole. That can be told (from the warning that
        // the added marker comes too early) with one pass over the picture and Huffman codes only.
        if end.is_none() && (marks.arithmetic || !marks.one_pass()) {
            return Err(cut_short());
        }
        match self.paint(&cleaned(bytes, marks)) {
            Ok(()) => Ok(()),
            Err(_) if end.is_none() => Err(cut_short()),
            Err(Complaint::StraysBeforeEnd(strays)) if padding(strays) => Ok(()),
            Err(other) => Err(other.reason()),
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

/// `strays` bytes at the end of `data` are padding: few, or all the same.
fn is_padding(data: &[u8], strays: usize) -> bool {
    let tail = &data[data.len().saturating_sub(strays)..];
    tail.len() <= PADDING_MAX || tail.iter().all(|byte| *byte == tail[0])
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

/// What libjpeg said first.
#[derive(Debug)]
enum Complaint {
    /// The bytes ran out.
    EndOfFile,
    /// So many bytes between the data and the end marker.
    StraysBeforeEnd(usize),
    /// Bytes that belong to no segment, elsewhere.
    StraysBeforeSegment,
    /// Something in the header that does not matter for the pixels.
    Header,
    /// Anything else, in libjpeg's words.
    Damaged(String),
}

impl Complaint {
    /// Sorts libjpeg's messages (jerror.h of libjpeg-turbo); only the text comes through.
    fn from_error(error: turbojpeg::Error) -> Self {
        let text = match error {
            turbojpeg::Error::TurboJpegError(text) => text,
            other => return Self::Damaged(other.to_string()),
        };
        if text.contains("Premature end of JPEG file") {
            return Self::EndOfFile;
        }
        if let Some((count, marker)) = text.split_once(" extraneous bytes before marker 0x") {
            let count = count.rsplit(' ').next().and_then(|count| count.parse().ok());
            return match (u8::from_str_radix(marker, 16), count) {
                (Ok(0xd9), Some(count)) => Self::StraysBeforeEnd(count),
                _ => Self::StraysBeforeSegment,
            };
        }
        const HARMLESS: [&str; 3] = [
            "bad ICC marker",
            "unknown JFIF revision",
            "Unknown Adobe color transform",
        ];
        if HARMLESS.iter().any(|harmless| text.contains(harmless)) {
            return Self::Header;
        }
        Self::Damaged(text)
    }

    fn reason(&self) -> Reason {
        let text = match self {
            Self::EndOfFile => return cut_short(),
            Self::StraysBeforeEnd(count) => format!("{count} bytes too many"),
            Self::StraysBeforeSegment | Self::Header => "bytes that belong nowhere".to_owned(),
            Self::Damaged(text) => text.trim_start_matches("Corrupt JPEG data: ").to_owned(),
        };
        unreadable(format!("the JPEG data is damaged: {text}"))
    }
}
