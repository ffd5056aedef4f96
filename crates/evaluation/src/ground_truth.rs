//! What is truly damaged on one photo, as run-length codes in pixels of the upright original.

use crate::coco::{StatedSize, looks_like_percent};
use crate::error::Unscorable;
use crate::fault::{OutlineFault, Unit};
use crate::mapping::CountsAs;
use crate::photo_set::Label;
use walkaround_domain::{Rle, Size};
use walkaround_vision::rle::{self, RleError};

/// The annotated regions of one photo, by what they count as.
#[derive(Debug, Clone, Default)]
pub struct AnnotatedMasks {
    /// Damage by class of the bundle: one list a class.
    pub by_class: Vec<Vec<Rle>>,
    /// Damage of no class of the bundle.
    pub any_damage: Vec<Rle>,
    /// Left out of every score.
    pub ignored: Vec<Rle>,
}

/// The truth about one photo.
#[derive(Debug, Clone)]
pub struct GroundTruth {
    /// By class of the bundle.
    pub classes: Vec<Rle>,
    /// Everything that counts as damage.
    pub any: Rle,
    /// `any`, and what is to be left out besides.
    pub any_or_ignored: Rle,
    /// What the photo is to a gate.
    pub damage: Damage,
}

/// What a photo is to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There is damage.
    Damaged,
    /// There is none.
    Undamaged,
    /// Only regions that are left out: neither.
    OnlyIgnored,
}

impl GroundTruth {
    /// The truth in a photo of the given upright size, for a bundle of that many classes.
    ///
    /// # Errors
    /// When the annotations do not fit the photo.
    pub fn of(label: &Label, size: Size, classes: usize) -> Result<Self, Unscorable> {
        let mut masks = AnnotatedMasks {
            by_class: vec![Vec::new(); classes],
            ..AnnotatedMasks::default()
        };
        if let Label::Annotated { image, counts_as } = label {
            check_size(image.size, size)?;
            if let Some(shape) = looks_like_percent(image, size) {
                return Err(Unscorable::Annotation {
                    annotation: shape.annotation.clone(),
                    fault: OutlineFault::OtherUnit(Unit::Percent),
                });
            }
            for shape in &image.shapes {
                let mask = shape.mask(size)?;
                match counts_as[shape.category] {
                    CountsAs::Class(class) => masks.by_class[class].push(mask),
                    CountsAs::AnyDamage => masks.any_damage.push(mask),
                    CountsAs::Ignored => masks.ignored.push(mask),
                }
            }
        }
        Ok(Self::from_masks(size, &masks)?)
    }

    /// The truth that these masks are, in a photo of the given upright size.
    ///
    /// # Errors
    /// When a mask is not of that size.
    pub fn from_masks(size: Size, masks: &AnnotatedMasks) -> Result<Self, RleError> {
        let join = |masks: &[Rle]| rle::union(size, &masks.iter().collect::<Vec<_>>());
        let classes = masks
            .by_class
            .iter()
            .map(|masks| join(masks))
            .collect::<Result<Vec<_>, _>>()?;
        let any = rle::union(size, &classes.iter().chain(&masks.any_damage).collect::<Vec<_>>())?;
        let ignored = join(&masks.ignored)?;
        let any_or_ignored = rle::union(size, &[&any, &ignored])?;
        let damage = match (any.area(), ignored.area()) {
            (0, 0) => Damage::Undamaged,
            (0, _) => Damage::OnlyIgnored,
            _ => Damage::Damaged,
        };
        Ok(Self {
            classes,
            any,
            any_or_ignored,
            damage,
        })
    }
}

/// Annotations of another size would be scored in the wrong place.
fn check_size(stated: StatedSize, upright: Size) -> Result<(), Unscorable> {
    match stated {
        StatedSize::Missing => Ok(()),
        StatedSize::Of(size) if size == upright => Ok(()),
        StatedSize::Of(size) if size == Size::new(upright.height, upright.width) => {
            Err(Unscorable::OnItsSide)
        }
        StatedSize::Of(_) => Err(Unscorable::OtherSize),
        StatedSize::Invalid => Err(Unscorable::InvalidSize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(pixels: [u8; 4]) -> Rle {
        rle::encode_mask(Size::new(4, 1), &pixels)
    }

    #[test]
    fn masks_are_joined_by_what_they_count_as() {
        let masks = AnnotatedMasks {
            by_class: vec![vec![mask([1, 0, 0, 0]), mask([0, 1, 0, 0])], vec![]],
            any_damage: vec![mask([0, 0, 1, 0])],
            ignored: vec![mask([0, 0, 1, 1])],
        };
        let truth = GroundTruth::from_masks(Size::new(4, 1), &masks).unwrap();
        assert_eq!(truth.classes, [mask([1, 1, 0, 0]), mask([0; 4])]);
        assert_eq!(truth.any, mask([1, 1, 1, 0]));
        assert_eq!(truth.any_or_ignored, mask([1; 4]));
        assert_eq!(truth.damage, Damage::Damaged);
    }

    #[test]
    fn a_photo_with_ignored_regions_only_is_neither_damaged_nor_undamaged() {
        let mut masks = AnnotatedMasks::default();
        let damage = |masks: &AnnotatedMasks| GroundTruth::from_masks(Size::new(4, 1), masks).unwrap().damage;
        assert_eq!(damage(&masks), Damage::Undamaged);
        masks.ignored.push(mask([1, 0, 0, 0]));
        assert_eq!(damage(&masks), Damage::OnlyIgnored);
    }

    #[test]
    fn annotations_of_another_size_are_refused() {
        let upright = Size::new(4, 1);
        for (stated, result) in [
            (StatedSize::Missing, Ok(())),
            (StatedSize::Of(upright), Ok(())),
            (StatedSize::Of(Size::new(1, 4)), Err(Unscorable::OnItsSide)),
            (StatedSize::Of(Size::new(8, 2)), Err(Unscorable::OtherSize)),
            (StatedSize::Invalid, Err(Unscorable::InvalidSize)),
        ] {
            assert_eq!(check_size(stated, upright), result);
        }
    }
}
