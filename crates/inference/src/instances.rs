//! The form `instances`: rows of boxes, scores and classes, and masks in the three ways that networks give them.
//!
//! The steps are those that the families publish: the best class of each row, a threshold, non-maximum suppression by
//! class where the graph leaves it out, and a mask from prototypes, over the whole view or over the box.

mod rows;

use crate::engine::Vehicle;
use crate::manifest::{Activation, Column, InstanceForm, MaskForm, MaskFrame, Role, Unit};
use crate::outputs::{PROBABILITY_SLACK, Raw};
use rows::Rows;
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::instance::{Instance, InstanceMask};
use walkaround_vision::mask::ProbabilityMap;

/// Most objects of one view; of more, those with the best scores are kept. Ultralytics' `max_det`.
pub(crate) const INSTANCES_MAX: usize = 300;
/// Largest number of rows above the threshold that suppression compares, the best. Ultralytics' `max_nms`.
const CANDIDATES_MAX: usize = 30_000;
/// Most mask values that the objects of one view keep, all together: 160 MB.
const MASK_VALUES_MAX: usize = 40_000_000;

/// A row above the threshold, its box in shares of the view, not clipped.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    row: usize,
    class: usize,
    score: f32,
    view: UnitRect,
}

/// The objects of one view. `outputs` are in the order of [`InstanceForm::tensors`]; `input` is the size of the input
/// tensor.
pub(crate) fn instances(
    outputs: &[Raw<'_>],
    form: &InstanceForm,
    input: Size,
) -> Result<Vec<Instance>, String> {
    let prototypes = prototypes(outputs, form)?;
    let rows = rows(outputs, form, prototypes.as_ref())?;
    let mut best = candidates(&rows, form, input, form.threshold)?;
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    best.truncate(CANDIDATES_MAX);
    if let Some(overlap) = form.overlap {
        best = suppressed(best, overlap);
    }
    best.truncate(INSTANCES_MAX);
    let covers = outputs.first().map_or(UnitRect::WHOLE, |raw| raw.covers);
    let mut values = 0;
    let mut found = Vec::with_capacity(best.len());
    for candidate in best {
        let bbox = clipped(placed(candidate.view, covers));
        if bbox.width() <= 0.0 || bbox.height() <= 0.0 {
            continue;
        }
        let mask = match (&form.masks, &prototypes, outputs.last()) {
            (Some(masks), Some(prototypes), _) => {
                let own = rows.coefficients(candidate.row);
                Some(prototypes.mask(&own, &candidate, covers, masks))
            }
            (Some(masks), None, Some(raw)) => Some(own_mask(raw, &candidate, masks)?),
            _ => None,
        };
        values += mask.as_ref().map_or(0, |m| m.grid.values.len());
        if values > MASK_VALUES_MAX {
            return Err(format!(
                "the masks of {} objects are too large together: raise the threshold",
                found.len() + 1
            ));
        }
        found.push(Instance {
            class: candidate.class,
            score: candidate.score,
            bbox,
            mask,
        });
    }
    Ok(found)
}

/// The best vehicle of a locator whose objects stand in rows, within the photo.
pub(crate) fn best_vehicle(outputs: &[Raw<'_>], form: &InstanceForm, input: Size) -> Result<Vehicle, String> {
    let covers = outputs.first().map_or(UnitRect::WHOLE, |raw| raw.covers);
    let found = best(outputs, form, input, form.threshold)?;
    Ok(found.map_or(Vehicle::Absent, |best| {
        let region = clipped(placed(best.view, covers));
        if region.width() > 0.0 && region.height() > 0.0 {
            let score = best.score;
            Vehicle::Found { region, score }
        } else {
            Vehicle::Absent
        }
    }))
}

/// P(damage) of a gate whose objects stand in rows: the best score of a wanted class, 0 without any.
pub(crate) fn best_score(outputs: &[Raw<'_>], form: &InstanceForm, input: Size) -> Result<f32, String> {
    Ok(best(outputs, form, input, 0.0)?.map_or(0.0, |best| best.score))
}

fn best(
    outputs: &[Raw<'_>],
    form: &InstanceForm,
    input: Size,
    threshold: f32,
) -> Result<Option<Candidate>, String> {
    let prototypes = prototypes(outputs, form)?;
    let rows = rows(outputs, form, prototypes.as_ref())?;
    let all = candidates(&rows, form, input, threshold)?;
    Ok(all.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)))
}

/// The prototypes, where the rows have coefficients for them.
fn prototypes<'a>(outputs: &[Raw<'a>], form: &InstanceForm) -> Result<Option<Prototypes<'a>>, String> {
    match (&form.masks, outputs.last()) {
        (Some(_), Some(raw)) if form.has(Column::Coefficients) => Prototypes::of(raw).map(Some),
        _ => Ok(None),
    }
}

