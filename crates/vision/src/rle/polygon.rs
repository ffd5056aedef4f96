//! COCO polygons to run-length code, column by column.
//!
//! A pixel is inside a ring when its centre is (even-odd rule); it is inside the mask when it is inside at
//! least one ring. pycocotools rounds outlines differently (on a grid five times finer); over whole objects
//! the two differ by a fraction of a pixel along the edge.

use walkaround_domain::{Point, Polygon, Rle, Size};

use super::{RleError, check_size, runs::write_merged};

/// Most crossings of an outline with pixel columns in one call: bounds memory (8 bytes each) and time.
pub const CROSSINGS_MAX: usize = 1 << 22;

/// Rasterises rings (in pixels, not closed) into a mask of the given size; parts outside are cut off. Rings
/// of fewer than three points are empty.
///
/// # Errors
/// [`RleError::TooLarge`]; [`RleError::Polygon`] for coordinates that are not finite and for outlines with
/// more than [`CROSSINGS_MAX`] crossings.
pub fn from_polygons(size: Size, rings: &[Vec<Point>]) -> Result<Rle, RleError> {
    let areas = rings.iter().map(std::slice::from_ref);
    from_areas(size, areas.map(|ring| ring.iter()))
}

/// Rasterises outlines with their holes, as [`from_polygons`] does rings: what is inside an outline and inside none of its
/// holes, or else inside another outline, is inside.
///
/// # Errors
/// As [`from_polygons`].
pub fn from_outlines(size: Size, outlines: &[Polygon]) -> Result<Rle, RleError> {
    let areas = outlines.iter();
    from_areas(
        size,
        areas.map(|one| std::iter::once(&one.outer).chain(&one.holes)),
    )
}

/// The union of areas, each the inside of some rings by the even-odd rule.
fn from_areas<'a, R>(size: Size, areas: impl Iterator<Item = R>) -> Result<Rle, RleError>
where
    R: Iterator<Item = &'a Vec<Point>>,
{
    check_size(size)?;
    let mut inside: Vec<(u64, u64)> = vec![];
    let mut left = CROSSINGS_MAX;
    for rings in areas {
        let mut all = vec![];
        for ring in rings.filter(|ring| ring.len() >= 3) {
            let found = crossings(size, ring, left)?;
            left -= found.len();
            all.extend(found);
        }
        all.sort_unstable();
        // An odd number a column cannot be: a closed ring crosses every vertical line an even number of times.
        for pair in all.chunks_exact(2) {
            let column = u64::from(pair[0].0) * u64::from(size.height);
            if pair[0].1 < pair[1].1 {
                inside.push((column + u64::from(pair[0].1), column + u64::from(pair[1].1)));
            }
        }
    }
    inside.sort();
    Ok(write_merged(size, &inside))
}

/// Where the ring crosses the centre lines of pixel columns: (column, first row whose centre is below).
fn crossings(size: Size, ring: &[Point], max: usize) -> Result<Vec<(u32, u32)>, RleError> {
    if ring.iter().any(|p| !p.x.is_finite() || !p.y.is_finite()) {
        return Err(RleError::Polygon {
            reason: "a coordinate is not a finite number",
        });
    }
    let mut found = vec![];
    for (index, &from) in ring.iter().enumerate() {
        let to = ring[(index + 1) % ring.len()];
        let (a, b) = if from.x <= to.x { (from, to) } else { (to, from) };
        // Half-open: a centre line through a shared vertex is crossed by one of the two edges only.
        let (first, end) = (
            rows_above(a.x.into(), size.width),
            rows_above(b.x.into(), size.width),
        );
        if found.len() + (end - first) as usize > max {
            return Err(RleError::Polygon {
                reason: "too many crossings with pixel columns",
            });
        }
        let slope = (f64::from(b.y) - f64::from(a.y)) / (f64::from(b.x) - f64::from(a.x));
        for column in first..end {
            let y = f64::from(a.y) + (f64::from(column) + 0.5 - f64::from(a.x)) * slope;
            found.push((column, rows_above(y, size.height)));
        }
    }
    Ok(found)
}

/// Number of pixel centres below `position` along a side: the index of the first centre at or after it.
fn rows_above(position: f64, side: u32) -> u32 {
    (position - 0.5).ceil().clamp(0.0, f64::from(side)) as u32
}
