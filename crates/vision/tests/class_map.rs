//! Maps of class numbers: each cell is of one class, and no probability is made up.

use walkaround_domain::{Size, UnitRect};
use walkaround_vision::class_map::{Cells, ClassMap, NO_CLASS};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::mask::{ClassSpec, MaskPolicy, Report};

const PHOTO: Size = Size::new(80, 60);

fn class(name: &str, policy: MaskPolicy) -> ClassSpec {
    ClassSpec {
        name: name.into(),
        colour: [0; 3],
        report: Report::Always,
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

/// Cells of 20 by 20 pixels: class 0 in the upper left, class 1 beside it and in the lower right corner.
fn map(covers: UnitRect) -> ClassMap {
    const N: u8 = NO_CLASS;
    ClassMap {
        width: 4,
        height: 3,
        cells: Cells::Numbers(vec![0, 1, N, N, 0, N, N, N, N, N, N, 1]),
        covers,
    }
}

fn found(map: ClassMap, policy: MaskPolicy) -> Vec<(String, u64, f32)> {
    let segmentation = Segmentation {
        class_maps: vec![map],
        ..Segmentation::default()
    };
    let classes = [class("dent", policy), class("scratch", policy)];
    let found = findings(&segmentation, &classes, PHOTO, false);
    found
        .into_iter()
        .map(|f| (f.class, f.area_px, f.probability))
        .collect()
}

#[test]
fn the_nearest_cell_decides_and_each_region_is_a_finding() {
    let expected = [("dent", 800), ("scratch", 400), ("scratch", 400)];
    let expected = expected.map(|(name, area)| (name.to_owned(), area, 1.0));
    assert_eq!(found(map(UnitRect::WHOLE), PLAIN), expected);
}

#[test]
fn closing_and_the_least_area_hold_and_a_letterbox_is_cut_off() {
    let closing = MaskPolicy {
        closing: 0.1,
        ..PLAIN
    };
    let closed = found(map(UnitRect::WHOLE), closing);
    assert!(closed.iter().all(|(_, area, _)| *area >= 400), "{closed:?}");
    let large = MaskPolicy {
        area_min: 0.1,
        ..PLAIN
    };
    assert_eq!(found(map(UnitRect::WHOLE), large).len(), 1);
    let taller = UnitRect {
        x0: 0.0,
        y0: -0.5,
        x1: 1.0,
        y1: 1.0,
    };
    let cut: Vec<u64> = found(map(taller), PLAIN)
        .into_iter()
        .map(|(_, area, _)| area)
        .collect();
    assert_eq!(cut, [600, 600], "the upper row of cells lies above the photo");
}

#[test]
fn a_map_without_cells_or_with_too_few_is_nothing() {
    for (width, height) in [(0, 0), (4, 0), (5, 5)] {
        let broken = ClassMap {
            width,
            height,
            cells: Cells::Numbers(vec![]),
            covers: UnitRect::WHOLE,
        };
        assert!(found(broken, PLAIN).is_empty());
    }
}

/// Two columns of cells: background and class 0 change places. Interpolated scores meet in the middle when the logits are
/// alike, and further to one side when one is surer.
#[test]
fn scores_are_interpolated_before_the_best_is_taken() {
    for (logit, edge) in [(2.0, 40), (6.0, 50)] {
        let map = ClassMap {
            width: 2,
            height: 1,
            cells: Cells::Scores {
                classes: vec![NO_CLASS, 0],
                values: vec![-logit, 2.0, 0.0, 0.0],
                softmax: true,
            },
            covers: UnitRect::WHOLE,
        };
        // Between the centres at 20 and 60 pixels the background rises from -logit to 2.
        let expected = 20.0 + 40.0 * logit / (logit + 2.0);
        assert_eq!(expected, edge as f32);
        let found = found(map, PLAIN);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, edge * 60, "columns left of the edge");
        assert!(found[0].2 > 0.5 && found[0].2 < 1.0, "{}", found[0].2);
    }
}
