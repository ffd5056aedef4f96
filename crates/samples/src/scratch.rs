//! Scratches and scuffs: bundles of thin broken strokes, and hazy rubbed areas. How: strokes are walked in
//! plane coordinates and stamped as soft discs in the picture; three layers (haze, bared edge, dark core)
//! are then laid over the lit paint.

use crate::math::{Rgb, Rng, blend, fractal, length, multiply, noise, smooth};
use crate::scene::Scene;

/// One rubbed place: strokes that share a direction, and the haze about them.
#[derive(Debug, Clone)]
pub(crate) struct Scuff {
    x: f32,
    y: f32,
    turn: (f32, f32),
    half: f32,
    band: f32,
    sag: f32,
    strokes: Vec<Stroke>,
    bared: Rgb,
    rubbed: Rgb,
    haze: f32,
    seed: u32,
}

/// One stroke in the scuff's own axes, metres.
#[derive(Debug, Clone)]
struct Stroke {
    from: f32,
    to: f32,
    across: f32,
    drift: f32,
    width: f32,
    strength: f32,
    /// How deep it went: 0 leaves a light line, 1 a dark one with bared edges.
    core: f32,
    seed: u32,
}

/// What the scratches lay over the paint, one value a pixel, 0..1.
#[derive(Debug, Clone)]
pub(crate) struct Scars {
    pub(crate) edge: Vec<f32>,
    pub(crate) core: Vec<f32>,
    /// What a labeller would outline.
    pub(crate) extent: Vec<bool>,
}

impl Scuff {
    /// A random scuff of `half` metres half length around a point.
    pub(crate) fn new(rng: &mut Rng, (x, y): (f32, f32), half: f32, on_dark: bool) -> Self {
        let angle = rng.range(-0.28, 0.28);
        let band = half * rng.range(0.2, 0.45);
        let count = 40 + rng.index(60);
        let strokes = (0..count).map(|_| stroke(rng, half, band)).collect();
        Self {
            x,
            y,
            turn: (libm::cosf(angle), libm::sinf(angle)),
            half,
            band,
            sag: rng.range(-0.25, 0.25),
            strokes,
            bared: if on_dark {
                [0.8, 0.79, 0.76]
            } else {
                [0.16, 0.155, 0.15]
            },
            rubbed: rubbed(rng, on_dark),
            haze: rng.range(0.5, 1.0),
            seed: rng.seed(),
        }
    }

    /// Plane point of (along, across).
    fn out(&self, along: f32, across: f32) -> (f32, f32) {
        let t = along / self.half;
        let across = across + self.sag * self.half * t * t * 0.4;
        (
            self.x + along * self.turn.0 - across * self.turn.1,
            self.y + along * self.turn.1 + across * self.turn.0,
        )
    }

    /// (along, across) of a plane point.
    fn axes(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.x, y - self.y);
        let along = dx * self.turn.0 + dy * self.turn.1;
        let across = dy * self.turn.0 - dx * self.turn.1;
        let t = along / self.half;
        (along, across - self.sag * self.half * t * t * 0.4)
    }

    /// Haze at a plane point, 0..1: streaks along the rub, thinning outwards.
    fn hazed(&self, x: f32, y: f32) -> f32 {
        let (along, across) = self.axes(x, y);
        let far = length(along / (self.half * 0.95), across / (self.band * 1.15));
        if far >= 1.0 {
            return 0.0;
        }
        let streak = fractal(self.seed, along * 9.0, across * 170.0, 3);
        let patch = fractal(self.seed ^ 3, along * 7.0, across * 22.0, 3);
        let body = smooth(1.0, 0.45, far) * (0.55 + 0.9 * patch + 0.75 * streak);
        (body * self.haze).clamp(0.0, 0.92)
    }

    /// Stamps the strokes.
    pub(crate) fn stamp(&self, scene: &Scene, scars: &mut Scars) {
        for stroke in &self.strokes {
            self.walk(scene, scars, stroke);
        }
    }

    fn walk(&self, scene: &Scene, scars: &mut Scars, stroke: &Stroke) {
        let (_, _, per_metre) = scene.view.picture(self.x, self.y);
        let steps = ((stroke.to - stroke.from) * per_metre * 1.6).max(2.0) as usize;
        for step in 0..=steps {
            let t = step as f32 / steps as f32;
            let along = stroke.from + (stroke.to - stroke.from) * t;
            let sway = 0.006 * noise(stroke.seed, along * 9.0, 0.5)
                + 0.0005 * noise(stroke.seed, along * 120.0, 1.5);
            let (x, y) = self.out(along, stroke.across + stroke.drift * t + sway);
            // Broken: the stroke lifts off where the noise is low.
            let touch = smooth(-0.35, 0.15, fractal(stroke.seed ^ 1, along * 22.0, 2.0, 3));
            let taper = smooth(0.0, 0.12, t) * smooth(1.0, 0.75, t);
            let force = stroke.strength * touch * taper;
            if force < 0.03 {
                continue;
            }
            let (px, py, scale) = scene.view.picture(x, y);
            let ragged = 0.85 + 0.3 * noise(stroke.seed ^ 2, along * 60.0, 0.5);
            let radius = stroke.width * scale * (0.35 + 0.75 * force) * ragged;
            scars.disc(scene, (px, py), radius, force, stroke.core);
            scars.reach(scene, (px, py), (0.011 * scale).max(2.0));
        }
    }

    /// Lays this scuff over the lit colour of one painted pixel.
    pub(crate) fn cover(&self, scene: &Scene, (x, y): (f32, f32), colour: Rgb) -> Rgb {
        let haze = self.hazed(x, y);
        if haze <= 0.0 {
            return colour;
        }
        let light = scene.light.falling(0.15);
        blend(colour, multiply(self.rubbed, light), haze)
    }

    /// The colour of bared primer or metal in this light.
    pub(crate) fn bare(&self, scene: &Scene) -> Rgb {
        multiply(self.bared, scene.light.falling(0.2))
    }

    /// True where the haze is strong enough to be outlined.
    pub(crate) fn is_rubbed(&self, x: f32, y: f32) -> bool {
        let (along, across) = self.axes(x, y);
        length(along / (self.half * 0.95), across / (self.band * 1.15)) < 0.72 && self.haze > 0.3
    }
}

