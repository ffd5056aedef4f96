//! The surroundings that paint and glass reflect: sky, skyline, ground, lamps. How: one small picture over
//! (azimuth, elevation), sharp for the clear coat and blurred for metal flakes.

use crate::math::{Rgb, Rng, add, blend, noise, scale, smooth};

const SIDE: usize = 192;

/// What surrounds the car.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    sharp: Vec<Rgb>,
    soft: Vec<Rgb>,
    pub(crate) sky: Rgb,
    pub(crate) horizon: Rgb,
    pub(crate) skyline: Rgb,
    pub(crate) ground: Rgb,
    pub(crate) indoors: bool,
    /// How much more light comes from ahead (positive) or behind.
    key: f32,
    pub(crate) seed: u32,
}

impl Light {
    /// Random surroundings: overcast, clear, low sun, or a lit hall.
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let (sky, horizon): (Rgb, Rgb) = match rng.index(4) {
            0 => ([1.1, 1.15, 1.22], [1.35, 1.35, 1.35]),
            1 => ([0.42, 0.62, 1.0], [1.5, 1.55, 1.6]),
            2 => ([0.6, 0.66, 0.8], [1.9, 1.6, 1.3]),
            _ => ([0.28, 0.28, 0.27], [0.5, 0.5, 0.48]),
        };
        let indoors = sky[0] < 0.3;
        let grey = rng.range(0.05, 0.2);
        let mut light = Self {
            sharp: Vec::new(),
            soft: Vec::new(),
            sky,
            horizon,
            skyline: [grey * 0.95, grey, grey * rng.range(0.8, 1.1)],
            ground: scale(
                [1.0, rng.range(0.93, 1.0), rng.range(0.82, 1.0)],
                rng.range(0.17, 0.36),
            ),
            indoors,
            key: rng.range(0.25, 0.6) * if rng.chance(0.5) { 1.0 } else { -1.0 },

            seed: rng.seed(),
        };
        let strips: Vec<(f32, f32)> = (0..if indoors { 3 } else { 0 })
            .map(|_| (rng.range(0.25, 0.8), rng.range(0.025, 0.05)))
            .collect();
        light.sharp = light.picture(&strips);
        light.soft = blurred(&light.sharp);
        light
    }

    fn picture(&self, strips: &[(f32, f32)]) -> Vec<Rgb> {
        (0..SIDE * SIDE)
            .map(|i| {
                let azimuth = (i % SIDE) as f32 / (SIDE - 1) as f32 * 2.0 - 1.0;
                let elevation = (i / SIDE) as f32 / (SIDE - 1) as f32 * 2.0 - 1.0;
                self.radiance(azimuth, elevation, strips)
            })
            .collect()
    }

    fn radiance(&self, azimuth: f32, elevation: f32, strips: &[(f32, f32)]) -> Rgb {
        let sky = blend(self.horizon, self.sky, smooth(0.0, 0.7, elevation));
        let clouds = 1.0 + 0.12 * noise(self.seed, azimuth * 3.0, elevation * 5.0);
        let roofs = 0.19
            + 0.11 * noise(self.seed ^ 7, azimuth * 5.0, 0.0)
            + 0.03 * noise(self.seed, azimuth * 17.0, 3.0);
        let walls = 1.0 + 0.6 * noise(self.seed ^ 9, azimuth * 9.0, elevation * 6.0);
        let mut colour = blend(
            scale(self.skyline, walls),
            scale(sky, clouds),
            smooth(roofs - 0.02, roofs + 0.03, elevation),
        );
        let ground = scale(self.ground, 1.0 - 0.65 * smooth(-0.1, -0.9, elevation));
        colour = blend(ground, colour, smooth(-0.05, 0.0, elevation));
        for &(height, half) in strips {
            let lit = smooth(half, half * 0.4, (elevation - height - azimuth * 0.1).abs());
            let run = smooth(0.1, 0.2, (azimuth * 2.0 + height * 3.0).fract().abs());
            colour = add(colour, scale([2.4, 2.5, 2.6], lit * run));
        }
        colour
    }

    /// Light from the direction (x right, y up, both of a unit vector) as a clear coat mirrors it.
    pub(crate) fn mirrored(&self, x: f32, y: f32) -> Rgb {
        sample(&self.sharp, x, y)
    }

    /// The same as rough metal flakes return it.
    pub(crate) fn glossed(&self, x: f32, y: f32) -> Rgb {
        sample(&self.soft, x, y)
    }

    /// Light that falls on a matt surface whose normal rises by `up`.
    pub(crate) fn falling(&self, up: f32) -> Rgb {
        self.falling_aslant(0.0, up)
    }

    /// The same for a normal that also points `along` the car: one side of the sky is the brighter.
    pub(crate) fn falling_aslant(&self, along: f32, up: f32) -> Rgb {
        let from_sky = 0.5 + 0.5 * up;
        let sky = blend(self.horizon, self.sky, 0.5);
        let lift = if self.indoors { 1.5 } else { 0.8 };
        let side = (1.0 + self.key * along).max(0.2);
        let below = scale(self.ground, (1.0 - from_sky) * 0.8);
        scale(add(scale(sky, from_sky * lift), below), side)
    }
}

fn sample(texture: &[Rgb], x: f32, y: f32) -> Rgb {
    let last = (SIDE - 1) as f32;
    let px = ((x * 0.5 + 0.5) * last).clamp(0.0, last - 0.001);
    let py = ((y * 0.5 + 0.5) * last).clamp(0.0, last - 0.001);
    let (ix, iy) = (px as usize, py as usize);
    let (tx, ty) = (px - ix as f32, py - iy as f32);
    let at = iy * SIDE + ix;
    let low = blend(texture[at], texture[at + 1], tx);
    blend(low, blend(texture[at + SIDE], texture[at + SIDE + 1], tx), ty)
}

/// Three box blurs each way come close to a Gaussian.
fn blurred(texture: &[Rgb]) -> Vec<Rgb> {
    let mut picture = texture.to_vec();
    for _ in 0..3 {
        picture = crate::blur::boxed(&picture, SIDE, SIDE, 9);
    }
    picture
}
