//! The car's side: outline, windows, seams, fittings, and how the sheet metal curves. How: every line is a
//! function of one coordinate, so that a pixel asks a few tables and no polygon.

use crate::math::{Curve, Rng, length, smooth};

/// Beyond these the ends of the car round nothing any more, metres.
const NOSE_ENDS: f32 = 1.05;
const TAIL_BEGINS: f32 = 3.35;

/// A gap between two panels.
#[derive(Debug, Clone)]
pub(crate) struct Seam {
    pub(crate) curve: Curve,
    /// True when the curve gives x for a height y; else it gives y for an x.
    pub(crate) upright: bool,
    /// Where it begins and ends on its own axis, metres.
    pub(crate) from: f32,
    pub(crate) to: f32,
    /// Least and greatest value of its curve: far from these a pixel need not ask.
    bounds: (f32, f32),
}

impl Seam {
    /// True when the point may lie within `reach` metres of the seam.
    pub(crate) fn is_near(&self, x: f32, y: f32, reach: f32) -> bool {
        let (across, along) = if self.upright { (x, y) } else { (y, x) };
        across > self.bounds.0 - reach
            && across < self.bounds.1 + reach
            && along > self.from - reach
            && along < self.to + reach
    }

    /// Signed distance across the seam, and the coordinate along it.
    pub(crate) fn across(&self, x: f32, y: f32) -> (f32, f32) {
        if self.upright {
            (self.curve.above(y, x), y)
        } else {
            (self.curve.above(x, y), x)
        }
    }
}

/// A wheel: centre (x, y) and radius, metres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wheel {
    pub(crate) x: f32,
    pub(crate) radius: f32,
}

/// One car.
#[derive(Debug, Clone)]
pub(crate) struct Car {
    top: Curve,
    bottom: Curve,
    nose: Curve,
    tail: Curve,
    belt: Curve,
    profile: Curve,
    pub(crate) crease: Curve,
    pub(crate) crease_size: f32,
    pub(crate) seams: Vec<Seam>,
    pub(crate) wheels: [Wheel; 2],
    pub(crate) arch: f32,
    pub(crate) handles: [(f32, f32); 2],
    pub(crate) pillar: f32,
    /// Height of a rubbing strip, if there is one.
    pub(crate) strip: Option<f32>,
    /// Height up to which the lower edge is bare black plastic.
    pub(crate) cladding: f32,
    pub(crate) fuel_flap: bool,
}

