//! Each family's tensors, small enough to be worked out by hand.

use super::*;
use crate::manifest::{Activation, MaskForm, MaskFrame, RowTensor};

const INPUT: Size = Size::new(100, 100);

fn raw<'a>(shape: &'a [usize], values: &'a [f32]) -> Raw<'a> {
    Raw {
        shape,
        values,
        covers: UnitRect::WHOLE,
    }
}

fn rows(tensor: &str, columns: &[Column]) -> RowTensor {
    RowTensor {
        tensor: tensor.into(),
        columns: columns.to_vec(),
        columns_first: false,
    }
}

fn form(rows: Vec<RowTensor>, channels: &[Option<usize>]) -> InstanceForm {
    InstanceForm {
        purpose: Role::Segmenter,
        rows,
        channels: channels.to_vec(),
        activation: Activation::None,
        threshold: 0.25,
        each: false,
        overlap: None,
        unit: Unit::Pixels,
        masks: None,
    }
}

fn yolo() -> InstanceForm {
    use Column::{Classes, Cx, Cy, H, W};
    InstanceForm {
        overlap: Some(0.5),
        ..form(
            vec![rows("output0", &[Cx, Cy, W, H, Classes])],
            &[Some(0), Some(1)],
        )
    }
}

/// Rows of centre, size and two class scores.
const YOLO_ROWS: [[f32; 6]; 4] = [
    [50.0, 50.0, 20.0, 20.0, 0.9, 0.1],
    [52.0, 50.0, 20.0, 20.0, 0.8, 0.1],
    [51.0, 50.0, 20.0, 20.0, 0.1, 0.7],
    [10.0, 10.0, 10.0, 10.0, 0.2, 0.1],
];

fn found(instances: &[Instance]) -> Vec<(usize, f32)> {
    instances.iter().map(|i| (i.class, i.score)).collect()
}

#[test]
fn suppression_is_by_class_and_rows_may_lie_along_either_axis() {
    let by_row: Vec<f32> = YOLO_ROWS.concat();
    let by_column: Vec<f32> = (0..6).flat_map(|c| YOLO_ROWS.map(|row| row[c])).collect();
    for (shape, values) in [([4, 6], by_row), ([6, 4], by_column)] {
        let got = instances(&[raw(&shape, &values)], &yolo(), INPUT).unwrap();
        assert_eq!(found(&got), [(0, 0.9), (1, 0.7)], "{shape:?}");
        let b = got[0].bbox.unwrap();
        let off = [b.x0 - 0.4, b.y0 - 0.4, b.x1 - 0.6, b.y1 - 0.6];
        assert!(off.iter().all(|d| d.abs() < 1e-6), "{b:?}");
        assert_eq!(got[0].mask, None);
    }
}

#[test]
fn without_suppression_each_row_above_the_threshold_stays() {
    let form = InstanceForm {
        overlap: None,
        ..yolo()
    };
    let got = instances(&[raw(&[4, 6], &YOLO_ROWS.concat())], &form, INPUT).unwrap();
    assert_eq!(found(&got), [(0, 0.9), (0, 0.8), (1, 0.7)]);
}

#[test]
fn as_many_rows_as_columns_lie_as_the_graph_declares_and_another_width_is_refused() {
    let mut square = YOLO_ROWS.concat();
    square.extend([0.0; 12]);
    let by_row = instances(&[raw(&[6, 6], &square)], &yolo(), INPUT).unwrap();
    assert_eq!(found(&by_row), [(0, 0.9), (1, 0.7)]);
    let by_column: Vec<f32> = (0..36).map(|i| square[i % 6 * 6 + i / 6]).collect();
    let mut form = yolo();
    form.rows[0].columns_first = true;
    assert_eq!(
        instances(&[raw(&[6, 6], &by_column)], &form, INPUT).unwrap(),
        by_row
    );
    let error = instances(&[raw(&[4, 7], &[0.5; 28])], &yolo(), INPUT).unwrap_err();
    assert!(error.contains("6 columns"), "{error}");
}

#[test]
fn scores_that_are_no_probabilities_name_the_likely_cause() {
    let mut values = YOLO_ROWS.concat();
    values[4] = 4.25;
    let error = instances(&[raw(&[4, 6], &values)], &yolo(), INPUT).unwrap_err();
    assert!(error.contains("4.25") && error.contains("sigmoid"), "{error}");
}

