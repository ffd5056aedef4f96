//! Annotations that are in shares or in percent of the photo instead of in pixels.
//!
//! Shares (0 to 1) are certain: a region in pixels is larger. Percent are certain where an annotation states its box in
//! pixels, too. Otherwise the whole file decides: photos are mostly larger than 100 pixels, and damage is not always in
//! their top left corner.

use super::annotations::{Image, Shape, StatedSize};
use super::outline::Outline;
use super::rings::Rings;
use crate::fault::{AnnotationFault, Unit};
use walkaround_domain::Size;

/// Outlines of which all lie within the first 100 pixels by a smaller chance than this are in percent.
const CHANCE_MIN: f64 = 0.05;

/// Refuses a file whose outlines are all in another unit.
///
/// # Errors
/// [`AnnotationFault::OtherUnit`], with the first of them.
pub(crate) fn check(images: &[Image]) -> Result<(), AnnotationFault> {
    let unit = if all_may_be(images, Unit::Shares) {
        Unit::Shares
    } else if all_may_be(images, Unit::Percent) && is_percent(images) {
        Unit::Percent
    } else {
        return Ok(());
    };
    for image in images {
        if let Some(shape) = image.shapes.iter().find(|shape| rings(shape).is_some()) {
            return Err(AnnotationFault::OtherUnit {
                unit,
                annotation: shape.annotation.clone(),
                image: image.file_name.clone(),
            });
        }
    }
    Ok(())
}

/// The first outline of an image without a stated size, when its outlines are most likely in percent.
pub(crate) fn looks_like_percent(image: &Image, size: Size) -> Option<&Shape> {
    let is_percent = image.size == StatedSize::Missing
        && all_may_be(std::slice::from_ref(image), Unit::Percent)
        && chance(size) < CHANCE_MIN;
    let mut shapes = image.shapes.iter().filter(|_| is_percent);
    shapes.find(|shape| rings(shape).is_some())
}

/// Of outlines that are all in the range of percent, whether they are percent.
fn is_percent(images: &[Image]) -> bool {
    let mut all = 1.0;
    for image in images {
        let StatedSize::Of(size) = image.size else {
            continue;
        };
        let mut outlines = image.shapes.iter().filter_map(rings).peekable();
        if outlines.peek().is_some() {
            all *= chance(size);
        }
        if outlines.any(|rings| rings.other_unit(size) == Some(Unit::Percent)) {
            return true;
        }
    }
    all < CHANCE_MIN
}

/// How likely the damage of a photo is to lie within its first 100 pixels.
fn chance(size: Size) -> f64 {
    let share = |side: u32| (100.0 / f64::from(side)).min(1.0);
    share(size.width) * share(size.height)
}

/// Whether there are polygons, and all of them are in the range of a unit.
fn all_may_be(images: &[Image], unit: Unit) -> bool {
    let mut any = false;
    for shape in images.iter().flat_map(|image| &image.shapes) {
        match &shape.outline {
            Outline::Rings(rings) if rings.may_be(unit) => any = true,
            Outline::BoxOnly(_) | Outline::Fault(_) => {}
            // Beside these a polygon of one pixel may be a slip of the hand; its photo is left out then.
            Outline::Runs { .. } | Outline::Text { .. } if unit == Unit::Percent => {}
            _ => return false,
        }
    }
    any
}

fn rings(shape: &Shape) -> Option<&Rings> {
    match &shape.outline {
        Outline::Rings(rings) => Some(rings),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn image(size: StatedSize, ring: &Value, stated_box: &Value) -> Image {
        Image {
            file_name: "a.jpg".to_owned(),
            size,
            shapes: vec![Shape {
                category: 0,
                annotation: "7".to_owned(),
                outline: Outline::read(&json!([ring]), stated_box),
            }],
        }
    }

    fn refused(images: &[Image]) -> Option<Unit> {
        match check(images) {
            Ok(()) => None,
            Err(AnnotationFault::OtherUnit { unit, .. }) => Some(unit),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_file_is_refused_when_all_of_it_is_in_another_unit() {
        let large = StatedSize::Of(Size::new(1600, 1200));
        let small = StatedSize::Of(Size::new(300, 200));
        let none = json!(null);
        let pixels = image(large, &json!([100, 100, 300, 100, 300, 200]), &none);
        let corner = json!([10.5, 20, 90, 20, 90, 40]);
        let shares = json!([0.1, 0.2, 0.9, 0.2, 0.9, 0.4]);
        let first = |size, ring| image(size, ring, &none);
        for (images, unit) in [
            (
                vec![first(large, &shares), first(large, &shares)],
                Some(Unit::Shares),
            ),
            (vec![first(StatedSize::Missing, &shares)], Some(Unit::Shares)),
            (vec![first(large, &corner)], Some(Unit::Percent)),
            // One small picture proves nothing; two do.
            (vec![first(small, &corner)], None),
            (
                (0..2).map(|_| first(small, &corner)).collect(),
                Some(Unit::Percent),
            ),
            (
                vec![image(small, &corner, &json!([31.5, 40, 238.5, 40]))],
                Some(Unit::Percent),
            ),
            (vec![first(StatedSize::Missing, &corner)], None),
            (vec![], None),
        ] {
            assert_eq!(refused(&images), unit, "{images:?}");
        }
        assert_eq!(refused(&[first(large, &corner), pixels]), None);
    }

    #[test]
    fn without_a_stated_size_the_photo_decides() {
        let corner = image(
            StatedSize::Missing,
            &json!([10.5, 20, 90, 20, 90, 40]),
            &json!(null),
        );
        let found = |size| looks_like_percent(&corner, size).map(|shape| shape.annotation.as_str());
        assert_eq!(found(Size::new(1600, 1200)), Some("7"));
        assert_eq!(found(Size::new(300, 200)), None);
    }
}
