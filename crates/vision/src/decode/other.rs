//! Formats other than JPEG, through `image`: decoded at full size, flattened on white, shrunk.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, RgbImage};
use walkaround_domain::{Reason, ReasonCode, Size};

use crate::resample;

use super::colours::{PROFILE_BYTES_MAX, Profile};
use super::frames::{Reduced, tiff_has_more};
use super::orientation::swaps_sides;
use super::{Format, Limits, containers, cut_short, exif, gif, unreadable, unsupported};

/// Colour profile, texts and row buffers of a PNG, in bytes.
const PNG_METADATA_BYTES_MAX: u64 = 32 << 20;

/// A picture whose header has been read.
pub(super) struct Picture<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: Format,
    animated: bool,
    /// Whether there are pictures behind the one that is decoded.
    has_more: bool,
    /// Bytes of a copy of the file that was put right; 0 for none.
    repaired_bytes: u64,
    /// The colour profile of a TIFF.
    tiff_profile: Option<Vec<u8>>,
    /// Size as stored.
    pub(super) size: Size,
    /// EXIF orientation, 1 to 8.
    pub(super) orientation: u8,
}

impl<'a> Picture<'a> {
    /// Reads the header; `format` is anything but JPEG, HEIC and AVIF.
    pub(super) fn open(bytes: &'a [u8], format: Format) -> Result<Self, Reason> {
        let mut orientation = None;
        let mut animated = false;
        let mut has_more = false;
        let mut repaired_bytes = 0;
        let mut tiff_profile = None;
        let input = Cursor::new(bytes);
        let mut decoder: Box<dyn ImageDecoder + 'a> = match format {
            Format::WebP => {
                containers::check_riff_length(bytes)?;
                let mut decoder = WebPDecoder::new(input).map_err(|error| reason(&error, format))?;
                animated = decoder.has_animation();
                has_more = animated;
                // Metadata that cannot be read is no reason to refuse the pixels.
                let block = decoder.exif_metadata().ok().flatten();
                orientation = block.as_deref().and_then(exif::orientation);
                Box::new(decoder)
            }
            Format::Bmp => Box::new(BmpDecoder::new(input).map_err(|error| reason(&error, format))?),
            Format::Tiff => {
                // EXIF is a TIFF structure, so a TIFF reads like it.
                orientation = exif::orientation(bytes);
                has_more = tiff_has_more(bytes);
                // Of one that is too long, as much as shows it.
                tiff_profile = exif::tiff_profile(bytes)
                    .map(|profile| profile[..profile.len().min(PROFILE_BYTES_MAX + 1)].to_vec());
                Box::new(TiffDecoder::new(input).map_err(|error| reason(&error, format))?)
            }
            Format::Gif => {
                has_more = gif::has_more_frames(bytes);
                let bytes = gif::whole_canvas(bytes);
                if let Cow::Owned(copy) = &bytes {
                    repaired_bytes = copy.len() as u64;
                }
                Box::new(GifDecoder::new(Cursor::new(bytes)).map_err(|error| reason(&error, format))?)
            }
            Format::Png | Format::Jpeg | Format::Heic | Format::Avif => {
                let png = containers::png(bytes)?;
                orientation = png.orientation;
                if let Cow::Owned(copy) = &png.bytes {
                    repaired_bytes = copy.len() as u64;
                }
                let input = Cursor::new(png.bytes);
                let mut limits = image::Limits::no_limits();
                limits.max_alloc = Some(PNG_METADATA_BYTES_MAX);
                let decoder =
                    PngDecoder::with_limits(input, limits).map_err(|error| reason(&error, format))?;
                has_more = decoder.is_apng().unwrap_or(false);
                Box::new(decoder)
            }
        };
        let (width, height) = decoder.dimensions();
        Ok(Self {
            size: Size::new(width, height),
            // BigTIFF is no EXIF: its decoder knows.
            orientation: orientation.unwrap_or_else(|| own_orientation(&mut *decoder, format)),
            decoder,
            format,
            animated,
            has_more,
            repaired_bytes,
            tiff_profile,
        })
    }

    /// Working memory of [`Self::decode`], in bytes, including the turn to upright.
    pub(super) fn decode_bytes(&self, long_side_min: u32) -> u64 {
        let pixels = self.size.pixels();
        let own = self.decoder.total_bytes();
        let inside = match self.format {
            Format::Jpeg | Format::Heic | Format::Avif | Format::Png | Format::Bmp => 0,
            // The frame before it is placed on the canvas.
            Format::Gif => 4 * pixels,
            // Planes or ARGB inside the decoder; an animation keeps a canvas as well.
            Format::WebP if self.animated => 8 * pixels,
            Format::WebP => 4 * pixels,
            // Decoded into a buffer of its own first.
            Format::Tiff => own,
        };
        let converted = match self.decoder.color_type() {
            ColorType::Rgb8 | ColorType::Rgba8 => 0,
            ColorType::La8 | ColorType::La16 | ColorType::Rgba16 | ColorType::Rgba32F => 4 * pixels,
            _ => 3 * pixels,
        };
        let factor = shrink_factor(self.size, long_side_min);
        let shrunk = shrunk_size(self.size, factor).pixels() * 3;
        // The resizer keeps an intermediate picture that is small in one direction only.
        let shrinking = if factor > 1 {
            shrunk * (1 + u64::from(factor))
        } else {
            0
        };
        let turned = if swaps_sides(self.orientation) { shrunk } else { 0 };
        // Conversion and shrinking do not overlap in time with the decoder's own needs.
        self.repaired_bytes + own + inside.max(converted).max(shrinking) + turned
    }

    /// Decodes and shrinks to the smallest whole fraction whose long side is at least `long_side_min`; and the colour profile, and
    /// what was given up for 8 bits of RGB.
    pub(super) fn decode(
        self,
        limits: &Limits,
        long_side_min: u32,
    ) -> Result<(RgbImage, Profile, Option<Reduced>), Reason> {
        let Self {
            mut decoder,
            format,
            size,
            has_more,
            repaired_bytes,
            tiff_profile,
            ..
        } = self;
        // PNG takes its limits when it is opened; its rows were counted there.
        if format != Format::Png {
            let mut bounds = image::Limits::no_limits();
            bounds.max_alloc = Some(limits.decode_bytes_max);
            decoder
                .set_limits(bounds)
                .map_err(|error| reason(&error, format))?;
        }
        // A profile that cannot be read is no reason to refuse the pixels. TIFF's decoder would take 32 times its length.
        let profile = match format {
            Format::Tiff => Profile::found(tiff_profile),
            _ => decoder.icc_profile().map_or(Profile::Broken, Profile::found),
        };
        let picture = DynamicImage::from_decoder(decoder).map_err(|error| match repaired_bytes {
            0 => reason(&error, format),
            // The file ends somewhere; where pixels are missing, that is why.
            _ => cut_short(),
        })?;
        let mut reduced = has_more.then_some(Reduced::Frames);
        if picture.color().bytes_per_pixel() > picture.color().channel_count() {
            reduced = Some(Reduced::Depth);
        }
        let (pixels, transparent) = flatten(picture);
        if transparent {
            reduced = Some(Reduced::Transparency);
        }
        let factor = shrink_factor(size, long_side_min);
        let pixels = if factor == 1 {
            pixels
        } else {
            shrink(&pixels, shrunk_size(size, factor))
        };
        Ok((pixels, profile, reduced))
    }
}

