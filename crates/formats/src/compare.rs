//! What people changed in a file: its shapes beside those that were exported, and the decision that the difference comes to.
//!
//! A shape is the same where its class is, and its outline up to rounding ([`NEAR_PX`]) or its pixels up to [`SAME_IOU`]. Of
//! the others, those that kept the name they were given are one, then those of one class that overlap most. What is left of the
//! exported ones is no damage; what is left of the file's was added.

use crate::annotation::{Key, Photo};
use crate::read::ReadShape;
use crate::shapes::{Format, Geometry, Shape, corners, lower};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::review::{
    AddedFinding, Correction, FindingsDecision, Judgement, POLYGONS_MAX, RejectReason,
};
use walkaround_domain::{Decision, Point, Polygon, Rle, Size};
use walkaround_vision::outlines::outlines;
use walkaround_vision::rle::iou;

/// Points this close, in pixels, are one: formats round, the coarsest to hundredths of a pixel or millionths of a photo.
pub const NEAR_PX: f32 = 0.05;
/// Masks whose intersection is this share of their union are one.
pub const SAME_IOU: f64 = 0.999;
/// Most points of the outlines that a mask becomes: beyond it they are simplified.
const POINTS_MAX: usize = 2_000;

/// What became of one exported annotation.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is gone.
    Removed,
    /// It has another class.
    Reclassified(String),
    /// It has another outline.
    Reshaped(Vec<Polygon>),
    /// It has both.
    Replaced(AddedFinding),
}

/// What people changed on a photo.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// By annotation; what is not named is as it was.
    pub changed: BTreeMap<Key, Change>,
    /// What was not there.
    pub added: Vec<AddedFinding>,
}

impl Changes {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty()
    }

    /// In words: `1 reshaped, 2 added`.
    pub fn summary(&self) -> String {
        let count = |is: &dyn Fn(&Change) -> bool| self.changed.values().filter(|change| is(change)).count();
        let counts = [
            (count(&|c| matches!(c, Change::Reshaped(_))), "reshaped"),
            (count(&|c| matches!(c, Change::Reclassified(_))), "reclassified"),
            (count(&|c| matches!(c, Change::Replaced(_))), "replaced"),
            (count(&|c| *c == Change::Removed), "removed"),
            (self.added.len(), "added"),
        ];
        let words = counts.iter().filter(|(n, _)| *n > 0);
        let words: Vec<String> = words.map(|(n, what)| format!("{n} {what}")).collect();
        words.join(", ")
    }
}

/// A shape that cannot be compared or stored, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Incomparable(pub String);

/// What a file of a format says of a photo that differs from what was exported.
///
/// # Errors
/// A shape without pixels, or of another size than the photo; one line.
pub fn changes(format: Format, photo: &Photo, read: &[ReadShape]) -> Result<Changes, Incomparable> {
    let (exported, _) = lower(format, photo);
    let size = photo.size();
    let masks = read.iter().map(|shape| mask(shape, size));
    let masks: Vec<Cow<'_, Rle>> = masks.collect::<Result<_, _>>()?;
    let mut pairing = Pairing {
        exported: &exported,
        read,
        masks: &masks,
        size,
        of_exported: vec![None; exported.len()],
        taken: BTreeSet::new(),
    };
    pairing.pair()?;
    pairing.changes()
}

fn mask(shape: &ReadShape, size: Size) -> Result<Cow<'_, Rle>, Incomparable> {
    if let Some(pixels) = &shape.pixels {
        return Ok(Cow::Borrowed(pixels));
    }
    let mask = shape.geometry.mask(size).map(Cow::Owned);
    mask.map_err(|e| Incomparable(format!("a {} that cannot be read: {e}", shape.class)))
}

/// Which shape of the file is which exported one.
struct Pairing<'a> {
    exported: &'a [Shape<'a>],
    read: &'a [ReadShape],
    masks: &'a [Cow<'a, Rle>],
    size: Size,
    /// By exported shape: the place of the file's, and whether its geometry is the same.
    of_exported: Vec<Option<Pair>>,
    /// Places of the file's shapes that are somebody's.
    taken: BTreeSet<usize>,
}

#[derive(Clone, Copy)]
struct Pair {
    read: usize,
    same_geometry: bool,
}