impl Car {
    /// A random compact or saloon.
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let lift = rng.range(-0.03, 0.06);
        let radius = rng.range(0.305, 0.335);
        let front = rng.range(0.8, 0.88);
        let rear = front + rng.range(2.5, 2.65);
        let arch = radius + rng.range(0.035, 0.06);
        let doors = [front + 0.5, front + 1.47];
        Self {
            top: top(lift, rng.range(-0.05, 0.05)),
            bottom: Curve::through(&[
                (0.0, 0.3),
                (0.4, 0.21),
                (1.0, 0.2),
                (3.4, 0.2),
                (3.9, 0.25),
                (4.4, 0.36),
            ]),
            nose: Curve::through(&[
                (0.1, 0.16),
                (0.35, 0.03),
                (0.5, 0.0),
                (0.68, 0.06),
                (0.85, 0.25),
                (1.0, 0.45),
            ]),
            tail: Curve::through(&[
                (0.1, 4.2),
                (0.4, 4.31),
                (0.6, 4.34),
                (0.8, 4.27),
                (1.1, 4.16),
                (1.4, 3.9),
            ]),
            belt: Curve::through(&[
                (0.9, 0.92 + lift),
                (1.5, 0.95 + lift),
                (2.4, 0.97 + lift),
                (3.9, 1.04 + lift),
            ]),
            profile: profile(rng, lift),
            crease: Curve::through(&[
                (0.0, 0.68 + lift),
                (1.3, 0.77 + lift),
                (2.6, 0.8 + lift),
                (4.4, 0.83 + lift),
            ]),
            crease_size: rng.range(0.08, 0.2),
            seams: seams(front, rear, doors, lift),
            wheels: [Wheel { x: front, radius }, Wheel { x: rear, radius }],
            arch,
            handles: [(doors[1] - 0.2, 0.85 + lift), (rear - 0.27, 0.87 + lift)],
            pillar: doors[1] + 0.02,
            strip: rng.chance(0.3).then(|| rng.range(0.5, 0.56)),
            cladding: if rng.chance(0.35) {
                rng.range(0.27, 0.33)
            } else {
                0.0
            },
            fuel_flap: rng.chance(0.6),
        }
    }

    /// Signed distance to the outline, wheel arches not cut out: negative inside.
    pub(crate) fn outside(&self, x: f32, y: f32) -> f32 {
        let upright = self.top.above(x, y).max(-self.bottom.above(x, y));
        match x {
            _ if x < NOSE_ENDS => upright.max(-self.nose.above(y, x)),
            _ if x > TAIL_BEGINS => upright.max(self.tail.above(y, x)),
            _ => upright,
        }
    }

    /// Signed distance to the window band: negative inside.
    pub(crate) fn outside_glass(&self, x: f32, y: f32) -> f32 {
        let below = -self.belt.above(x, y);
        let frame = self.top.above(x, y) + 0.075;
        let front = (1.5 - x + (y - 0.95) * 1.05) * 0.69;
        let back = (x - 3.62 + (y - 0.98) * 0.9) * 0.74;
        below.max(frame).max(front).max(back)
    }

    /// Height over the window sill, metres.
    pub(crate) fn over_belt(&self, x: f32, y: f32) -> f32 {
        self.belt.above(x, y)
    }

    /// Distance from the nearest wheel's centre minus the arch's radius, and the unit vector away from it.
    pub(crate) fn arch_gap(&self, x: f32, y: f32) -> (f32, f32, f32) {
        let wheel = if x < 2.1 { self.wheels[0] } else { self.wheels[1] };
        let (dx, dy) = (x - wheel.x, y - wheel.radius);
        let far = length(dx, dy).max(1e-4);
        (far - self.arch, dx / far, dy / far)
    }

    /// Slopes of the sheet metal as (normal's x, normal's y), before dents.
    pub(crate) fn tilt(&self, x: f32, y: f32) -> (f32, f32) {
        let mut up = self.profile.at(y).0;
        let over = self.crease.above(x, y);
        up += self.crease_size * (smooth(-0.008, 0.012, over) - 0.5) * smooth(0.3, 0.0, over.abs());
        let edge = -self.top.above(x, y);
        up = up.max(0.97 * smooth(0.13, 0.0, edge));
        let mut along = 0.06 * (x - 2.1);
        if x < NOSE_ENDS {
            along -= 0.9 * bend(self.nose.above(y, x), 0.55);
        } else if x > TAIL_BEGINS {
            along += 0.9 * bend(-self.tail.above(y, x), 0.5);
        }
        let (off, dx, dy) = self.arch_gap(x, y);
        let flare = 0.42 * bend(off - 0.012, 0.11) - 0.8 * smooth(0.014, 0.0, off);
        along += flare * dx;
        up += flare * dy;
        (along.clamp(-0.93, 0.93), up.clamp(-0.9, 0.97))
    }

    /// True where the point and everything within `reach` metres is painted sheet metal.
    pub(crate) fn is_painted(&self, x: f32, y: f32, reach: f32) -> bool {
        let strip = self.strip.is_some_and(|height| (y - height).abs() < 0.03);
        self.outside(x, y) < -reach
            && self.arch_gap(x, y).0 > reach
            && self.belt.above(x, y) < -0.03 - reach * 0.5
            && y > self.cladding + 0.03
            && !strip
            && !self.is_lamp(x, y, reach)
    }

    /// True on or within `reach` of a head or tail lamp.
    pub(crate) fn is_lamp(&self, x: f32, y: f32, reach: f32) -> bool {
        self.lamp(x, y).distance < reach
    }

    /// The nearest lamp.
    pub(crate) fn lamp(&self, x: f32, y: f32) -> Lamp {
        if x < 2.0 {
            let lean = y - 0.7 - (x - 0.3) * 0.22;
            let ends = (x - 0.56 + lean * 0.8).max(-1.0);
            return Lamp {
                distance: ends.max(lean.abs() - 0.075 + (x - 0.2) * 0.06),
                kind: LampKind::Head,
            };
        }
        let lean = y - 0.86 - (x - 4.1) * 0.1;
        Lamp {
            distance: (3.98 - x + lean * 0.5).max(lean.abs() - 0.09),
            kind: LampKind::Tail,
        }
    }
}

