//! Probability maps and instances to findings: masks by class, regions, and each region in pixels of the original photo.
//!
//! The order of work keeps the bounds cheap: all regions are found on the canvas first, the largest
//! [`FINDINGS_MAX`] are kept, and only for those are outlines traced and run-length codes written.

mod outline;
mod simplify;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use walkaround_domain::{Finding, PixelBox, Point, Polygon, Size, UnitRect};

use crate::class_map::{ClassMap, Labels, mask_of};
use crate::instance::{Instance, instance_mask};
use crate::mask::{
    Canvas, ClassSpec, Field, Patch, ProbabilityMap, Region, Report, Window, class_mask, components,
    window_across,
};
use crate::rle::{MASK_PIXELS_MAX, from_canvas};

pub use outline::{Ring, trace};
pub use simplify::simplify;

/// Most findings of one photo; of more, the largest are kept.
pub const FINDINGS_MAX: usize = 200;

/// Most runs (stretches of pixels in a row of the canvas) of an object that is outlined. An object as large as the finest
/// canvas has eight a row; noise has hundreds, and its outline would say nothing. Beyond it the object is a box.
const OBJECT_RUNS_MAX: usize = 1 << 15;

/// Most runs of all outlined objects of a photo: 24 MB, and about as much of JSON. Beyond it objects are boxes.
const OBJECTS_RUNS_MAX: usize = 1 << 20;

/// How far a simplified outline may lie from the traced one, in canvas pixels.
pub const OUTLINE_TOLERANCE: f32 = 0.75;

/// A region that may become a finding.
struct Candidate {
    class: usize,
    region: Region,
    probability: f32,
    area_px: u64,
    outlined: bool,
    /// The network's own box, where it gave one.
    bbox: Option<PixelBox>,
}

/// What the segmenters of a bundle say about one photo.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segmentation {
    /// Probability maps by class: their regions become findings.
    pub maps: Vec<ProbabilityMap>,
    /// Maps in which the best class counts: their regions become findings.
    pub class_maps: Vec<ClassMap>,
    /// Objects marked one by one: each becomes one finding.
    pub instances: Vec<Instance>,
}

impl From<Vec<ProbabilityMap>> for Segmentation {
    fn from(maps: Vec<ProbabilityMap>) -> Self {
        Self {
            maps,
            ..Self::default()
        }
    }
}

/// The canvas of each class: one for each grid that the classes ask for.
struct Canvases(BTreeMap<u32, Canvas>);

impl Canvases {
    fn of(original: Size, classes: &[ClassSpec]) -> Option<Self> {
        let one = |spec: &ClassSpec| Some((spec.policy.grid, Canvas::with_side(original, spec.policy.grid)?));
        classes.iter().map(one).collect::<Option<_>>().map(Self)
    }

    /// The best classes on each canvas.
    fn labels(&self, maps: &[ClassMap]) -> BTreeMap<u32, Vec<Labels>> {
        let on = |canvas| maps.iter().map(|map| map.labels(canvas)).collect();
        self.0.iter().map(|(&grid, canvas)| (grid, on(canvas))).collect()
    }

    fn get(&self, spec: &ClassSpec) -> &Canvas {
        &self.0[&spec.policy.grid]
    }
}

/// The findings of a photo from all that its networks gave, in pixels of the upright original of
/// the given size: by class in the order of `classes`, then largest first.
///
/// Which regions are reported follows each class's [`Report`]; with `all_classes` every region of every class
/// is. Maps of classes not in `classes` are ignored, as are maps whose `values` do not fill their grid. A
/// photo without pixels, or of more than [`MASK_PIXELS_MAX`], has no findings (decoding refuses both).
pub fn findings(
    segmentation: &Segmentation,
    classes: &[ClassSpec],
    original: Size,
    all_classes: bool,
) -> Vec<Finding> {
    let small = original.pixels() <= MASK_PIXELS_MAX;
    let Some(canvases) = Canvases::of(original, classes).filter(|_| small) else {
        return vec![];
    };
    let labels = canvases.labels(&segmentation.class_maps);
    let mut kept: Vec<Candidate> = vec![];
    let mut detail = Detail::of_photo();
    for (class, spec) in classes.iter().enumerate() {
        if all_classes || spec.report != Report::OnRequest {
            let canvas = canvases.get(spec);
            kept.extend(candidates(class, spec, &segmentation.maps, canvas));
            kept.extend(best(class, spec, &labels[&spec.policy.grid], canvas));
            kept.extend(instances(
                class,
                spec,
                &segmentation.instances,
                canvas,
                &mut detail,
            ));
        }
    }
    if !all_classes {
        drop_covered(&mut kept, classes, &canvases);
    }
    // The position breaks ties, so that the same maps always give the same findings.
    let place = |c: &Candidate| (c.region.runs[0].y, c.region.runs[0].x0);
    kept.sort_by_key(|c| (Reverse(c.area_px), c.class, place(c)));
    kept.truncate(FINDINGS_MAX);
    kept.sort_by_key(|c| (c.class, Reverse(c.area_px), place(c)));
    kept.into_iter()
        .map(|candidate| {
            let spec = &classes[candidate.class];
            finding(&candidate, spec, canvases.get(spec))
        })
        .collect()
}