impl Pairing<'_> {
    fn pair(&mut self) -> Result<(), Incomparable> {
        // By exported shape and the file's: how far they overlap.
        let mut overlaps = Vec::new();
        let mut same = Vec::new();
        for (at, shape) in self.exported.iter().enumerate() {
            let own = shape.pixels(self.size);
            let own = own.map_err(|e| Incomparable(format!("exported {}: {e}", shape.key)))?;
            for (place, other) in self.read.iter().enumerate() {
                let overlap = iou(&own, &self.masks[place]).map_err(|e| Incomparable(e.to_string()))?;
                if overlap >= SAME_IOU || is_near(&shape.geometry, &other.geometry) {
                    same.push((at, place));
                } else if overlap > 0.0 {
                    overlaps.push((at, place, overlap));
                }
            }
        }
        let named =
            |this: &Self, at: usize, place: usize| this.read[place].key == Some(this.exported[at].key);
        let classed = |this: &Self, at: usize, place: usize| {
            this.read[place].class == this.exported[at].annotation.class
        };
        // The same in all, first those that kept their name; then those whose class alone differs.
        for (name, class) in [(true, true), (false, true), (true, false)] {
            for &(at, place) in &same {
                if (!name || named(self, at, place)) && (!class || classed(self, at, place)) {
                    self.take(at, place, true);
                }
            }
        }
        for (at, shape) in self.exported.iter().enumerate() {
            if let Some(place) = (0..self.read.len()).find(|place| self.read[*place].key == Some(shape.key)) {
                self.take(at, place, false);
            }
        }
        for &(at, place) in &same {
            self.take(at, place, true);
        }
        overlaps.sort_by(|a, b| {
            let class = |it: &(usize, usize, f64)| !classed(self, it.0, it.1);
            class(a).cmp(&class(b)).then(b.2.total_cmp(&a.2))
        });
        for (at, place, _) in overlaps {
            self.take(at, place, false);
        }
        Ok(())
    }

    /// Makes two shapes one, unless one of them has its pair.
    fn take(&mut self, at: usize, read: usize, same_geometry: bool) {
        if self.of_exported[at].is_none() && self.taken.insert(read) {
            self.of_exported[at] = Some(Pair { read, same_geometry });
        }
    }

    fn changes(&self) -> Result<Changes, Incomparable> {
        let mut changes = Changes::default();
        let mut places: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (at, shape) in self.exported.iter().enumerate() {
            places.entry(shape.key.key).or_default().push(at);
        }
        for (key, places) in places {
            if let Some(change) = self.change(&places, &mut changes.added)? {
                changes.changed.insert(key, change);
            }
        }
        for (place, shape) in self.read.iter().enumerate() {
            if !self.taken.contains(&place) {
                changes.added.push(AddedFinding {
                    class: shape.class.clone(),
                    polygons: self.drawn(place)?,
                });
            }
        }
        Ok(changes)
    }

    /// The outlines of a shape that was not exported like this: it has to cover something.
    fn drawn(&self, place: usize) -> Result<Vec<Polygon>, Incomparable> {
        let shape = &self.read[place];
        if self.masks[place].area() == 0 {
            return Err(Incomparable(format!("a {} that covers no pixel", shape.class)));
        }
        polygons(&shape.geometry)
    }

    /// What became of the annotation with these shapes; none where it is as it was. Parts that have another class than the
    /// others are findings of their own: they are added.
    fn change(
        &self,
        places: &[usize],
        added: &mut Vec<AddedFinding>,
    ) -> Result<Option<Change>, Incomparable> {
        let pairs = places.iter().filter_map(|at| Some((*at, self.of_exported[*at]?)));
        let pairs: Vec<(usize, Pair)> = pairs.collect();
        let class_of = |pair: &Pair| &self.read[pair.read].class;
        let Some((first, pair)) = pairs.first() else {
            return Ok(Some(Change::Removed));
        };
        let was = &self.exported[*first].annotation.class;
        // What kept the class is the finding; where nothing has, what is like its first part.
        let kept = pairs.iter().any(|(_, pair)| class_of(pair) == was);
        let class = if kept { was } else { class_of(pair) };
        let mut by_class: BTreeMap<&String, Vec<(usize, Pair)>> = BTreeMap::new();
        let mut reshaped = pairs.len() < places.len();
        for (at, pair) in &pairs {
            reshaped |= !pair.same_geometry || class_of(pair) != class;
            by_class.entry(class_of(pair)).or_default().push((*at, *pair));
        }
        if !reshaped {
            return Ok((!kept).then(|| Change::Reclassified(class.clone())));
        }
        let mut own = Vec::new();
        for (other, parts) in by_class {
            let mut polygons = Vec::new();
            for (at, pair) in parts {
                polygons.extend(self.outlines(at, pair)?);
            }
            if other == class {
                own = polygons;
            } else {
                added.push(AddedFinding {
                    class: other.clone(),
                    polygons,
                });
            }
        }
        Ok(Some(if kept {
            Change::Reshaped(own)
        } else {
            Change::Replaced(AddedFinding {
                class: class.clone(),
                polygons: own,
            })
        }))
    }

    /// The outlines of a shape that has its pair. Where nobody moved it, those of the report, which may have holes that the
    /// format has not.
    fn outlines(&self, at: usize, pair: Pair) -> Result<Vec<Polygon>, Incomparable> {
        if !pair.same_geometry {
            return self.drawn(pair.read);
        }
        let shape = &self.exported[at];
        let part = shape.annotation.region.outlines.get(shape.key.part as usize);
        match (&shape.geometry, part) {
            (Geometry::Rings(_), Some(outline)) => Ok(vec![outline.clone()]),
            _ => polygons(&self.read[pair.read].geometry),
        }
    }
}

