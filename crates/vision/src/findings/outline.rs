//! Outlines along pixel edges, by walking around the region with the region on the right-hand side.

use crate::mask::Patch;

/// Corners of a closed outline in canvas coordinates (pixel edges, so whole numbers). The last corner is
/// joined to the first by an edge.
pub type Ring = Vec<(i32, i32)>;

/// Steps along the four directions in clockwise order: right, down, left, up.
const STEPS: [(i32, i32); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Traces every outline of a patch: around regions clockwise (as seen, y down), around holes anticlockwise.
///
/// Pixels that share only a corner belong to the same region, so its outline passes through that corner
/// twice; the same corner separates two holes. Rings come in the order of their topmost, then leftmost edge:
/// of a patch with one region the first ring is its outline.
pub fn trace(patch: &Patch) -> Vec<Ring> {
    let mut rings = vec![];
    // Every ring has an edge that runs right along the top of a pixel; each such edge is walked once.
    let mut walked = vec![false; patch.pixels.len()];
    for y in 0..patch.height {
        for x in 0..patch.width {
            let index = y * patch.width + x;
            let on_top = patch.pixels[index] != 0 && (y == 0 || patch.pixels[index - patch.width] == 0);
            if on_top && !walked[index] {
                rings.push(walk(patch, (x as i32, y as i32), &mut walked));
            }
        }
    }
    rings
}

/// Walks the ring that begins with the edge to the right of corner `start`.
fn walk(patch: &Patch, start: (i32, i32), walked: &mut [bool]) -> Ring {
    let mut ring = vec![];
    let (mut at, mut direction) = (start, 0);
    loop {
        if direction == 0 {
            walked[at.1 as usize * patch.width + at.0 as usize] = true;
        }
        at = (at.0 + STEPS[direction].0, at.1 + STEPS[direction].1);
        let next = turn(patch, at, direction);
        if next != direction {
            ring.push((at.0 + patch.x as i32, at.1 + patch.y as i32));
        }
        direction = next;
        // A corner may be passed twice, in different directions; only corner and direction end the ring.
        if at == start && direction == 0 {
            return ring;
        }
    }
}

/// The direction in which the outline goes on from a corner. Turning left first is what joins pixels that
/// share only this corner.
fn turn(patch: &Patch, at: (i32, i32), direction: usize) -> usize {
    let (dx, dy) = STEPS[direction];
    // The pixels ahead of the corner, left and right of the line of walking.
    let left = (at.0 + (dx + dy - 1) / 2, at.1 + (dy - dx - 1) / 2);
    let right = (at.0 + (dx - dy - 1) / 2, at.1 + (dy + dx - 1) / 2);
    if is_set(patch, left) {
        (direction + 3) % 4
    } else if is_set(patch, right) {
        direction
    } else {
        (direction + 1) % 4
    }
}

fn is_set(patch: &Patch, (x, y): (i32, i32)) -> bool {
    x >= 0
        && y >= 0
        && (x as usize) < patch.width
        && (y as usize) < patch.height
        && patch.pixels[y as usize * patch.width + x as usize] != 0
}
