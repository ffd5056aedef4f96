//! What the decode of one photo may cost.

pub(super) const MIB: u64 = 1 << 20;

/// What a photo may cost. Checked from the header alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes_max: u64,
    /// Most pixels of the stored picture.
    pub pixels_max: u64,
    /// Largest ratio of the long side to the short side.
    pub aspect_max: u32,
    /// Smallest short side, in pixels.
    pub side_min: u32,
    /// Most working memory one decode may need, in bytes, the result included and the file excluded.
    pub decode_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 64 * MIB,
            pixels_max: 120_000_000,
            aspect_max: 64,
            side_min: 64,
            decode_bytes_max: 512 * MIB,
        }
    }
}