/// Whether two outlines have the same points, up to rounding.
fn is_near(one: &Geometry, other: &Geometry) -> bool {
    let rings = |geometry: &Geometry| match geometry {
        Geometry::Rings(rings) => Some(rings.clone()),
        Geometry::Box(it) => Some(vec![corners(*it)]),
        Geometry::Mask(_) => None,
    };
    let near = |a: &Point, b: &Point| (a.x - b.x).abs() <= NEAR_PX && (a.y - b.y).abs() <= NEAR_PX;
    let same =
        |a: &Vec<Point>, b: &Vec<Point>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b));
    match (rings(one), rings(other)) {
        (Some(one), Some(other)) => {
            one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

/// Outlines as a review has them.
fn polygons(geometry: &Geometry) -> Result<Vec<Polygon>, Incomparable> {
    let plain = |outer: Vec<Point>| Polygon {
        outer,
        holes: Vec::new(),
    };
    match geometry {
        Geometry::Rings(rings) => Ok(rings.iter().cloned().map(plain).collect()),
        Geometry::Box(it) => Ok(vec![plain(corners(*it))]),
        Geometry::Mask(mask) => traced(mask),
    }
}

/// The outlines of a mask: along its pixels, or as far from them as it takes for the points to be few enough.
fn traced(mask: &Rle) -> Result<Vec<Polygon>, Incomparable> {
    let points = |all: &[Polygon]| -> usize {
        let rings = all.iter().flat_map(|p| p.holes.iter().chain([&p.outer]));
        rings.map(Vec::len).sum()
    };
    for tolerance in [0.0, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let mut all = outlines(mask, tolerance).map_err(|e| Incomparable(e.to_string()))?;
        // A hole of two points is none any more.
        for outline in &mut all {
            outline.holes.retain(|hole| hole.len() >= 3);
        }
        all.retain(|outline| outline.outer.len() >= 3);
        if points(&all) <= POINTS_MAX && all.len() <= POLYGONS_MAX {
            return Ok(all);
        }
    }
    Err(Incomparable(format!(
        "a mask whose outline has more than {POINTS_MAX} points or {POLYGONS_MAX} parts"
    )))
}

/// The decision that changes come to, beside what was decided before; none where nothing was changed. It says everything, as
/// every decision does.
pub fn decision(before: &Judgement, findings: u32, changes: &Changes) -> Option<Decision> {
    if changes.is_empty() {
        return None;
    }
    let mut next = match before {
        Judgement::Unreviewed | Judgement::Confirmed => FindingsDecision::default(),
        Judgement::Corrected(decision) => decision.clone(),
        // Nothing was exported of it.
        Judgement::Unusable(_) => FindingsDecision {
            findings: (0..findings)
                .map(|at| (at, Correction::Reject(RejectReason::Other)))
                .collect(),
            added: Vec::new(),
        },
    };
    let mut gone = BTreeSet::new();
    let mut added = Vec::new();
    for (key, change) in &changes.changed {
        match key {
            Key::Finding(at) => correct(&mut next, *at, change, &mut added),
            Key::Added(at) => {
                let Some(there) = next.added.get_mut(*at as usize) else {
                    continue;
                };
                match change {
                    Change::Removed => {
                        gone.insert(*at as usize);
                    }
                    Change::Reclassified(class) => there.class.clone_from(class),
                    Change::Reshaped(outline) => there.polygons.clone_from(outline),
                    Change::Replaced(other) => *there = other.clone(),
                }
            }
        }
    }
    let kept = next
        .added
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !gone.contains(at));
    next.added = kept.map(|(_, finding)| finding).chain(added).collect();
    next.added.extend(changes.added.iter().cloned());
    Some(Decision::Findings(next))
}

/// Corrects a finding. One correction says one thing: where class and outline both are other than the machine's, the finding
/// is rejected and another one added.
fn correct(next: &mut FindingsDecision, at: u32, change: &Change, added: &mut Vec<AddedFinding>) {
    let before = next.findings.get(&at);
    let both = match (before, change) {
        (Some(Correction::Reshape(polygons)), Change::Reclassified(class)) => Some(AddedFinding {
            class: class.clone(),
            polygons: polygons.clone(),
        }),
        (Some(Correction::Reclassify(class)), Change::Reshaped(polygons)) => Some(AddedFinding {
            class: class.clone(),
            polygons: polygons.clone(),
        }),
        (_, Change::Replaced(finding)) => Some(finding.clone()),
        _ => None,
    };
    let correction = match (both, change) {
        (Some(finding), _) => {
            added.push(finding);
            Correction::Reject(RejectReason::Other)
        }
        (None, Change::Reclassified(class)) => Correction::Reclassify(class.clone()),
        (None, Change::Reshaped(polygons)) => Correction::Reshape(polygons.clone()),
        (None, Change::Removed | Change::Replaced(_)) => Correction::Reject(RejectReason::Other),
    };
    next.findings.insert(at, correction);
}
