//! What a reviewer can decide, and its bounds.

use crate::geometry::{Polygon, Size};
use std::collections::BTreeMap;
use std::fmt;

/// Longest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 2000;
/// Most findings that one decision corrects.
pub const FINDINGS_MAX: usize = 1000;
/// Most findings that one decision adds.
pub const ADDED_MAX: usize = 100;
/// Most outlines of one finding.
pub const POLYGONS_MAX: usize = 64;
/// Most points of all outlines of one decision: it stays far below the 400 KB of an item in DynamoDB.
pub const POINTS_MAX: usize = 10_000;
/// Longest name of a class, in bytes, as in a manifest.
const CLASS_BYTES_MAX: usize = 64;
/// How far outside the photo a point may be, in pixels: a pointer at the edge.
const OUTSIDE_MAX: f32 = 1.0;

/// Why a finding is no damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Dirt, water, snow.
    Dirt,
    /// A reflection.
    Reflection,
    /// A shadow.
    Shadow,
    /// Part of the car.
    PartOfCar,
    /// Something else.
    Other,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Dirt,
        Self::Reflection,
        Self::Shadow,
        Self::PartOfCar,
        Self::Other,
    ];

    /// The reason that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dirt => "dirt",
            Self::Reflection => "reflection",
            Self::Shadow => "shadow",
            Self::PartOfCar => "part_of_car",
            Self::Other => "other",
        }
    }
}

/// Why a person cannot judge a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnusableReason {
    /// Out of focus or shaken.
    Blurred,
    /// Too dark.
    TooDark,
    /// Too bright.
    TooBright,
    /// No vehicle in it.
    NoVehicle,
    /// Something is in front of the vehicle.
    Obstructed,
    /// Something else.
    Other,
}

impl UnusableReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Blurred,
        Self::TooDark,
        Self::TooBright,
        Self::NoVehicle,
        Self::Obstructed,
        Self::Other,
    ];

    /// The reason that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// The word used in documents; the same as the machine's where both have the reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blurred => "blurred",
            Self::TooDark => "too_dark",
            Self::TooBright => "too_bright",
            Self::NoVehicle => "no_vehicle",
            Self::Obstructed => "obstructed",
            Self::Other => "other",
        }
    }
}

/// What becomes of one finding of the report.
#[derive(Debug, Clone, PartialEq)]
pub enum Correction {
    /// It is damage, as found.
    Accept,
    /// It is no damage.
    Reject(RejectReason),
    /// It is damage of another class.
    Reclassify(String),
    /// It is damage, and this is its outline.
    Reshape(Vec<Polygon>),
}

/// Damage that the report does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedFinding {
    /// Its class.
    pub class: String,
    /// Its outline, in pixels of the upright original.
    pub polygons: Vec<Polygon>,
}

/// A decision about each finding. It says everything: a finding that it does not name stands as it was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindingsDecision {
    /// By the finding's place in the report, from 0.
    pub findings: BTreeMap<u32, Correction>,
    /// What the report does not have.
    pub added: Vec<AddedFinding>,
}

/// What a reviewer decides.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The report is right.
    Confirm,
    /// The report is right but for this.
    Findings(FindingsDecision),
    /// The photo cannot be judged.
    Unusable(UnusableReason),
    /// Somebody else has to decide.
    Escalate,
    /// An earlier revision does not count. To undo an undo brings back what that one took away.
    Undo(u32),
}

/// What is known of the inspection that a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionBounds {
    /// Findings of the report.
    pub findings: usize,
    /// Size of the upright original; none where the photo cannot be decoded.
    pub size: Option<Size>,
    /// The revision that the decision will have.
    pub revision: u32,
}

/// A decision that cannot be stored, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDecision(String);

impl fmt::Display for InvalidDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidDecision {}

fn ensure(holds: bool, text: impl FnOnce() -> String) -> Result<(), InvalidDecision> {
    if holds {
        Ok(())
    } else {
        Err(InvalidDecision(text()))
    }
}

impl Decision {
    /// The words of all kinds.
    pub const KINDS: [&str; 5] = ["confirm", "findings", "unusable", "escalate", "undo"];

    /// The word used in documents.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Findings(_) => "findings",
            Self::Unusable(_) => "unusable",
            Self::Escalate => "escalate",
            Self::Undo(_) => "undo",
        }
    }

    /// Checks that the decision, and the note beside it, can be about this inspection.
    ///
    /// # Errors
    /// One line that names the first thing out of bounds, and what was expected.
    pub fn check(&self, note: Option<&str>, bounds: &DecisionBounds) -> Result<(), InvalidDecision> {
        if let Some(note) = note {
            ensure((1..=NOTE_BYTES_MAX).contains(&note.len()), || {
                format!("note: {} bytes, expected 1 to {NOTE_BYTES_MAX}", note.len())
            })?;
        }
        match self {
            Self::Confirm | Self::Unusable(_) | Self::Escalate => Ok(()),
            Self::Findings(decision) => decision.check(bounds),
            Self::Undo(revision) => ensure((1..bounds.revision).contains(revision), || {
                format!(
                    "undo: {revision}, expected an earlier revision than {}",
                    bounds.revision
                )
            }),
        }
    }
}

