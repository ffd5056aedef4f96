//! Cutting a region into overlapping tiles of a network's input shape.

use crate::manifest::Tiling;
use walkaround_domain::{Size, UnitRect};

/// Tiles over `region` (fractions of a photo of size `photo`, in pixels), row by row.
///
/// `tiles_long_side` tiles with the given overlap span the region's long side; a tile keeps the aspect of
/// the network's input, and as many rows (or columns) as needed cover the short side, evenly spaced. A
/// region narrower than a tile gets one tile cut to the region.
pub(crate) fn tiles(region: UnitRect, photo: Size, input: Size, tiling: Tiling) -> Vec<UnitRect> {
    let (w, h) = (
        region.width() * photo.width as f32,
        region.height() * photo.height as f32,
    );
    let k = tiling.tiles_long_side as f32;
    let long = w.max(h) / (k - (k - 1.0) * tiling.overlap);
    let aspect = input.height as f32 / input.width as f32;
    let (tile_w, tile_h) = if w >= h {
        (long, long * aspect)
    } else {
        (long / aspect, long)
    };
    let xs = starts(w, tile_w, tiling.overlap);
    let ys = starts(h, tile_h, tiling.overlap);
    let (sx, sy) = (1.0 / photo.width as f32, 1.0 / photo.height as f32);
    let mut out = Vec::with_capacity(xs.len() * ys.len());
    for &y in &ys {
        for &x in &xs {
            out.push(UnitRect {
                x0: region.x0 + x * sx,
                y0: region.y0 + y * sy,
                x1: region.x0 + (x + tile_w.min(w)) * sx,
                y1: region.y0 + (y + tile_h.min(h)) * sy,
            });
        }
    }
    out
}

/// Start positions of tiles of length `tile` that cover `length` with at least `overlap` (a share).
fn starts(length: f32, tile: f32, overlap: f32) -> Vec<f32> {
    // A hundredth of a tile forgives rounding: two tiles that meet exactly must not become three.
    let more = ((length - tile) / (tile * (1.0 - overlap)) - 0.01)
        .ceil()
        .max(0.0) as usize;
    if more == 0 {
        return vec![0.0];
    }
    (0..=more)
        .map(|i| (length - tile) * i as f32 / more as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: Size = Size::new(256, 256);

    #[test]
    fn two_by_two_for_a_square_photo() {
        let cut = tiles(
            UnitRect::WHOLE,
            Size::new(900, 900),
            SQUARE,
            Tiling {
                tiles_long_side: 2,
                overlap: 0.2,
            },
        );
        assert_eq!(cut.len(), 4);
        assert!((cut[0].width() - 1.0 / 1.8).abs() < 1e-4);
        assert!((cut[3].x1 - 1.0).abs() < 1e-4 && (cut[3].y1 - 1.0).abs() < 1e-4);
    }

    #[test]
    fn every_point_is_covered_for_many_shapes() {
        for (w, h) in [(4000, 3000), (3000, 4000), (640, 100), (100, 101)] {
            for tiles_long_side in 1..=4 {
                let cut = tiles(
                    UnitRect {
                        x0: 0.1,
                        y0: 0.2,
                        x1: 0.9,
                        y1: 0.8,
                    },
                    Size::new(w, h),
                    Size::new(256, 192),
                    Tiling {
                        tiles_long_side,
                        overlap: 0.25,
                    },
                );
                for i in 0..50 {
                    for j in 0..50 {
                        let (x, y) = (
                            0.1 + 0.8 * (i as f32 + 0.5) / 50.0,
                            0.2 + 0.6 * (j as f32 + 0.5) / 50.0,
                        );
                        assert!(
                            cut.iter()
                                .any(|t| t.x0 <= x && x <= t.x1 && t.y0 <= y && y <= t.y1),
                            "{w}x{h} in {tiles_long_side}: ({x}, {y}) is in no tile"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_stay_inside_the_region() {
        let region = UnitRect {
            x0: 0.25,
            y0: 0.25,
            x1: 0.75,
            y1: 0.5,
        };
        let cut = tiles(
            region,
            Size::new(1000, 1000),
            SQUARE,
            Tiling {
                tiles_long_side: 3,
                overlap: 0.1,
            },
        );
        assert!(cut.len() >= 3);
        for t in cut {
            assert!(
                t.x0 >= 0.2499 && t.x1 <= 0.7501 && t.y0 >= 0.2499 && t.y1 <= 0.5001,
                "{t:?}"
            );
        }
    }
}
