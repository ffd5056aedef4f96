//! Bytes of a photo to bounded, upright RGB pixels.
//!
//! The content decides the format, never the file's name (module `sniff`). Every limit is checked from the
//! header, before any pixel is allocated. JPEG is decoded scaled down inside libjpeg-turbo (DCT scaling), other
//! formats through `image` and shrunk afterwards. Other colours than sRGB are converted and the EXIF orientation is
//! applied last, when few pixels are left; nothing else of the EXIF block is read, the position least of all. What cannot be used comes
//! back as a [`Reason`]: a value for the record, not an error.

mod aim;
mod baseline;
mod colours;
mod containers;
mod exif;
mod format;
mod frames;
mod gif;
#[cfg(feature = "heic")]
mod heif;
mod huffman;
mod jpeg;
mod jpeg_profile;
mod limits;
mod lossless;
mod markers;
mod orientation;
mod other;
mod png_text;
mod reason;
mod repair;
mod sniff;
mod warning;

pub use aim::Aim;
pub use baseline::Coded;
pub use colours::Colours;
pub use format::Format;
pub use frames::Reduced;
use image::RgbImage;
pub use limits::Limits;
use limits::MIB;
pub(crate) use lossless::turned_jpeg;
use reason::{cut_short, unreadable, unsupported};
use walkaround_domain::{Reason, ReasonCode, Size};

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Format, from the content.
    pub format: Format,
    /// Size as stored, in pixels.
    pub stored: Size,
    /// EXIF orientation, 1 to 8; 1 where there is none or a nonsensical one.
    pub orientation: u8,
    /// Size after the orientation is applied, in pixels.
    pub upright: Size,
    /// Estimate of the working memory of a decode with the aim asked for, in bytes.
    pub decode_bytes: u64,
}

/// A decoded photo.
#[derive(Debug)]
pub struct Decoded {
    /// Upright pixels, scaled down (the last column and row may cover less than the others).
    pub pixels: RgbImage,
    /// Size of the upright photo at full scale, in pixels.
    pub original: Size,
    /// Format, from the content.
    pub format: Format,
    /// What was done about the colours.
    pub colours: Colours,
    /// What was given up of the file's picture, beside its size; of several things the first.
    pub reduced: Option<Reduced>,
    /// What another decode of the same file need not find out again; about as large as the file. None where it would not help.
    pub coded: Option<Coded>,
}

/// Whether these first bytes of a file are those of a picture: of one that is read here, or of a kind that is not, such
/// as JPEG XL. Camera raw files and videos are none.
pub fn is_picture(start: &[u8]) -> bool {
    sniff::is_picture(start)
}

/// Reads the header and checks every limit; allocates nothing that grows with the number of pixels.
///
/// `aim` is what [`decode`] would be asked for: the memory estimate depends on it.
///
/// # Errors
/// The reason why the photo cannot be used, as far as the header shows.
pub fn inspect_header(bytes: &[u8], limits: &Limits, aim: impl Into<Aim>) -> Result<Header, Reason> {
    Ok(open(bytes, limits, aim.into())?.0)
}

/// Decodes a photo: upright, RGB, transparent parts on white, and scaled down as far as its long side keeps the pixels
/// that the aim wants (JPEG for networks by 1, 2, 4 or 8, for people to any number of eighths; others by any whole number;
/// never enlarged).
///
/// # Errors
/// The reason why the photo cannot be used. A picture of which only a part could be decoded is refused.
pub fn decode(bytes: &[u8], limits: &Limits, aim: impl Into<Aim>) -> Result<Decoded, Reason> {
    decode_again(bytes, None, limits, aim)
}

/// As [`decode`], of a file that was decoded before at another size: `coded` is what that gave. Files of other bytes give
/// wrong pixels.
///
/// # Errors
/// The reason why the photo cannot be used.
pub fn decode_again(
    bytes: &[u8],
    coded: Option<&Coded>,
    limits: &Limits,
    aim: impl Into<Aim>,
) -> Result<Decoded, Reason> {
    let aim = aim.into();
    let (header, source) = open(bytes, limits, aim)?;
    let mut for_later = None;
    let mut reduced = None;
    let (mut pixels, profile) = match source {
        Source::Jpeg(marks) => {
            let (pixels, coded) = jpeg::decode(bytes, &marks, aim, coded)?;
            for_later = coded;
            (pixels, marks.profile.profile(bytes))
        }
        #[cfg(feature = "heic")]
        Source::Heif(picture) => picture.decode(aim.long_side_min())?,
        Source::Other(picture) => {
            let (pixels, profile, given_up) = picture.decode(limits, aim.long_side_min())?;
            reduced = given_up;
            (pixels, profile)
        }
    };
    let colours = profile.apply(&mut pixels);
    let pixels = orientation::apply(pixels, header.orientation);
    Ok(Decoded {
        pixels,
        original: header.upright,
        format: header.format,
        colours,
        reduced,
        coded: for_later,
    })
}

