//! Run-length codes against pycocotools (`training/reference/make_rle_fixture.py`), and what is refused.

use proptest::prelude::*;
use serde_json::Value;
use walkaround_domain::{PixelBox, Point, Rle, Size};
use walkaround_vision::rle::{
    RleError, bounding_box, decode_mask, encode_mask, from_polygons, from_string, intersection_area, iou,
    to_string, union,
};

fn fixture() -> Value {
    serde_json::from_str(include_str!("data/rle_pycocotools.json")).expect("as the script writes it")
}

/// Size and row-major pixels of a mask of the fixture.
fn drawn(record: &Value) -> (Size, Vec<u8>) {
    let rows: Vec<&str> = record["rows"]
        .as_array()
        .expect("as the script writes it")
        .iter()
        .map(|row| row.as_str().expect("as the script writes it"))
        .collect();
    let pixels = rows.concat().bytes().map(|byte| u8::from(byte == b'#')).collect();
    (Size::new(rows[0].len() as u32, rows.len() as u32), pixels)
}

fn number(value: &Value) -> u32 {
    value.as_u64().expect("as the script writes it") as u32
}

#[test]
fn codes_are_those_of_pycocotools_byte_for_byte() {
    let fixture = fixture();
    let masks = fixture["masks"].as_array().unwrap();
    assert!(masks.len() > 20);
    for record in masks {
        let name = record["name"].as_str().unwrap();
        let (size, pixels) = drawn(record);
        let rle = encode_mask(size, &pixels);
        assert_eq!(to_string(&rle), record["text"].as_str().unwrap(), "{name}");
        assert_eq!(
            from_string(size, record["text"].as_str().unwrap()).unwrap(),
            rle,
            "{name}"
        );
        assert_eq!(decode_mask(&rle).unwrap(), pixels, "{name}");
        assert_eq!(rle.area(), record["area"].as_u64().unwrap(), "{name}");
        let [x, y, width, height] = [0, 1, 2, 3].map(|side| number(&record["bbox"][side]));
        let expected = (rle.area() > 0).then_some(PixelBox { x, y, width, height });
        assert_eq!(bounding_box(&rle).unwrap(), expected, "{name}");
    }
}

#[test]
fn overlaps_are_those_of_pycocotools() {
    let fixture = fixture();
    let code = |index: &Value| {
        let (size, pixels) = drawn(&fixture["masks"][number(index) as usize]);
        encode_mask(size, &pixels)
    };
    for pair in fixture["pairs"].as_array().unwrap() {
        let (left, right) = (code(&pair["left"]), code(&pair["right"]));
        assert!((iou(&left, &right).unwrap() - pair["iou"].as_f64().unwrap()).abs() < 1e-12);
        let both = union(left.size, &[&left, &right]).unwrap();
        assert_eq!(to_string(&both), pair["union"].as_str().unwrap());
        assert_eq!(
            left.area() + right.area() - both.area(),
            intersection_area(&left, &right).unwrap()
        );
    }
}

#[test]
fn counts_that_do_not_fill_the_mask_are_refused() {
    let size = Size::new(4, 5);
    for counts in [vec![], vec![19], vec![0, 21], vec![u32::MAX, u32::MAX, 22]] {
        let rle = Rle { size, counts };
        assert!(
            matches!(decode_mask(&rle), Err(RleError::Sum { pixels: 20, .. })),
            "{rle:?}"
        );
        assert!(bounding_box(&rle).is_err());
        assert!(union(size, &[&rle]).is_err());
        assert!(
            iou(
                &rle,
                &Rle {
                    size,
                    counts: vec![20]
                }
            )
            .is_err()
        );
    }
    let vast = Rle {
        size: Size::new(u32::MAX, u32::MAX),
        counts: vec![0],
    };
    assert!(matches!(decode_mask(&vast), Err(RleError::TooLarge { .. })));
    assert!(matches!(
        from_string(vast.size, "0"),
        Err(RleError::TooLarge { .. })
    ));
    assert!(matches!(
        from_polygons(vast.size, &[]),
        Err(RleError::TooLarge { .. })
    ));
}

