//! Drawing one sample: colours, scratches over them, masks, development. How: rows are independent.

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use crate::camera::develop;
use crate::math::{Rgb, blend};
use crate::scene::Scene;
use crate::scratch::Scars;
use crate::{Damage, Sample, SampleSpec};

/// Draws a sample; the same spec gives the same bytes on every machine.
///
/// Sizes under 16 pixels are drawn at 16.
#[must_use]
pub fn draw(spec: &SampleSpec) -> Sample {
    draw_vehicle(spec, spec.seed)
}

/// As [`draw`], of a vehicle of its own: samples of one vehicle show one car from where their seeds stand.
#[must_use]
pub fn draw_vehicle(spec: &SampleSpec, vehicle: u64) -> Sample {
    let spec = SampleSpec {
        width: spec.width.max(16),
        height: spec.height.max(16),
        ..*spec
    };
    let scene = Scene::new(&spec, vehicle);
    let (mut light, panel) = expose(&scene, &spec);
    let scars = scar(&scene, &mut light, &panel);
    let damages = damages(&scene, &panel, scars.as_ref(), &spec);
    let picture: RgbImage = develop(&spec, light);
    Sample { picture, damages }
}

/// Linear colours and, per pixel, whether it is sheet metal.
fn expose(scene: &Scene, spec: &SampleSpec) -> (Vec<Rgb>, Vec<bool>) {
    let pixels = spec.width as usize * spec.height as usize;
    let (mut light, mut panel) = (vec![[0.0; 3]; pixels], vec![false; pixels]);
    let width = spec.width as usize;
    let rows = light.par_chunks_mut(width).zip(panel.par_chunks_mut(width));
    rows.enumerate().for_each(|(y, (light, panel))| {
        for x in 0..width {
            (light[x], panel[x]) = scene.colour(x as f32 + 0.5, y as f32 + 0.5);
        }
    });
    (light, panel)
}

/// Lays the scratches over the lit picture.
fn scar(scene: &Scene, light: &mut [Rgb], panel: &[bool]) -> Option<Scars> {
    let first = scene.scuffs.first()?;
    let mut scars = Scars::new(scene);
    for scuff in &scene.scuffs {
        scuff.stamp(scene, &mut scars);
    }
    let bare = first.bare(scene);
    let width = scene.view.width as usize;
    for (index, colour) in light.iter_mut().enumerate() {
        if !panel[index] {
            continue;
        }
        let point = scene
            .view
            .plane((index % width) as f32 + 0.5, (index / width) as f32 + 0.5);
        for scuff in &scene.scuffs {
            *colour = scuff.cover(scene, (point.x, point.y), *colour);
        }
        *colour = blend(*colour, bare, scars.edge[index]);
        *colour = blend(*colour, [0.02, 0.02, 0.02], scars.core[index] * 0.9);
    }
    Some(scars)
}

fn damages(scene: &Scene, panel: &[bool], scars: Option<&Scars>, spec: &SampleSpec) -> Vec<Damage> {
    let width = spec.width as usize;
    let mask = |class: &'static str, inside: &(dyn Fn(usize, f32, f32) -> bool + Sync)| {
        let bytes = (0..panel.len()).into_par_iter().map(|index| {
            let point = scene
                .view
                .plane((index % width) as f32 + 0.5, (index / width) as f32 + 0.5);
            if panel[index] && inside(index, point.x, point.y) {
                255
            } else {
                0
            }
        });
        let mask = GrayImage::from_raw(spec.width, spec.height, bytes.collect());
        Damage {
            class,
            mask: mask.expect("one byte was made for every pixel"),
        }
    };
    let mut damages = Vec::new();
    if let Some(scars) = scars {
        damages.push(mask("scratch", &|index, x, y| {
            scars.extent[index] || scene.scuffs.iter().any(|scuff| scuff.is_rubbed(x, y))
        }));
    }
    if !scene.dents.is_empty() {
        damages.push(mask("dent", &|_, x, y| {
            scene.dents.iter().any(|dent| dent.local(x, y).0 < 0.88)
        }));
    }
    if let Some(gap) = &scene.gap {
        damages.push(mask("spacing", &|_, x, y| gap.covers(&scene.car, x, y)));
    }
    damages
}
