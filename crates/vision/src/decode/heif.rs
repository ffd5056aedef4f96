//! HEIC and other HEIF pictures coded with HEVC, as phones store them (ISO/IEC 23008-12), through `heifer`; and AVIF, which
//! has the same container.
//!
//! The container's own rotation (`irot`, `imir`) and crop (`clap`) are applied and EXIF's orientation is not: it
//! repeats the rotation (23008-12, A.2.1). Depth maps and gain maps are auxiliary pictures and are ignored.
//!
//! What phones write, a picture or a grid of them, is decoded piece by piece and shrunk at once (module `pieces`). What is
//! rarer (transparency, a crop, overlays) is put together by `heifer`, at full size; in AVIF, transparency is ignored, and
//! a crop or an overlay is refused.

#[cfg(feature = "avif")]
mod av1;
mod container;
mod pieces;
mod shrink;
mod trailer;

use super::colours::Profile;
use super::orientation;
use super::other::{flatten, shrink, shrink_factor, shrunk_size};
use super::{Format, cut_short, unreadable, unsupported};
use container::{Layout, Turn};
use heifer::heifer_isobmff::{Error as ContainerError, HeifFile};
use heifer::{Error, Options, decode_rgba8};
use image::{DynamicImage, RgbImage, RgbaImage};
use pieces::padded;
use trailer::without_trailer;
use walkaround_domain::{Reason, Size};

/// Working memory of `heifer` for each pixel: planes of 16 bits with half the colour, RGBA, and a turned copy of that.
const BYTES_PER_PIXEL: u64 = 11;

/// A picture whose header has been read.
pub(super) struct Picture<'a> {
    format: Format,
    bytes: &'a [u8],
    file: HeifFile<'a>,
    layout: Layout,
    /// Size upright: the container turns.
    pub(super) size: Size,
}

impl<'a> Picture<'a> {
    /// Reads the boxes.
    pub(super) fn open(bytes: &'a [u8], format: Format) -> Result<Self, Reason> {
        let bytes = without_trailer(bytes);
        let file = HeifFile::parse(bytes).map_err(|error| reason(&error.into(), format))?;
        let layout = Layout::read(&file).map_err(|error| reason(&error, format))?;
        Ok(Self {
            format,
            bytes,
            size: layout.upright(),
            file,
            layout,
        })
    }

    /// Working memory of [`Self::decode`], in bytes.
    pub(super) fn decode_bytes(&self, long_side_min: u32) -> u64 {
        let factor = shrink_factor(self.size, long_side_min);
        let shrunk = shrunk_size(self.size, factor).pixels();
        match &self.layout.pieces {
            // Of the turn, a copy.
            Some(pieces) => pieces.decode_bytes(factor) + 6 * shrunk + 2 * self.bytes.len() as u64,
            None => BYTES_PER_PIXEL * self.layout.coded.pixels() + 3 * shrunk,
        }
    }

    /// Decodes on this thread, and shrinks to the smallest whole fraction whose long side is at least `long_side_min`; and
    /// the colour profile.
    pub(super) fn decode(self, long_side_min: u32) -> Result<(RgbImage, Profile), Reason> {
        let factor = shrink_factor(self.size, long_side_min);
        let profile = container::profile(&self.file).map_err(|error| reason(&error, self.format))?;
        let pixels = match &self.layout.pieces {
            Some(pieces) => {
                let pixels = pieces
                    .decode(&self.file, factor)
                    .map_err(|error| reason(&error, self.format))?;
                self.layout.turns.iter().fold(pixels, turned)
            }
            None => self.put_together(factor)?,
        };
        Ok((pixels, profile))
    }

    /// By `heifer`, at full size, turned and cropped; then shrunk.
    fn put_together(&self, factor: u32) -> Result<RgbImage, Reason> {
        let options = Options {
            max_threads: 1,
            // What the memory was counted for: a header may lie.
            max_pixels: padded(self.layout.coded),
        };
        let picture = decode_rgba8(self.bytes, &options).map_err(|error| reason(&error, self.format))?;
        let decoded = Size::new(picture.width, picture.height);
        if decoded != self.size {
            return Err(unreadable(format!(
                "the {} data is damaged: {} × {} pixels, its header says {} × {}",
                self.format.name(),
                decoded.width,
                decoded.height,
                self.size.width,
                self.size.height
            )));
        }
        let pixels = if picture.has_alpha {
            let rgba = RgbaImage::from_raw(decoded.width, decoded.height, picture.data);
            flatten(DynamicImage::from(rgba.expect("four bytes a pixel"))).0
        } else {
            let rgb = RgbImage::from_raw(decoded.width, decoded.height, picture.into_rgb8());
            rgb.expect("three bytes a pixel")
        };
        Ok(match factor {
            1 => pixels,
            factor => shrink(&pixels, shrunk_size(decoded, factor)),
        })
    }
}

fn turned(pixels: RgbImage, turn: &Turn) -> RgbImage {
    // As EXIF numbers them.
    let number = match turn {
        Turn::Quarters(1) => 8,
        Turn::Quarters(2) => 3,
        Turn::Quarters(3) => 6,
        Turn::Quarters(_) => 1,
        Turn::TopBottom => 4,
        Turn::LeftRight => 2,
    };
    orientation::apply(pixels, number)
}

fn reason(error: &Error, format: Format) -> Reason {
    let name = format.name();
    match error {
        Error::Container(ContainerError::UnexpectedEof)
        | Error::Hevc(heifer::heifer_hevc_dec::Error::UnexpectedEof) => cut_short(),
        Error::Unsupported(what) => unsupported(format_args!(
            "a kind of {name} that is not supported ({})",
            what.split_whitespace().collect::<Vec<_>>().join(" ")
        )),
        Error::Hevc(heifer::heifer_hevc_dec::Error::Unimplemented(what)) => {
            unsupported(format_args!("a kind of {name} that is not supported ({what})"))
        }
        other => {
            let text = other.to_string();
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            unreadable(format!("the {name} data is damaged: {line}"))
        }
    }
}
