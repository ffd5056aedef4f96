//! Shared by the mask and findings tests: maps drawn as text, and the post-processing rules once more, pixel
//! by pixel on whole canvases and full-size masks.
#![allow(dead_code, reason = "each test crate uses its part of it")]

use walkaround_domain::{Size, UnitRect};
use walkaround_vision::mask::{MaskPolicy, Patch, ProbabilityMap};

/// A policy that keeps everything above one half.
pub(crate) const PLAIN: MaskPolicy = MaskPolicy {
    threshold: 0.5,
    hysteresis: None,
    closing: 0.0,
    area_min: 0.0,
    grid: 512,
};

/// A map of the whole photo from rows of digits (tenths); `.` is 0 and `#` is 0.9.
pub(crate) fn drawn(class: usize, rows: &[&str]) -> ProbabilityMap {
    let value = |c: char| match c {
        '.' => 0.0,
        '#' => 0.9,
        digit => digit.to_digit(10).expect("maps are drawn in digits, . and #") as f32 / 10.0,
    };
    ProbabilityMap {
        class,
        width: rows[0].len(),
        height: rows.len(),
        values: rows.iter().flat_map(|row| row.chars().map(value)).collect(),
        covers: UnitRect::WHOLE,
    }
}

/// The size whose canvas has one pixel for each cell of a drawn map.
pub(crate) fn size_of(map: &ProbabilityMap) -> Size {
    Size::new(map.width as u32, map.height as u32)
}

/// A patch as rows of `.` and `#`, on a canvas of the given size.
pub(crate) fn rows(patch: &Patch, size: Size) -> Vec<String> {
    let inside = |x: usize, y: usize| {
        (patch.x..patch.x + patch.width).contains(&x)
            && (patch.y..patch.y + patch.height).contains(&y)
            && patch.pixels[(y - patch.y) * patch.width + x - patch.x] == 1
    };
    (0..size.height as usize)
        .map(|y| {
            (0..size.width as usize)
                .map(|x| if inside(x, y) { '#' } else { '.' })
                .collect()
        })
        .collect()
}

/// The canvas side by its definition.
pub(crate) fn canvas_size(original: Size) -> Size {
    let scale = (512.0 / f64::from(original.long_side())).min(1.0);
    let side = |side: u32| ((f64::from(side) * scale + 0.5).floor() as u32).max(1);
    Size::new(side(original.width), side(original.height))
}

/// The highest of the maps at every canvas pixel.
pub(crate) fn sampled(maps: &[&ProbabilityMap], canvas: Size) -> Vec<f64> {
    let mut field = vec![];
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let u = (f64::from(x) + 0.5) / f64::from(canvas.width);
            let v = (f64::from(y) + 0.5) / f64::from(canvas.height);
            field.push(maps.iter().map(|map| at(map, u, v)).fold(0.0, f64::max));
        }
    }
    field
}

fn at(map: &ProbabilityMap, u: f64, v: f64) -> f64 {
    let c = map.covers;
    let (x0, y0, x1, y1) = (f64::from(c.x0), f64::from(c.y0), f64::from(c.x1), f64::from(c.y1));
    if u < x0 || u > x1 || v < y0 || v > y1 {
        return 0.0;
    }
    let along = |unit: f64, side: usize| (unit * side as f64 - 0.5).clamp(0.0, side as f64 - 1.0);
    let (mx, my) = (
        along((u - x0) / (x1 - x0), map.width),
        along((v - y0) / (y1 - y0), map.height),
    );
    let (left, top) = (mx.floor() as usize, my.floor() as usize);
    let (right, bottom) = ((left + 1).min(map.width - 1), (top + 1).min(map.height - 1));
    let (fx, fy) = (mx - left as f64, my - top as f64);
    let p = |x: usize, y: usize| f64::from(map.values[y * map.width + x]);
    (p(left, top) * (1.0 - fx) + p(right, top) * fx) * (1.0 - fy)
        + (p(left, bottom) * (1.0 - fx) + p(right, bottom) * fx) * fy
}

/// The mask of a field by the rules: threshold, hysteresis, closing.
pub(crate) fn masked(field: &[f64], policy: &MaskPolicy, canvas: Size) -> Vec<bool> {
    let high: Vec<bool> = field.iter().map(|&p| p > f64::from(policy.threshold)).collect();
    let mut mask = high.clone();
    if let Some(low) = policy.hysteresis {
        mask = field.iter().map(|&p| p > f64::from(low)).collect();
        for region in regions(&mask, canvas) {
            if !region.iter().any(|&pixel| high[pixel]) {
                region.iter().for_each(|&pixel| mask[pixel] = false);
            }
        }
    }
    let radius = (f64::from(policy.closing) * f64::from(canvas.long_side())).round() as i64;
    let dilated = disc(&mask, canvas, radius)
        .map(|near| near.contains(&true))
        .collect::<Vec<_>>();
    disc(&dilated, canvas, radius)
        .map(|near| !near.contains(&false))
        .collect()
}

/// The pixels in the disc around every pixel, as far as they are on the canvas.
fn disc(mask: &[bool], canvas: Size, radius: i64) -> impl Iterator<Item = Vec<bool>> + '_ {
    let (width, height) = (i64::from(canvas.width), i64::from(canvas.height));
    (0..width * height).map(move |index| {
        let (x, y) = (index % width, index / width);
        let mut near = vec![];
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                let inside = (0..width).contains(&(x + dx)) && (0..height).contains(&(y + dy));
                if inside && dx * dx + dy * dy <= radius * radius {
                    near.push(mask[((y + dy) * width + x + dx) as usize]);
                }
            }
        }
        near
    })
}

/// The 8-connected regions as lists of pixel indices.
pub(crate) fn regions(mask: &[bool], canvas: Size) -> Vec<Vec<usize>> {
    let (width, height) = (i64::from(canvas.width), i64::from(canvas.height));
    let mut left = mask.to_vec();
    let mut regions = vec![];
    for start in 0..mask.len() {
        if !std::mem::take(&mut left[start]) {
            continue;
        }
        let (mut region, mut next) = (vec![start], 0);
        while next < region.len() {
            let (x, y) = (region[next] as i64 % width, region[next] as i64 / width);
            for (nx, ny) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (x + dx, y + dy))) {
                if (0..width).contains(&nx) && (0..height).contains(&ny) {
                    let index = (ny * width + nx) as usize;
                    if std::mem::take(&mut left[index]) {
                        region.push(index);
                    }
                }
            }
            next += 1;
        }
        regions.push(region);
    }
    regions
}
