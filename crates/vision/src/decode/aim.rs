//! What a photo is decoded for.

/// What a photo is decoded for, and how many pixels its long side must have at least, as far as it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// For networks and quality. The pixels of a JPEG are those of libjpeg, to the last bit.
    Networks(u32),
    /// For people: close to these, and sooner done.
    View(u32),
}

/// A number alone is for networks.
impl From<u32> for Aim {
    fn from(long_side_min: u32) -> Self {
        Self::Networks(long_side_min)
    }
}

impl Aim {
    /// Minimum long side, in pixels.
    pub(super) const fn long_side_min(self) -> u32 {
        match self {
            Self::Networks(side) | Self::View(side) => side,
        }
    }
}
