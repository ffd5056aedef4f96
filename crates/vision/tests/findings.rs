//! Regions, outlines and their place on the original photo, on drawn maps and against full-size masks.

mod support_masks;

use proptest::prelude::*;
use support_masks::{PLAIN, canvas_size, drawn, masked, regions, sampled, size_of};
use walkaround_domain::{Finding, Point, Size, UnitRect};
use walkaround_vision::findings::{self, FINDINGS_MAX, Ring, simplify, trace};
use walkaround_vision::mask::{
    Canvas, ClassSpec, MaskPolicy, Patch, ProbabilityMap, Report, class_mask, components,
};
use walkaround_vision::rle::{bounding_box, decode_mask};

/// The findings of maps alone.
fn findings(maps: &[ProbabilityMap], classes: &[ClassSpec], original: Size, all: bool) -> Vec<Finding> {
    findings::findings(&maps.to_vec().into(), classes, original, all)
}

fn class(name: &str, report: Report, policy: MaskPolicy) -> ClassSpec {
    ClassSpec {
        name: name.into(),
        colour: [200, 30, 30],
        report,
        policy,
    }
}

/// The findings of one drawn map at one canvas pixel a cell.
fn found(rows: &[&str]) -> Vec<Finding> {
    let map = drawn(0, rows);
    let size = size_of(&map);
    findings(&[map], &[class("dent", Report::Always, PLAIN)], size, false)
}

fn patch(rows: &[&str]) -> Patch {
    let map = drawn(0, rows);
    let canvas = Canvas::of(size_of(&map)).expect("drawn maps have cells");
    class_mask(&[&map], &PLAIN, &canvas)
        .expect("something is drawn")
        .1
}

/// Twice the signed area of a ring: positive when it runs clockwise as seen (y down).
fn signed_area(ring: &[(i32, i32)]) -> i64 {
    let cross =
        |a: (i32, i32), b: (i32, i32)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1);
    (0..ring.len())
        .map(|i| cross(ring[i], ring[(i + 1) % ring.len()]))
        .sum()
}

fn signed_area_of(ring: &[Point]) -> f64 {
    let cross = |a: Point, b: Point| f64::from(a.x) * f64::from(b.y) - f64::from(b.x) * f64::from(a.y);
    (0..ring.len())
        .map(|i| cross(ring[i], ring[(i + 1) % ring.len()]))
        .sum::<f64>()
        / 2.0
}

#[test]
fn a_corner_is_enough_to_connect() {
    assert_eq!(found(&["#..", ".#.", "..#"]).len(), 1);
    assert_eq!(found(&["..#", ".#.", "#.."]).len(), 1);
    assert_eq!(found(&["##..", "...#", "##.."]).len(), 3);
    // Two arms that meet only at the bottom are one region, found as two until the last row.
    assert_eq!(found(&["#.#.#", "#.#.#", ".#.#."]).len(), 1);
}

#[test]
fn an_island_in_a_hole_is_a_region_of_its_own() {
    let rings = [
        "#######", "#.....#", "#.....#", "#..#..#", "#.....#", "#.....#", "#######",
    ];
    let found = found(&rings);
    assert_eq!(found.iter().map(|f| f.area_px).collect::<Vec<_>>(), [24, 1]);
    assert_eq!(found[0].polygons.len(), 1);
    assert_eq!(found[0].polygons[0].holes.len(), 1);
    assert_eq!(signed_area_of(&found[0].polygons[0].outer), 49.0);
    assert_eq!(signed_area_of(&found[0].polygons[0].holes[0]), -25.0);
    assert!(found[1].polygons[0].holes.is_empty());
    assert_eq!(signed_area_of(&found[1].polygons[0].outer), 1.0);
    assert_eq!(
        (
            found[1].bbox.x,
            found[1].bbox.y,
            found[1].bbox.width,
            found[1].bbox.height
        ),
        (3, 3, 1, 1)
    );
}

#[test]
fn an_outline_goes_through_a_shared_corner_twice() {
    let rings = trace(&patch(&["#.", ".#"]));
    assert_eq!(
        rings,
        [[(1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1), (0, 0)]]
    );
    // Holes that share only a corner are two.
    let rings = trace(&patch(&["####", "#.##", "##.#", "####"]));
    assert_eq!(
        rings.iter().map(|ring| signed_area(ring) / 2).collect::<Vec<_>>(),
        [16, -1, -1]
    );
}

#[test]
fn probability_is_the_mean_over_the_region() {
    let found = found(&["68..", "....", "..69"]);
    assert!((found[0].probability - 0.7).abs() < 1e-6);
    assert!((found[1].probability - 0.75).abs() < 1e-6);
    // Pixels that closing added count with what the network said of them.
    let map = drawn(0, &["8.8"]);
    let closing = MaskPolicy {
        closing: 0.4,
        ..PLAIN
    };
    let closed = findings(
        &[map],
        &[class("dent", Report::Always, closing)],
        Size::new(3, 1),
        false,
    );
    assert_eq!(closed[0].area_px, 3);
    assert!((f64::from(closed[0].probability) - 1.6 / 3.0).abs() < 1e-6);
}

