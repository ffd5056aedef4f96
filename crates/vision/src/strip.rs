//! The picture of a photo and nothing else: upright, and without a word about where, when and with what it was taken.
//!
//! A JPEG keeps the coefficients of its file wherever its picture can be turned without loss: libjpeg-turbo writes them
//! anew. Everything else is decoded at full size and encoded again.

use crate::decode::{Aim, Colours, Format, Limits, Reduced, decode, inspect_header, turned_jpeg};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use turbojpeg::Subsamp;
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
    /// Why something was lost. None where it has the coefficients of the photo's JPEG, or the pixels of any other file. Of a
    /// JPEG that was turned a decoder may round pixels otherwise, by up to 4 of 255.
    pub lost: Option<Lost>,
}

impl Stripped {
    /// Whether nothing was lost.
    pub const fn is_lossless(&self) -> bool {
        self.lost.is_none()
    }
}

/// Why a file is not its photo without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The coefficients of a JPEG cannot be kept: it cannot be turned without loss, or has other colours than sRGB.
    Coefficients,
    /// The format is one that is not written here.
    Format,
    /// Colours were converted to sRGB.
    Colours,
    /// It had more than 8 bits a channel.
    Depth,
    /// It had transparent parts.
    Transparency,
    /// It had pictures behind the first one.
    Frames,
}

impl Lost {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coefficients => "coefficients",
            Self::Format => "format",
            Self::Colours => "colours",
            Self::Depth => "depth",
            Self::Transparency => "transparency",
            Self::Frames => "frames",
        }
    }
}

/// The picture of a photo, upright, in a file without metadata. Colours that are not sRGB are converted.
///
/// Photos whose format loses detail stay or become JPEG, others become PNG.
///
/// # Errors
/// The reason why the photo cannot be used, as [`decode`] gives it.
pub fn strip(bytes: &[u8], limits: &Limits) -> Result<Stripped, Reason> {
    let header = inspect_header(bytes, limits, Aim::Networks(u32::MAX))?;
    if header.format == Format::Jpeg
        && let Some(bytes) = turned_jpeg(bytes, limits)
    {
        return Ok(Stripped {
            bytes,
            format: Format::Jpeg,
            size: header.upright,
            lost: None,
        });
    }
    let decoded = decode(bytes, limits, Aim::Networks(u32::MAX))?;
    let pixels = decoded.pixels;
    let size = Size::new(pixels.width(), pixels.height());
    let (bytes, format) = match header.format {
        Format::Jpeg | Format::Heic | Format::Avif => (jpeg(&pixels)?, Format::Jpeg),
        Format::Png | Format::WebP | Format::Bmp | Format::Tiff | Format::Gif => (png(&pixels)?, Format::Png),
    };
    let lost = match (header.format, decoded.reduced) {
        (Format::Jpeg, _) => Some(Lost::Coefficients),
        (Format::Heic | Format::Avif, _) => Some(Lost::Format),
        (_, Some(Reduced::Depth)) => Some(Lost::Depth),
        (_, Some(Reduced::Transparency)) => Some(Lost::Transparency),
        (_, Some(Reduced::Frames)) => Some(Lost::Frames),
        (_, None) => (decoded.colours == Colours::Converted).then_some(Lost::Colours),
    };
    Ok(Stripped {
        bytes,
        format,
        size,
        lost,
    })
}

fn jpeg(pixels: &RgbImage) -> Result<Vec<u8>, Reason> {
    let encoded = turbojpeg::compress_image(pixels, QUALITY, Subsamp::None);
    encoded
        .map(|bytes| bytes.to_vec())
        .map_err(|error| unencoded(&error))
}

fn png(pixels: &RgbImage) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, pixels.width(), pixels.height(), ExtendedColorType::Rgb8)
        .map_err(|error| unencoded(&error))?;
    Ok(bytes)
}

fn unencoded(error: &dyn std::fmt::Display) -> Reason {
    Reason::new(
        ReasonCode::Unreadable,
        format!("it cannot be encoded again: {error}"),
    )
}
