//! What is not the car: ground, the car's shadow on it, and a blurred background. How: each view ray below
//! the horizon is followed to the ground; above it a few soft shapes stand in for a street or a hall.

use crate::math::{Rgb, blend, fractal, hash, mix, noise, scale, smooth};
use crate::scene::Scene;
use crate::view::PlanePoint;

/// Colour behind and under the car.
pub(crate) fn backdrop(scene: &Scene, point: PlanePoint) -> Rgb {
    let eye = scene.view.eye;
    let drop = eye - point.y;
    // Far ground runs into the background well before the true horizon.
    let reach = if drop > 0.0 { eye / drop } else { f32::INFINITY };
    if reach > 4.0 {
        return behind(scene, point);
    }
    let depth = scene.view.distance;
    let across = scene.view.centre.0 + (point.x - scene.view.centre.0) * reach;
    let away = depth * reach;
    let colour = ground(scene, (across, away), point.pixel * reach);
    let shadow = under((across, away - depth));
    let near = scale(colour, 1.0 - shadow);
    blend(near, behind(scene, point), smooth(2.6, 4.0, reach))
}

fn ground(scene: &Scene, (across, away): (f32, f32), pixel: f32) -> Rgb {
    let seed = scene.seed ^ 0x5150;
    let light = scene.light.falling(0.9);
    let mut albedo = 0.75 + 0.35 * fractal(seed, across * 1.3, away * 1.3, 4);
    let grain = smooth(0.02, 0.002, pixel) * scene.grain;
    let stone = fractal(seed ^ 2, across * 70.0, away * 70.0, 3);
    let speck = (hash(seed, (across * 160.0) as i32, (away * 160.0) as i32) >> 24) as f32 / 255.0;
    albedo += grain * (0.6 * stone + 0.3 * (speck - 0.5));
    if scene.tile > 0.0 {
        let joint = |v: f32| {
            let t = v / scene.tile;
            smooth(0.5 - 0.025, 0.5 - 0.012, (t - t.floor() - 0.5).abs())
        };
        albedo *= 1.0 - 0.4 * joint(across + 0.05 * away).max(joint(away));
    }
    let base = [
        scene.light.ground[0] * light[0],
        scene.light.ground[1] * light[1],
        scene.light.ground[2] * light[2],
    ];
    scale(base, albedo.max(0.1))
}

/// Share of light the car keeps from the ground at `away` metres behind its side.
fn under((across, away): (f32, f32)) -> f32 {
    let ends = smooth(-0.15, 0.2, across) * smooth(4.5, 4.15, across);
    let deep = smooth(-0.04, 0.12, away) * smooth(2.1, 1.6, away);
    let broad = smooth(-0.5, 0.15, away) * smooth(2.6, 1.8, away);
    ends * mix(0.45 * broad, 0.93, deep)
}

fn behind(scene: &Scene, point: PlanePoint) -> Rgb {
    let light = &scene.light;
    let seed = scene.seed ^ 0x77;
    let (x, y) = (
        point.x * 0.35 + scene.view.distance,
        (point.y - scene.view.eye) * 0.6,
    );
    let roofs = 0.75 + 0.5 * noise(seed, x * 2.1, 0.0);
    let sky = blend(light.horizon, light.sky, smooth(0.2, 1.4, y));
    let tone =
        fractal(seed ^ 5, x * 5.0, y * 6.0, 4) - 0.4 * smooth(0.42, 0.5, noise(seed ^ 4, x * 6.0, 0.5));
    let tint = noise(seed ^ 6, x * 1.2, y * 0.6);
    let far = light.falling(0.0);
    let leaf = [0.115 + 0.05 * tint, 0.135, 0.085 - 0.02 * tint];
    let wall = [0.34 + 0.14 * tint, 0.32 + 0.06 * tint, 0.3 - 0.04 * tint];
    let kind = smooth(-0.15, 0.15, noise(seed ^ 8, x * 1.1, 0.0));
    let stuff = blend(leaf, wall, kind);
    let lit = scale(
        [stuff[0] * far[0], stuff[1] * far[1], stuff[2] * far[2]],
        (0.9 + 0.8 * tone).max(0.4),
    );
    blend(lit, sky, smooth(roofs - 0.08, roofs + 0.12, y))
}