fn rows<'a>(
    outputs: &[Raw<'a>],
    form: &InstanceForm,
    prototypes: Option<&Prototypes<'_>>,
) -> Result<Rows<'a>, String> {
    Rows::new(form, outputs, prototypes.map_or(0, |p| p.count))
}

/// Each row with the class column that counts, or with each that is wanted.
fn contenders(rows: &Rows<'_>, form: &InstanceForm) -> Result<Vec<(usize, usize)>, String> {
    let best = rows.best()?;
    if !form.each {
        return Ok(best.into_iter().enumerate().collect());
    }
    let wanted: Vec<usize> = (0..form.channels.len())
        .filter(|&c| form.channels[c].is_some())
        .collect();
    let all = (0..best.len()).flat_map(|row| wanted.iter().map(move |&class| (row, class)));
    Ok(all.collect())
}

/// The rows at or above the threshold whose best class is wanted.
fn candidates(
    rows: &Rows<'_>,
    form: &InstanceForm,
    input: Size,
    threshold: f32,
) -> Result<Vec<Candidate>, String> {
    let scale = match form.unit {
        Unit::Pixels => (1.0 / input.width as f32, 1.0 / input.height as f32),
        Unit::Share => (1.0, 1.0),
    };
    let mut out = Vec::new();
    for (row, best) in contenders(rows, form)? {
        let score = rows.score(row, best)?;
        if score.is_nan() {
            return Err("a score is not a number".into());
        }
        if !(-PROBABILITY_SLACK..=1.0 + PROBABILITY_SLACK).contains(&score) {
            return Err(format!(
                "a score is {score}, not a probability: does the output need activation = \"sigmoid\"?"
            ));
        }
        if score < threshold {
            continue;
        }
        let number = rows.class(row, best)?;
        // Locators and gates name the classes that they want, and there may be any others.
        if form.purpose != Role::Segmenter && number >= form.channels.len() {
            continue;
        }
        let Some(class) = *form.channels.get(number).ok_or_else(|| {
            format!(
                "class number {number}: the manifest names {} channels",
                form.channels.len()
            )
        })?
        else {
            continue;
        };
        let [x0, y0, x1, y1] = rows.corners(row)?;
        out.push(Candidate {
            row,
            class,
            score: score.clamp(0.0, 1.0),
            view: UnitRect {
                x0: x0 * scale.0,
                y0: y0 * scale.1,
                x1: x1 * scale.0,
                y1: y1 * scale.1,
            },
        });
    }
    Ok(out)
}

/// Greedy non-maximum suppression by class; the best score comes first.
fn suppressed(best: Vec<Candidate>, overlap: f32) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in best {
        let hidden = kept
            .iter()
            .any(|k| k.class == candidate.class && iou(&k.view, &candidate.view) > overlap);
        if !hidden {
            kept.push(candidate);
            if kept.len() >= INSTANCES_MAX {
                break;
            }
        }
    }
    kept
}

