//! What is truly damaged on one photo, as run-length codes in pixels of the upright original.

use super::mapping::CountsAs;
use super::sets::Known;
use walkaround_domain::{Rle, Size};
use walkaround_vision::rle::{self, RleError};

/// The truth about one photo.
pub(crate) struct Truth {
    /// By class of the bundle.
    pub classes: Vec<Rle>,
    /// Everything that counts as damage.
    pub any: Rle,
    /// `any`, and what is to be left out besides.
    pub any_or_ignored: Rle,
    pub damage: Damage,
}

/// What a photo is to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Damaged,
    Undamaged,
    /// Only regions that are left out: neither.
    OnlyIgnored,
}

impl Truth {
    /// The truth in a photo of the given upright size.
    ///
    /// # Errors
    /// Why the photo cannot be scored, in words that are the same for all photos with this fault.
    pub(crate) fn of(known: &Known, size: Size, classes: usize) -> Result<Self, String> {
        let mut by_class: Vec<Vec<Rle>> = vec![Vec::new(); classes];
        let (mut unknown_kind, mut ignored) = (Vec::new(), Vec::new());
        if let Known::Annotated { image, counts_as } = known {
            check_size(image.size, size)?;
            for shape in &image.shapes {
                let mask = shape.mask(size)?;
                match counts_as[shape.category] {
                    CountsAs::Class(class) => by_class[class].push(mask),
                    CountsAs::AnyDamage => unknown_kind.push(mask),
                    CountsAs::Ignored => ignored.push(mask),
                }
            }
        }
        Self::from_masks(size, (&by_class, &unknown_kind, &ignored)).map_err(|e| e.to_string())
    }

    fn from_masks(
        size: Size,
        (by_class, unknown_kind, ignored): (&[Vec<Rle>], &[Rle], &[Rle]),
    ) -> Result<Self, RleError> {
        let join = |masks: &[Rle]| rle::union(size, &masks.iter().collect::<Vec<_>>());
        let classes = by_class
            .iter()
            .map(|masks| join(masks))
            .collect::<Result<Vec<_>, _>>()?;
        let any = rle::union(size, &classes.iter().chain(unknown_kind).collect::<Vec<_>>())?;
        let ignored = join(ignored)?;
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
fn check_size(stated: Option<Size>, upright: Size) -> Result<(), String> {
    match stated {
        Some(size) if size == Size::new(upright.height, upright.width) && size != upright => Err(
            "annotated lying on its side: width and height are swapped (EXIF orientation not applied)"
                .to_owned(),
        ),
        Some(size) if size != upright => Err("annotated at another size than the photo has".to_owned()),
        _ => Ok(()),
    }
}
