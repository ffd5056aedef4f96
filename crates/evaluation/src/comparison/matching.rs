//! Findings of two reports of one photo: which are the same.

use serde::{Deserialize, Serialize};
use walkaround_domain::{Rle, Size};
use walkaround_messages::PhotoReport;
use walkaround_vision::rle;

/// Two findings of one class are the same from this IoU of their masks on.
const SAME_FROM: f64 = 0.1;
/// Most findings of a report that are matched; the others stand alone.
const MATCHED_MAX: usize = 200;

/// A finding that one report has, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedFinding {
    /// Damage class.
    pub class: String,
    /// Mean probability in the first report; none when it is not there.
    pub old: Option<f32>,
    /// Mean probability in the second report; none when it is not there.
    pub new: Option<f32>,
    /// IoU of the two masks; none when only one report has it.
    pub iou: Option<f64>,
}

/// How the findings of two reports compare.
pub(super) struct Matched {
    /// Those that both have first.
    pub(super) findings: Vec<ComparedFinding>,
    /// IoU of everything that each report finds, whatever its class; none where neither finds any.
    pub(super) any_iou: Option<f64>,
}

/// Two reports of one photo, finding by finding and as a whole. The mask of each finding is decoded once.
pub(super) fn compared(old: &PhotoReport, new: &PhotoReport) -> Matched {
    let (a, b) = (masks(old), masks(new));
    Matched {
        findings: matched([old, new], [&a, &b]),
        any_iou: any_iou(size(old).or_else(|| size(new)), [&a, &b]),
    }
}

/// The findings of two reports with their masks. Of one class those with the highest IoU are the same, from 0.1 on; each finding at most once.
fn matched([old, new]: [&PhotoReport; 2], [a, b]: [&[Option<Rle>]; 2]) -> Vec<ComparedFinding> {
    let mut pairs = Vec::new();
    for (i, left) in a.iter().take(MATCHED_MAX).enumerate() {
        for (j, right) in b.iter().take(MATCHED_MAX).enumerate() {
            if old.findings[i].class == new.findings[j].class
                && let (Some(left), Some(right)) = (left, right)
                && let Ok(iou) = rle::iou(left, right)
                && iou >= SAME_FROM
            {
                pairs.push((iou, i, j));
            }
        }
    }
    // Ties by place, so that the same reports always match alike.
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    let (mut left, mut right) = (vec![false; a.len()], vec![false; b.len()]);
    let mut found = Vec::new();
    for (iou, i, j) in pairs {
        if left[i] || right[j] {
            continue;
        }
        (left[i], right[j]) = (true, true);
        found.push(ComparedFinding {
            class: old.findings[i].class.clone(),
            old: Some(old.findings[i].probability),
            new: Some(new.findings[j].probability),
            iou: Some(iou),
        });
    }
    let alone = |report: &PhotoReport, taken: &[bool]| -> Vec<(String, f32)> {
        let all = report.findings.iter().zip(taken);
        all.filter(|(_, taken)| !**taken)
            .map(|(finding, _)| (finding.class.clone(), finding.probability))
            .collect()
    };
    for (class, probability) in alone(old, &left) {
        found.push(ComparedFinding {
            class,
            old: Some(probability),
            new: None,
            iou: None,
        });
    }
    for (class, probability) in alone(new, &right) {
        found.push(ComparedFinding {
            class,
            old: None,
            new: Some(probability),
            iou: None,
        });
    }
    found
}

/// IoU of everything that each report finds, whatever its class; none where neither finds any.
fn any_iou(size: Option<Size>, [old, new]: [&[Option<Rle>]; 2]) -> Option<f64> {
    let size = size?;
    let whole = |masks: &[Option<Rle>]| {
        let all: Vec<&Rle> = masks.iter().flatten().filter(|mask| mask.size == size).collect();
        rle::union(size, &all).ok()
    };
    let (a, b) = (whole(old)?, whole(new)?);
    if a.area() == 0 && b.area() == 0 {
        return None;
    }
    rle::iou(&a, &b).ok()
}

fn size(report: &PhotoReport) -> Option<Size> {
    Some(Size::new(report.width?, report.height?))
}

/// The mask of each finding; none of one that cannot be read.
fn masks(report: &PhotoReport) -> Vec<Option<Rle>> {
    let size = size(report);
    let mask = |counts: &str| rle::from_string(size?, counts).ok();
    report.findings.iter().map(|f| mask(&f.rle.counts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{finding, report};

    fn finding_of(class: &str, sides: [bool; 2], iou: Option<f64>) -> ComparedFinding {
        let probability = |there: bool| there.then_some(0.8);
        ComparedFinding {
            class: class.to_owned(),
            old: probability(sides[0]),
            new: probability(sides[1]),
            iou,
        }
    }

    #[test]
    fn findings_of_one_class_are_matched_by_their_masks_and_others_stand_alone() {
        let old = report(&[
            finding("dent", [1, 1, 0, 0]),
            finding("dent", [0, 0, 0, 1]),
            finding("wear", [0, 0, 1, 0]),
        ]);
        let new = report(&[finding("wear", [1, 0, 0, 0]), finding("dent", [1, 1, 1, 0])]);
        let expected = [
            finding_of("dent", [true, true], Some(2.0 / 3.0)),
            finding_of("dent", [true, false], None),
            finding_of("wear", [true, false], None),
            finding_of("wear", [false, true], None),
        ];
        assert_eq!(compared(&old, &new).findings, expected);
        assert_eq!(compared(&old, &new).any_iou, Some(3.0 / 4.0));
    }

    #[test]
    fn the_better_match_wins_whatever_the_order() {
        let old = report(&[finding("dent", [1, 1, 0, 0]), finding("dent", [1, 1, 1, 0])]);
        let new = report(&[finding("dent", [1, 1, 1, 0])]);
        let expected = [
            finding_of("dent", [true, true], Some(1.0)),
            finding_of("dent", [true, false], None),
        ];
        assert_eq!(compared(&old, &new).findings, expected);
    }

    #[test]
    fn nothing_on_both_sides_has_no_iou_and_on_one_side_none_in_common() {
        let (none, some) = (report(&[]), report(&[finding("dent", [0, 1, 0, 0])]));
        assert_eq!(compared(&none, &none).any_iou, None);
        assert_eq!(compared(&none, &some).any_iou, Some(0.0));
        assert!(compared(&none, &none).findings.is_empty());
    }
}
