//! Mask policies on drawn maps, and on random ones against the rules applied pixel by pixel.

mod support_masks;

use proptest::prelude::*;
use support_masks::{PLAIN, canvas_size, drawn, masked, rows, sampled, size_of};
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::mask::{Canvas, MaskPolicy, ProbabilityMap, Window, class_mask, sample};

/// The mask of one drawn map at one canvas pixel a cell.
fn mask_of(map: &[&str], policy: &MaskPolicy) -> Vec<String> {
    let map = drawn(0, map);
    let size = size_of(&map);
    let canvas = Canvas::of(size).expect("drawn maps have cells");
    class_mask(&[&map], policy, &canvas)
        .map(|(_, mask)| rows(&mask, size))
        .unwrap_or_default()
}

#[test]
fn the_threshold_itself_is_outside() {
    assert_eq!(mask_of(&["456", "654"], &PLAIN), ["..#", "#.."]);
    assert!(mask_of(&["455", "554"], &PLAIN).is_empty());
}

#[test]
fn hysteresis_keeps_weak_pixels_connected_to_strong_ones() {
    let policy = MaskPolicy {
        hysteresis: Some(0.2),
        ..PLAIN
    };
    let map = [
        "3........", //
        ".3...33..",
        "..6..33..",
        "...3.....",
        "......2..",
    ];
    let expected = [
        "#........", //
        ".#.......",
        "..#......",
        "...#.....",
        ".........",
    ];
    assert_eq!(mask_of(&map, &policy), expected);
}

#[test]
fn hysteresis_above_the_threshold_changes_nothing() {
    let policy = MaskPolicy {
        hysteresis: Some(0.8),
        ..PLAIN
    };
    assert_eq!(mask_of(&["6.9"], &policy), ["#.#"]);
}

#[test]
fn closing_bridges_a_gap_and_keeps_corners() {
    let map = [
        "..........", //
        "..........",
        "..........",
        "..##.##...",
        "..##.##...",
        "..##.##...",
        "..........",
        "..........",
        "..........",
        "..........",
    ];
    let mut expected = map;
    expected[3] = "..##.##...";
    expected[4] = "..#####...";
    expected[5] = "..##.##...";
    // A radius of one is a cross: in the gap's first and last row the pixel beyond stays clear.
    assert_eq!(
        mask_of(
            &map,
            &MaskPolicy {
                closing: 0.1,
                ..PLAIN
            }
        ),
        expected
    );
}

#[test]
fn closing_counts_outside_the_canvas_as_inside_when_it_erodes() {
    let policy = MaskPolicy {
        closing: 0.2,
        ..PLAIN
    };
    // Radius 1: the pixel by the edge is filled, since all its neighbours on the canvas are after dilation.
    assert_eq!(mask_of(&[".#..#"], &policy), ["#####"]);
    assert_eq!(
        mask_of(&["..#..", ".....", ".....", ".....", "....."], &policy)[0],
        "..#.."
    );
}

#[test]
fn a_letterboxed_map_lines_up_with_the_photo() {
    // A square map over a photo twice as wide as high: the photo is its middle half.
    let mut map = drawn(0, &["....", "##..", "..##", "...."]);
    map.covers = UnitRect {
        x0: 0.0,
        y0: -0.5,
        x1: 1.0,
        y1: 1.5,
    };
    let size = Size::new(4, 2);
    let (_, mask) = class_mask(&[&map], &PLAIN, &Canvas::of(size).unwrap()).unwrap();
    assert_eq!(rows(&mask, size), ["##..", "..##"]);
}

#[test]
fn a_cropped_map_says_nothing_about_the_rest() {
    let mut map = drawn(0, &["##", "##"]);
    map.covers = UnitRect {
        x0: 0.5,
        y0: 0.0,
        x1: 1.0,
        y1: 0.5,
    };
    let size = Size::new(4, 4);
    let (_, mask) = class_mask(&[&map], &PLAIN, &Canvas::of(size).unwrap()).unwrap();
    assert_eq!(rows(&mask, size), ["..##", "..##", "....", "...."]);
}

#[test]
fn overlapping_tiles_take_the_highest() {
    let mut left = drawn(0, &["26"]);
    left.covers = UnitRect {
        x0: 0.0,
        y0: 0.0,
        x1: 0.5,
        y1: 1.0,
    };
    let mut right = drawn(0, &["819"]);
    right.covers = UnitRect {
        x0: 0.25,
        y0: 0.0,
        x1: 1.0,
        y1: 1.0,
    };
    let canvas = Canvas::of(Size::new(4, 1)).unwrap();
    let field = sample(&[&left, &right], &canvas, Window::whole(&canvas));
    for (value, expected) in field.values.iter().zip([0.2, 0.8, 0.1, 0.9]) {
        assert!((value - expected).abs() < 1e-6, "{:?}", field.values);
    }
}

