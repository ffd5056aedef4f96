//! Walkarounds: two vehicles, and pick-up and return of three reservations, each from four sides. Damage stays on a vehicle
//! once it is there, so that a return shows what its pick-up does not.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::set::{jpeg, write};
use crate::{Kind, SampleSpec, WriteError, draw_vehicle};

/// One end of a rental.
struct Visit {
    vehicle: &'static str,
    reservation: &'static str,
    occasion: &'static str,
    /// When the first of its photos was taken; the others follow by the minute.
    day: &'static str,
    /// What each side shows, in the order of [`SIDES`].
    kinds: [Kind; 4],
}

/// Viewpoints, each with the seed of where the camera stands.
const SIDES: [(&str, u64); 4] = [
    ("front_left", 11),
    ("rear_left", 24),
    ("front_right", 37),
    ("rear_right", 52),
];

/// Name and seed of each vehicle.
const VEHICLES: [(&str, u64); 2] = [("B-WA 1234", 7), ("B-WA 5678", 19)];

const VISITS: [Visit; 6] = [
    visit(0, "r-1001", "pick_up", "2026-11-16T08:10", [Kind::Clean; 4]),
    visit(
        0,
        "r-1001",
        "return",
        "2026-11-19T17:30",
        [Kind::Scratch, Kind::Clean, Kind::Clean, Kind::Clean],
    ),
    visit(
        0,
        "r-1002",
        "pick_up",
        "2026-11-20T09:05",
        [Kind::Scratch, Kind::Clean, Kind::Clean, Kind::Clean],
    ),
    visit(
        0,
        "r-1002",
        "return",
        "2026-11-24T18:45",
        [Kind::Scratch, Kind::Dent, Kind::Clean, Kind::Mixed],
    ),
    visit(
        1,
        "r-2001",
        "pick_up",
        "2026-11-18T07:50",
        [Kind::Clean, Kind::Clean, Kind::Spacing, Kind::Clean],
    ),
    visit(
        1,
        "r-2001",
        "return",
        "2026-11-25T20:15",
        [Kind::Dent, Kind::Blurred, Kind::Spacing, Kind::Dark],
    ),
];

/// Photos of all walkarounds.
pub const WALKAROUND_PHOTOS: u32 = (VISITS.len() * SIDES.len()) as u32;

const fn visit(
    vehicle: usize,
    reservation: &'static str,
    occasion: &'static str,
    day: &'static str,
    kinds: [Kind; 4],
) -> Visit {
    Visit {
        vehicle: VEHICLES[vehicle].0,
        reservation,
        occasion,
        day,
        kinds,
    }
}

/// Writes the photos of all walkarounds into `folder` (made if missing), `width` pixels wide, and `walkarounds.csv`, which
/// `walkaround submit` takes. Returns that file; calls `on_progress` after each photo.
///
/// # Errors
/// [`WriteError`] on the first file that cannot be written; what was written before stays.
pub fn write_walkarounds(
    folder: &Path,
    width: u32,
    mut on_progress: impl FnMut(),
) -> Result<PathBuf, WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::File {
        path: folder.to_owned(),
        source,
    })?;
    let mut manifest = String::from("photo,vehicle_id,reservation_id,occasion,viewpoint,taken_at\n");
    for visit in &VISITS {
        let seed = VEHICLES
            .iter()
            .find(|(name, _)| *name == visit.vehicle)
            .map_or(0, |(_, seed)| *seed);
        for (minute, ((side, stand), kind)) in SIDES.iter().zip(visit.kinds).enumerate() {
            let name = format!("{}-{}-{side}.jpg", visit.reservation, visit.occasion);
            let spec = SampleSpec {
                seed: seed * 100 + stand,
                width,
                height: width * 3 / 4,
                kind,
            };
            let path = folder.join(&name);
            write(&path, &jpeg(&path, &draw_vehicle(&spec, seed))?)?;
            // Writing to a String cannot fail.
            let _ = writeln!(
                manifest,
                "{name},{},{},{},{side},{}:{minute:02}Z",
                visit.vehicle, visit.reservation, visit.occasion, visit.day
            );
            on_progress();
        }
    }
    let path = folder.join("walkarounds.csv");
    write(&path, manifest.as_bytes())?;
    Ok(path)
}
