//! COCO's run-length code: masks in and out, its compressed text, set operations and rasterised polygons.
//!
//! Byte-exact with pycocotools (`tests/rle.rs` compares). Everything but [`decode_mask`] and [`encode_mask`]
//! works on runs, so a mask of a 12-megapixel photo costs a few thousand numbers and never 12 MB. Whatever
//! comes from outside (counts, text, polygons) is checked against the size before anything is allocated.

mod canvas;
mod polygon;
mod runs;
mod text;

use thiserror::Error;
use walkaround_domain::{Rle, Size};

pub use canvas::from_canvas;
pub use polygon::{CROSSINGS_MAX, from_polygons};
pub use runs::{bounding_box, intersection_area, iou, union};
pub use text::{from_string, to_string};

pub(crate) use runs::RunWriter;

/// Most pixels a mask may have here: beyond what [`crate::decode`] accepts, and well inside 32-bit counts.
pub const MASK_PIXELS_MAX: u64 = 256 << 20;

/// Why a run-length code, its text or a polygon was refused. None of these goes away on a retry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RleError {
    /// The mask has more pixels than [`MASK_PIXELS_MAX`].
    #[error("a mask of {pixels} pixels is larger than the {MASK_PIXELS_MAX} allowed")]
    TooLarge {
        /// Pixels asked for.
        pixels: u64,
    },
    /// The counts do not add up to the size.
    #[error("run lengths add up to {sum} pixels, the mask has {pixels}")]
    Sum {
        /// What the counts add up to (or where adding up stopped).
        sum: u64,
        /// What the size asks for.
        pixels: u64,
    },
    /// The text is not COCO's compressed run-length code.
    #[error("run-length text is malformed at byte {at}")]
    Text {
        /// Byte offset of the first fault.
        at: usize,
    },
    /// Two masks of different sizes cannot be combined.
    #[error("masks of {left:?} and {right:?} cannot be combined")]
    SizeMismatch {
        /// The first size.
        left: Size,
        /// The one that differs.
        right: Size,
    },
    /// A polygon crosses more pixel columns than [`CROSSINGS_MAX`], or a coordinate is not a number.
    #[error("polygon cannot be rasterised: {reason}")]
    Polygon {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Run-length code of a mask.
///
/// `row_major` holds `size.pixels()` bytes, row by row; anything but zero is inside.
///
/// # Panics
/// When `row_major` has another length.
pub fn encode_mask(size: Size, row_major: &[u8]) -> Rle {
    assert_eq!(row_major.len() as u64, size.pixels(), "one byte a pixel");
    let (width, height) = (size.width as usize, size.height as usize);
    let mut writer = RunWriter::new(size);
    for x in 0..width {
        let mut start = None;
        for y in 0..height {
            let inside = row_major[y * width + x] != 0;
            match (inside, start) {
                (true, None) => start = Some(y),
                (false, Some(from)) => {
                    writer.push_in_column(x, from, y);
                    start = None;
                }
                _ => {}
            }
        }
        if let Some(from) = start {
            writer.push_in_column(x, from, height);
        }
    }
    writer.finish()
}

/// The mask itself: `size.pixels()` bytes, row by row, 1 inside and 0 outside.
///
/// # Errors
/// [`RleError::TooLarge`] and [`RleError::Sum`], both found before the mask is allocated.
pub fn decode_mask(rle: &Rle) -> Result<Vec<u8>, RleError> {
    check(rle)?;
    let (width, height) = (rle.size.width as usize, rle.size.height as usize);
    let mut mask = vec![0u8; width * height];
    for (start, end) in runs::intervals(rle) {
        // Walks columns rather than pixels: one division a column instead of two a pixel.
        let (mut at, end) = (start as usize, end as usize);
        while at < end {
            let (x, y) = (at / height, at % height);
            let stop = height.min(y + (end - at));
            for row in y..stop {
                mask[row * width + x] = 1;
            }
            at += stop - y;
        }
    }
    Ok(mask)
}

/// Refuses codes that are too large or whose counts do not add up.
pub(crate) fn check(rle: &Rle) -> Result<(), RleError> {
    let pixels = check_size(rle.size)?;
    let sum: u64 = rle.counts.iter().map(|&n| u64::from(n)).sum();
    if sum == pixels {
        Ok(())
    } else {
        Err(RleError::Sum { sum, pixels })
    }
}

/// Number of pixels, when they are not too many.
pub(crate) fn check_size(size: Size) -> Result<u64, RleError> {
    let pixels = size.pixels();
    if pixels > MASK_PIXELS_MAX {
        Err(RleError::TooLarge { pixels })
    } else {
        Ok(pixels)
    }
}