/// torchvision: boxes, labels and scores apart; 0 is the background.
#[test]
fn columns_of_several_tensors_make_one_row() {
    use Column::{Class, Score, X0, X1, Y0, Y1};
    let form = form(
        vec![
            rows("boxes", &[X0, Y0, X1, Y1]),
            rows("labels", &[Class]),
            rows("scores", &[Score]),
        ],
        &[None, Some(0), Some(1)],
    );
    let boxes = [0.0, 0.0, 50.0, 50.0, 10.0, 10.0, 20.0, 20.0, 0.0, 0.0, 9.0, 9.0];
    let outputs = [
        raw(&[3, 4], &boxes),
        raw(&[3], &[2.0, 0.0, 1.0]),
        raw(&[3], &[0.6, 0.9, 0.3]),
    ];
    let got = instances(&outputs, &form, INPUT).unwrap();
    assert_eq!(found(&got), [(1, 0.6), (0, 0.3)]);
    let wrong = [
        raw(&[3, 4], &boxes),
        raw(&[3], &[2.0, 0.0, 7.0]),
        raw(&[3], &[0.6; 3]),
    ];
    assert!(
        instances(&wrong, &form, INPUT)
            .unwrap_err()
            .contains("class number 7")
    );
    let short = [raw(&[3, 4], &boxes), raw(&[2], &[2.0, 0.0]), raw(&[3], &[0.6; 3])];
    assert!(instances(&short, &form, INPUT).unwrap_err().contains("has 2"));
}

