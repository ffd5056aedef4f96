//! JPEG as cameras write it, decoded small: three components in one scan of Huffman codes, colours at full or half size.
//!
//! Most of the time that libjpeg takes for a small picture goes into codes of coefficients that it does not need. They are
//! read over here, several at a time. Whatever is unusual, and every irregularity of the data, is left to libjpeg, which
//! then decodes the picture from the beginning: nothing is forgiven here, and nothing refused.
//!
//! Clause and table numbers are those of ITU-T T.81.

mod bits;
mod codes;
mod eighth;
mod frame;
mod planes;
mod reduced;
mod scan;
#[cfg(test)]
mod tests;

use super::markers::Marks;
use frame::Frame;
use image::RgbImage;
pub use scan::Coded;

/// The eighths of a picture that can be decoded here, for people to look at.
pub(super) const REDUCED: std::ops::RangeInclusive<u32> = 2..=4;

/// The picture at an eighth of its size, to the last bit as libjpeg gives it, and its coded data for [`reduced`]; none where
/// libjpeg has to be asked.
pub(super) fn eighth(bytes: &[u8], marks: &Marks) -> Option<(RgbImage, Coded)> {
    eighth::decode(bytes, &Frame::read(bytes, marks)?)
}

/// The picture at so many eighths of its size (see [`REDUCED`]), close to what libjpeg gives; none where libjpeg has to be
/// asked. `coded` is what [`eighth`] gave for the same file.
pub(super) fn reduced(bytes: &[u8], marks: &Marks, eighths: u32, coded: Option<&Coded>) -> Option<RgbImage> {
    let frame = Frame::read(bytes, marks)?;
    reduced::decode(reduced::Source { bytes, coded }, &frame, eighths)
}
