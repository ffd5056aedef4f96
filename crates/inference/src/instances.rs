//! The form `instances`: rows of boxes, scores and classes, and masks in the three ways that networks give them.
//!
//! The steps are those that the families publish: the best class of each row, a threshold, non-maximum suppression by
//! class where the graph leaves it out, and a mask from prototypes, over the whole view or over the box.

mod grid;
mod mask_score;
mod masks;
mod rows;

use crate::engine::Vehicle;
use crate::manifest::{Column, InstanceForm, Role, Unit};
use crate::outputs::{PROBABILITY_SLACK, Raw};
use grid::{clipped, placed};
use mask_score::mask_score;
use masks::{Prototypes, own_mask};
use rows::Rows;
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::instance::Instance;

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
    /// Whether `view` is its box; else it is the whole view.
    boxed: bool,
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
    for mut candidate in best {
        let bbox = clipped(placed(candidate.view, covers));
        if bbox.width() <= 0.0 || bbox.height() <= 0.0 {
            continue;
        }
        if let (Some(masks), Some(raw)) = (form.masks.as_ref().filter(|masks| masks.in_score), outputs.last())
        {
            candidate.score *= mask_score(raw, candidate.row, masks)?;
            if candidate.score < form.threshold {
                continue;
            }
        }
        let mask = match (&form.masks, &prototypes, outputs.last()) {
            (Some(masks), Some(prototypes), _) => {
                let own = rows.coefficients(candidate.row);
                Some(prototypes.mask(&own, candidate.view, covers, masks))
            }
            (Some(masks), None, Some(raw)) => Some(own_mask(raw, candidate.row, candidate.view, masks)?),
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
            bbox: candidate.boxed.then_some(bbox),
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
fn contenders(rows: &Rows<'_>, form: &InstanceForm) -> Vec<(usize, usize)> {
    let best = rows.best();
    if !form.each {
        return best.into_iter().enumerate().collect();
    }
    let wanted: Vec<usize> = (0..form.channels.len())
        .filter(|&c| form.channels[c].is_some())
        .collect();
    let all = (0..best.len()).flat_map(|row| wanted.iter().map(move |&class| (row, class)));
    all.collect()
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
    for (row, best) in contenders(rows, form) {
        let score = rows.score(row, best)?;
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
        let boxed = rows.has_boxes();
        let view = if boxed {
            let [x0, y0, x1, y1] = rows.corners(row)?;
            UnitRect {
                x0: x0 * scale.0,
                y0: y0 * scale.1,
                x1: x1 * scale.0,
                y1: y1 * scale.1,
            }
        } else {
            UnitRect::WHOLE
        };
        out.push(Candidate {
            row,
            class,
            score: score.clamp(0.0, 1.0),
            view,
            boxed,
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

#[cfg(test)]
mod tests;