#[test]
fn small_regions_are_dropped_by_share() {
    let map = drawn(0, &["##.#", "....", "...."]);
    let at = |area_min| {
        let policy = MaskPolicy { area_min, ..PLAIN };
        findings(
            std::slice::from_ref(&map),
            &[class("dent", Report::Always, policy)],
            Size::new(4, 3),
            false,
        )
        .len()
    };
    assert_eq!(
        (at(0.0), at(1.0 / 12.0), at(0.1), at(2.0 / 12.0), at(0.2)),
        (2, 2, 1, 1, 0)
    );
}

#[test]
fn reports_follow_the_class() {
    let maps = [
        drawn(0, &["##...", ".....", "....."]),
        drawn(1, &[".##.#", ".....", "##..."]),
        drawn(2, &["#####", "#####", "#####"]),
    ];
    let classes = [
        class("scratch", Report::Always, PLAIN),
        class("damage", Report::Uncovered, PLAIN),
        class("vehicle", Report::OnRequest, PLAIN),
    ];
    let size = Size::new(5, 3);
    let names = |all| -> Vec<(String, u64)> {
        findings(&maps, &classes, size, all)
            .into_iter()
            .map(|f| (f.class, f.area_px))
            .collect()
    };
    let pair = |name: &str, area| (name.to_owned(), area);
    // The damage that overlaps the scratch is the scratch; beside it (not over it) would be another.
    assert_eq!(
        names(false),
        [pair("scratch", 2), pair("damage", 2), pair("damage", 1)]
    );
    assert_eq!(
        names(true),
        [
            pair("scratch", 2),
            pair("damage", 2),
            pair("damage", 2),
            pair("damage", 1),
            pair("vehicle", 15)
        ]
    );
}

#[test]
fn a_dropped_region_covers_nothing() {
    let maps = [drawn(0, &["#...."]), drawn(1, &["##..."])];
    let large_only = MaskPolicy {
        area_min: 0.3,
        grid: 512,
        ..PLAIN
    };
    let classes = [
        class("scratch", Report::Always, large_only),
        class("damage", Report::Uncovered, PLAIN),
    ];
    let found = findings(&maps, &classes, Size::new(5, 1), false);
    assert_eq!(
        found.iter().map(|f| f.class.as_str()).collect::<Vec<_>>(),
        ["damage"]
    );
}

#[test]
fn the_largest_are_kept_when_there_are_too_many() {
    let mut map = drawn(0, &[".".repeat(64).as_str(); 64]);
    for y in (0..64).step_by(2) {
        for x in (0..64).step_by(2) {
            map.values[y * 64 + x] = 0.9;
        }
    }
    // One region of two pixels near the end.
    map.values[60 * 64 + 61] = 0.9;
    map.values[60 * 64 + 62] = 0.0;
    let found = findings(
        &[map],
        &[class("dent", Report::Always, PLAIN)],
        Size::new(64, 64),
        false,
    );
    assert_eq!(found.len(), FINDINGS_MAX);
    assert_eq!((found[0].area_px, found[1].area_px), (2, 1));
}

#[test]
fn nothing_comes_of_nothing() {
    let classes = [class("dent", Report::Always, PLAIN)];
    let size = Size::new(40, 30);
    assert!(findings(&[], &classes, size, true).is_empty());
    assert!(findings(&[drawn(7, &["#"])], &classes, size, true).is_empty());
    assert!(findings(&[drawn(0, &["#"])], &classes, Size::new(0, 9), true).is_empty());
    assert!(findings(&[drawn(0, &["#"])], &classes, Size::new(u32::MAX, u32::MAX), true).is_empty());
    assert_eq!(
        findings(&[drawn(0, &["#"])], &classes, Size::new(1, 1), true)[0]
            .rle
            .counts,
        [0, 1]
    );
}

#[test]
fn outlines_lose_corners_but_not_their_shape() {
    // A staircase of one-pixel steps is a straight line within the tolerance.
    let steps: Vec<String> = (0..24)
        .map(|y| (0..24).map(|x| if x <= y { '#' } else { '.' }).collect())
        .collect();
    let rows: Vec<&str> = steps.iter().map(String::as_str).collect();
    let traced = trace(&patch(&rows)).remove(0);
    let simple = simplify(&traced, 0.75);
    assert!(
        traced.len() > 45 && simple.len() <= 5,
        "{} corners, then {simple:?}",
        traced.len()
    );
    // One pixel and a thin slanted line keep an area.
    let line = trace(&patch(&["#....", ".#...", "..#..", "...#.", "....#"])).remove(0);
    for ring in [trace(&patch(&["#"])).remove(0), line] {
        let simple = simplify(&ring, 0.75);
        assert!(simple.len() >= 3 && signed_area(&simple) > 0, "{simple:?}");
    }
}

#[test]
fn corners_kept_for_their_area_leave_none_too_far_off() {
    let ring = trace(&patch(&["..#", "..#", "###"])).remove(0);
    let simple = simplify(&ring, 0.75);
    assert!(
        ring.iter().all(|&corner| distance(corner, &simple) <= 0.75),
        "{simple:?}"
    );
}

