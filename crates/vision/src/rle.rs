//! COCO's run-length code: masks in and out, its compressed text, set operations and rasterised polygons.
//!
//! Byte-exact with pycocotools (`tests/rle.rs` compares). Everything but [`decode_mask`] and [`encode_mask`]
//! works on runs, so a mask of a 12-megapixel photo costs a few thousand numbers and never 12 MB. Whatever
//! comes from outside (counts, text, polygons) is checked against the size before anything is allocated.

mod bounds;
mod canvas;
mod polygon;
mod runs;
mod text;

use walkaround_domain::{Rle, Size};

pub use bounds::{MASK_PIXELS_MAX, RleError};
pub(crate) use bounds::{check, check_size};
pub use canvas::{from_canvas, from_patch};
pub use polygon::{CROSSINGS_MAX, from_outlines, from_polygons};
pub use runs::{bounding_box, intersection_area, iou, union};
pub use text::{from_string, to_string};

pub(crate) use runs::RunWriter;

/// Run-length code of a mask.
///
/// `row_major` holds `size.pixels()` bytes, row by row; anything but zero is inside.
///
/// # Panics
/// When `row_major` has another length.
pub fn encode_mask(size: Size, row_major: &[u8]) -> Rle {
    assert_eq!(row_major.len() as u64, size.pixels(), "one byte a pixel");
    let (width, height) = (size.width as usize, size.height as usize);
    let mut writer = RunWriter::new(size);
    for x in 0..width {
        let mut start = None;
        for y in 0..height {
            let inside = row_major[y * width + x] != 0;
            match (inside, start) {
                (true, None) => start = Some(y),
                (false, Some(from)) => {
                    writer.push_in_column(x, from, y);
                    start = None;
                }
                _ => {}
            }
        }
        if let Some(from) = start {
            writer.push_in_column(x, from, height);
        }
    }
    writer.finish()
}

/// The mask itself: `size.pixels()` bytes, row by row, 1 inside and 0 outside.
///
/// # Errors
/// [`RleError::TooLarge`] and [`RleError::Sum`], both found before the mask is allocated.
pub fn decode_mask(rle: &Rle) -> Result<Vec<u8>, RleError> {
    check(rle)?;
    let (width, height) = (rle.size.width as usize, rle.size.height as usize);
    let mut mask = vec![0u8; width * height];
    for (start, end) in runs::intervals(rle) {
        // Walks columns rather than pixels: one division a column instead of two a pixel.
        let (mut at, end) = (start as usize, end as usize);
        while at < end {
            let (x, y) = (at / height, at % height);
            let stop = height.min(y + (end - at));
            for row in y..stop {
                mask[row * width + x] = 1;
            }
            at += stop - y;
        }
    }
    Ok(mask)
}
