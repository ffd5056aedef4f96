//! At which size a photo is decoded for locator and gates.

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

impl Decoding {
    /// Whether a bundle, with a gate or without, has its photos decoded small for their screening.
    pub fn is_small(&self, has_gate: bool) -> bool {
        match self.screening {
            ScreeningDecode::Auto => has_gate && self.suspect_share < SHARED_FROM,
            ScreeningDecode::Small => true,
            ScreeningDecode::Shared => false,
        }
    }
}