fn stroke(rng: &mut Rng, half: f32, band: f32) -> Stroke {
    let length = half * 2.0 * rng.range(0.12, 0.85);
    let from = rng.range(-half, half - length.min(half));
    let deep = rng.chance(0.22);
    Stroke {
        from,
        to: (from + length).min(half * 1.1),
        across: band * (rng.range(-1.0, 1.0) + rng.range(-0.5, 0.5)) * 0.7,
        drift: rng.range(-0.16, 0.16) * band
            + if rng.chance(0.15) {
                length * rng.range(-0.2, 0.2)
            } else {
                0.0
            },
        width: if deep {
            rng.range(0.002, 0.0042)
        } else {
            rng.range(0.0005, 0.0016)
        },
        strength: rng.range(0.25, 1.0),
        core: if deep { rng.range(0.5, 1.0) } else { 0.0 },
        seed: rng.seed(),
    }
}

/// The colour left on the paint: its own dust, primer, or another car's lacquer.
fn rubbed(rng: &mut Rng, on_dark: bool) -> Rgb {
    match (rng.index(7), on_dark) {
        (0, _) => [0.42, 0.05, 0.04],
        (1, _) => [0.06, 0.1, 0.28],
        (_, true) => [0.62, 0.61, 0.58],
        (_, false) => [0.2, 0.195, 0.19],
    }
}

impl Scars {
    pub(crate) fn new(scene: &Scene) -> Self {
        let pixels = (scene.view.width * scene.view.height) as usize;
        Self {
            edge: vec![0.0; pixels],
            core: vec![0.0; pixels],
            extent: vec![false; pixels],
        }
    }

    /// A soft disc of bared edge, with a dark core inside when deep.
    fn disc(&mut self, scene: &Scene, (px, py): (f32, f32), radius: f32, force: f32, core: f32) {
        let thin = (radius / 0.7).min(1.0);
        around(scene, (px, py), radius + 1.0, |index, far| {
            let edge = (radius + 0.5 - far).clamp(0.0, 1.0) * force * thin;
            self.edge[index] = self.edge[index].max(edge);
            if core > 0.0 {
                let dark = (radius * 0.3 + 0.3 - far).clamp(0.0, 1.0) * force * force * core;
                self.core[index] = self.core[index].max(dark);
            }
        });
    }

    fn reach(&mut self, scene: &Scene, at: (f32, f32), radius: f32) {
        around(scene, at, radius, |index, far| {
            if far <= radius {
                self.extent[index] = true;
            }
        });
    }
}

/// Calls `visit(index, distance)` for the pixels within `radius` of a picture point.
fn around(scene: &Scene, (px, py): (f32, f32), radius: f32, mut visit: impl FnMut(usize, f32)) {
    let (width, height) = (scene.view.width as usize, scene.view.height as usize);
    let low = |v: f32| (v - radius).floor().max(0.0) as usize;
    let high = |v: f32, size: usize| ((v + radius).ceil().max(-1.0) + 1.0).min(size as f32) as usize;
    for y in low(py)..high(py, height) {
        for x in low(px)..high(px, width) {
            let far = length(x as f32 + 0.5 - px, y as f32 + 0.5 - py);
            visit(y * width + x, far);
        }
    }
}
