//! Spacing: a panel that stands off along a seam. How: the seam's width grows over a stretch, its inside is
//! dark, the lifted edge catches light, its neighbour lies in shadow, and the panel itself leans a little.

use crate::car::Car;
use crate::math::{Rng, smooth};

/// A widened stretch of one seam.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub(crate) seam: usize,
    pub(crate) from: f32,
    pub(crate) to: f32,
    /// Greatest width, metres.
    pub(crate) width: f32,
    /// Which side stands off: +1 or -1 of the seam's signed distance.
    pub(crate) side: f32,
    /// Where along the stretch it is widest, 0..1.
    peak: f32,
}

impl Gap {
    /// Opens the seam `seam` along most of its painted part.
    pub(crate) fn new(rng: &mut Rng, car: &Car, seam: usize) -> Self {
        let line = &car.seams[seam];
        let ceiling = if line.upright { 0.88 } else { line.to };
        let to = line.to.min(ceiling);
        let reach = to - line.from;
        Self {
            seam,
            from: line.from - 0.02 + reach * rng.range(0.0, 0.12),
            to: to + 0.01 - reach * rng.range(0.0, 0.15),
            // A short seam, a bumper's, gapes wider.
            width: if reach < 0.3 {
                rng.range(0.045, 0.065)
            } else {
                rng.range(0.034, 0.052)
            },
            side: if rng.chance(0.5) { 1.0 } else { -1.0 },
            // More often than not a panel stands off at one end.
            peak: [0.02, 0.98, rng.range(0.2, 0.8)][rng.index(3)],
        }
    }

    /// Width of the opening at `along`, metres; 0 outside the stretch.
    pub(crate) fn opening(&self, along: f32) -> f32 {
        let t = (along - self.from) / (self.to - self.from);
        if !(0.0..=1.0).contains(&t) {
            return 0.0;
        }
        let shape = if t < self.peak {
            t / self.peak
        } else {
            (1.0 - t) / (1.0 - self.peak)
        };
        self.width * smooth(-0.25, 0.75, shape)
    }

    /// True inside the opening or the strong part of its shadow: what a labeller outlines.
    pub(crate) fn covers(&self, car: &Car, x: f32, y: f32) -> bool {
        let (across, along) = car.seams[self.seam].across(x, y);
        let open = self.opening(along);
        let across = across * self.side;
        open > 0.003 && across < open * 0.5 + 0.006 && across > -open - 0.012
    }
}
