//! The photos of a world: drawn once for all worlds, with what they are written into their first pixels.

use image::{ImageFormat, Rgb, RgbImage};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;
use std::time::Duration;
use walkaround_domain::{FailureCode, InspectionId, InspectionRequest, PhotoRef, Verdict};

/// Side of a photo, in pixels.
pub(crate) const SIDE: u32 = 32;
/// Most photos of a world.
const PHOTOS_MAX: usize = 256;

/// What a photo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Clean,
    /// The gate suspects it, the segmenters find nothing.
    Suspect,
    Damaged,
    Dark,
    NoVehicle,
    /// The gate fails on it, always.
    FailsFirst,
    /// The segmenters fail on it, always.
    FailsHeavy,
    /// The networks fail on it the first two times.
    Flaky,
    /// Bytes that are no picture.
    Unreadable,
    Empty,
    NotFound,
    Forbidden,
    TooLarge,
    /// Its host never answers.
    Unreachable,
    /// Its host answers every other time.
    Wobbly,
}

impl Kind {
    const DRAWN: [Self; 8] = [
        Self::Clean,
        Self::Suspect,
        Self::Damaged,
        Self::Dark,
        Self::NoVehicle,
        Self::FailsFirst,
        Self::FailsHeavy,
        Self::Flaky,
    ];
    const OTHERS: [Self; 7] = [
        Self::Unreadable,
        Self::Empty,
        Self::NotFound,
        Self::Forbidden,
        Self::TooLarge,
        Self::Unreachable,
        Self::Wobbly,
    ];

    pub(crate) fn draw(rng: &mut fastrand::Rng) -> Self {
        match rng.u32(0..10) {
            0..3 => Self::Damaged,
            3..5 => Self::Clean,
            5 => Self::Suspect,
            6..8 => Self::DRAWN[rng.usize(0..Self::DRAWN.len())],
            _ => Self::OTHERS[rng.usize(0..Self::OTHERS.len())],
        }
    }

    /// Whether its message has to be delivered several times.
    pub(crate) fn comes_back(self) -> bool {
        let fails = matches!(self, Self::FailsFirst | Self::FailsHeavy | Self::Flaky);
        fails || matches!(self, Self::Unreachable | Self::Wobbly | Self::NotFound)
    }

    /// What must come of it: a verdict, or a failure.
    pub(crate) fn expected(self) -> Result<Verdict, FailureCode> {
        match self {
            Self::Clean | Self::Suspect | Self::Wobbly => Ok(Verdict::Clean),
            Self::Damaged | Self::Flaky => Ok(Verdict::Damaged),
            Self::Dark | Self::NoVehicle | Self::Unreadable | Self::Empty => Ok(Verdict::Unusable),
            Self::FailsFirst | Self::FailsHeavy => Err(FailureCode::EngineFailed),
            Self::NotFound => Err(FailureCode::PhotoNotFound),
            Self::Forbidden => Err(FailureCode::PhotoForbidden),
            Self::TooLarge => Err(FailureCode::PhotoTooLarge),
            Self::Unreachable => Err(FailureCode::PhotoUnreachable),
        }
    }
}

type Drawn = BTreeMap<Kind, Vec<Vec<u8>>>;

/// The files of all photos that are pictures, by kind and number.
pub(crate) static DRAWN: LazyLock<Drawn> = LazyLock::new(|| {
    Kind::DRAWN
        .into_iter()
        .map(|kind| (kind, (0..PHOTOS_MAX).map(|number| draw(kind, number)).collect()))
        .collect()
});

/// A photo as PNG: stripes, and in the first two pixels its kind and number.
fn draw(kind: Kind, number: usize) -> Vec<u8> {
    let bright = if kind == Kind::Dark { 1 } else { 160 };
    let mut picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let stripe = (x / 4 + y / 4) % 2;
        Rgb([(bright / (1 + stripe)) as u8; 3])
    });
    picture.put_pixel(0, 0, Rgb([kind as u8, 0, 0]));
    picture.put_pixel(1, 0, Rgb([number as u8, 0, 0]));
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("a small picture can be encoded into memory");
    bytes.into_inner()
}

/// SHA-256 of the bytes of a photo that is drawn.
pub(crate) fn digest(kind: Kind, number: usize) -> [u8; 32] {
    Sha256::digest(&DRAWN[&kind][number]).into()
}

/// Kind and number of a decoded photo.
pub(crate) fn identify(picture: &RgbImage) -> (Kind, usize) {
    let kind = Kind::DRAWN
        .into_iter()
        .find(|kind| *kind as u8 == picture.get_pixel(0, 0).0[0])
        .expect("only drawn photos are inspected");
    (kind, usize::from(picture.get_pixel(1, 0).0[0]))
}

/// What a photo has from a moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes {
    pub(crate) since: Duration,
    pub(crate) kind: Kind,
    pub(crate) number: usize,
}

/// A photo of a world.
#[derive(Debug, Clone)]
pub(crate) struct Photo {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) id: InspectionId,
    pub(crate) reference: PhotoRef,
    /// The vehicle that it was submitted for.
    pub(crate) vehicle: Option<&'static str>,
    /// From when on it has these bytes; before, it has others.
    pub(crate) since: Duration,
    /// Whether its id stands for another photo too, so that one of the two is parked.
    pub(crate) id_is_shared: bool,
    /// Whether it has other bytes before or after.
    pub(crate) changes: bool,
    /// Submitted once, and not together with one that has to come back: a second inspection has another cause.
    pub(crate) once: bool,
}

impl Photo {
    /// What was asked for.
    pub(crate) fn asked(&self) -> InspectionRequest {
        InspectionRequest {
            vehicle_id: self.vehicle.map(Into::into),
            ..InspectionRequest::of(self.id.clone(), self.reference.clone())
        }
    }

    /// Whether its inspections can be counted: flaky and failing photos are inspected again by design.
    pub(crate) fn inspections_are_counted(&self) -> bool {
        self.once && matches!(self.kind, Kind::Clean | Kind::Suspect | Kind::Damaged)
    }
}
