//! The outline of one annotation: polygons or a run-length code.

use super::rings::{Bounds, Rings};
use super::value::whole;
use crate::fault::OutlineFault;
use serde_json::Value;
use walkaround_domain::{Rle, Size};
use walkaround_vision::rle;

/// An outline, or why there is none.
#[derive(Debug)]
pub(crate) enum Outline {
    /// Polygons.
    Rings(Rings),
    /// Run lengths; the size is height, width.
    Runs { size: [u32; 2], counts: Vec<u32> },
    /// Compressed run lengths; the size is height, width.
    Text { size: [u32; 2], counts: String },
    /// None: there is a box only.
    BoxOnly(Bounds),
    /// It cannot be used.
    Fault(OutlineFault),
}

impl Outline {
    /// From the fields `segmentation` and `bbox` of an annotation.
    pub(crate) fn read(segmentation: &Value, stated_box: &Value) -> Self {
        let stated_box = Bounds::stated(stated_box);
        let outline = match segmentation {
            Value::Null => Ok(None),
            Value::Array(list) => Rings::read(list, stated_box).map(|rings| rings.map(Self::Rings)),
            Value::Object(_) => Self::code(segmentation).map(Some),
            _ => Err(OutlineFault::UnknownForm),
        };
        match outline {
            Ok(Some(outline)) => outline,
            Ok(None) => stated_box.map_or(Self::Fault(OutlineFault::Missing), Self::BoxOnly),
            Err(fault) => Self::Fault(fault),
        }
    }

    /// A run-length code.
    fn code(value: &Value) -> Result<Self, OutlineFault> {
        let size = value["size"].as_array().map_or(&[][..], Vec::as_slice);
        let size: Option<Vec<u32>> = size.iter().map(whole).collect();
        let Some(&[height, width]) = size.as_deref() else {
            return Err(OutlineFault::UnknownForm);
        };
        let size = [height, width];
        match &value["counts"] {
            Value::String(counts) => Ok(Self::Text {
                size,
                counts: counts.clone(),
            }),
            Value::Array(counts) => {
                let counts: Option<Vec<u32>> = counts.iter().map(whole).collect();
                let counts = counts.ok_or(OutlineFault::BadRuns)?;
                Ok(Self::Runs { size, counts })
            }
            _ => Err(OutlineFault::UnknownForm),
        }
    }

    /// The region in a photo of the given size; it has at least one pixel.
    pub(crate) fn mask(&self, size: Size) -> Result<Rle, OutlineFault> {
        let mask = match self {
            Self::Rings(rings) => {
                if let Some(unit) = rings.other_unit(size) {
                    return Err(OutlineFault::OtherUnit(unit));
                }
                rle::from_polygons(size, &rings.rings)?
            }
            Self::Runs { size: stated, counts } => {
                check_size(*stated, size)?;
                let mask = Rle {
                    size,
                    counts: counts.clone(),
                };
                // A union of one checks the counts.
                rle::union(size, &[&mask])?
            }
            Self::Text { size: stated, counts } => {
                check_size(*stated, size)?;
                rle::from_string(size, counts)?
            }
            Self::BoxOnly(_) => return Err(OutlineFault::BoxOnly),
            Self::Fault(fault) => return Err(fault.clone()),
        };
        match self {
            _ if mask.area() > 0 => Ok(mask),
            Self::Rings(rings) if rings.are_outside(size) => Err(OutlineFault::Outside),
            _ => Err(OutlineFault::NoPixel),
        }
    }
}

