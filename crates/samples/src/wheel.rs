//! Wheels and what shows through the arches. How: polar coordinates about the hub.

use std::f32::consts::TAU;

use crate::car::Wheel;
use crate::math::{Rgb, Rng, add, blend, fractal, length, scale, smooth};
use crate::paint::cover;
use crate::scene::Scene;
use crate::view::PlanePoint;

/// One design of rim, the same on both wheels.
#[derive(Debug, Clone)]
pub(crate) struct Rim {
    spokes: f32,
    width: f32,
    split: bool,
    metal: Rgb,
    phase: f32,
}

impl Rim {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let dark = rng.chance(0.25);
        Self {
            spokes: [5.0, 6.0, 7.0, 10.0][rng.index(4)],
            width: rng.range(0.018, 0.03),
            split: rng.chance(0.4),
            metal: if dark {
                [0.05, 0.05, 0.055]
            } else {
                [0.5, 0.51, 0.52]
            },
            phase: rng.range(0.0, TAU),
        }
    }
}

/// Colour and coverage of the arch's hollow and the wheel in it; coverage 0 elsewhere.
pub(crate) fn wheel(scene: &Scene, wheel: Wheel, point: PlanePoint, in_body: f32) -> (Rgb, f32) {
    let (dx, dy) = (point.x - wheel.x, point.y - wheel.radius);
    let far = length(dx, dy);
    let arch = cover(far - scene.car.arch, point.pixel);
    let tyre = cover(far - wheel.radius, point.pixel);
    // Below the body's lower edge there is no hollow, only the tyre.
    let hollow = arch * if point.y > 0.12 { 1.0 } else { in_body };
    let hollow = hollow * smooth(0.1, 0.2, point.y);
    if hollow.max(tyre) <= 0.0 {
        return ([0.0; 3], 0.0);
    }
    let dark = scale([0.012, 0.012, 0.013], 1.0 - 0.6 * smooth(0.0, 0.3, dy));
    let rubber = if tyre > 0.0 {
        rolling(scene, wheel, (dx, dy, far), point.pixel)
    } else {
        dark
    };
    (blend(dark, rubber, tyre), hollow.max(tyre))
}

fn rolling(scene: &Scene, wheel: Wheel, (dx, dy, far): (f32, f32, f32), pixel: f32) -> Rgb {
    let light = scene.light.falling(0.0);
    let rim = wheel.radius * 0.7;
    if far > rim + pixel {
        return tyre(scene, (dx, dy, far, wheel.radius), light);
    }
    let covered = metal(scene, (dx, dy, far, rim), light);
    blend(
        tyre(scene, (dx, dy, far, wheel.radius), light),
        covered,
        cover(far - rim, pixel),
    )
}

fn tyre(scene: &Scene, (dx, dy, far, radius): (f32, f32, f32, f32), light: Rgb) -> Rgb {
    let t = far / radius;
    let rings =
        1.0 + 0.35 * smooth(0.008, 0.0, (t - 0.78).abs()) + 0.25 * smooth(0.008, 0.0, (t - 0.93).abs());
    let round = 0.55 + 0.6 * smooth(1.0, 0.86, t) * smooth(0.66, 0.8, t);
    let grime = 1.0 + 0.25 * fractal(scene.seed ^ 41, dx * 30.0, dy * 30.0, 2);
    let top = 1.0 - 0.55 * smooth(0.1, 0.3, dy);
    scale(scale(light, 0.024), rings * round * grime * top)
}

fn metal(scene: &Scene, (dx, dy, far, rim): (f32, f32, f32, f32), light: Rgb) -> Rgb {
    let design = &scene.rim;
    let sector = TAU / design.spokes;
    let angle = libm::atan2f(dy, dx) + design.phase + TAU;
    let turn = angle - sector * (angle / sector + 0.5).floor();
    let lateral = turn * far;
    let half = design.width * (0.8 + 0.5 * far / rim);
    let mut spoke = smooth(half + 0.003, half - 0.002, lateral.abs());
    if design.split {
        spoke *= smooth(half * 0.2, half * 0.35, lateral.abs() + (0.09 - far).max(0.0));
    }
    let lip = smooth(rim * 0.9, rim * 0.93, far);
    let hub = smooth(0.05, 0.045, far);
    let solid = spoke.max(lip).max(hub);
    let slant = 1.0
        + 0.35 * spoke * (1.0 - lip) * (lateral / half).clamp(-1.0, 1.0)
        + 0.4 * dy / rim
        + 0.3 * lip * (dy / rim);
    let cap = 1.0 - 0.5 * smooth(0.004, 0.0, (far - 0.032).abs());
    let disc = smooth(0.15, 0.145, far) * smooth(0.05, 0.06, far);
    let behind = scale(light, 0.012 + 0.07 * disc * (0.8 + 0.2 * libm::sinf(far * 900.0)));
    let face = add(
        scale(
            [
                design.metal[0] * light[0],
                design.metal[1] * light[1],
                design.metal[2] * light[2],
            ],
            slant * cap,
        ),
        [0.01; 3],
    );
    blend(behind, face, solid)
}
