//! At which size a photo is decoded for locator and gates.

use super::{Manifest, NetworkSpec, Role};

/// Share of suspect photos from which one decode for all networks costs less than a small one for all photos and a larger
/// one for suspect photos. Measured on JPEG of 16 megapixels, where the smaller decode takes 0.2 to 0.75 of the larger.
pub const SHARED_FROM: f32 = 0.5;
/// Share of suspect photos of a bundle that says none: the photos of a fleet are mostly clean.
pub const SUSPECT_SHARE: f32 = 0.25;

/// Which decode locator and gates see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreeningDecode {
    /// The one that costs less: small in a bundle with a gate whose share of suspect photos is below [`SHARED_FROM`].
    Auto,
    /// A decode at the smallest size that locator, gates and quality can use; suspect photos are decoded again.
    Small,
    /// The decode that segmenters see.
    Shared,
}

/// How photos are decoded for the networks of a bundle. It depends on the bundle alone, so that a photo gives the same
/// result on every path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoding {
    /// Which decode locator and gates see.
    pub screening: ScreeningDecode,
    /// Share of photos that the gates let through, 0 to 1, as measured.
    pub suspect_share: f32,
}

impl Manifest {
    /// Longest side, in photo pixels, that any network can use.
    pub fn long_side(&self) -> u32 {
        self.long_side_of(&|_| true)
    }

    /// Longest side, in photo pixels, that is decoded for locator and gates; [`Manifest::long_side`] where they share the
    /// decode of the segmenters.
    pub fn screening_long_side(&self) -> u32 {
        let has_gate = self.networks.iter().any(|n| n.role() == Role::Gate);
        let is_small = match self.decoding.screening {
            ScreeningDecode::Auto => has_gate && self.decoding.suspect_share < SHARED_FROM,
            ScreeningDecode::Small => true,
            ScreeningDecode::Shared => false,
        };
        self.long_side_of(&|network| !is_small || network.role() != Role::Segmenter)
    }

    fn long_side_of(&self, wanted: &dyn Fn(&NetworkSpec) -> bool) -> u32 {
        let networks = self.networks.iter().filter(|network| wanted(network));
        networks.map(NetworkSpec::long_side).max().unwrap_or(0)
    }
}