/// Distance of a point to a closed ring.
fn distance(point: (i32, i32), ring: &Ring) -> f64 {
    let segment = |a: (i32, i32), b: (i32, i32)| {
        let (dx, dy) = (f64::from(b.0 - a.0), f64::from(b.1 - a.1));
        let (px, py) = (f64::from(point.0 - a.0), f64::from(point.1 - a.1));
        let square = dx * dx + dy * dy;
        let share = if square > 0.0 {
            ((px * dx + py * dy) / square).clamp(0.0, 1.0)
        } else {
            0.0
        };
        (px - share * dx).hypot(py - share * dy)
    };
    (0..ring.len())
        .map(|i| segment(ring[i], ring[(i + 1) % ring.len()]))
        .fold(f64::MAX, f64::min)
}

prop_compose! {
    fn any_map()(width in 1usize..14, height in 1usize..14)(
        values in prop::collection::vec(prop::bool::weighted(0.55), width * height),
        (width, height) in Just((width, height)),
    ) -> ProbabilityMap {
        let values = values.into_iter().map(|set| if set { 0.9 } else { 0.07 }).collect();
        ProbabilityMap { class: 0, width, height, values, covers: UnitRect::WHOLE }
    }
}

proptest! {
    // Cases that failed once become tests of their own above, not files of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outlines_enclose_exactly_the_region(map in any_map()) {
        let canvas = Canvas::of(size_of(&map)).unwrap();
        let Some((_, mask)) = class_mask(&[&map], &PLAIN, &canvas) else { return Ok(()) };
        let all = components(&mask);
        let whole = regions(&map.values.iter().map(|&p| p > 0.5).collect::<Vec<_>>(), size_of(&map));
        prop_assert_eq!(
            all.iter().map(|region| region.pixels()).collect::<Vec<_>>(),
            whole.iter().map(Vec::len).collect::<Vec<_>>()
        );
        for region in all {
            let rings = trace(&region.patch());
            prop_assert!(signed_area(&rings[0]) > 0);
            prop_assert!(rings[1..].iter().all(|ring| signed_area(ring) < 0));
            let area: i64 = rings.iter().map(|ring| signed_area(ring)).sum();
            prop_assert_eq!(area, 2 * region.pixels() as i64);
            for ring in &rings {
                let simple = simplify(ring, 0.75);
                prop_assert!(simple.len() >= 3);
                prop_assert!(ring.iter().all(|&corner| distance(corner, &simple) <= 0.75 + 1e-9));
            }
        }
    }

    #[test]
    fn findings_are_those_of_full_size_masks(
        map in any_map(),
        (width, height) in (1u32..1300, 1u32..40),
        portrait: bool,
        closing in prop::option::of(0.0f32..0.01),
    ) {
        let original = if portrait { Size::new(height, width) } else { Size::new(width, height) };
        let policy = MaskPolicy { threshold: 0.4913, closing: closing.unwrap_or(0.0), ..PLAIN };
        let canvas = canvas_size(original);
        let field = sampled(&[&map], canvas);
        prop_assume!(!field.iter().any(|p| (p - 0.4913).abs() < 1e-5));
        let mut expected: Vec<(f64, Vec<u8>)> = vec![];
        for region in regions(&masked(&field, &policy, canvas), canvas) {
            let mean = region.iter().map(|&pixel| field[pixel]).sum::<f64>() / region.len() as f64;
            let mut of_region = vec![false; field.len()];
            region.iter().for_each(|&pixel| of_region[pixel] = true);
            let to_canvas = |x: u32, side: u32, original: u32| {
                ((f64::from(x) + 0.5) * f64::from(side) / f64::from(original)).floor() as usize
            };
            let mut full = vec![];
            for y in 0..original.height {
                let row = to_canvas(y, canvas.height, original.height) * canvas.width as usize;
                full.extend((0..original.width).map(|x| {
                    u8::from(of_region[row + to_canvas(x, canvas.width, original.width)])
                }));
            }
            expected.push((mean, full));
        }
        // Stable: equal areas stay in the order of their first pixel, which is the order above.
        expected.sort_by_key(|(_, full)| std::cmp::Reverse(full.iter().filter(|&&p| p == 1).count()));
        expected.truncate(FINDINGS_MAX);

        let found = findings(&[map], &[class("dent", Report::Always, policy)], original, false);
        prop_assert_eq!(found.len(), expected.len());
        for (finding, (mean, full)) in found.iter().zip(&expected) {
            prop_assert_eq!(&decode_mask(&finding.rle).unwrap(), full);
            prop_assert_eq!(finding.rle.area(), finding.area_px);
            prop_assert_eq!(bounding_box(&finding.rle).unwrap(), Some(finding.bbox));
            prop_assert!((f64::from(finding.probability) - mean).abs() < 1e-5);
            prop_assert_eq!(finding.area_share, finding.area_px as f64 / original.pixels() as f64);
            let box_of = |p: &Point| {
                p.x >= 0.0 && p.y >= 0.0 && p.x <= original.width as f32 && p.y <= original.height as f32
            };
            prop_assert!(finding.polygons[0].outer.iter().all(box_of));
        }
    }
}