#[test]
fn rows_of_zeros_are_padding_whatever_their_class_number() {
    use Column::{Class, Score, X0, X1, Y0, Y1};
    let form = form(
        vec![rows("output0", &[X0, Y0, X1, Y1, Score, Class])],
        &[None, Some(0)],
    );
    let values = [10.0, 10.0, 30.0, 30.0, 0.9, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let got = instances(&[raw(&[2, 6], &values)], &form, INPUT).unwrap();
    assert_eq!(found(&got), [(0, 0.9)]);
}

/// RF-DETR: shares, logits, and a last column that says no class.
#[test]
fn with_logits_an_unnamed_column_says_no_class_and_with_probabilities_it_is_another_thing() {
    use Column::{Classes, Cx, Cy, H, W};
    let mut form = form(
        vec![rows("dets", &[Cx, Cy, W, H]), rows("labels", &[Classes])],
        &[Some(0), None],
    );
    form.unit = Unit::Share;
    form.activation = Activation::Sigmoid;
    let outputs = [raw(&[1, 4], &[0.5, 0.5, 0.2, 0.2]), raw(&[1, 2], &[0.0, 3.0])];
    assert_eq!(found(&instances(&outputs, &form, INPUT).unwrap()), [(0, 0.5)]);
    form.activation = Activation::None;
    let outputs = [raw(&[1, 4], &[0.5, 0.5, 0.2, 0.2]), raw(&[1, 2], &[0.5, 0.9])];
    assert_eq!(found(&instances(&outputs, &form, INPUT).unwrap()), []);
}

#[test]
fn softmax_counts_the_unnamed_column_and_objectness_multiplies() {
    use Column::{Classes, Cx, Cy, H, Object, W};
    let mut form = form(vec![rows("all", &[Cx, Cy, W, H, Classes])], &[Some(0), None]);
    form.activation = Activation::Softmax;
    let row = [50.0, 50.0, 20.0, 20.0, 1.0, 1.0];
    assert_eq!(
        found(&instances(&[raw(&[1, 6], &row)], &form, INPUT).unwrap()),
        [(0, 0.5)]
    );
    form.activation = Activation::None;
    form.rows = vec![rows("all", &[Cx, Cy, W, H, Object, Classes])];
    let row = [50.0, 50.0, 20.0, 20.0, 0.5, 0.8, 0.1];
    assert_eq!(
        found(&instances(&[raw(&[1, 7], &row)], &form, INPUT).unwrap()),
        [(0, 0.4)]
    );
}

fn with_masks(frame: MaskFrame, columns: &[Column], activation: Activation) -> InstanceForm {
    InstanceForm {
        masks: Some(MaskForm {
            tensor: "masks".into(),
            frame,
            activation,
            in_score: false,
        }),
        ..form(vec![rows("rows", columns)], &[Some(0)])
    }
}

#[test]
fn a_mask_from_prototypes_is_their_weighted_sum_where_the_box_is() {
    use Column::{Class, Coefficients, Score, X0, X1, Y0, Y1};
    let form = with_masks(
        MaskFrame::View,
        &[X0, Y0, X1, Y1, Score, Class, Coefficients],
        Activation::Sigmoid,
    );
    // Two prototypes of 4 x 4 cells: all ones, and the number of the column.
    let prototypes: Vec<f32> = (0..32)
        .map(|i| if i < 16 { 1.0 } else { (i % 4) as f32 })
        .collect();
    let row = [50.0, 50.0, 100.0, 100.0, 0.9, 0.0, -5.0, 2.0];
    let got = instances(&[raw(&[1, 8], &row), raw(&[2, 4, 4], &prototypes)], &form, INPUT).unwrap();
    let mask = got[0].mask.as_ref().unwrap();
    assert!(mask.cropped && mask.logits);
    // Columns 1 to 3: the box begins at column 2, and one more is kept for interpolation.
    assert_eq!((mask.grid.width, mask.grid.height), (3, 3));
    assert_eq!(mask.grid.values[..3], [-3.0, -1.0, 1.0]);
    assert_eq!(mask.grid.covers.x0, 0.25);
}

#[test]
fn a_mask_over_the_view_is_kept_where_it_is_something() {
    use Column::{Class, Score, X0, X1, Y0, Y1};
    let form = with_masks(MaskFrame::View, &[X0, Y0, X1, Y1, Score, Class], Activation::None);
    let mut masks = vec![0.0; 2 * 64];
    masks[64 + 3 * 8 + 4] = 0.9;
    let values = [
        0.0, 0.0, 9.0, 9.0, 0.1, 0.0, //
        40.0, 30.0, 60.0, 50.0, 0.9, 0.0,
    ];
    for shape in [&[2, 8, 8][..], &[2, 1, 8, 8]] {
        let got = instances(&[raw(&[2, 6], &values), raw(shape, &masks)], &form, INPUT).unwrap();
        let grid = &got[0].mask.as_ref().unwrap().grid;
        assert_eq!((grid.width, grid.height), (3, 3));
        assert_eq!(grid.values[4], 0.9);
        assert_eq!((grid.covers.x0, grid.covers.y0), (0.375, 0.25));
    }
    let error = instances(
        &[raw(&[2, 6], &values), raw(&[1, 8, 8], &masks[..64])],
        &form,
        INPUT,
    )
    .unwrap_err();
    assert!(error.contains("1 masks"), "{error}");
}

#[test]
fn without_boxes_the_mask_tells_the_place_and_how_sure_the_network_is_of_it() {
    let mut form = with_masks(MaskFrame::View, &[Column::Classes], Activation::Sigmoid);
    form.channels = vec![Some(0), None];
    form.activation = Activation::Softmax;
    form.each = true;
    if let Some(masks) = &mut form.masks {
        masks.in_score = true;
    }
    // Three queries: a sure one with a sure mask, a sure one whose mask is hardly one, one that says "nothing".
    let scores = [5.0, 0.0, 5.0, 0.0, 0.0, 5.0];
    let mut masks = vec![-8.0; 3 * 16];
    masks[..16].fill(8.0);
    masks[16..32].fill(0.2);
    let got = instances(&[raw(&[3, 2], &scores), raw(&[3, 4, 4], &masks)], &form, INPUT).unwrap();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|object| object.bbox.is_none()));
    let class = 1.0 / (1.0 + (-5.0f32).exp());
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    for (object, mask) in got.iter().zip([8.0, 0.2]) {
        assert!(
            (object.score - class * logistic(mask)).abs() < 1e-5,
            "{}",
            object.score
        );
    }
    form.threshold = 0.6;
    let got = instances(&[raw(&[3, 2], &scores), raw(&[3, 4, 4], &masks)], &form, INPUT).unwrap();
    assert_eq!(
        got.len(),
        1,
        "the class alone is above the threshold, with its mask it is not"
    );
}

