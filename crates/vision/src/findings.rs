//! Probability maps to findings: masks by class, regions, and each region in pixels of the original photo.
//!
//! The order of work keeps the bounds cheap: all regions are found on the canvas first, the largest
//! [`FINDINGS_MAX`] are kept, and only for those are outlines traced and run-length codes written.

mod outline;
mod simplify;

use std::cmp::Reverse;

use walkaround_domain::{Finding, PixelBox, Point, Polygon, Size};

use crate::mask::{
    Canvas, ClassSpec, Field, Patch, ProbabilityMap, Region, Report, Window, class_mask, components,
};
use crate::rle::{MASK_PIXELS_MAX, from_canvas};

pub use outline::{Ring, trace};
pub use simplify::simplify;

/// Most findings of one photo; of more, the largest are kept.
pub const FINDINGS_MAX: usize = 200;

/// How far a simplified outline may lie from the traced one, in canvas pixels.
pub const OUTLINE_TOLERANCE: f32 = 0.75;

/// A region that may become a finding.
struct Candidate {
    class: usize,
    region: Region,
    probability: f32,
    area_px: u64,
}

/// The findings of a photo from all probability maps its networks gave, in pixels of the upright original of
/// the given size: by class in the order of `classes`, then largest first.
///
/// Which regions are reported follows each class's [`Report`]; with `all_classes` every region of every class
/// is. Maps of classes not in `classes` are ignored, as are maps whose `values` do not fill their grid. A
/// photo without pixels, or of more than [`MASK_PIXELS_MAX`], has no findings (decoding refuses both).
pub fn findings(
    maps: &[ProbabilityMap],
    classes: &[ClassSpec],
    original: Size,
    all_classes: bool,
) -> Vec<Finding> {
    let Some(canvas) = Canvas::of(original).filter(|_| original.pixels() <= MASK_PIXELS_MAX) else {
        return vec![];
    };
    let mut kept: Vec<Candidate> = vec![];
    for (class, spec) in classes.iter().enumerate() {
        if all_classes || spec.report != Report::OnRequest {
            kept.extend(candidates(class, spec, maps, &canvas));
        }
    }
    if !all_classes {
        drop_covered(&mut kept, classes, &canvas);
    }
    // The position breaks ties, so that the same maps always give the same findings.
    let place = |c: &Candidate| (c.region.runs[0].y, c.region.runs[0].x0);
    kept.sort_by_key(|c| (Reverse(c.area_px), c.class, place(c)));
    kept.truncate(FINDINGS_MAX);
    kept.sort_by_key(|c| (c.class, Reverse(c.area_px), place(c)));
    kept.into_iter()
        .map(|candidate| finding(&candidate, classes, &canvas))
        .collect()
}

/// The regions of one class that are large enough.
fn candidates(class: usize, spec: &ClassSpec, maps: &[ProbabilityMap], canvas: &Canvas) -> Vec<Candidate> {
    let maps: Vec<&ProbabilityMap> = maps.iter().filter(|map| map.class == class).collect();
    let Some((field, mask)) = class_mask(&maps, &spec.policy, canvas) else {
        return vec![];
    };
    let canvas_pixels = canvas.size().pixels() as f64;
    components(&mask)
        .into_iter()
        .filter(|region| region.pixels() as f64 / canvas_pixels >= spec.policy.area_min)
        .map(|region| Candidate {
            class,
            probability: mean(&region, &field),
            area_px: area(&region, canvas),
            region,
        })
        .collect()
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

/// Drops the regions of `Uncovered` classes that share a canvas pixel with a region of an `Always` class.
fn drop_covered(kept: &mut Vec<Candidate>, classes: &[ClassSpec], canvas: &Canvas) {
    let reported = |c: &Candidate, report| classes[c.class].report == report;
    if !kept.iter().any(|c| reported(c, Report::Uncovered)) {
        return;
    }
    let mut always = Patch::empty(Window::whole(canvas));
    for run in kept
        .iter()
        .filter(|c| reported(c, Report::Always))
        .flat_map(|c| &c.region.runs)
    {
        always.pixels[run.y * always.width + run.x0..run.y * always.width + run.x1].fill(1);
    }
    kept.retain(|c| {
        let covered = |run: &crate::mask::Run| {
            always.pixels[run.y * always.width + run.x0..run.y * always.width + run.x1].contains(&1)
        };
        !reported(c, Report::Uncovered) || !c.region.runs.iter().any(covered)
    });
}

fn finding(candidate: &Candidate, classes: &[ClassSpec], canvas: &Canvas) -> Finding {
    let patch = candidate.region.patch();
    Finding {
        class: classes[candidate.class].name.clone(),
        probability: candidate.probability,
        area_px: candidate.area_px,
        area_share: candidate.area_px as f64 / canvas.original().pixels() as f64,
        bbox: bounding_box(&patch, canvas),
        polygons: vec![polygon(&patch, canvas)],
        rle: from_canvas(&patch, canvas),
    }
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
