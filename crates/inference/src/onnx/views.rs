//! What each network sees of a photo.

use crate::manifest::Region;
use crate::network::{Network, View};
use crate::tiling::tiles;
use image::RgbImage;
use walkaround_domain::{Size, UnitRect};

/// What distinguishes a view from others of photos that are borrowed.
pub(super) fn address(view: &View<'_>) -> (usize, UnitRect) {
    (std::ptr::from_ref(view.photo).addr(), view.region)
}

/// The part of a photo that a network sees.
pub(super) fn seen(region: Region, vehicle: UnitRect) -> UnitRect {
    match region {
        Region::Photo => UnitRect::WHOLE,
        Region::Vehicle => vehicle,
    }
}

/// The views of one photo that a network gets: one, or its tiles.
pub(super) fn views<'a>(network: &Network, photo: &'a RgbImage, vehicle: UnitRect) -> Vec<View<'a>> {
    let region = seen(network.spec.region, vehicle);
    let cut = match network.spec.tiling {
        Some(tiling) => {
            let size = Size::new(photo.width(), photo.height());
            tiles(region, size, network.spec.input.size, tiling)
        }
        None => vec![region],
    };
    cut.into_iter().map(|region| View { photo, region }).collect()
}
