//! The look of the car's side: lacquer over paint, glass, lamps, plastic, seams. How: the sheet metal's tilt
//! gives a normal, the view is mirrored at it, and the surroundings answer; dents only change the normal.

use crate::car::{Lamp, LampKind};
use crate::math::{Rgb, Rng, add, blend, fractal, hash, multiply, noise, scale, smooth};
use crate::scene::Scene;
use crate::view::PlanePoint;

/// A lacquer.
#[derive(Debug, Clone)]
pub(crate) struct Paint {
    pub(crate) base: Rgb,
    /// Share of metal flakes, 0 for plain colours.
    pub(crate) metal: f32,
}

const COLOURS: [(Rgb, f32); 11] = [
    ([0.8, 0.8, 0.78], 0.0),
    ([0.72, 0.73, 0.73], 0.15),
    ([0.46, 0.47, 0.48], 0.75),
    ([0.3, 0.31, 0.33], 0.75),
    ([0.1, 0.105, 0.115], 0.6),
    ([0.012, 0.012, 0.014], 0.1),
    ([0.02, 0.035, 0.1], 0.45),
    ([0.02, 0.13, 0.38], 0.4),
    ([0.45, 0.016, 0.018], 0.1),
    ([0.23, 0.02, 0.03], 0.5),
    ([0.42, 0.36, 0.26], 0.6),
];

impl Paint {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let (base, metal) = COLOURS[rng.index(COLOURS.len())];
        Self {
            base: scale(base, rng.range(0.85, 1.1)),
            metal,
        }
    }

    /// True for colours on which scratches show light.
    pub(crate) fn is_dark(&self) -> bool {
        self.base[0] + self.base[1] + self.base[2] < 1.3
    }
}

/// A unit normal and the direction in which the eye sees the surroundings.
#[derive(Clone, Copy)]
struct Facing {
    along: f32,
    up: f32,
    mirror: (f32, f32),
    fresnel: f32,
}

fn facing(scene: &Scene, point: PlanePoint, normal: (f32, f32)) -> Facing {
    let n = unit(
        normal.0,
        normal.1,
        (1.0 - normal.0 * normal.0 - normal.1 * normal.1).max(0.02).sqrt(),
    );
    let view = &scene.view;
    let v = unit(point.x - view.centre.0, point.y - view.eye, -view.distance);
    let along = v[0] * n[0] + v[1] * n[1] + v[2] * n[2];
    let mirror = (v[0] - 2.0 * along * n[0], v[1] - 2.0 * along * n[1]);
    let glance = (1.0 + along).clamp(0.0, 1.0);
    let square = glance * glance;
    Facing {
        along: n[0],
        up: n[1],
        mirror,
        fresnel: 0.095 + 0.9 * square * square * glance,
    }
}

fn unit(x: f32, y: f32, z: f32) -> Rgb {
    scale([x, y, z], 1.0 / (x * x + y * y + z * z).sqrt())
}

/// The body's colour at a point inside its outline.
pub(crate) fn body(scene: &Scene, point: PlanePoint) -> Rgb {
    let car = &scene.car;
    let glass = cover(car.outside_glass(point.x, point.y) - 0.006, point.pixel);
    let mut colour = if glass < 1.0 {
        shell(scene, point)
    } else {
        [0.0; 3]
    };
    if glass > 0.0 {
        colour = blend(colour, window(scene, point), glass);
    }
    let lamp = car.lamp(point.x, point.y);
    let lit = cover(lamp.distance, point.pixel);
    if lit > 0.0 {
        colour = blend(colour, lens(scene, point, lamp), lit);
    }
    colour
}

/// Sheet metal, plastic cladding and strips, with the seams between panels.
fn shell(scene: &Scene, point: PlanePoint) -> Rgb {
    let car = &scene.car;
    let (x, y) = (point.x, point.y);
    let (mut along, mut up) = car.tilt(x, y);
    let mut open = 1.0;
    for dent in &scene.dents {
        let (per_x, per_y) = dent.slope(x, y);
        along -= per_x;
        up -= per_y;
        if per_x != 0.0 || per_y != 0.0 {
            open *= dent.openness(x, y);
        }
    }
    // Pressed steel is never quite flat.
    along += 0.012 * noise(scene.seed, x * 7.0, y * 9.0);
    up += 0.01 * noise(scene.seed ^ 3, x * 6.0, y * 11.0);
    let lean = scene
        .gap
        .as_ref()
        .map_or((0.0, 0.0), |gap| lean(scene, gap, (x, y)));
    let normal = shortened(along + lean.0, up + lean.1);
    let plastic = cover(
        y - car.cladding - 0.02 * smooth(0.2, 0.0, car.arch_gap(x, y).0),
        point.pixel,
    );
    let strip = car
        .strip
        .map_or(0.0, |height| strip(scene, (x, y, height), point.pixel));
    let bare = plastic.max(strip);
    let mut colour = lacquer(scene, point, normal, 1.0 - bare);
    colour = crack(scene, (x, y), scale(colour, open));
    colour = fittings(scene, point, colour);
    seams(scene, point, colour)
}