#[test]
fn a_mask_over_its_box_fades_at_the_edge() {
    use Column::{Class, Score, X0, X1, Y0, Y1};
    let form = with_masks(MaskFrame::Box, &[X0, Y0, X1, Y1, Score, Class], Activation::None);
    let values = [20.0, 20.0, 40.0, 60.0, 0.9, 0.0];
    let got = instances(
        &[raw(&[1, 6], &values), raw(&[1, 1, 2, 2], &[1.0; 4])],
        &form,
        INPUT,
    )
    .unwrap();
    let grid = &got[0].mask.as_ref().unwrap().grid;
    assert_eq!((grid.width, grid.height), (4, 4));
    assert_eq!(grid.values.iter().sum::<f32>(), 4.0);
    let covers = grid.covers;
    assert!(
        (covers.x0 - 0.1).abs() < 1e-6 && (covers.y1 - 0.8).abs() < 1e-6,
        "{covers:?}"
    );
}

#[test]
fn there_are_never_more_than_the_bound_and_the_best_stay() {
    let many: Vec<f32> = (0..1000)
        .flat_map(|i| {
            let at = (i % 30) as f32 * 3.0 + 2.0;
            let down = (i / 30) as f32 * 2.5 + 2.0;
            [at, down, 1.0, 1.0, 0.3 + i as f32 * 0.0005, 0.0]
        })
        .collect();
    let got = instances(&[raw(&[1000, 6], &many)], &yolo(), INPUT).unwrap();
    assert_eq!(got.len(), INSTANCES_MAX);
    assert!((got[0].score - (0.3 + 999.0 * 0.0005)).abs() < 1e-5);
}

/// A YOLO that knows persons, cars and dogs is a locator: the best car, whatever else is more certain.
#[test]
fn the_best_wanted_object_is_the_vehicle_and_its_score_a_gate() {
    use Column::{Class, Score, X0, X1, Y0, Y1};
    let values = [
        [0.0, 0.0, 50.0, 50.0, 0.9, 0.0],
        [10.0, 20.0, 130.0, 60.0, 0.8, 2.0],
        [20.0, 20.0, 60.0, 60.0, 0.7, 2.0],
        [0.0, 0.0, 5.0, 5.0, 0.95, 77.0],
    ]
    .concat();
    let outputs = [raw(&[4, 6], &values)];
    let with = |purpose, threshold| InstanceForm {
        purpose,
        threshold,
        ..form(
            vec![rows("output0", &[X0, Y0, X1, Y1, Score, Class])],
            &[None, None, Some(0)],
        )
    };
    let found = best_vehicle(&outputs, &with(Role::Locator, 0.5), INPUT).unwrap();
    let Vehicle::Found { region, score } = found else {
        panic!("{found:?}");
    };
    let edges = [region.x0, region.y0, region.x1, region.y1];
    let apart = edges
        .iter()
        .zip([0.1, 0.2, 1.0, 0.6])
        .map(|(a, b): (&f32, f32)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-6, "{edges:?}");
    assert_eq!(score, 0.8);
    let absent = best_vehicle(&outputs, &with(Role::Locator, 0.85), INPUT).unwrap();
    assert_eq!(absent, Vehicle::Absent);
    let p = best_score(&outputs, &with(Role::Gate, 0.85), INPUT).unwrap();
    assert_eq!(p, 0.8, "a gate's probability is not cut at its threshold");
    let nothing = best_score(&[raw(&[0, 6], &[])], &with(Role::Gate, 0.5), INPUT).unwrap();
    assert_eq!(nothing, 0.0);
    let error = instances(&outputs, &with(Role::Segmenter, 0.5), INPUT).unwrap_err();
    assert!(error.contains("class number 77"), "{error}");
}

/// RF-DETR and RT-DETR: a query may be two objects, one of each class.
#[test]
fn each_class_of_a_row_counts_where_the_family_says_so() {
    use Column::{Classes, Cx, Cy, H, W};
    let values = [
        [0.5, 0.5, 0.2, 0.2, 2.0, 1.0, 9.0],
        [0.1, 0.1, 0.1, 0.1, -9.0, 0.5, -9.0],
    ]
    .concat();
    let mut form = InstanceForm {
        activation: Activation::Sigmoid,
        threshold: 0.6,
        unit: Unit::Share,
        ..form(
            vec![rows("rows", &[Cx, Cy, W, H, Classes])],
            &[Some(0), Some(1), None],
        )
    };
    let classes = |form: &InstanceForm| -> Vec<usize> {
        let found = instances(&[raw(&[2, 7], &values)], form, INPUT).unwrap();
        found.iter().map(|i| i.class).collect()
    };
    assert_eq!(classes(&form), [0, 1]);
    form.each = true;
    assert_eq!(classes(&form), [0, 1, 1]);
}