#[test]
fn maps_that_make_no_sense_count_as_absent() {
    let canvas = Canvas::of(Size::new(8, 8)).unwrap();
    let good = drawn(0, &["##", "##"]);
    let broken = [
        ProbabilityMap {
            width: 3,
            ..good.clone()
        },
        ProbabilityMap {
            values: vec![],
            width: 0,
            height: 0,
            ..good.clone()
        },
        ProbabilityMap {
            width: usize::MAX,
            height: 2,
            ..good.clone()
        },
        ProbabilityMap {
            covers: UnitRect {
                x0: 1.0,
                y0: 0.0,
                x1: 0.0,
                y1: 1.0,
            },
            ..good.clone()
        },
        ProbabilityMap {
            covers: UnitRect {
                x0: f32::NAN,
                ..UnitRect::WHOLE
            },
            ..good.clone()
        },
        ProbabilityMap {
            values: vec![f32::NAN; 4],
            ..good.clone()
        },
    ];
    for map in &broken {
        assert!(class_mask(&[map], &PLAIN, &canvas).is_none(), "{map:?}");
        let (_, mask) = class_mask(&[map, &good], &PLAIN, &canvas).unwrap();
        assert_eq!(mask.pixels.iter().filter(|&&p| p == 1).count(), 64);
    }
}

#[test]
fn every_original_pixel_belongs_to_the_canvas_pixel_under_its_centre() {
    for (width, height) in [
        (4000, 3000),
        (513, 1),
        (1, 5000),
        (1600, 3),
        (777, 1033),
        (512, 512),
        (5, 3),
    ] {
        let original = Size::new(width, height);
        let canvas = Canvas::of(original).unwrap();
        assert_eq!(canvas.size(), canvas_size(original));
        let sides = [
            (canvas.column_starts(), canvas.size().width, width),
            (canvas.row_starts(), canvas.size().height, height),
        ];
        for (starts, side, original) in sides {
            assert_eq!((starts[0], starts[side as usize]), (0, original));
            for x in 0..original {
                let cell = ((f64::from(x) + 0.5) * f64::from(side) / f64::from(original)).floor() as usize;
                assert!(
                    starts[cell] <= x && x < starts[cell + 1],
                    "{x} of {original}, cell {cell}"
                );
            }
        }
    }
    assert!(Canvas::of(Size::new(0, 7)).is_none());
}

prop_compose! {
    fn any_map()(width in 1usize..9, height in 1usize..9)(
        values in prop::collection::vec(0u8..=10, width * height),
        corner in (-4i8..8, -4i8..8),
        extent in (1i8..16, 1i8..16),
        (width, height) in Just((width, height)),
    ) -> ProbabilityMap {
        // Eighths and tenths keep sampled values off the thresholds used below.
        let eighth = |n: i8| f32::from(n) / 8.0;
        let (x0, y0) = (eighth(corner.0), eighth(corner.1));
        ProbabilityMap {
            class: 0,
            width,
            height,
            values: values.into_iter().map(|v| if v < 6 { 0.0 } else { f32::from(v) / 10.0 }).collect(),
            covers: UnitRect { x0, y0, x1: x0 + eighth(extent.0), y1: y0 + eighth(extent.1) },
        }
    }
}

proptest! {
    // Cases that failed once become tests of their own above, not files of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_change_nothing(
        maps in prop::collection::vec(any_map(), 1..3),
        (width, height) in (1u32..40, 1u32..40),
        hysteresis in prop::option::of(Just(0.2371f32)),
        closing in 0.0f32..0.2,
    ) {
        let policy = MaskPolicy { threshold: 0.5137, hysteresis, closing, area_min: 0.0, grid: 512 };
        let size = Size::new(width, height);
        let canvas = Canvas::of(size).unwrap();
        let maps: Vec<&ProbabilityMap> = maps.iter().collect();
        let field = sampled(&maps, size);
        // Values this close to a threshold may fall on either side of it in single precision.
        let close = |p: &f64| (p - 0.5137).abs() < 1e-5 || (p - 0.2371).abs() < 1e-5;
        prop_assume!(!field.iter().any(close));
        let expected: Vec<u8> = masked(&field, &policy, size).into_iter().map(u8::from).collect();
        match class_mask(&maps, &policy, &canvas) {
            None => prop_assert!(!expected.contains(&1)),
            Some((_, mask)) => {
                let got: Vec<u8> =
                    rows(&mask, size).concat().bytes().map(|b| u8::from(b == b'#')).collect();
                prop_assert_eq!(got, expected);
            }
        }
        let whole = sample(&maps, &canvas, Window::whole(&canvas));
        for (got, expected) in whole.values.iter().zip(&field) {
            prop_assert!((f64::from(*got) - expected).abs() < 1e-5);
        }
    }
}