/// Paint broken to the primer along a dent's fold.
fn crack(scene: &Scene, (x, y): (f32, f32), mut colour: Rgb) -> Rgb {
    for dent in scene.dents.iter().filter(|dent| dent.cracked) {
        let off = dent.fold_gap(x, y);
        if off < 0.012 {
            let bare = smooth(
                0.005,
                0.0025,
                off + 0.006 * noise(scene.seed ^ 13, x * 70.0, y * 70.0),
            );
            let primer = multiply([0.5, 0.49, 0.46], scene.light.falling(0.1));
            colour = blend(scale(colour, 1.0 - 0.4 * smooth(0.009, 0.004, off)), primer, bare);
        }
    }
    colour
}

/// Keeps a tilt short of lying flat.
fn shortened(along: f32, up: f32) -> (f32, f32) {
    let size = (along * along + up * up).sqrt();
    if size > 0.96 {
        (along * 0.96 / size, up * 0.96 / size)
    } else {
        (along, up)
    }
}

/// Paint (`painted` 1) or matt black plastic (0) under the surroundings.
fn lacquer(scene: &Scene, point: PlanePoint, normal: (f32, f32), painted: f32) -> Rgb {
    let facing = facing(scene, point, normal);
    let light = &scene.light;
    let falling = light.falling_aslant(facing.along, facing.up);
    let falling = scale(falling, scene.shade(point.x, point.y));
    let base = blend([0.022, 0.022, 0.023], scene.paint.base, painted);
    let metal = scene.paint.metal * painted;
    let mut colour = multiply(base, scale(falling, 1.0 - metal));
    if metal > 0.0 {
        let flake = hash(scene.seed, (point.x * 900.0) as i32, (point.y * 900.0) as i32) >> 24;
        let spark = 0.9 + 0.2 * (flake as f32 / 255.0);
        let gloss = light.glossed(facing.mirror.0, facing.mirror.1);
        let flakes = scale(add(scale(gloss, 0.85), scale(falling, 0.3)), metal * spark);
        colour = add(colour, multiply(base, flakes));
    }
    let coat = facing.fresnel * (0.25 + 0.75 * painted);
    let mirrored = light.mirrored(facing.mirror.0, facing.mirror.1);
    colour = add(scale(colour, 1.0 - coat), scale(mirrored, coat));
    dusty(scene, point, colour, falling)
}

/// Road dust towards the sill.
fn dusty(scene: &Scene, point: PlanePoint, colour: Rgb, falling: Rgb) -> Rgb {
    let dust = scene.dust * smooth(0.62, 0.24, point.y);
    if dust < 0.002 {
        return colour;
    }
    let patch = 0.6 + 0.4 * fractal(scene.seed ^ 21, point.x * 9.0, point.y * 30.0, 3);
    blend(
        colour,
        multiply([0.3, 0.27, 0.22], falling),
        dust * patch.clamp(0.0, 1.0),
    )
}

fn strip(scene: &Scene, (x, y, height): (f32, f32, f32), pixel: f32) -> f32 {
    let arch = scene.car.arch_gap(x, y).0 - 0.05;
    cover(((y - height).abs() - 0.022).max(-arch), pixel)
}

/// Door handles, fuel flap, mirror foot.
fn fittings(scene: &Scene, point: PlanePoint, mut colour: Rgb) -> Rgb {
    let car = &scene.car;
    for &(hx, hy) in &car.handles {
        let (dx, dy) = (point.x - hx, point.y - hy);
        if dx.abs() > 0.2 || dy.abs() > 0.1 {
            continue;
        }
        let cup = (dx * dx / 0.0064 + (dy + 0.005) * (dy + 0.005) / 0.0016).sqrt();
        colour = scale(
            colour,
            1.0 - 0.5 * smooth(1.0, 0.85, cup) * smooth(-0.05, 0.03, dy),
        );
        let bar = rounded((dx, dy), (0.115, 0.017), 0.015);
        let shadow = rounded((dx, dy + 0.014), (0.112, 0.014), 0.014);
        colour = scale(colour, 1.0 - 0.55 * smooth(0.012, -0.004, shadow));
        let grip = cover(bar, point.pixel);
        if grip > 0.0 {
            let up = (dy / 0.019).clamp(-0.7, 0.7);
            colour = blend(colour, lacquer(scene, point, (dx * 1.5, up), 1.0), grip);
        }
    }
    if car.fuel_flap {
        let flap = rounded(
            (point.x - car.wheels[1].x - 0.13, point.y - 0.84),
            (0.085, 0.075),
            0.05,
        );
        let line = smooth(0.0024 + point.pixel * 0.6, 0.0012, flap.abs());
        colour = blend(colour, scale(colour, 0.18), line);
    }
    colour
}

/// Signed distance to a box with round corners.
fn rounded((dx, dy): (f32, f32), (half_x, half_y): (f32, f32), radius: f32) -> f32 {
    let (qx, qy) = (dx.abs() - half_x + radius, dy.abs() - half_y + radius);
    let outside = crate::math::length(qx.max(0.0), qy.max(0.0));
    outside + qx.max(qy).min(0.0) - radius
}

