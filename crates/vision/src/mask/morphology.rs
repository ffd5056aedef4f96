//! Closing with a disc, at a cost that depends on the radius and never on what the mask shows.

use super::Patch;

/// Closes the mask with a disc (dx² + dy² <= radius²): dilates, then erodes. Outside the patch counts as
/// background for dilation and as foreground for erosion, so the patch must be the whole canvas or reach
/// `2 * radius` beyond every set pixel (cut off at the canvas).
pub fn close(mask: Patch, radius: usize) -> Patch {
    if radius == 0 {
        return mask;
    }
    // Erosion is the dilation of what is outside; there, too, nothing comes in from beyond the edge.
    let grown = dilate(&mask, radius);
    invert(dilate(&invert(grown), radius))
}

fn invert(mut mask: Patch) -> Patch {
    for pixel in &mut mask.pixels {
        *pixel ^= 1;
    }
    mask
}

/// Every pixel within `radius` of a set one.
///
/// In two steps: each pixel's distance to the nearest set pixel of its own row, then, row by row of the disc,
/// one comparison with the disc's half width there. The second step is a plain loop over bytes in a row,
/// which compiles to vector instructions.
fn dilate(mask: &Patch, radius: usize) -> Patch {
    let distances = row_distances(mask);
    let mut grown = Patch {
        pixels: vec![0; mask.pixels.len()],
        ..*mask
    };
    let reach = radius.min(mask.height.saturating_sub(1)) as isize;
    for dy in -reach..=reach {
        let square = radius * radius - dy.unsigned_abs().pow(2);
        let half_width = square.isqrt().min(FAR as usize - 1) as u16;
        for y in 0..mask.height {
            let Some(source) = y.checked_add_signed(dy).filter(|&row| row < mask.height) else {
                continue;
            };
            let line = &distances[source * mask.width..][..mask.width];
            let out = &mut grown.pixels[y * mask.width..][..mask.width];
            for (pixel, &distance) in out.iter_mut().zip(line) {
                *pixel |= u8::from(distance <= half_width);
            }
        }
    }
    grown
}

/// Further than any disc reaches.
const FAR: u16 = u16::MAX;

/// Distance of each pixel to the nearest set pixel of its row, [`FAR`] in rows without one.
fn row_distances(mask: &Patch) -> Vec<u16> {
    let mut distances = vec![FAR; mask.pixels.len()];
    for (line, pixels) in distances
        .chunks_exact_mut(mask.width.max(1))
        .zip(mask.pixels.chunks_exact(mask.width.max(1)))
    {
        if !pixels.contains(&1) {
            continue;
        }
        let mut last = FAR;
        for (distance, &pixel) in line.iter_mut().zip(pixels) {
            last = if pixel == 1 { 0 } else { last.saturating_add(1) };
            *distance = last;
        }
        last = FAR;
        for (distance, &pixel) in line.iter_mut().zip(pixels).rev() {
            last = if pixel == 1 { 0 } else { last.saturating_add(1) };
            *distance = last.min(*distance);
        }
    }
    distances
}