fn iou(a: &UnitRect, b: &UnitRect) -> f32 {
    let area = |r: &UnitRect| r.width().max(0.0) * r.height().max(0.0);
    let width = a.x1.min(b.x1) - a.x0.max(b.x0);
    let height = a.y1.min(b.y1) - a.y0.max(b.y0);
    let both = width.max(0.0) * height.max(0.0);
    let all = area(a) + area(b) - both;
    if all > 0.0 { both / all } else { 0.0 }
}

/// From shares of the view to shares of the photo.
fn placed(view: UnitRect, covers: UnitRect) -> UnitRect {
    UnitRect {
        x0: covers.x0 + view.x0 * covers.width(),
        y0: covers.y0 + view.y0 * covers.height(),
        x1: covers.x0 + view.x1 * covers.width(),
        y1: covers.y0 + view.y1 * covers.height(),
    }
}

fn clipped(rect: UnitRect) -> UnitRect {
    UnitRect {
        x0: rect.x0.clamp(0.0, 1.0),
        y0: rect.y0.clamp(0.0, 1.0),
        x1: rect.x1.clamp(0.0, 1.0),
        y1: rect.y1.clamp(0.0, 1.0),
    }
}

/// Cells of a grid of `side` cells that a span (shares of the grid) touches, and one more on either side: what
/// interpolation inside the span reads.
fn cells(from: f32, to: f32, side: usize) -> (usize, usize) {
    let first = (from * side as f32).floor() - 1.0;
    let last = (to * side as f32).ceil() + 1.0;
    let first = first.clamp(0.0, side as f32 - 1.0) as usize;
    (first, (last.max(0.0) as usize).clamp(first + 1, side))
}

/// Cells of a grid.
#[derive(Clone, Copy)]
struct Sides {
    width: usize,
    height: usize,
}

/// Part of a grid over the view.
#[derive(Clone, Copy)]
struct Cut {
    x: (usize, usize),
    y: (usize, usize),
}

impl Cut {
    /// As a mask grid: `values` are those of the cut of a grid of these sides, row by row.
    fn grid(self, values: Vec<f32>, whole: Sides, covers: UnitRect) -> ProbabilityMap {
        let share = |cell: usize, side: usize| cell as f32 / side as f32;
        ProbabilityMap {
            class: 0,
            width: self.x.1 - self.x.0,
            height: self.y.1 - self.y.0,
            values,
            covers: placed(
                UnitRect {
                    x0: share(self.x.0, whole.width),
                    y0: share(self.y.0, whole.height),
                    x1: share(self.x.1, whole.width),
                    y1: share(self.y.1, whole.height),
                },
                covers,
            ),
        }
    }
}

/// Prototypes `[count, height, width]`, of which each object's mask is a weighted sum.
struct Prototypes<'a> {
    count: usize,
    height: usize,
    width: usize,
    values: &'a [f32],
}

impl<'a> Prototypes<'a> {
    fn of(raw: &Raw<'a>) -> Result<Self, String> {
        match *raw.shape {
            [count, height, width] if height > 0 && width > 0 => Ok(Self {
                count,
                height,
                width,
                values: raw.values,
            }),
            _ => Err(format!(
                "prototypes are [n, count, h, w], not [n, {:?}]",
                raw.shape
            )),
        }
    }

    /// The mask of one object, computed where its box is.
    fn mask(&self, own: &[f32], of: &Candidate, covers: UnitRect, form: &MaskForm) -> InstanceMask {
        let cut = Cut {
            x: cells(of.view.x0, of.view.x1, self.width),
            y: cells(of.view.y0, of.view.y1, self.height),
        };
        let width = cut.x.1 - cut.x.0;
        let mut values = vec![0.0f32; width * (cut.y.1 - cut.y.0)];
        for (prototype, &weight) in self.values.chunks_exact(self.width * self.height).zip(own) {
            for (y, line) in (cut.y.0..cut.y.1).zip(values.chunks_exact_mut(width)) {
                let row = &prototype[y * self.width + cut.x.0..][..width];
                for (out, &p) in line.iter_mut().zip(row) {
                    *out += weight * p;
                }
            }
        }
        InstanceMask {
            grid: cut.grid(
                values,
                Sides {
                    width: self.width,
                    height: self.height,
                },
                covers,
            ),
            logits: form.activation == Activation::Sigmoid,
            cropped: true,
            whole_pixels: false,
        }
    }
}

