//! From light to pixels: exposure, white balance, vignette, focus, noise, tone. How: plain arithmetic over the
//! linear picture; the tone curve is a table.

use image::RgbImage;
use rayon::prelude::*;

use crate::blur;
use crate::math::{Rgb, Rng, hash, mix};
use crate::{Kind, SampleSpec};

/// Settings of one exposure.
#[derive(Debug, Clone)]
struct Exposure {
    gain: f32,
    balance: Rgb,
    vignette: f32,
    noise: f32,
    seed: u32,
}

/// Takes the picture of `light` (linear, row by row).
pub(crate) fn develop(spec: &SampleSpec, mut light: Vec<Rgb>) -> RgbImage {
    let mut rng = Rng::new(spec.seed, 7);
    let exposure = exposure(&mut rng, spec.kind, &light);
    if spec.kind == Kind::Blurred {
        let radius = (spec.width as f32 * rng.range(0.006, 0.01)).max(2.0) as usize;
        let long = radius + (spec.width as f32 * rng.range(0.004, 0.014)) as usize;
        light = out_of_focus(&light, spec, radius, long);
    }
    let table = tone_table();
    let (width, height) = (spec.width as usize, spec.height as usize);
    let mut bytes = vec![0; light.len() * 3];
    let rows = bytes.par_chunks_mut(width * 3).zip(light.par_chunks(width));
    rows.enumerate().for_each(|(y, (bytes, light))| {
        let dy = (y as f32 + 0.5) / height as f32 - 0.5;
        for (x, (pixel, colour)) in bytes.chunks_exact_mut(3).zip(light).enumerate() {
            let dx = (x as f32 + 0.5) / width as f32 - 0.5;
            let gain = exposure.gain * (1.0 - exposure.vignette * (dx * dx + dy * dy));
            let grain = grain(exposure.seed, x as i32, y as i32);
            for channel in 0..3 {
                let value = colour[channel] * exposure.balance[channel] * gain;
                let speckle = 0.6 * grain[channel] + 0.7 * grain[3];
                let noisy = value + exposure.noise * (value + 0.004).sqrt() * speckle;
                let step = (noisy * TABLE_PER_UNIT).clamp(0.0, (TABLE - 1) as f32) as usize;
                pixel[channel] = table[step];
            }
        }
    });

    RgbImage::from_raw(spec.width, spec.height, bytes).expect("three bytes were pushed for every pixel")
}

fn exposure(rng: &mut Rng, kind: Kind, light: &[Rgb]) -> Exposure {
    // An automatic exposure goes most, not all, of the way to a middle grey.
    let sum: f64 = light
        .iter()
        .step_by(7)
        .map(|c| f64::from(c[0] * 0.25 + c[1] * 0.6 + c[2] * 0.15))
        .sum();
    let mean = (sum / light.len().div_ceil(7) as f64) as f32;
    let wanted = libm::powf(0.24 / mean.max(0.01), 0.75);
    let warm = rng.range(-0.06, 0.08);
    let dark = kind == Kind::Dark;
    let gain = wanted * rng.range(0.85, 1.25) * if dark { rng.range(0.012, 0.03) } else { 1.0 };
    Exposure {
        gain,
        balance: [1.0 + warm, 1.0, 1.0 - warm],
        vignette: rng.range(0.15, 0.6),
        noise: rng.range(0.01, 0.026) * if dark { 1.5 } else { 1.0 },
        seed: rng.seed(),
    }
}

/// Four values of about unit spread: one a channel and one for all.
fn grain(seed: u32, x: i32, y: i32) -> [f32; 4] {
    let (a, b) = (hash(seed, x, y), hash(seed ^ 0xABCD, x, y));
    let bell = |bits: u32| {
        let sum = (bits & 15) + ((bits >> 4) & 15) + ((bits >> 8) & 15) + ((bits >> 12) & 15);
        (sum as f32 - 30.0) / 9.2
    };
    [bell(a), bell(a >> 16), bell(b), bell(b >> 16)]
}

/// Defocus in all directions, then a shake along the rows.
fn out_of_focus(light: &[Rgb], spec: &SampleSpec, radius: usize, long: usize) -> Vec<Rgb> {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let soft = blur::boxed(light, width, height, radius);
    let soft = blur::boxed(&soft, width, height, radius);
    let mut out = soft.clone();
    for y in 0..height {
        blur::line(&soft, &mut out, blur::Line::row(y, width), long);
    }
    out
}

const TABLE: usize = 8192;
const TABLE_PER_UNIT: f32 = 2048.0;

/// The S that phones give their pictures: deeper blacks, firmer lights.
fn curve(coded: f32) -> f32 {
    mix(coded, coded * coded * (3.0 - 2.0 * coded), 0.55)
}

/// Linear light to 8-bit sRGB with a soft shoulder.
fn tone_table() -> Vec<u8> {
    (0..TABLE)
        .map(|step| {
            let linear = step as f32 / TABLE_PER_UNIT;
            let rolled = linear * (1.0 + linear * 0.12) / (1.0 + linear * 0.75);
            let rolled = (rolled * 1.25).min(1.0);
            let coded = if rolled <= 0.003_130_8 {
                12.92 * rolled
            } else {
                1.055 * libm::powf(rolled, 1.0 / 2.4) - 0.055
            };
            (curve(coded.min(1.0)) * 255.0 + 0.5) as u8
        })
        .collect()
}
