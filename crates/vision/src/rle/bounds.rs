//! What a run-length code may be, and why one is refused.

use thiserror::Error;
use walkaround_domain::{Rle, Size};

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
    /// A polygon crosses more pixel columns than [`CROSSINGS_MAX`](super::CROSSINGS_MAX), or a coordinate is not a number.
    #[error("polygon cannot be rasterised: {reason}")]
    Polygon {
        /// What is wrong with it.
        reason: &'static str,
    },
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
