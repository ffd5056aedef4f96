//! Box blur with running sums; edges repeat. Three passes come close to a Gaussian.

use crate::math::{Rgb, add, scale};

/// The mean over a square of side `2 * radius + 1`.
pub(crate) fn boxed(picture: &[Rgb], width: usize, height: usize, radius: usize) -> Vec<Rgb> {
    let mut rows = vec![[0.0; 3]; picture.len()];
    for y in 0..height {
        line(picture, &mut rows, (y * width, 1, width), radius);
    }
    let mut out = vec![[0.0; 3]; picture.len()];
    for x in 0..width {
        line(&rows, &mut out, (x, width, height), radius);
    }
    out
}

/// Blurs along one line, given as (first index, step, count).
pub(crate) fn line(from: &[Rgb], to: &mut [Rgb], (first, step, count): (usize, usize, usize), radius: usize) {
    let at = |i: isize| from[first + i.clamp(0, count as isize - 1) as usize * step];
    let reach = radius as isize;
    let share = 1.0 / (2 * radius + 1) as f32;
    let mut sum = (-reach..=reach).fold([0.0; 3], |sum, i| add(sum, at(i)));
    for i in 0..count as isize {
        to[first + i as usize * step] = scale(sum, share);
        sum = add(sum, add(at(i + reach + 1), scale(at(i - reach), -1.0)));
    }
}
