//! Figures over many photos, with intervals.
//!
//! Every figure is a function of how often each photo counts: once for the figure itself, as often as it was
//! drawn for each resample of the bootstrap. All figures of a resample come from the same draw.

use crate::ground_truth::Damage;
use crate::score::{Counts, PhotoScore, share};
use serde::Serialize;

/// Resamples of the bootstrap.
pub const RESAMPLES: usize = 1_000;
/// Seed of the bootstrap: the same photos always give the same intervals.
pub const BOOTSTRAP_SEED: u64 = 20_261_122;
/// Share of the resamples inside an interval.
pub const LEVEL: f64 = 0.95;

/// A figure, 0 to 1, with its interval; null where the photos do not show it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Over all photos, each counted once.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

/// The scores of one row.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MaskFigures {
    /// Intersection over union of pixels.
    pub iou: Figure,
    /// Harmonic mean of precision and recall.
    pub f1: Figure,
    /// Share of the pixels found that are true.
    pub precision: Figure,
    /// Share of the true pixels that are found.
    pub recall: Figure,
}

/// All figures of a run.
#[derive(Debug, Clone)]
pub struct Figures {
    /// One a row.
    pub rows: Vec<MaskFigures>,
    /// Mean over damaged photos of the IoU of the first row.
    pub mean_iou: Figure,
    /// Area under the ROC curve of the gates' P(damage).
    pub gate_auc: Figure,
    /// Share of damaged photos that the gates let through.
    pub gate_recall: Figure,
    /// Share of undamaged photos that the gates let through.
    pub gate_false_alarms: Figure,
}

/// Figures of one row.
const PER_ROW: usize = 4;
/// Figures that are of no row.
const BESIDE_ROWS: usize = 4;

impl Figures {
    /// The figures of these photos, with intervals from resamples of them.
    pub fn of(photos: &[PhotoScore]) -> Self {
        let sample = Sample::new(photos);
        let points = sample.statistics(&vec![1; photos.len()]);
        let mut drawn: Vec<Vec<f64>> = vec![Vec::new(); points.len()];
        let mut random = fastrand::Rng::with_seed(BOOTSTRAP_SEED);
        for _ in 0..RESAMPLES {
            let mut times = vec![0; photos.len()];
            for _ in 0..photos.len() {
                times[random.usize(0..photos.len())] += 1;
            }
            for (values, value) in drawn.iter_mut().zip(sample.statistics(&times)) {
                values.extend(value);
            }
        }
        let all: Vec<Figure> = points
            .into_iter()
            .zip(&mut drawn)
            .map(|(value, drawn)| figure(value, drawn))
            .collect();
        let (rows, rest) = all.split_at(all.len() - BESIDE_ROWS);
        Self {
            rows: rows
                .chunks_exact(PER_ROW)
                .map(|f| MaskFigures {
                    iou: f[0],
                    f1: f[1],
                    precision: f[2],
                    recall: f[3],
                })
                .collect(),
            mean_iou: rest[0],
            gate_auc: rest[1],
            gate_recall: rest[2],
            gate_false_alarms: rest[3],
        }
    }
}

fn figure(value: Option<f64>, drawn: &mut [f64]) -> Figure {
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Figure {
        value,
        low: value.and(quantile(drawn, tail)),
        high: value.and(quantile(drawn, 1.0 - tail)),
    }
}

/// Quantile of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64))
}

struct Sample<'a> {
    photos: &'a [PhotoScore],
    rows: usize,
    /// Photos that a gate was asked about, by rising P(damage).
    gated: Vec<Gated>,
}

/// One of them.
struct Gated {
    /// Index among all photos.
    photo: usize,
    /// P(damage).
    p: f32,
    damaged: bool,
    /// Let through.
    suspect: bool,
}

impl<'a> Sample<'a> {
    fn new(photos: &'a [PhotoScore]) -> Self {
        let mut gated: Vec<Gated> = photos
            .iter()
            .enumerate()
            .filter(|(_, photo)| photo.damage != Damage::OnlyIgnored)
            .filter_map(|(at, photo)| {
                Some(Gated {
                    photo: at,
                    p: photo.gate?,
                    damaged: photo.damage == Damage::Damaged,
                    suspect: photo.suspect?,
                })
            })
            .collect();
        gated.sort_by(|a, b| a.p.total_cmp(&b.p));
        Self {
            photos,
            rows: photos.first().map_or(0, |photo| photo.counts.len()),
            gated,
        }
    }

    /// All figures when photo `i` counts `times[i]` times: four a row, then the four others.
    fn statistics(&self, times: &[u32]) -> Vec<Option<f64>> {
        let mut pooled = vec![Counts::default(); self.rows];
        let (mut ious, mut damaged) = (0.0, 0);
        for (photo, &times) in self.photos.iter().zip(times) {
            for (sum, counts) in pooled.iter_mut().zip(&photo.counts) {
                sum.add(*counts, u64::from(times));
            }
            if photo.damage == Damage::Damaged {
                let iou = photo.counts.first().and_then(|c| c.iou()).unwrap_or(0.0);
                ious += iou * f64::from(times);
                damaged += u64::from(times);
            }
        }
        let mut out = Vec::with_capacity(self.rows * PER_ROW + BESIDE_ROWS);
        for row in pooled {
            // A class without any truth has no figures, whatever was found.
            let scored = row.hit + row.missed > 0;
            let figures = [row.iou(), row.f1(), row.precision(), row.recall()];
            out.extend(figures.map(|figure| figure.filter(|_| scored)));
        }
        out.push((damaged > 0).then(|| ious / damaged as f64));
        out.extend(self.gate(times));
        out
    }