#[test]
fn text_that_is_no_code_is_refused() {
    let size = Size::new(4, 5);
    let full = to_string(&encode_mask(size, &[1; 20]));
    assert!(from_string(size, &full).is_ok());
    assert_eq!(from_string(size, " 0"), Err(RleError::Text { at: 0 }));
    assert_eq!(from_string(size, "0~"), Err(RleError::Text { at: 1 }));
    // Cut off in the middle of a count, a count without end, a negative one, and too many pixels.
    assert_eq!(from_string(size, "P"), Err(RleError::Text { at: 1 }));
    assert_eq!(from_string(size, "oooooooooooo"), Err(RleError::Text { at: 0 }));
    assert_eq!(from_string(size, "@"), Err(RleError::Text { at: 0 }));
    assert!(matches!(
        from_string(size, "000ooo?"),
        Err(RleError::Sum { .. } | RleError::Text { .. })
    ));
    assert!(matches!(
        from_string(size, ""),
        Err(RleError::Sum { sum: 0, pixels: 20 })
    ));
}

#[test]
fn masks_of_different_sizes_do_not_mix() {
    let (wide, high) = (
        encode_mask(Size::new(3, 2), &[1; 6]),
        encode_mask(Size::new(2, 3), &[1; 6]),
    );
    assert!(matches!(iou(&wide, &high), Err(RleError::SizeMismatch { .. })));
    assert!(matches!(
        union(wide.size, &[&wide, &high]),
        Err(RleError::SizeMismatch { .. })
    ));
}

#[test]
fn two_empty_masks_overlap_by_nothing() {
    let empty = encode_mask(Size::new(3, 3), &[0; 9]);
    assert_eq!(iou(&empty, &empty), Ok(0.0));
    assert_eq!(union(empty.size, &[]).unwrap(), empty);
}

fn ring(points: &[(f32, f32)]) -> Vec<Point> {
    points.iter().map(|&(x, y)| Point { x, y }).collect()
}

fn picture(rle: &Rle) -> Vec<String> {
    let mask = decode_mask(rle).expect("our own code");
    mask.chunks(rle.size.width as usize)
        .map(|row| {
            row.iter()
                .map(|&pixel| if pixel == 1 { '#' } else { '.' })
                .collect()
        })
        .collect()
}

#[test]
fn polygons_fill_the_pixels_whose_centres_are_inside() {
    let size = Size::new(6, 4);
    let square = ring(&[(1.0, 1.0), (4.0, 1.0), (4.0, 3.0), (1.0, 3.0)]);
    assert_eq!(
        picture(&from_polygons(size, &[square]).unwrap()),
        ["......", ".###..", ".###..", "......"]
    );
    let outside = ring(&[(-9.0, -9.0), (2.4, -9.0), (2.4, 99.0), (-9.0, 99.0)]);
    assert_eq!(
        picture(&from_polygons(size, &[outside]).unwrap()),
        ["##....", "##....", "##....", "##...."]
    );
    let line = ring(&[(0.0, 0.0), (6.0, 4.0)]);
    assert_eq!(from_polygons(size, &[line, vec![]]).unwrap().area(), 0);
}

#[test]
fn rings_are_united_and_each_is_even_odd() {
    let size = Size::new(8, 3);
    let left = ring(&[(0.0, 0.0), (5.0, 0.0), (5.0, 3.0), (0.0, 3.0)]);
    let right = ring(&[(3.0, 0.0), (8.0, 0.0), (8.0, 3.0), (3.0, 3.0)]);
    assert_eq!(from_polygons(size, &[left, right]).unwrap().area(), 24);
    // One ring that goes twice around the same square is outside again.
    let twice = [(1.0, 0.0), (4.0, 0.0), (4.0, 3.0), (1.0, 3.0)].repeat(2);
    assert_eq!(from_polygons(size, &[ring(&twice)]).unwrap().area(), 0);
}