/// How far the panel beside a gap leans.
fn lean(scene: &Scene, gap: &crate::gap::Gap, (x, y): (f32, f32)) -> (f32, f32) {
    let seam = &scene.car.seams[gap.seam];
    let (across, along) = seam.across(x, y);
    let across = across * gap.side;
    if !(0.0..=0.35).contains(&across) {
        return (0.0, 0.0);
    }
    let open = gap.opening(along);
    let amount = -gap.side * 5.0 * open * smooth(0.35, 0.0, across);
    if seam.upright {
        (amount, 0.0)
    } else {
        (0.0, amount)
    }
}

/// Draws every seam over the panels' colour.
fn seams(scene: &Scene, point: PlanePoint, mut colour: Rgb) -> Rgb {
    for (index, seam) in scene.car.seams.iter().enumerate() {
        if !seam.is_near(point.x, point.y, 0.13) {
            continue;
        }
        let (across, along) = seam.across(point.x, point.y);
        if across.abs() > 0.12 || along < seam.from - 0.03 || along > seam.to + 0.03 {
            continue;
        }
        let gap = scene.gap.as_ref().filter(|gap| gap.seam == index);
        let open = gap.map_or(0.0, |gap| gap.opening(along));
        let ends = smooth(seam.from - 0.004, seam.from, along) * smooth(seam.to + 0.004, seam.to, along);
        let side = gap.map_or(1.0, |gap| gap.side);
        colour = seam_at(point, colour, across * side, open, ends);
    }
    colour
}

fn seam_at(point: PlanePoint, colour: Rgb, across: f32, open: f32, ends: f32) -> Rgb {
    let half = 0.0021 + open * 0.5;
    let inside = smooth(half + point.pixel * 0.7, half - point.pixel * 0.7, across.abs()) * ends;
    // The rounded edge of the metal: one side looks up, the other down.
    let edge = smooth(0.007, 0.001, (across.abs() - half).max(0.0)) * ends;
    let rim = if across > 0.0 {
        1.0 + edge * (0.12 + 9.0 * open)
    } else {
        1.0 - 0.25 * edge
    };
    let mut colour = scale(colour, rim);
    if open > 0.0 && across < 0.0 {
        let shadow = smooth(half + 0.004 + open * 0.8, half, -across) * smooth(0.0, 0.012, open);
        colour = scale(colour, 1.0 - 0.7 * shadow);
    }
    // Deeper inside it is darker; wide gaps show a little of the frame behind.
    let depth = 0.012 + open * 0.9 * smooth(-half, half * 1.4, -across);
    blend(colour, [depth, depth, depth * 0.97], inside)
}

/// Dark glass: mostly what it mirrors, a little of the cabin.
fn window(scene: &Scene, point: PlanePoint) -> Rgb {
    let car = &scene.car;
    let facing = facing(
        scene,
        point,
        (
            0.05 * (point.x - 2.0),
            0.25 + 0.02 * noise(scene.seed, point.x * 4.0, point.y * 5.0),
        ),
    );
    let mirrored = scene.light.mirrored(facing.mirror.0, facing.mirror.1);
    let cabin = 0.02 + 0.018 * fractal(scene.seed ^ 77, point.x * 3.0, point.y * 4.0, 2);
    let glass = add(
        [cabin, cabin * 1.05, cabin * 1.08],
        scale(mirrored, 0.015 + facing.fresnel),
    );
    let pillar = smooth(0.045 + point.pixel, 0.045, (point.x - car.pillar).abs());
    let rim = smooth(-0.016 - point.pixel, -0.016, car.outside_glass(point.x, point.y));
    let rubber = add([0.012; 3], scale(mirrored, 0.03));
    let belt = smooth(0.024, 0.018, car.over_belt(point.x, point.y)) * scene.chrome;
    blend(blend(glass, rubber, pillar.max(rim)), scale(mirrored, 0.75), belt)
}

/// A head or tail lamp behind its cover.
fn lens(scene: &Scene, point: PlanePoint, lamp: Lamp) -> Rgb {
    let tail = lamp.kind == LampKind::Tail;
    let facing = facing(scene, point, (if tail { 0.3 } else { -0.3 }, 0.25));
    let mirrored = scene.light.mirrored(facing.mirror.0, facing.mirror.1);
    let ribs = 0.6 + 0.4 * noise(scene.seed ^ 31, point.x * 60.0, point.y * 9.0);
    let inner = smooth(-0.012, -0.02, lamp.distance);
    let bowl = smooth(
        0.06,
        0.045,
        crate::math::length(point.x - 0.36, (point.y - 0.725) * 1.1),
    );
    let glow = if tail {
        scale([0.3, 0.012, 0.012], ribs)
    } else {
        scale([0.3 + 0.5 * bowl; 3], ribs)
    };
    add(
        scale(glow, 0.25 + 0.75 * inner),
        scale(mirrored, 0.12 + facing.fresnel),
    )
}

/// Share of a pixel inside a shape whose signed distance (negative inside) is `distance`.
pub(crate) fn cover(distance: f32, pixel: f32) -> f32 {
    (0.5 - distance / pixel).clamp(0.0, 1.0)
}