/// The mask that a network gives for one object: `[objects, h, w]` or `[objects, 1, h, w]`.
fn own_mask(raw: &Raw<'_>, of: &Candidate, form: &MaskForm) -> Result<InstanceMask, String> {
    let (objects, height, width) = match *raw.shape {
        [objects, height, width] | [objects, 1, height, width] if height > 0 && width > 0 => {
            (objects, height, width)
        }
        _ => return Err(format!("masks are [objects, h, w], not {:?}", raw.shape)),
    };
    if of.row >= objects {
        return Err(format!("{objects} masks, but object {} has a row", of.row));
    }
    let mask = &raw.values[of.row * height * width..][..height * width];
    if mask.iter().any(|v| v.is_nan()) {
        return Err("a mask is not a number".into());
    }
    let logits = form.activation == Activation::Sigmoid;
    let grid = match form.frame {
        MaskFrame::View => over_view(mask, Sides { width, height }, raw.covers, logits),
        MaskFrame::Box | MaskFrame::PixelBox => {
            over_box(mask, Sides { width, height }, placed(of.view, raw.covers), logits)
        }
    };
    Ok(InstanceMask {
        grid,
        logits,
        cropped: false,
        whole_pixels: form.frame == MaskFrame::PixelBox,
    })
}

/// The part of a mask over the view in which it can be above any threshold that makes sense, and one cell more.
fn over_view(mask: &[f32], sides: Sides, covers: UnitRect, logits: bool) -> ProbabilityMap {
    let Sides { width, height } = sides;
    // Probabilities under this and their logits are nobody's mask; it only bounds what is kept.
    let low = if logits { -6.0 } else { 0.002 };
    let (mut x, mut y) = ((width, 0), (height, 0));
    for (row, line) in mask.chunks_exact(width).enumerate() {
        if let Some(first) = line.iter().position(|&v| v > low) {
            let last = line.iter().rposition(|&v| v > low).unwrap_or(first);
            x = (x.0.min(first), x.1.max(last + 1));
            y = (y.0.min(row), row + 1);
        }
    }
    if x.0 >= x.1 {
        (x, y) = ((0, 1), (0, 1));
    }
    let grown = |span: (usize, usize), side: usize| (span.0.saturating_sub(1), (span.1 + 1).min(side));
    let cut = Cut {
        x: grown(x, width),
        y: grown(y, height),
    };
    let rows = cut.y.0..cut.y.1;
    let values = rows
        .flat_map(|row| &mask[row * width + cut.x.0..row * width + cut.x.1])
        .copied()
        .collect();
    cut.grid(values, sides, covers)
}

/// A mask over its box, with one cell of nothing around it, so that it fades at the box's edge as the families' do
/// (torchvision's `expand_masks`, Detectron2's `grid_sample` with zeros).
fn over_box(mask: &[f32], sides: Sides, bbox: UnitRect, logits: bool) -> ProbabilityMap {
    let Sides { width, height } = sides;
    let nothing = if logits { -20.0 } else { 0.0 };
    let mut values = vec![nothing; (width + 2) * (height + 2)];
    for (row, line) in mask.chunks_exact(width).enumerate() {
        values[(row + 1) * (width + 2) + 1..][..width].copy_from_slice(line);
    }
    let (cell_w, cell_h) = (bbox.width() / width as f32, bbox.height() / height as f32);
    ProbabilityMap {
        class: 0,
        width: width + 2,
        height: height + 2,
        values,
        covers: UnitRect {
            x0: bbox.x0 - cell_w,
            y0: bbox.y0 - cell_h,
            x1: bbox.x1 + cell_w,
            y1: bbox.y1 + cell_h,
        },
    }
}

#[cfg(test)]
mod tests;
