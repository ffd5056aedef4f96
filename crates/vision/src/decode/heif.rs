//! HEIC and other HEIF pictures coded with HEVC, as phones store them (ISO/IEC 23008-12), through `heifer`.
//!
//! The container's own rotation (`irot`, `imir`) and crop (`clap`) are applied and EXIF's orientation is not: it
//! repeats the rotation (23008-12, A.2.1). Depth maps and gain maps are auxiliary pictures and are ignored. Wide
//! colours (Display P3) come out as sRGB.

use super::other::{flatten, shrink, shrink_factor, shrunk_size};
use super::{cut_short, unreadable, unsupported};
use heifer::heifer_isobmff::boxes::Property;
use heifer::heifer_isobmff::{Error as ContainerError, HeifFile};
use heifer::{Error, Options, decode_rgba8, decode_srgb_rgba8};
use image::{DynamicImage, RgbImage, RgbaImage};
use walkaround_domain::{Reason, Size};

/// Working memory of a decode for each pixel: planes of 16 bits with half the colour, RGBA, and a turned copy of that.
const BYTES_PER_PIXEL: u64 = 11;

/// How far a coded picture may be larger than its header says, a side: it is padded to whole blocks.
const PADDING_MAX: u64 = 64;

/// A picture whose header has been read.
pub(super) struct Picture<'a> {
    bytes: &'a [u8],
    /// Pixels before the crop.
    coded: Size,
    /// Size upright: the decoder turns.
    pub(super) size: Size,
}

impl<'a> Picture<'a> {
    /// Reads the boxes.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Reason> {
        let (coded, size) = sizes(bytes).map_err(|error| reason(&error))?;
        Ok(Self { bytes, coded, size })
    }

    /// Working memory of [`Self::decode`], in bytes.
    pub(super) fn decode_bytes(&self, long_side_min: u32) -> u64 {
        let shrunk = shrunk_size(self.size, shrink_factor(self.size, long_side_min));
        BYTES_PER_PIXEL * self.coded.pixels() + 3 * shrunk.pixels()
    }

    /// Decodes on this thread, and shrinks to the smallest whole fraction whose long side is at least `long_side_min`.
    pub(super) fn decode(self, long_side_min: u32) -> Result<RgbImage, Reason> {
        let padded = |side: u32| u64::from(side) + PADDING_MAX;
        let options = Options {
            max_threads: 1,
            // What the memory was counted for: a header may lie.
            max_pixels: padded(self.coded.width) * padded(self.coded.height),
        };
        let picture = match decode_srgb_rgba8(self.bytes, &options) {
            // Its colours are of a kind that cannot be converted: as they are coded.
            Err(Error::Unsupported(_)) => decode_rgba8(self.bytes, &options),
            decoded => decoded,
        };
        let picture = picture.map_err(|error| reason(&error))?;
        let decoded = Size::new(picture.width, picture.height);
        if decoded != self.size {
            return Err(unreadable(format!(
                "the HEIC data is damaged: {} × {} pixels, its header says {} × {}",
                decoded.width, decoded.height, self.size.width, self.size.height
            )));
        }
        let pixels = if picture.has_alpha {
            let rgba = RgbaImage::from_raw(decoded.width, decoded.height, picture.data);
            flatten(DynamicImage::from(rgba.expect("four bytes a pixel")))
        } else {
            let rgb = RgbImage::from_raw(decoded.width, decoded.height, picture.into_rgb8());
            rgb.expect("three bytes a pixel")
        };
        match shrink_factor(decoded, long_side_min) {
            1 => Ok(pixels),
            factor => shrink(&pixels, shrunk_size(decoded, factor)),
        }
    }
}

/// The size of the primary picture as coded, and cropped and turned as its properties say, in their order.
fn sizes(bytes: &[u8]) -> Result<(Size, Size), Error> {
    let file = HeifFile::parse(bytes)?;
    let id = file.primary_id;
    let (width, height) = file
        .image_size(id)?
        .ok_or(Error::Invalid("the picture has no size"))?;
    let coded = Size::new(width, height);
    let mut size = coded;
    for property in file.item_properties(id)? {
        match *property {
            Property::Rotation(quarters) if quarters % 2 == 1 => size = Size::new(size.height, size.width),
            Property::CleanAperture { width, height, .. } => {
                let side =
                    |(over, under): (u32, u32), whole: u32| over.checked_div(under).unwrap_or(0).min(whole);
                size = Size::new(side(width, size.width), side(height, size.height));
            }
            _ => {}
        }
    }
    Ok((coded, size))
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::Container(ContainerError::UnexpectedEof)
        | Error::Hevc(heifer::heifer_hevc_dec::Error::UnexpectedEof) => cut_short(),
        Error::Unsupported(what) => unsupported(format_args!(
            "a kind of HEIC that is not supported ({})",
            what.split_whitespace().collect::<Vec<_>>().join(" ")
        )),
        Error::Hevc(heifer::heifer_hevc_dec::Error::Unimplemented(what)) => {
            unsupported(format_args!("a kind of HEIC that is not supported ({what})"))
        }
        other => {
            let text = other.to_string();
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            unreadable(format!("the HEIC data is damaged: {line}"))
        }
    }
}