/// The regions of one class that are large enough.
fn candidates(class: usize, spec: &ClassSpec, maps: &[ProbabilityMap], canvas: &Canvas) -> Vec<Candidate> {
    let maps: Vec<&ProbabilityMap> = maps.iter().filter(|map| map.class == class).collect();
    regions(class, spec, class_mask(&maps, &spec.policy, canvas), canvas)
}

/// The regions in which one class is the best that are large enough.
fn best(class: usize, spec: &ClassSpec, labels: &[Labels], canvas: &Canvas) -> Vec<Candidate> {
    regions(class, spec, mask_of(labels, class, &spec.policy, canvas), canvas)
}

/// The regions of a class's mask that are large enough, each with the mean of its probabilities.
fn regions(class: usize, spec: &ClassSpec, found: Option<(Field, Patch)>, canvas: &Canvas) -> Vec<Candidate> {
    let Some((field, mask)) = found else {
        return vec![];
    };
    components(&mask)
        .into_iter()
        .filter(|region| is_large_enough(region, spec, canvas))
        .map(|region| Candidate {
            class,
            probability: mean(&region, &field),
            area_px: area(&region, canvas),
            region,
            outlined: true,
            bbox: None,
        })
        .collect()
}

/// How many more runs the outlines of a photo's objects may have.
struct Detail {
    runs_left: usize,
}

impl Detail {
    const fn of_photo() -> Self {
        Self {
            runs_left: OBJECTS_RUNS_MAX,
        }
    }

    /// Takes the runs of one object, unless they are too many.
    fn take(&mut self, region: &Region) -> bool {
        let runs = region.runs.len();
        let is_fine = runs <= OBJECT_RUNS_MAX && runs <= self.runs_left;
        if is_fine {
            self.runs_left -= runs;
        }
        is_fine
    }
}

/// The instances of one class that are large enough, each with all parts of its mask as one region; what is too ragged
/// to be outlined is a box.
fn instances(
    class: usize,
    spec: &ClassSpec,
    all: &[Instance],
    canvas: &Canvas,
    detail: &mut Detail,
) -> Vec<Candidate> {
    let mut found = vec![];
    for instance in all.iter().filter(|instance| instance.class == class) {
        let mask = instance_mask(instance, &spec.policy, canvas);
        let Some(region) = mask.as_ref().and_then(Region::of) else {
            continue;
        };
        if !is_large_enough(&region, spec, canvas) {
            continue;
        }
        let is_fine = detail.take(&region);
        found.push(Candidate {
            class,
            probability: instance.score,
            area_px: area(&region, canvas),
            outlined: is_fine && instance.mask.is_some(),
            bbox: instance.bbox.map(|bbox| nearest_pixels(bbox, canvas.original())),
            region: if is_fine { region } else { region.boxed() },
        });
    }
    found
}

fn is_large_enough(region: &Region, spec: &ClassSpec, canvas: &Canvas) -> bool {
    region.pixels() as f64 / canvas.size().pixels() as f64 >= spec.policy.area_min
}

fn mean(region: &Region, field: &Field) -> f32 {
    let sum: f64 = region
        .runs
        .iter()
        .flat_map(|run| field.row(run))
        .map(|&p| f64::from(p))
        .sum();
    (sum / region.pixels() as f64) as f32
}

