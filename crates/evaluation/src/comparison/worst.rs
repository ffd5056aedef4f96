//! The photos on which two bundles differ most.

use super::photo::ComparedPhoto;
use serde::Serialize;

/// Most of them that are kept.
pub const WORST_MAX: usize = 24;

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    /// How much they differ: from 3 on damage that only one finds, from 2 on a photo that only one can judge, else 1 - IoU;
    /// the change of the gate breaks ties.
    pub difference: f64,
    /// The photo.
    pub photo: ComparedPhoto,
}

/// Up to [`WORST_MAX`] photos, the largest difference first.
#[derive(Debug, Default)]
pub(super) struct Shelf(Vec<Worst>);

impl Shelf {
    pub(super) fn offer(&mut self, photo: &ComparedPhoto) {
        let difference = difference(photo);
        if difference <= 0.0 {
            return;
        }
        let at = self.0.partition_point(|other| other.difference >= difference);
        if at < WORST_MAX {
            let photo = photo.clone();
            self.0.insert(at, Worst { difference, photo });
            self.0.truncate(WORST_MAX);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Worst> {
        self.0
    }
}

fn difference(photo: &ComparedPhoto) -> f64 {
    let unusable = [&photo.old, &photo.new]
        .iter()
        .any(|side| side.verdict == "unusable");
    let verdicts = match (photo.flips(), unusable) {
        (true, false) => 3.0,
        (true, true) => 2.0,
        (false, _) => 0.0,
    };
    let masks = photo.iou.map_or(0.0, |iou| 1.0 - iou);
    let gates = match (photo.old.gate, photo.new.gate) {
        (Some(old), Some(new)) => f64::from((old - new).abs()),
        _ => 0.0,
    };
    // Verdicts first, then masks, then gates: each of the latter is at most 1.
    verdicts + masks * 0.9 + gates * 0.09
}
