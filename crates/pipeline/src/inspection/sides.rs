//! At which sizes a photo is decoded.

use walkaround_inference::Engine;
use walkaround_vision::decode::Format;

/// Minimum long side that quality is measured on, in pixels. It is a little less than the 512 to which larger pictures are
/// shrunk, so that photos of 12 megapixels (4,000 and 4,032 pixels) are decoded at an eighth.
const QUALITY_LONG_SIDE: u32 = 500;

/// Largest file, in bytes, that is kept until a photo is decoded again. A larger one is decoded once for all networks, and its
/// marked picture is drawn on these pixels.
pub(super) const KEPT_FILE_BYTES_MAX: usize = 16 << 20;

/// Minimum long sides, in pixels, at which a photo is decoded for networks and quality. They depend on the bundle alone: the
/// same photo and bundle give the same pixels, and so the same verdict, on every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// For quality, locator and gates.
    pub screening: u32,
    /// For segmenters; at least that of the screening.
    pub segmentation: u32,
}

impl Sides {
    /// Those of the engine's bundle.
    pub fn of(engine: &dyn Engine) -> Self {
        let all = engine.long_side().max(QUALITY_LONG_SIDE);
        Self {
            screening: engine.screening_long_side().max(QUALITY_LONG_SIDE).min(all),
            segmentation: all,
        }
    }

    /// Those of one photo: where a second decode would save nothing, or its file is not kept for it, the first one serves all
    /// networks. Only JPEG is decoded faster where it is smaller; the other formats are decoded whole and shrunk.
    #[must_use]
    pub fn of_photo(self, format: Format, file_bytes: usize) -> Self {
        let twice = format == Format::Jpeg && file_bytes <= KEPT_FILE_BYTES_MAX;
        Self {
            screening: if twice { self.screening } else { self.segmentation },
            ..self
        }
    }
}