/// A lamp, seen from a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lamp {
    /// Signed distance to its outline, negative inside.
    pub(crate) distance: f32,
    pub(crate) kind: LampKind,
}

/// Which lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LampKind {
    Head,
    Tail,
}

/// 1 at an edge, falling to 0 at `reach` from it.
fn bend(distance: f32, reach: f32) -> f32 {
    let t = (1.0 - distance / reach).clamp(0.0, 1.0);
    t * t
}

fn top(lift: f32, roof: f32) -> Curve {
    Curve::through(&[
        (-0.1, 0.5),
        (0.08, 0.7 + lift),
        (0.25, 0.8 + lift),
        (0.7, 0.92 + lift),
        (1.15, 1.0 + lift),
        (1.5, 1.22 + lift),
        (1.9, 1.4 + roof),
        (2.5, 1.46 + roof),
        (3.1, 1.42 + roof),
        (3.7, 1.2 + roof * 0.5 + lift),
        (4.0, 1.07 + lift),
        (4.25, 1.0 + lift),
        (4.45, 0.8),
    ])
}

/// The upward tilt of the side over its height: hollow flanks, a round shoulder, leaning windows.
fn profile(rng: &mut Rng, lift: f32) -> Curve {
    let hollow = rng.range(0.02, 0.14);
    Curve::through(&[
        (0.1, -0.75),
        (0.22, -0.5),
        (0.29, -0.2),
        (0.32, 0.1),
        (0.35, 0.12 + hollow),
        (0.42, hollow),
        (0.6, -0.06),
        (0.74 + lift, -0.02),
        (0.86 + lift, 0.12),
        (0.92 + lift, 0.3),
        (0.95 + lift, 0.42),
        (1.1 + lift, 0.4),
        (1.5, 0.55),
    ])
}

fn seams(front: f32, rear: f32, doors: [f32; 2], lift: f32) -> Vec<Seam> {
    let upright = |points: &[(f32, f32)]| Seam {
        curve: Curve::through(points),
        upright: true,
        from: points[0].0,
        to: points[points.len() - 1].0,
        bounds: points
            .iter()
            .fold((f32::MAX, f32::MIN), |b, p| (b.0.min(p.1), b.1.max(p.1))),
    };
    let level = |points: &[(f32, f32)]| Seam {
        upright: false,
        ..upright(points)
    };
    let back = rear - 0.52;
    vec![
        upright(&[
            (0.32, doors[0] + 0.01),
            (0.6, doors[0] - 0.01),
            (0.96 + lift, doors[0] + 0.04),
        ]),
        upright(&[
            (0.32, doors[1] - 0.02),
            (0.7, doors[1] - 0.01),
            (1.42, doors[1] + 0.04),
        ]),
        upright(&[
            (0.32, back),
            (0.5, back + 0.04),
            (0.65, back + 0.13),
            (0.8, back + 0.3),
            (0.95, back + 0.42),
            (1.1, back + 0.44),
        ]),
        level(&[(doors[0] + 0.01, 0.315), (doors[1], 0.31), (back, 0.315)]),
        upright(&[(0.42, front - 0.36), (0.52, front - 0.37), (0.66, front - 0.42)]),
        upright(&[(0.42, rear + 0.37), (0.56, rear + 0.38), (0.7, rear + 0.46)]),
        level(&[(0.3, 0.77 + lift), (0.7, 0.865 + lift), (1.2, 0.93 + lift)]),
    ]
}
