//! Box blur with running sums; edges repeat. Three passes come close to a Gaussian.

use crate::math::{Rgb, add, scale};

/// The mean over a square of side `2 * radius + 1`.
pub(crate) fn boxed(picture: &[Rgb], width: usize, height: usize, radius: usize) -> Vec<Rgb> {
    let mut rows = vec![[0.0; 3]; picture.len()];
    for y in 0..height {
        line(picture, &mut rows, Line::row(y, width), radius);
    }
    let mut out = vec![[0.0; 3]; picture.len()];
    for x in 0..width {
        line(&rows, &mut out, Line::column(x, width, height), radius);
    }
    out
}

/// Pixels in a row or a column of a picture.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    first: usize,
    /// From one index to the next.
    step: usize,
    count: usize,
}

impl Line {
    pub(crate) const fn row(y: usize, width: usize) -> Self {
        Self {
            first: y * width,
            step: 1,
            count: width,
        }
    }

    const fn column(x: usize, width: usize, height: usize) -> Self {
        Self {
            first: x,
            step: width,
            count: height,
        }
    }
}

/// Blurs along one line.
pub(crate) fn line(from: &[Rgb], to: &mut [Rgb], along: Line, radius: usize) {
    let Line { first, step, count } = along;
    let at = |i: isize| from[first + i.clamp(0, count as isize - 1) as usize * step];
    let reach = radius as isize;
    let share = 1.0 / (2 * radius + 1) as f32;
    let mut sum = (-reach..=reach).fold([0.0; 3], |sum, i| add(sum, at(i)));
    for i in 0..count as isize {
        to[first + i as usize * step] = scale(sum, share);
        sum = add(sum, add(at(i + reach + 1), scale(at(i - reach), -1.0)));
    }
}