    /// ROC AUC, recall, share of false alarms.
    fn gate(&self, times: &[u32]) -> [Option<f64>; 3] {
        // By [undamaged, damaged]: photos, and those let through.
        let (mut photos, mut through) = ([0_u64; 2], [0_u64; 2]);
        // Pairs in the right order; a tie counts one half.
        let mut ordered = 0.0;
        for tied in self.gated.chunk_by(|a, b| a.p == b.p) {
            let mut here = [0_u64; 2];
            for gated in tied {
                let n = u64::from(times[gated.photo]);
                here[usize::from(gated.damaged)] += n;
                through[usize::from(gated.damaged)] += n * u64::from(gated.suspect);
            }
            ordered += here[1] as f64 * (photos[0] as f64 + here[0] as f64 / 2.0);
            photos = [photos[0] + here[0], photos[1] + here[1]];
        }
        let pairs = photos[0] as f64 * photos[1] as f64;
        [
            (pairs > 0.0).then(|| ordered / pairs),
            share(through[1], photos[1]),
            share(through[0], photos[0]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(damage: Damage, gate: f32, counts: Counts) -> PhotoScore {
        PhotoScore {
            damage,
            gate: Some(gate),
            suspect: Some(gate >= 0.5),
            unusable: false,
            counts: vec![counts],
            shown: vec![],
        }
    }

    fn counts(hit: u64, wrong: u64, missed: u64) -> Counts {
        Counts { hit, wrong, missed }
    }

    fn five() -> Vec<PhotoScore> {
        vec![
            photo(Damage::Damaged, 0.9, counts(8, 1, 1)),
            photo(Damage::Damaged, 0.6, counts(2, 0, 8)),
            photo(Damage::Damaged, 0.2, counts(0, 0, 10)),
            photo(Damage::Undamaged, 0.6, counts(0, 10, 0)),
            photo(Damage::Undamaged, 0.1, counts(0, 0, 0)),
        ]
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let f = Figures::of(&five());
        // Pairs (damaged, undamaged): 0.9 beats both, 0.6 ties one and beats one, 0.2 beats one: 4.5 of 6.
        assert_eq!(f.gate_auc.value, Some(0.75));
        assert_eq!(f.gate_recall.value, Some(2.0 / 3.0));
        assert_eq!(f.gate_false_alarms.value, Some(0.5));
        let row = f.rows[0];
        assert_eq!(row.iou.value, Some(10.0 / 40.0));
        assert_eq!(row.precision.value, Some(10.0 / 21.0));
        assert_eq!(row.recall.value, Some(10.0 / 29.0));
        assert_eq!(row.f1.value, Some(20.0 / 50.0));
        assert!((f.mean_iou.value.unwrap() - (0.8 + 0.2 + 0.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn auc_is_one_half_for_ties_and_zero_for_the_wrong_way_round() {
        let auc = |damaged: f32, undamaged: f32| {
            let c = counts(1, 0, 0);
            let photos = [
                photo(Damage::Damaged, damaged, c),
                photo(Damage::Undamaged, undamaged, c),
            ];
            Figures::of(&photos).gate_auc.value
        };
        assert_eq!(auc(0.4, 0.4), Some(0.5));
        assert_eq!(auc(0.4, 0.6), Some(0.0));
        assert_eq!(auc(0.6, 0.4), Some(1.0));
    }

    #[test]
    fn intervals_hold_the_figure_and_repeat() {
        let photos: Vec<PhotoScore> = (0..60)
            .map(|i| {
                let damage = if i % 3 == 0 {
                    Damage::Undamaged
                } else {
                    Damage::Damaged
                };
                photo(damage, (i * 7 % 10) as f32 / 10.0, counts(i, 60 - i, i * 13 % 17))
            })
            .collect();
        let (a, b) = (Figures::of(&photos), Figures::of(&photos));
        for f in [
            a.rows[0].iou,
            a.rows[0].f1,
            a.rows[0].precision,
            a.rows[0].recall,
            a.mean_iou,
            a.gate_auc,
            a.gate_recall,
            a.gate_false_alarms,
        ] {
            let (low, value, high) = (f.low.unwrap(), f.value.unwrap(), f.high.unwrap());
            assert!(low < value && value < high, "{f:?}");
            assert!(high - low < 0.6, "{f:?}");
        }
        assert_eq!(a.rows[0].iou, b.rows[0].iou);
    }

    #[test]
    fn what_the_photos_do_not_show_is_none() {
        let f = Figures::of(&[photo(Damage::Undamaged, 0.7, counts(0, 5, 0))]);
        assert_eq!(f.rows[0].iou.value, None);
        assert_eq!(f.rows[0].precision.value, None);
        assert_eq!((f.gate_auc.value, f.gate_auc.low), (None, None));
        assert_eq!(f.gate_recall.value, None);
        assert_eq!(f.gate_false_alarms.value, Some(1.0));
        assert_eq!(f.mean_iou.value, None);
    }

    #[test]
    fn photos_with_ignored_regions_only_are_nothing_to_the_gate() {
        let mut photos = five();
        photos.push(photo(Damage::OnlyIgnored, 0.99, counts(0, 0, 0)));
        assert_eq!(Figures::of(&photos).gate_auc.value, Some(0.75));
        assert_eq!(Figures::of(&photos).gate_false_alarms.value, Some(0.5));
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.25), Some(1.25));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