fn check_size([height, width]: [u32; 2], size: Size) -> Result<(), OutlineFault> {
    if Size::new(width, height) == size {
        Ok(())
    } else {
        Err(OutlineFault::OtherCodeSize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SIZE: Size = Size {
        width: 40,
        height: 20,
    };

    fn mask(segmentation: &Value) -> Result<Rle, OutlineFault> {
        Outline::read(segmentation, &Value::Null).mask(SIZE)
    }

    fn area(segmentation: &Value) -> u64 {
        mask(segmentation)
            .unwrap_or_else(|fault| panic!("{segmentation}: {fault}"))
            .area()
    }

    #[test]
    fn one_region_is_read_in_every_form() {
        let code = mask(&json!([[2, 2, 12, 2, 12, 12, 2, 12]])).unwrap();
        let floats: Vec<f64> = code.counts.iter().map(|&count| f64::from(count)).collect();
        for form in [
            json!([2, 2, 12, 2, 12, 12, 2, 12]),
            json!([[[2, 2], [12, 2], [12, 12], [2, 12]]]),
            json!([[2, 2], [12, 2], [12, 12], [2, 12]]),
            json!([["2", "2", 12.0, 2, 12, 12, 2, 12]]),
            json!([[2, 2, 12, 2, 12, 12, 2, 12], [1, 1, 1, 1]]),
            json!([[2, 2, 12, 2, 12, 12, 2, 12], [], [1, 1, 3, 3, 9, 9]]),
            json!({"size": [20, 40], "counts": code.counts}),
            json!({"size": [20.0, "40"], "counts": floats}),
            json!({"size": [20, 40], "counts": rle::to_string(&code)}),
        ] {
            assert_eq!(mask(&form), Ok(code.clone()), "{form}");
        }
        // What lies outside is cut off.
        assert_eq!(area(&json!([[-10, -10, 5, -10, 5, 5, -10, 5]])), 25);
        // Where a ring crosses itself its signed area may be zero.
        assert_eq!(area(&json!([[0, 0, 10, 10, 10, 0, 0, 10]])), 50);
    }

    #[test]
    fn what_is_no_region_is_refused_with_its_reason() {
        for (segmentation, fault) in [
            (json!(null), OutlineFault::Missing),
            (json!([]), OutlineFault::Missing),
            (json!([[]]), OutlineFault::Missing),
            (json!("[[2, 2, 12, 2, 12, 12]]"), OutlineFault::UnknownForm),
            (
                json!([{"size": [20, 40], "counts": "x"}]),
                OutlineFault::UnknownForm,
            ),
            (json!([[2, 2, 12, 2, 12, 12], 7]), OutlineFault::UnknownForm),
            (json!({"counts": [800]}), OutlineFault::UnknownForm),
            (
                json!({"size": [20, 40], "counts": [-1, 801]}),
                OutlineFault::BadRuns,
            ),
            (
                json!({"size": [40, 20], "counts": [0, 800]}),
                OutlineFault::OtherCodeSize,
            ),
            (json!({"size": [20, 40], "counts": [800]}), OutlineFault::NoPixel),
            (json!([[1, 1, 9, 9]]), OutlineFault::BadRing),
            (json!([[1, 1, 9, 9, 5]]), OutlineFault::BadRing),
            (json!([[[1, 1, 1], [9, 9, 1], [5, 1, 1]]]), OutlineFault::BadRing),
            (json!([[1, 1, 5, 5, 9, 9]]), OutlineFault::NoPixel),
            (json!([[3.6, 3.6, 4.4, 3.6, 4.4, 4.4]]), OutlineFault::NoPixel),
            (json!([[50, 0, 60, 0, 60, 10]]), OutlineFault::Outside),
            (json!([[-9, -9, -1, -9, -1, -1]]), OutlineFault::Outside),
            (json!([[1, 1, 9, null, 5, 5]]), OutlineFault::Coordinate),
            (json!([[1, 1, 9, "?", 5, 5]]), OutlineFault::Coordinate),
            (json!([[1, 1, 9, 1e30, 5, 5]]), OutlineFault::Coordinate),
        ] {
            assert_eq!(mask(&segmentation), Err(fault), "{segmentation}");
        }
        let boxed = Outline::read(&json!([]), &json!([1, 1, 9, 9]));
        assert_eq!(boxed.mask(SIZE), Err(OutlineFault::BoxOnly));
        let no_box = Outline::read(&json!([]), &json!([1, 1, 0, 0]));
        assert_eq!(no_box.mask(SIZE), Err(OutlineFault::Missing));
        let counts = mask(&json!({"size": [20, 40], "counts": [1]})).unwrap_err();
        assert!(matches!(counts, OutlineFault::Mask(_)), "{counts}");
    }
}