impl FindingsDecision {
    fn check(&self, bounds: &DecisionBounds) -> Result<(), InvalidDecision> {
        let (corrected, added) = (self.findings.len(), self.added.len());
        ensure(corrected <= FINDINGS_MAX, || {
            format!("findings: {corrected}, expected at most {FINDINGS_MAX}")
        })?;
        ensure(added <= ADDED_MAX, || {
            format!("added: {added}, expected at most {ADDED_MAX}")
        })?;
        let mut points = 0;
        for (place, correction) in &self.findings {
            let at = |e: InvalidDecision| InvalidDecision(format!("finding {place}: {e}"));
            ensure((*place as usize) < bounds.findings, || {
                format!("finding {place}: the report has {} findings", bounds.findings)
            })?;
            match correction {
                Correction::Accept | Correction::Reject(_) => {}
                Correction::Reclassify(class) => check_class(class).map_err(at)?,
                Correction::Reshape(polygons) => points += check_outline(polygons, bounds).map_err(at)?,
            }
        }
        for (place, finding) in self.added.iter().enumerate() {
            let at = |e: InvalidDecision| InvalidDecision(format!("added finding {place}: {e}"));
            check_class(&finding.class).map_err(at)?;
            points += check_outline(&finding.polygons, bounds).map_err(at)?;
        }
        ensure(points <= POINTS_MAX, || {
            format!("outlines of {points} points, expected at most {POINTS_MAX}")
        })
    }
}

fn check_class(class: &str) -> Result<(), InvalidDecision> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let fits = (1..=CLASS_BYTES_MAX).contains(&class.len()) && class.bytes().all(plain);
    ensure(fits, || {
        format!("class: expected 1 to {CLASS_BYTES_MAX} letters, digits, `.`, `-` or `_`")
    })
}

/// The number of points of an outline.
fn check_outline(polygons: &[Polygon], bounds: &DecisionBounds) -> Result<usize, InvalidDecision> {
    let size = bounds
        .size
        .ok_or_else(|| InvalidDecision("the photo cannot be decoded: nothing can be outlined".to_owned()))?;
    ensure((1..=POLYGONS_MAX).contains(&polygons.len()), || {
        format!("{} outlines, expected 1 to {POLYGONS_MAX}", polygons.len())
    })?;
    let (width, height) = (size.width as f32, size.height as f32);
    let mut points = 0;
    for ring in polygons.iter().flat_map(|p| p.holes.iter().chain([&p.outer])) {
        ensure(ring.len() >= 3, || {
            format!("an outline of {} points, expected at least 3", ring.len())
        })?;
        points += ring.len();
        let inside = |value: f32, side: f32| (-OUTSIDE_MAX..=side + OUTSIDE_MAX).contains(&value);
        ensure(
            ring.iter().all(|p| inside(p.x, width) && inside(p.y, height)),
            || {
                format!(
                    "a point outside the photo of {} x {} pixels",
                    size.width, size.height
                )
            },
        )?;
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    const BOUNDS: DecisionBounds = DecisionBounds {
        findings: 2,
        size: Some(Size::new(100, 50)),
        revision: 3,
    };

    fn triangle(x: f32) -> Vec<Polygon> {
        let outer = [(x, 0.0), (x, 50.0), (0.0, 50.0)].map(|(x, y)| Point { x, y });
        vec![Polygon {
            outer: outer.into(),
            holes: Vec::new(),
        }]
    }

    fn correcting(place: u32, correction: Correction) -> Decision {
        Decision::Findings(FindingsDecision {
            findings: BTreeMap::from([(place, correction)]),
            added: Vec::new(),
        })
    }

    #[test]
    fn words_read_back() {
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::parse(reason.as_str()), Some(reason));
        }
        for reason in UnusableReason::ALL {
            assert_eq!(UnusableReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(RejectReason::parse("rust"), None);
    }

    #[test]
    fn what_is_in_bounds_is_taken() {
        let good = [
            Decision::Confirm,
            correcting(1, Correction::Reclassify("dent".to_owned())),
            correcting(0, Correction::Reshape(triangle(100.9))),
            Decision::Undo(2),
        ];
        for decision in good {
            assert_eq!(decision.check(Some("why"), &BOUNDS), Ok(()), "{decision:?}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let added = |polygons| {
            Decision::Findings(FindingsDecision {
                added: vec![AddedFinding {
                    class: "dent".to_owned(),
                    polygons,
                }],
                ..FindingsDecision::default()
            })
        };
        let many = (0..POINTS_MAX).map(|_| Point { x: 1.0, y: 1.0 });
        let ring: Vec<Point> = many.chain([Point { x: 1.0, y: 2.0 }]).collect();
        let long = Polygon {
            outer: ring,
            holes: Vec::new(),
        };
        let cases = [
            (
                correcting(2, Correction::Accept),
                "finding 2: the report has 2 findings",
            ),
            (
                correcting(0, Correction::Reclassify("a b".to_owned())),
                "finding 0: class: expected",
            ),
            (
                correcting(0, Correction::Reshape(triangle(102.0))),
                "outside the photo of 100 x 50",
            ),
            (
                correcting(0, Correction::Reshape(triangle(f32::NAN))),
                "outside the photo",
            ),
            (added(Vec::new()), "added finding 0: 0 outlines, expected 1 to 64"),
            (added(vec![long]), "10001 points, expected at most 10000"),
            (Decision::Undo(3), "undo: 3, expected an earlier revision than 3"),
            (Decision::Undo(0), "undo: 0"),
        ];
        for (decision, words) in cases {
            let error = decision.check(None, &BOUNDS).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let note = "x".repeat(NOTE_BYTES_MAX + 1);
        let error = Decision::Confirm.check(Some(&note), &BOUNDS).unwrap_err();
        assert!(error.to_string().starts_with("note: 2001 bytes"), "{error}");
        let unsized_photo = DecisionBounds { size: None, ..BOUNDS };
        let error = added(triangle(1.0)).check(None, &unsized_photo).unwrap_err();
        assert!(error.to_string().contains("cannot be decoded"), "{error}");
    }
}
