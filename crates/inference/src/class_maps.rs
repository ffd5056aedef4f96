//! Maps in which the best class counts: the form `classes` with the number of a class at each cell, and maps of scores that
//! are decided by `argmax`.

use crate::manifest::{Activation, MapLayout};
use crate::outputs::{MapForm, PROBABILITY_SLACK, Raw, no_probability, sigmoid};
use walkaround_vision::class_map::{Cells, ClassMap, NO_CLASS};

/// The map of one view: `[h, w]` or `[1, h, w]` class numbers; `channels` is the class of each.
pub(crate) fn class_map(raw: &Raw<'_>, channels: &[Option<usize>]) -> Result<ClassMap, String> {
    let (height, width) = match *raw.shape {
        [height, width] | [1, height, width] if height > 0 && width > 0 => (height, width),
        _ => {
            return Err(format!(
                "a map of class numbers is [n, h, w] or [n, 1, h, w], not [n, {:?}]",
                raw.shape
            ));
        }
    };
    let known = indices(channels);
    let cell = |&number: &f32| {
        let index = number as usize;
        match known.get(index) {
            Some(&class) if index as f32 == number => Ok(class),
            _ => Err(format!(
                "class number {number}: the manifest names {} channels, 0 to {}",
                known.len(),
                known.len() - 1
            )),
        }
    };
    Ok(ClassMap {
        width,
        height,
        cells: Cells::Numbers(raw.values.iter().map(cell).collect::<Result<_, _>>()?),
        covers: raw.covers,
    })
}

/// The map of one view whose scores decide: `[channels, h, w]`, or `[h, w, channels]` with the other layout.
pub(crate) fn best_of(raw: &Raw<'_>, form: &MapForm<'_>) -> Result<ClassMap, String> {
    let count = form.channels.len();
    let (height, width) = match (form.layout, raw.shape) {
        (MapLayout::Nchw, &[c, height, width]) | (MapLayout::Nhwc, &[height, width, c])
            if c == count && height > 0 && width > 0 =>
        {
            (height, width)
        }
        _ => {
            return Err(format!(
                "the output is [n, {:?}], expected {count} channels",
                raw.shape
            ));
        }
    };
    let mut values = match form.layout {
        MapLayout::Nchw => raw.values.to_vec(),
        MapLayout::Nhwc => (0..count)
            .flat_map(|c| raw.values[c..].iter().step_by(count).copied())
            .collect(),
    };
    match form.activation {
        Activation::Softmax => {}
        Activation::Sigmoid => values.iter_mut().for_each(|v| *v = sigmoid(*v)),
        Activation::None => {
            let range = -PROBABILITY_SLACK..=1.0 + PROBABILITY_SLACK;
            if let Some(value) = values.iter().find(|v| !range.contains(*v)) {
                return Err(no_probability(*value));
            }
        }
    }
    Ok(ClassMap {
        width,
        height,
        cells: Cells::Scores {
            classes: indices(form.channels),
            values,
            softmax: form.activation == Activation::Softmax,
        },
        covers: raw.covers,
    })
}

/// A class is at most the 64th, so its index fits.
fn indices(channels: &[Option<usize>]) -> Vec<u8> {
    let index = |class: &Option<usize>| class.and_then(|c| u8::try_from(c).ok()).unwrap_or(NO_CLASS);
    channels.iter().map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::{best_of, class_map};
    use crate::manifest::{Activation, MapLayout};
    use crate::outputs::MapForm;
    use crate::outputs::Raw;
    use walkaround_domain::UnitRect;
    use walkaround_vision::class_map::{Cells, NO_CLASS};

    fn raw<'a>(shape: &'a [usize], values: &'a [f32]) -> Raw<'a> {
        Raw {
            shape,
            values,
            covers: UnitRect::WHOLE,
        }
    }

    #[test]
    fn numbers_become_classes_and_others_are_refused() {
        let channels = [None, Some(3), Some(0)];
        for shape in [&[2_usize, 2] as &[usize], &[1, 2, 2]] {
            let map = class_map(&raw(shape, &[0.0, 1.0, 2.0, 1.0]), &channels).unwrap();
            assert_eq!((map.width, map.height), (2, 2));
            assert_eq!(map.cells, Cells::Numbers(vec![NO_CLASS, 3, 0, 3]));
        }
        for wrong in [3.0, -1.0, 0.5, f32::NAN, 255.0] {
            let values = [wrong];
            let error = class_map(&raw(&[1, 1], &values), &channels).unwrap_err();
            assert!(error.contains("names 3 channels"), "{error}");
        }
        let error = class_map(&raw(&[2, 1, 2], &[0.0; 4]), &channels).unwrap_err();
        assert!(error.contains("[n, h, w]"), "{error}");
    }

    #[test]
    fn scores_lie_alike_in_both_layouts() {
        let nchw = [1.0, 2.0, 3.0, 4.0];
        let nhwc = [1.0, 3.0, 2.0, 4.0];
        let form = |layout| MapForm {
            activation: Activation::Softmax,
            layout,
            channels: &[None, Some(1)],
        };
        let one = best_of(&raw(&[2, 1, 2], &nchw), &form(MapLayout::Nchw)).unwrap();
        let other = best_of(&raw(&[1, 2, 2], &nhwc), &form(MapLayout::Nhwc)).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.share(1), 1.0);
        let logits = MapForm {
            activation: Activation::None,
            ..form(MapLayout::Nchw)
        };
        let error = best_of(&raw(&[2, 1, 2], &nchw), &logits).unwrap_err();
        assert!(error.contains("softmax"), "{error}");
        let error = best_of(&raw(&[3, 1, 2], &[0.0; 6]), &form(MapLayout::Nchw)).unwrap_err();
        assert!(error.contains("expected 2 channels"), "{error}");
    }
}