/// What a decoder reads of the orientation by itself.
fn own_orientation(decoder: &mut dyn ImageDecoder, format: Format) -> u8 {
    if format == Format::Tiff {
        decoder
            .orientation()
            .unwrap_or(Orientation::NoTransforms)
            .to_exif()
    } else {
        1
    }
}

pub(super) fn shrink_factor(size: Size, long_side_min: u32) -> u32 {
    (size.long_side() / long_side_min.max(1)).max(1)
}

pub(super) fn shrunk_size(size: Size, factor: u32) -> Size {
    Size::new(size.width.div_ceil(factor), size.height.div_ceil(factor))
}

pub(super) fn shrink(pixels: &RgbImage, to: Size) -> RgbImage {
    let mut small = RgbImage::new(to.width, to.height);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
    let from = Size::new(pixels.width(), pixels.height());
    resample::rgb(
        &mut Resizer::new(),
        pixels.as_raw(),
        from,
        &mut small,
        to,
        &options,
    );
    small
}

/// Any pixels to RGB of 8 bits, and whether any was transparent: those show white.
pub(super) fn flatten(picture: DynamicImage) -> (RgbImage, bool) {
    let (width, height) = (picture.width(), picture.height());
    if !picture.color().has_alpha() {
        return (picture.into_rgb8(), false);
    }
    let mut pixels = picture.into_rgba8().into_raw();
    let count = pixels.len() / 4;
    let mut transparent = false;
    for i in 0..count {
        let alpha = u32::from(pixels[4 * i + 3]);
        transparent |= alpha < 255;
        for channel in 0..3 {
            let over_white = u32::from(pixels[4 * i + channel]) * alpha + 255 * (255 - alpha);
            pixels[3 * i + channel] = ((over_white + 127) / 255) as u8;
        }
    }
    pixels.truncate(3 * count);
    let pixels = RgbImage::from_raw(width, height, pixels);
    (pixels.expect("three bytes for each of the pixels"), transparent)
}

/// The reason behind an error of `image`.
fn reason(error: &ImageError, format: Format) -> Reason {
    let name = format.name();
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => cut_short(),
        ImageError::Unsupported(_) if format == Format::Tiff => unsupported(
            "a kind of TIFF that is not supported (palette, YCbCr or another uncommon colour or compression)",
        ),
        ImageError::Unsupported(error) => {
            unsupported(format_args!("a kind of {name} that is not supported ({error})"))
        }
        ImageError::Limits(_) => Reason::new(
            ReasonCode::TooLarge,
            format!("decoding this {name} needs more memory than the limit"),
        ),
        other => unreadable(format!(
            "the {name} data is damaged: {}",
            one_line(&other.to_string())
        )),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
