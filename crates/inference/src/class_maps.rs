//! The form `classes`: the number of a class at each cell.

use crate::outputs::Raw;
use walkaround_vision::class_map::{ClassMap, NO_CLASS};

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
    // A class is at most the 64th, so its index fits.
    let known: Vec<u8> = channels
        .iter()
        .map(|class| class.and_then(|c| u8::try_from(c).ok()).unwrap_or(NO_CLASS))
        .collect();
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
        cells: raw.values.iter().map(cell).collect::<Result<_, _>>()?,
        covers: raw.covers,
    })
}

#[cfg(test)]
mod tests {
    use super::class_map;
    use crate::outputs::Raw;
    use walkaround_domain::UnitRect;
    use walkaround_vision::class_map::NO_CLASS;

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
            assert_eq!(map.cells, [NO_CLASS, 3, 0, 3]);
        }
        for wrong in [3.0, -1.0, 0.5, f32::NAN, 255.0] {
            let values = [wrong];
            let error = class_map(&raw(&[1, 1], &values), &channels).unwrap_err();
            assert!(error.contains("names 3 channels"), "{error}");
        }
        let error = class_map(&raw(&[2, 1, 2], &[0.0; 4]), &channels).unwrap_err();
        assert!(error.contains("[n, h, w]"), "{error}");
    }
}