#[test]
fn polygons_without_measure_are_refused() {
    let size = Size::new(4000, 3000);
    let endless = ring(&[(0.0, 0.0), (f32::INFINITY, 0.0), (1.0, 1.0)]);
    assert!(matches!(
        from_polygons(size, &[endless]),
        Err(RleError::Polygon { .. })
    ));
    let zigzag = ring(&[(0.0, 0.0), (4000.0, 3000.0)].repeat(2000));
    assert!(matches!(
        from_polygons(size, &[zigzag]),
        Err(RleError::Polygon { .. })
    ));
}

/// Whether a point is inside a ring, by the crossings of a ray upwards.
fn is_inside(ring: &[Point], x: f64, y: f64) -> bool {
    let mut inside = false;
    for (index, a) in ring.iter().enumerate() {
        let b = ring[(index + 1) % ring.len()];
        let (ax, ay, bx, by) = (f64::from(a.x), f64::from(a.y), f64::from(b.x), f64::from(b.y));
        if (ax < x) != (bx < x) && ay + (x - ax) / (bx - ax) * (by - ay) < y {
            inside = !inside;
        }
    }
    inside
}

/// Whether an edge runs through a point, as far as rounding lets anybody say: then it is inside or outside.
fn is_on_an_edge(ring: &[Point], x: f64, y: f64) -> bool {
    ring.iter().enumerate().any(|(index, a)| {
        let b = ring[(index + 1) % ring.len()];
        let (ax, ay, bx, by) = (f64::from(a.x), f64::from(a.y), f64::from(b.x), f64::from(b.y));
        (ax < x) != (bx < x) && (ay + (x - ax) / (bx - ax) * (by - ay) - y).abs() < 1e-4
    })
}

proptest! {
    // Cases that failed once become tests of their own above, not files of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mask_survives_code_and_text(
        (width, height) in (1u32..30, 1u32..30),
        seed in prop::collection::vec(any::<bool>(), 900),
        stretch in 1usize..9,
    ) {
        let size = Size::new(width, height);
        let mask: Vec<u8> = (0..size.pixels() as usize).map(|i| u8::from(seed[i / stretch])).collect();
        let rle = encode_mask(size, &mask);
        prop_assert_eq!(&decode_mask(&rle).unwrap(), &mask);
        prop_assert_eq!(from_string(size, &to_string(&rle)).unwrap(), rle);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~]{0,40}", (width, height) in (0u32..90, 0u32..90)) {
        let size = Size::new(width, height);
        if let Ok(rle) = from_string(size, &text) {
            prop_assert_eq!(decode_mask(&rle).unwrap().len() as u64, size.pixels());
        }
    }

    #[test]
    fn any_polygon_is_filled_by_centres(
        corners in prop::collection::vec((-40i16..140, -40i16..140), 3..12),
        (width, height) in (1u32..24, 1u32..24),
    ) {
        // Fifths of a pixel, so that corners fall on pixel edges but hardly an edge runs through a centre.
        let ring: Vec<Point> = corners
            .iter()
            .map(|&(x, y)| Point { x: f32::from(x) / 5.0 + 0.013, y: f32::from(y) / 5.0 + 0.017 })
            .collect();
        let size = Size::new(width, height);
        let mask = decode_mask(&from_polygons(size, std::slice::from_ref(&ring)).unwrap()).unwrap();
        for (index, &pixel) in mask.iter().enumerate() {
            let (x, y) = (index as u32 % width, index as u32 / width);
            let (at_x, at_y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            if !is_on_an_edge(&ring, at_x, at_y) {
                prop_assert_eq!(pixel == 1, is_inside(&ring, at_x, at_y), "pixel {} {}", x, y);
            }
        }
    }
}
