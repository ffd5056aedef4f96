//! Douglas-Peucker on closed outlines, bounded on the outlines that would make it quadratic.

use super::Ring;

/// Longest stretch simplified at once, in corners. Longer outlines keep one corner every so many, which bounds
/// the time of the worst outline (every corner a new farthest one) to `corners * STRETCH_MAX`.
const STRETCH_MAX: usize = 1024;

/// Fewest corners kept while the outline has them: a triangle loses half of a one-pixel region.
const CORNERS_MIN: usize = 4;

/// The ring with fewer corners, none of those dropped farther than `tolerance` from what is left. At least
/// three corners stay, and four where the outline bends away on both sides.
pub fn simplify(ring: &[(i32, i32)], tolerance: f32) -> Ring {
    if ring.len() <= CORNERS_MIN {
        return ring.to_vec();
    }
    let across = (0..ring.len())
        .max_by_key(|&i| square_distance(ring[i], ring[0]))
        .unwrap_or(0);
    let mut keep = vec![false; ring.len()];
    let mut anchors: Vec<usize> = (0..across).step_by(STRETCH_MAX).collect();
    anchors.extend((across..ring.len()).step_by(STRETCH_MAX));
    for (index, &from) in anchors.iter().enumerate() {
        keep[from] = true;
        let to = anchors.get(index + 1).copied().unwrap_or(ring.len());
        mark(ring, (from, to), f64::from(tolerance), &mut keep);
    }
    if keep.iter().filter(|&&kept| kept).count() < CORNERS_MIN {
        for (from, to) in [(0, across), (across, ring.len())] {
            if let Some((middle, _)) = farthest(ring, (from, to)).filter(|&(_, distance)| distance > 0.0) {
                keep[middle] = true;
                // Against the new, shorter segments other corners may have become too far off.
                mark(ring, (from, middle), f64::from(tolerance), &mut keep);
                mark(ring, (middle, to), f64::from(tolerance), &mut keep);
            }
        }
    }
    ring.iter()
        .zip(keep)
        .filter_map(|(&corner, kept)| kept.then_some(corner))
        .collect()
}

/// Marks the corners to keep between the ends of a stretch; index `ring.len()` is the first corner again.
fn mark(ring: &[(i32, i32)], stretch: (usize, usize), tolerance: f64, keep: &mut [bool]) {
    // A stack of our own: recursion could go as deep as the outline is long.
    let mut pending = vec![stretch];
    while let Some((from, to)) = pending.pop() {
        if let Some((index, distance)) = farthest(ring, (from, to))
            && distance > tolerance
        {
            keep[index] = true;
            pending.push((from, index));
            pending.push((index, to));
        }
    }
}

/// The corner inside a stretch that lies farthest from the line segment between its ends, and how far.
fn farthest(ring: &[(i32, i32)], (from, to): (usize, usize)) -> Option<(usize, f64)> {
    let (a, b) = (ring[from], ring[to % ring.len()]);
    let along = (f64::from(b.0 - a.0), f64::from(b.1 - a.1));
    let length_square = along.0 * along.0 + along.1 * along.1;
    let mut most: Option<(usize, f64)> = None;
    for (index, corner) in ring.iter().enumerate().take(to).skip(from + 1) {
        let p = (f64::from(corner.0 - a.0), f64::from(corner.1 - a.1));
        let dot = p.0 * along.0 + p.1 * along.1;
        let share = if length_square > 0.0 {
            (dot / length_square).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (dx, dy) = (p.0 - share * along.0, p.1 - share * along.1);
        let square = dx * dx + dy * dy;
        if most.is_none_or(|(_, best)| square > best) {
            most = Some((index, square));
        }
    }
    most.map(|(index, square)| (index, square.sqrt()))
}

fn square_distance(a: (i32, i32), b: (i32, i32)) -> i64 {
    let (dx, dy) = (i64::from(a.0 - b.0), i64::from(a.1 - b.1));
    dx * dx + dy * dy
}