/// Original pixels of a region.
fn area(region: &Region, canvas: &Canvas) -> u64 {
    let (columns, rows) = (canvas.column_starts(), canvas.row_starts());
    region
        .runs
        .iter()
        .map(|run| u64::from(columns[run.x1] - columns[run.x0]) * u64::from(rows[run.y + 1] - rows[run.y]))
        .sum()
}

/// Drops the regions of `Uncovered` classes that share a pixel with a region of an `Always` class.
fn drop_covered(kept: &mut Vec<Candidate>, classes: &[ClassSpec], canvases: &Canvases) {
    let reported = |c: &Candidate, report| classes[c.class].report == report;
    let grids: BTreeSet<u32> = kept
        .iter()
        .filter(|c| reported(c, Report::Uncovered))
        .map(|c| classes[c.class].policy.grid)
        .collect();
    for grid in grids {
        let canvas = &canvases.0[&grid];
        let mut always = Patch::empty(Window::whole(canvas));
        for candidate in kept.iter().filter(|c| reported(c, Report::Always)) {
            let own = canvases.get(&classes[candidate.class]);
            for run in &candidate.region.runs {
                let window = window_across(own, run, canvas);
                for y in window.y0..window.y1 {
                    always.pixels[y * always.width + window.x0..y * always.width + window.x1].fill(1);
                }
            }
        }
        kept.retain(|c| {
            let covered = |run: &crate::mask::Run| {
                always.pixels[run.y * always.width + run.x0..run.y * always.width + run.x1].contains(&1)
            };
            !reported(c, Report::Uncovered)
                || classes[c.class].policy.grid != grid
                || !c.region.runs.iter().any(covered)
        });
    }
}

fn finding(candidate: &Candidate, spec: &ClassSpec, canvas: &Canvas) -> Finding {
    let patch = candidate.region.patch();
    let parts = if candidate.outlined {
        components(&patch)
    } else {
        vec![]
    };
    Finding {
        class: spec.name.clone(),
        probability: candidate.probability,
        area_px: candidate.area_px,
        area_share: candidate.area_px as f64 / canvas.original().pixels() as f64,
        bbox: candidate.bbox.unwrap_or_else(|| bounding_box(&patch, canvas)),
        outlined: candidate.outlined,
        polygons: parts.iter().map(|part| polygon(&part.patch(), canvas)).collect(),
        rle: from_canvas(&patch, canvas),
    }
}

/// A box in whole pixels, at least one a side.
fn nearest_pixels(bbox: UnitRect, original: Size) -> PixelBox {
    let side = |from: f32, to: f32, length: u32| {
        let at = |share: f32| (f64::from(share) * f64::from(length)).round() as u32;
        let start = at(from).min(length.saturating_sub(1));
        (start, at(to).clamp(start + 1, length.max(start + 1)) - start)
    };
    let (x, width) = side(bbox.x0, bbox.x1, original.width);
    let (y, height) = side(bbox.y0, bbox.y1, original.height);
    PixelBox { x, y, width, height }
}

fn bounding_box(patch: &Patch, canvas: &Canvas) -> PixelBox {
    let (columns, rows) = (canvas.column_starts(), canvas.row_starts());
    let (x, y) = (columns[patch.x], rows[patch.y]);
    PixelBox {
        x,
        y,
        width: columns[patch.x + patch.width] - x,
        height: rows[patch.y + patch.height] - y,
    }
}

/// Outline and holes of one region, simplified, in original pixels.
fn polygon(patch: &Patch, canvas: &Canvas) -> Polygon {
    let scale_x = f64::from(canvas.original().width) / f64::from(canvas.size().width);
    let scale_y = f64::from(canvas.original().height) / f64::from(canvas.size().height);
    let to_original = |ring: &Ring| -> Vec<Point> {
        simplify(ring, OUTLINE_TOLERANCE)
            .into_iter()
            .map(|(x, y)| Point {
                x: (f64::from(x) * scale_x) as f32,
                y: (f64::from(y) * scale_y) as f32,
            })
            .collect()
    };
    // The first ring starts at the topmost pixel of the region, so it is the outline; the others are holes.
    let rings = trace(patch);
    Polygon {
        outer: rings.first().map(to_original).unwrap_or_default(),
        holes: rings.iter().skip(1).map(to_original).collect(),
    }
}
