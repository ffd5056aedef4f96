//! Outputs that a manifest leaves unread though they look like objects: most likely the manifest is of another form.

use crate::manifest::{Head, NetworkSpec};
use ort::value::{Outlet, ValueType};

/// Columns that a box alone takes.
const COLUMNS_MIN: i64 = 4;
/// Rows are at least so many times the columns where objects are predicted on a grid.
const ROWS_TO_COLUMNS: i64 = 2;

/// A line for each output of a segmenter that looks like rows of objects, or like the masks of objects, and is not read.
pub(crate) fn unread_objects(spec: &NetworkSpec, outputs: &[Outlet]) -> Vec<String> {
    let unread = outputs
        .iter()
        .filter(|o| !spec.output_tensors.contains(&o.name().to_owned()));
    let looks = |outlet: &&Outlet| match (outlet.dtype(), &spec.head) {
        (ValueType::Tensor { shape, .. }, Head::Segmenter { .. } | Head::ClassMap { .. }) => {
            looks_like_rows(shape)
        }
        (ValueType::Tensor { shape, .. }, Head::Instances(form)) => {
            form.masks.is_none() && looks_like_masks(shape)
        }
        _ => false,
    };
    let line = |outlet: &Outlet| {
        let what = if matches!(spec.head, Head::Instances(_)) {
            "masks of the objects, and the findings will be boxes only"
        } else {
            "rows of objects: a network of form = \"instances\" has them, with its masks in another output"
        };
        format!(
            "network `{}`: output `{}` is not read, and looks like {what}",
            spec.name,
            outlet.name()
        )
    };
    unread.filter(looks).map(line).collect()
}

/// `[n, rows, columns]` or `[n, columns, rows]`, of which one axis is much longer; or `[rows, 4]` of a single photo.
fn looks_like_rows(shape: &[i64]) -> bool {
    match *shape {
        [_, 4] => true,
        [_, a, b] => {
            let (columns, rows) = (a.min(b), a.max(b));
            columns >= COLUMNS_MIN && rows >= ROWS_TO_COLUMNS * columns
        }
        _ => false,
    }
}

/// `[n, objects, h, w]`, `[objects, 1, h, w]`.
fn looks_like_masks(shape: &[i64]) -> bool {
    matches!(*shape, [_, _, h, w] if h != 1 && w != 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_maps() {
        for rows in [&[1, 116, 8400][..], &[-1, 300, 38], &[1, 100, 4], &[-1, 4]] {
            assert!(looks_like_rows(rows), "{rows:?}");
        }
        // Maps of deep supervision, scores of a classifier beside the maps, features.
        for other in [
            &[1, 64, 64][..],
            &[-1, 3, 64, 64],
            &[-1, 3],
            &[1, 2, 512],
            &[-1, -1, -1],
        ] {
            assert!(!looks_like_rows(other), "{other:?}");
        }
    }

    #[test]
    fn masks_are_told_from_features_of_one_cell() {
        assert!(looks_like_masks(&[1, 32, 160, 160]));
        assert!(looks_like_masks(&[-1, 1, 28, 28]));
        assert!(!looks_like_masks(&[1, 256, 1, 1]));
        assert!(!looks_like_masks(&[1, 300, 6]));
    }
}
