//! Objects marked one by one: one finding each, cut at the class's threshold, on the class's own grid.

use walkaround_domain::{Finding, Size, UnitRect};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::instance::{Instance, InstanceMask};
use walkaround_vision::mask::{ClassSpec, MaskPolicy, ProbabilityMap, Report};
use walkaround_vision::rle::decode_mask;

const PHOTO: Size = Size::new(80, 60);

fn class(name: &str, report: Report, policy: MaskPolicy) -> ClassSpec {
    ClassSpec {
        name: name.into(),
        colour: [200, 30, 30],
        report,
        policy,
    }
}

const PLAIN: MaskPolicy = MaskPolicy {
    threshold: 0.5,
    hysteresis: None,
    closing: 0.0,
    area_min: 0.0,
    grid: 512,
};

fn rect(x0: f32, y0: f32, x1: f32, y1: f32) -> UnitRect {
    UnitRect { x0, y0, x1, y1 }
}

/// An object whose mask is a grid of cells over the whole photo.
fn object(bbox: UnitRect, rows: &[&str], logits: bool) -> Instance {
    let (high, low) = if logits { (4.0, -4.0) } else { (0.9, 0.1) };
    let values = rows
        .concat()
        .bytes()
        .map(|c| if c == b'#' { high } else { low })
        .collect();
    Instance {
        class: 0,
        score: 0.7,
        bbox: Some(bbox),
        mask: Some(InstanceMask {
            grid: ProbabilityMap {
                class: 0,
                width: rows[0].len(),
                height: rows.len(),
                values,
                covers: UnitRect::WHOLE,
            },
            logits,
            cropped: false,
            whole_pixels: false,
        }),
    }
}

fn found(instances: Vec<Instance>, policy: MaskPolicy) -> Vec<Finding> {
    let segmentation = Segmentation {
        instances,
        ..Segmentation::default()
    };
    findings(
        &segmentation,
        &[class("dent", Report::Always, policy)],
        PHOTO,
        false,
    )
}

#[test]
fn two_objects_that_touch_stay_two_and_one_in_two_parts_stays_one() {
    let left = object(rect(0.0, 0.0, 0.5, 1.0), &["##..", "##.."], true);
    let right = object(rect(0.5, 0.0, 1.0, 1.0), &["..##", "..##"], true);
    let got = found(vec![left, right], PLAIN);
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|f| f.polygons.len() == 1 && f.probability == 0.7));
    let parts = object(rect(0.0, 0.0, 1.0, 1.0), &["#...#...", "........"], true);
    let got = found(vec![parts], PLAIN);
    assert_eq!((got.len(), got[0].polygons.len()), (1, 2));
    assert_eq!(got[0].area_px, got[0].rle.area());
}

#[test]
fn logits_are_interpolated_as_logits() {
    // Between +4 and -4 the edge is in the middle either way; between 0.9 and 0.1, too: the same mask.
    let bbox = rect(0.0, 0.0, 1.0, 1.0);
    let one = found(vec![object(bbox, &["#."], true)], PLAIN);
    let other = found(vec![object(bbox, &["#."], false)], PLAIN);
    assert_eq!(one[0].rle, other[0].rle);
    assert_eq!(one[0].area_px, 40 * 60);
    // Not where the threshold is another one.
    let strict = MaskPolicy {
        threshold: 0.8,
        ..PLAIN
    };
    let one = found(vec![object(bbox, &["#."], true)], strict);
    let other = found(vec![object(bbox, &["#."], false)], strict);
    assert!(one[0].area_px > other[0].area_px);
}

#[test]
fn a_cropped_mask_ends_at_its_box_and_another_does_not() {
    let whole = ["####", "####"];
    let bbox = rect(0.25, 0.5, 0.75, 1.0);
    let mut cropped = object(bbox, &whole, true);
    if let Some(mask) = &mut cropped.mask {
        mask.cropped = true;
    }
    let got = found(vec![cropped], PLAIN);
    assert_eq!(got[0].area_px, 40 * 30);
    let pixels = decode_mask(&got[0].rle).unwrap();
    assert_eq!(
        (pixels[30 * 80 + 19], pixels[30 * 80 + 20], pixels[29 * 80 + 20]),
        (0, 1, 0)
    );
    let got = found(vec![object(bbox, &whole, true)], PLAIN);
    assert_eq!(got[0].area_px, 80 * 60);
    assert_eq!((got[0].bbox.x, got[0].bbox.width), (20, 40), "the network's box");
}

