//! Dents: a bowl with folds pressed into the sheet metal. How: a height over the panel whose slopes turn the
//! normal; the reflections then bend by themselves, which is what makes a dent visible.

use crate::math::{Rng, fractal, length, noise, smooth};

/// One dent in plane coordinates, metres.
#[derive(Debug, Clone)]
pub(crate) struct Dent {
    pub(crate) x: f32,
    pub(crate) y: f32,
    turn: (f32, f32),
    /// Half axes.
    pub(crate) long: f32,
    pub(crate) short: f32,
    depth: f32,
    folds: Vec<Fold>,
    /// Paint broken along the sharpest fold.
    pub(crate) cracked: bool,
    seed: u32,
}

/// A straight sharp ridge through the bowl.
#[derive(Debug, Clone)]
struct Fold {
    across: (f32, f32),
    offset: f32,
    height: f32,
    reach: f32,
    bow: f32,
}

impl Dent {
    /// A random dent of about `size` metres half length.
    pub(crate) fn new(rng: &mut Rng, (x, y): (f32, f32), size: f32) -> Self {
        let angle = rng.range(-0.5, 0.5);
        let short = size * rng.range(0.55, 0.85);
        let depth = short * rng.range(0.2, 0.32);
        let count = 2 + rng.index(4);
        let folds = (0..count).map(|_| fold(rng, short, depth)).collect();
        Self {
            x,
            y,
            turn: (libm::cosf(angle), libm::sinf(angle)),
            long: size,
            short,
            depth,
            folds,
            cracked: rng.chance(0.45),
            seed: rng.seed(),
        }
    }

    /// 0 at the middle, 1 at the irregular rim; with the offset from the middle in the dent's own axes.
    pub(crate) fn local(&self, x: f32, y: f32) -> (f32, f32, f32) {
        let (dx, dy) = (x - self.x, y - self.y);
        let a = dx * self.turn.0 + dy * self.turn.1;
        let b = dy * self.turn.0 - dx * self.turn.1;
        let wobble = 1.0 + 0.22 * noise(self.seed, x * 6.0, y * 6.0);
        (length(a / self.long, b / self.short) * wobble, a, b)
    }

    fn height(&self, x: f32, y: f32) -> f32 {
        let (q, a, b) = self.local(x, y);
        if q >= 1.0 {
            return 0.0;
        }
        let bowl = (1.0 - q * q) * (1.0 - q * q);
        let mut height = -self.depth;
        for fold in &self.folds {
            let bow = fold.bow * a * a / self.long;
            let across = a * fold.across.0 + b * fold.across.1 - fold.offset + bow;
            // The crest is rounded over half a centimetre: sheet metal does not fold sharper.
            let ridge = (1.0 - length(across, 0.005) / fold.reach).max(0.0);
            height += fold.height * ridge * ridge;
        }
        height += self.depth * 0.16 * noise(self.seed ^ 5, a * 9.0, b * 9.0);
        height * bowl
    }

    /// Slope of the pressed surface (per x, per y); zero outside.
    pub(crate) fn slope(&self, x: f32, y: f32) -> (f32, f32) {
        if length(x - self.x, y - self.y) > self.long * 1.35 {
            return (0.0, 0.0);
        }
        const STEP: f32 = 0.0016;
        let per_x = self.height(x + STEP, y) - self.height(x - STEP, y);
        let per_y = self.height(x, y + STEP) - self.height(x, y - STEP);
        (per_x / (2.0 * STEP), per_y / (2.0 * STEP))
    }

    /// Share of the surrounding light that still reaches the hollow.
    pub(crate) fn openness(&self, x: f32, y: f32) -> f32 {
        let (q, _, _) = self.local(x, y);
        1.0 - 0.28 * smooth(1.0, 0.1, q)
    }

    /// Distance from the sharpest fold, metres, where the paint may have cracked.
    pub(crate) fn fold_gap(&self, x: f32, y: f32) -> f32 {
        let (q, a, b) = self.local(x, y);
        let fold = &self.folds[0];
        let ragged = fold.bow * a * a / self.long + 0.006 * fractal(self.seed ^ 11, a * 60.0, b * 60.0, 3);
        (a * fold.across.0 + b * fold.across.1 - fold.offset + ragged).abs() + if q > 0.6 { 1.0 } else { 0.0 }
    }
}

fn fold(rng: &mut Rng, short: f32, depth: f32) -> Fold {
    let angle = rng.range(-1.6, 1.6);
    Fold {
        across: (libm::sinf(angle), libm::cosf(angle)),
        offset: rng.range(-0.35, 0.35) * short,
        height: depth * rng.range(0.5, 1.2) * if rng.chance(0.7) { 1.0 } else { -1.0 },
        bow: rng.range(-0.5, 0.5),
        reach: short * rng.range(0.3, 0.8),
    }
}
