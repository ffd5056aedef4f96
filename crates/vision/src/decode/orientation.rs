//! The eight EXIF orientations, applied to RGB pixels.

use image::RgbImage;
use walkaround_domain::Size;

/// Side of the squares that a transposition works through: 32 rows of 96 bytes stay in the first-level cache.
const TILE: usize = 32;

/// The orientations 5 to 8 exchange width and height.
pub(super) fn swaps_sides(orientation: u8) -> bool {
    (5..=8).contains(&orientation)
}

/// The size after [`apply`].
pub(super) fn upright(stored: Size, orientation: u8) -> Size {
    if swaps_sides(orientation) {
        Size::new(stored.height, stored.width)
    } else {
        stored
    }
}

/// Turns stored pixels upright; `orientation` as in EXIF, 1 to 8. Works in place where the sides stay.
pub(super) fn apply(mut pixels: RgbImage, orientation: u8) -> RgbImage {
    let width = pixels.width() as usize;
    let cells = pixels.as_chunks_mut::<3>().0;
    match orientation {
        2 => cells.chunks_exact_mut(width).for_each(<[_]>::reverse),
        3 => cells.reverse(),
        4 => flip_rows(cells, width),
        5 => {
            return transpose(
                &pixels,
                Flip {
                    across: false,
                    down: false,
                },
            );
        }
        6 => {
            return transpose(
                &pixels,
                Flip {
                    across: false,
                    down: true,
                },
            );
        }
        7 => {
            return transpose(
                &pixels,
                Flip {
                    across: true,
                    down: true,
                },
            );
        }
        8 => {
            return transpose(
                &pixels,
                Flip {
                    across: true,
                    down: false,
                },
            );
        }
        _ => {}
    }
    pixels
}

fn flip_rows(cells: &mut [[u8; 3]], width: usize) {
    let rows = cells.len() / width;
    let (upper, lower) = cells.split_at_mut(rows / 2 * width);
    let lower = lower.rchunks_exact_mut(width);
    upper
        .chunks_exact_mut(width)
        .zip(lower)
        .for_each(|(a, b)| a.swap_with_slice(b));
}

/// Which stored axis runs backwards.
#[derive(Clone, Copy)]
struct Flip {
    across: bool,
    down: bool,
}

/// Rows become columns, tile by tile.
fn transpose(pixels: &RgbImage, flip: Flip) -> RgbImage {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let mut turned = RgbImage::new(pixels.height(), pixels.width());
    let from = pixels.as_chunks::<3>().0;
    let to = turned.as_chunks_mut::<3>().0;
    for top in (0..width).step_by(TILE) {
        for left in (0..height).step_by(TILE) {
            for y in top..(top + TILE).min(width) {
                let column = if flip.across { width - 1 - y } else { y };
                let row = &mut to[y * height + left..y * height + (left + TILE).min(height)];
                for (x, cell) in (left..).zip(row) {
                    let line = if flip.down { height - 1 - x } else { x };
                    *cell = from[line * width + column];
                }
            }
        }
    }
    turned
}