#[test]
fn an_object_without_a_box_has_that_around_its_mask() {
    let masked = Instance {
        bbox: None,
        ..object(UnitRect::WHOLE, &["....", ".##.", "....", "...."], true)
    };
    let got = found(vec![masked], PLAIN);
    let bbox = got[0].bbox;
    // Of 80 x 60 pixels: cells 1 and 2 of the second row, to where the interpolated logits are 0.
    assert_eq!((bbox.x, bbox.y, bbox.width, bbox.height), (20, 15, 40, 15));
}

#[test]
fn an_object_that_is_too_ragged_to_be_outlined_is_a_box_with_its_area() {
    // Every second column of 4,096, on as many rows: half a million runs and more.
    let stripes = "#.".repeat(1024);
    let rows = vec![stripes.as_str(); 2];
    let policy = MaskPolicy { grid: 4096, ..PLAIN };
    let photo = Size::new(4096, 3072);
    let found_on = |instance: Instance| {
        let segmentation = Segmentation {
            instances: vec![instance],
            ..Segmentation::default()
        };
        findings(
            &segmentation,
            &[class("dent", Report::Always, policy)],
            photo,
            false,
        )
    };
    let ragged = object(UnitRect::WHOLE, &rows, true);
    for bbox in [Some(UnitRect::WHOLE), None] {
        let got = found_on(Instance {
            bbox,
            ..ragged.clone()
        });
        assert_eq!(got.len(), 1);
        assert!(!got[0].outlined && got[0].polygons.is_empty());
        assert_eq!(got[0].probability, 0.7);
        // The area is that of the mask, half of the photo; the code is that of the box.
        assert!((got[0].area_share - 0.5).abs() < 0.01, "{}", got[0].area_share);
        assert!(got[0].rle.area() > got[0].area_px);
    }
    let smooth = found_on(object(UnitRect::WHOLE, &["##", "##"], true));
    assert!(smooth[0].outlined && smooth[0].polygons.len() == 1);
}

#[test]
fn an_object_without_a_mask_is_a_box_and_says_so() {
    let boxed = Instance {
        class: 0,
        score: 0.4,
        bbox: Some(rect(0.1, 0.1, 0.3, 0.3)),
        mask: None,
    };
    let got = found(vec![boxed], PLAIN);
    assert!(!got[0].outlined && got[0].polygons.is_empty());
    assert_eq!(
        (
            got[0].bbox.x,
            got[0].bbox.y,
            got[0].bbox.width,
            got[0].bbox.height
        ),
        (8, 6, 16, 12)
    );
    assert_eq!(got[0].area_px, 16 * 12);
}

#[test]
fn a_finer_grid_keeps_what_a_coarse_one_loses() {
    let line = object(
        rect(0.0, 0.0, 1.0, 1.0),
        &["................", ".......#........"],
        true,
    );
    let area = |grid| found(vec![line.clone()], MaskPolicy { grid, ..PLAIN })[0].area_px;
    let (fine, coarse) = (area(512), area(32));
    assert!(fine.abs_diff(coarse) > 0, "{fine} {coarse}");
    assert!(
        found(
            vec![line],
            MaskPolicy {
                area_min: 0.5,
                ..PLAIN
            }
        )
        .is_empty()
    );
}

#[test]
fn what_a_sure_class_covers_is_told_across_grids() {
    let classes = [
        class("dent", Report::Always, PLAIN),
        class("something", Report::Uncovered, MaskPolicy { grid: 40, ..PLAIN }),
    ];
    let whole = rect(0.0, 0.0, 1.0, 1.0);
    let dent = object(whole, &["#...", "...."], true);
    let covered = Instance {
        class: 1,
        ..object(whole, &["#...", "...."], true)
    };
    let apart = Instance {
        class: 1,
        ..object(whole, &["....", "...#"], true)
    };
    let segmentation = Segmentation {
        instances: vec![dent, covered, apart],
        ..Segmentation::default()
    };
    let names = |all| -> Vec<String> {
        findings(&segmentation, &classes, PHOTO, all)
            .into_iter()
            .map(|f| f.class)
            .collect()
    };
    assert_eq!(names(false), ["dent", "something"]);
    assert_eq!(names(true), ["dent", "something", "something"]);
}