/// What is left to do once the header has passed.
enum Source<'a> {
    Jpeg(markers::Marks),
    #[cfg(feature = "heic")]
    Heif(heif::Picture<'a>),
    Other(other::Picture<'a>),
}

fn open<'a>(bytes: &'a [u8], limits: &Limits, aim: Aim) -> Result<(Header, Source<'a>), Reason> {
    check_length(bytes, limits)?;
    let format = sniff::format(bytes)?;
    let (stored, orientation, source) = match format {
        Format::Jpeg => {
            let marks = markers::read(bytes)?;
            (marks.size, marks.orientation, Source::Jpeg(marks))
        }
        #[cfg(feature = "heic")]
        Format::Heic | Format::Avif => {
            let picture = heif::Picture::open(bytes, format)?;
            (picture.size, 1, Source::Heif(picture))
        }
        _ => {
            let picture = other::Picture::open(bytes, format)?;
            (picture.size, picture.orientation, Source::Other(picture))
        }
    };
    check_size(stored, limits)?;
    let decode_bytes = match &source {
        Source::Jpeg(marks) => jpeg::decode_bytes(bytes.len() as u64, marks, aim),
        #[cfg(feature = "heic")]
        Source::Heif(picture) => picture.decode_bytes(aim.long_side_min()),
        Source::Other(picture) => picture.decode_bytes(aim.long_side_min()),
    };
    let upright = orientation::upright(stored, orientation);
    let header = Header {
        format,
        stored,
        orientation,
        upright,
        decode_bytes,
    };
    check_memory(&header, limits)?;
    Ok((header, source))
}

fn check_length(bytes: &[u8], limits: &Limits) -> Result<(), Reason> {
    if bytes.is_empty() {
        return Err(unreadable("the file is empty"));
    }
    let length = bytes.len() as u64;
    if length > limits.bytes_max {
        let detail = format!(
            "{} is over the limit of {}",
            mebibytes(length),
            mebibytes(limits.bytes_max)
        );
        return Err(Reason::new(ReasonCode::TooLarge, detail));
    }
    Ok(())
}

fn check_size(size: Size, limits: &Limits) -> Result<(), Reason> {
    let Size { width, height } = size;
    let (short, long) = (width.min(height), width.max(height));
    if short == 0 {
        return Err(unreadable(format!("the header says {width} x {height} pixels")));
    }
    if size.pixels() > limits.pixels_max {
        let limit = limits.pixels_max as f64 / 1e6;
        let detail = format!("{width} x {height} pixels is over the limit of {limit} megapixels");
        return Err(Reason::new(ReasonCode::TooLarge, detail));
    }
    if u64::from(long) > u64::from(short) * u64::from(limits.aspect_max) {
        let limit = limits.aspect_max;
        let detail = format!("{width} x {height} pixels is more than {limit} times as long as it is wide");
        return Err(Reason::new(ReasonCode::OddAspect, detail));
    }
    if short < limits.side_min {
        let limit = limits.side_min;
        let detail = format!("{width} x {height} pixels; at least {limit} per side are needed");
        return Err(Reason::new(ReasonCode::TooSmall, detail));
    }
    Ok(())
}

fn check_memory(header: &Header, limits: &Limits) -> Result<(), Reason> {
    if header.decode_bytes <= limits.decode_bytes_max {
        return Ok(());
    }
    let Size { width, height } = header.stored;
    let detail = format!(
        "decoding this {} of {width} x {height} pixels needs {} of memory; the limit is {}",
        header.format.name(),
        mebibytes(header.decode_bytes),
        mebibytes(limits.decode_bytes_max),
    );
    Err(Reason::new(ReasonCode::TooLarge, detail))
}

/// Bytes as a short figure in MiB: rounded up to tenths, so that a value over a limit never reads like it.
fn mebibytes(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(MIB);
    if tenths.is_multiple_of(10) {
        format!("{} MiB", tenths / 10)
    } else {
        format!("{}.{} MiB", tenths / 10, tenths % 10)
    }
}
