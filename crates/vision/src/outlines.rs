//! From a run-length code back to outlines along the edges of its pixels.

use crate::findings::{Ring, simplify, trace};
use crate::mask::{Patch, components};
use crate::rle::{RleError, bounding_box, decode_mask};
use walkaround_domain::{Point, Polygon, Rle};

/// The outlines of a region, with their holes: rasterised ([`crate::rle::from_outlines`]) they give the region back, where
/// `tolerance` is 0. Else no corner that is left out lies farther than so many pixels from what is left. Parts that share
/// only a corner of a pixel are one outline.
///
/// # Errors
/// A code that is too large, or whose counts do not add up.
pub fn outlines(region: &Rle, tolerance: f32) -> Result<Vec<Polygon>, RleError> {
    let Some(patch) = patch(region)? else {
        return Ok(Vec::new());
    };
    let polygon = |patch: &Patch| {
        // The first ring starts at the topmost pixel of the region, so it is the outline; the others are holes.
        let mut rings = trace(patch).into_iter().map(|ring| points(&ring, tolerance));
        rings.next().map(|outer| Polygon {
            outer,
            holes: rings.collect(),
        })
    };
    let parts = components(&patch);
    Ok(parts.iter().filter_map(|part| polygon(&part.patch())).collect())
}

fn points(ring: &Ring, tolerance: f32) -> Vec<Point> {
    let kept = if tolerance > 0.0 {
        simplify(ring, tolerance)
    } else {
        ring.clone()
    };
    // Sides of photos are far below what an f32 holds exactly.
    let point = |(x, y): (i32, i32)| Point {
        x: x as f32,
        y: y as f32,
    };
    kept.into_iter().map(point).collect()
}

/// The mask inside its smallest box; none where it is empty.
///
/// # Errors
/// A code that is too large, or whose counts do not add up.
pub fn patch(region: &Rle) -> Result<Option<Patch>, RleError> {
    let Some(tight) = bounding_box(region)? else {
        return Ok(None);
    };
    let all = decode_mask(region)?;
    let side = |pixels: u32| pixels as usize;
    let (x, y) = (side(tight.x), side(tight.y));
    let (width, height) = (side(tight.width), side(tight.height));
    let rows = all.chunks_exact(side(region.size.width)).skip(y).take(height);
    Ok(Some(Patch {
        x,
        y,
        width,
        height,
        pixels: rows.flat_map(|row| &row[x..x + width]).copied().collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::{outlines, patch};
    use crate::rle::{encode_mask, from_outlines, from_patch, iou};
    use proptest::prelude::*;
    use walkaround_domain::Size;

    const SIZE: Size = Size::new(12, 9);

    proptest! {
        #[test]
        fn outlines_give_their_region_back(mask in prop::collection::vec(0u8..2, 12 * 9)) {
            let region = encode_mask(SIZE, &mask);
            let traced = outlines(&region, 0.0).unwrap();
            prop_assert_eq!(&from_outlines(SIZE, &traced).unwrap(), &region);
            let again = patch(&region).unwrap().map_or_else(|| encode_mask(SIZE, &[0; 12 * 9]), |it| from_patch(SIZE, &it));
            prop_assert_eq!(again, region);
        }
    }

    #[test]
    fn a_ring_has_a_hole_and_parts_are_apart() {
        let mut mask = vec![0; 12 * 9];
        for y in 0..5 {
            for x in 0..5 {
                mask[y * 12 + x] = u8::from(!(1..4).contains(&x) || !(1..4).contains(&y));
            }
        }
        mask[8 * 12 + 11] = 1;
        let region = encode_mask(SIZE, &mask);
        let traced = outlines(&region, 0.0).unwrap();
        let shape: Vec<(usize, usize)> = traced.iter().map(|p| (p.outer.len(), p.holes.len())).collect();
        assert_eq!(shape, [(4, 1), (4, 0)]);
        assert!(
            outlines(&encode_mask(SIZE, &[0; 12 * 9]), 0.0)
                .unwrap()
                .is_empty()
        );
        let coarse = outlines(&region, 2.0).unwrap();
        assert!(iou(&from_outlines(SIZE, &coarse).unwrap(), &region).unwrap() > 0.5);
    }
}
