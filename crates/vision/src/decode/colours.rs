//! Colour profiles. Networks are trained with sRGB; phones write Display P3 and cameras Adobe RGB: such pixels are
//! converted, after they were shrunk. Pixels without a profile, or with one that is sRGB, stay as they are to the last bit.

use image::RgbImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, ParsingOptions, Transform8BitExecutor, TransformOptions};
use std::sync::Arc;

/// Longest profile that is read, in bytes. Those of phones have about 550; those with tables for printers up to a megabyte.
pub(super) const PROFILE_BYTES_MAX: usize = 1 << 20;
/// Most bytes of the colour table of a profile, and most values of a tone curve.
const TABLE_BYTES_MAX: usize = 4 << 20;
const CURVE_VALUES_MAX: usize = 4096;

/// A profile that moves no colour by more than this, of 255, is sRGB: writers round its curves and primaries.
const SRGB_TOLERANCE: u8 = 3;
/// Values of each channel that this is tried with.
const PROBES: [u8; 6] = [0, 24, 80, 140, 200, 255];

/// What was done about the colours of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They are sRGB, or nothing says what they are.
    AsStored,
    /// They were converted to sRGB.
    Converted,
    /// The file has a profile that is broken, too long or of another kind than RGB: they are as stored.
    ProfileIgnored,
}

/// What a file says about its colours.
#[derive(Debug, Default)]
pub(super) enum Profile {
    /// Nothing, or sRGB by its name in a standard.
    #[default]
    None,
    /// An ICC profile.
    Icc(Vec<u8>),
    /// It has a profile that is not whole, or too long.
    Broken,
    /// The primaries of Display P3 (12 of ITU-T H.273) with the curve of sRGB.
    #[cfg(feature = "heic")]
    DisplayP3,
    /// The primaries and the curve of BT.2020 (9 of H.273).
    #[cfg(feature = "heic")]
    Bt2020,
}

impl Profile {
    /// One that a decoder found. Empty ones count as none.
    pub(super) fn found(bytes: Option<Vec<u8>>) -> Self {
        match bytes {
            Some(bytes) if bytes.len() > PROFILE_BYTES_MAX => Self::Broken,
            Some(bytes) if !bytes.is_empty() => Self::Icc(bytes),
            _ => Self::None,
        }
    }

    /// Converts pixels to sRGB, in place.
    pub(super) fn apply(&self, pixels: &mut RgbImage) -> Colours {
        let profile = match self {
            Self::None => return Colours::AsStored,
            Self::Broken => return Colours::ProfileIgnored,
            Self::Icc(bytes) => parse(bytes),
            #[cfg(feature = "heic")]
            Self::DisplayP3 => Some(ColorProfile::new_display_p3()),
            #[cfg(feature = "heic")]
            Self::Bt2020 => Some(ColorProfile::new_bt2020()),
        };
        let Some(to_srgb) = profile.and_then(|profile| transform(&profile)) else {
            return Colours::ProfileIgnored;
        };
        match changes_colours(&to_srgb) {
            Some(true) => {}
            Some(false) => return Colours::AsStored,
            None => return Colours::ProfileIgnored,
        }
        let row_bytes = 3 * pixels.width() as usize;
        let mut stored = vec![0; row_bytes];
        for row in pixels.chunks_exact_mut(row_bytes) {
            stored.copy_from_slice(row);
            if to_srgb.transform(&stored, row).is_err() {
                // It took the probes, which have the same layout: this does not happen, and rows before would be converted.
                row.copy_from_slice(&stored);
                return Colours::ProfileIgnored;
            }
        }
        Colours::Converted
    }
}

fn parse(bytes: &[u8]) -> Option<ColorProfile> {
    let options = ParsingOptions {
        max_profile_size: PROFILE_BYTES_MAX + 1,
        max_allowed_clut_size: TABLE_BYTES_MAX,
        max_allowed_trc_size: CURVE_VALUES_MAX,
    };
    let profile = ColorProfile::new_from_slice_with_options(bytes, options).ok()?;
    (profile.color_space == DataColorSpace::Rgb).then_some(profile)
}

fn transform(profile: &ColorProfile) -> Option<Arc<Transform8BitExecutor>> {
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    profile
        .create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options)
        .ok()
}

/// Whether it changes any of the probes by more than the tolerance. None where it fails.
fn changes_colours(transform: &Arc<Transform8BitExecutor>) -> Option<bool> {
    let all = || PROBES.into_iter();
    let stored: Vec<u8> = all()
        .flat_map(|r| all().flat_map(move |g| all().flat_map(move |b| [r, g, b])))
        .collect();
    let mut converted = vec![0; stored.len()];
    transform.transform(&stored, &mut converted).ok()?;
    let mut pairs = stored.iter().zip(&converted);
    Some(pairs.any(|(stored, converted)| stored.abs_diff(*converted) > SRGB_TOLERANCE))
}
