//! Drawn pictures of car sides whose damage is known to the pixel. How: a scene (car, paint, light, damage)
//! is chosen from a seed, lit per pixel by mirroring its surroundings in the sheet metal, and developed as a
//! phone would; the damage's true extent falls out of the same geometry.
//!
//! These are samples for the README, the demo, tests and fine-tuning. They are not photos, and the files
//! [`write_set`] makes say so.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixel arithmetic converts between integers and floats"
)]

mod backdrop;
mod blur;
mod camera;
mod car;
mod coco;
mod dent;
mod gap;
mod light;
mod math;
mod paint;
mod render;
mod scene;
mod scratch;
mod set;
mod view;
mod walkaround;
mod wheel;

use image::{GrayImage, RgbImage};

pub use coco::CLASSES;
pub use render::{draw, draw_vehicle};
pub use set::{Progress, SetSpec, WriteError, WriteOutcome, sample_set, set_specs, write_set};
pub use walkaround::{WALKAROUND_PHOTOS, write_walkarounds};

/// Version of the drawing: raised whenever the same seed gives another picture.
pub const VERSION: u32 = 1;

/// What a sample shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A panel without damage.
    Clean,
    /// Strokes and rubbed paint.
    Scratch,
    /// A pressed-in place.
    Dent,
    /// A panel that stands off.
    Spacing,
    /// A scratched dent, sometimes with an opened seam.
    Mixed,
    /// No damage, far too little light.
    Dark,
    /// No damage, out of focus and shaken.
    Blurred,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Clean,
        Self::Scratch,
        Self::Dent,
        Self::Spacing,
        Self::Mixed,
        Self::Dark,
        Self::Blurred,
    ];

    /// Lower-case name, as in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Scratch => "scratch",
            Self::Dent => "dent",
            Self::Spacing => "spacing",
            Self::Mixed => "mixed",
            Self::Dark => "dark",
            Self::Blurred => "blurred",
        }
    }

    /// True for the kinds that show damage.
    #[must_use]
    pub fn is_damaged(self) -> bool {
        matches!(self, Self::Scratch | Self::Dent | Self::Spacing | Self::Mixed)
    }
}

/// Which picture to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSpec {
    /// Decides everything that the other fields leave open.
    pub seed: u64,
    /// Pixels across, at least 16.
    pub width: u32,
    /// Pixels down, at least 16.
    pub height: u32,
    /// What it shows.
    pub kind: Kind,
}

impl Default for SampleSpec {
    fn default() -> Self {
        Self {
            seed: 0,
            width: 1600,
            height: 1200,
            kind: Kind::Clean,
        }
    }
}

/// A drawn picture with what is truly damaged in it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The picture, sRGB.
    pub picture: RgbImage,
    /// The damage, at most one entry per class; empty for the undamaged kinds.
    pub damages: Vec<Damage>,
}

/// One class of damage and where it is.
#[derive(Debug, Clone)]
pub struct Damage {
    /// `scratch`, `dent` or `spacing`.
    pub class: &'static str,
    /// Picture-sized: 255 where damaged, else 0; what a labeller would outline.
    pub mask: GrayImage,
}
