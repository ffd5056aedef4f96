//! What the boxes of a HEIF file say of its primary picture.

use super::pieces::Pieces;
use crate::decode::colours::Profile;
use heifer::Error;
use heifer::heifer_hevc_dec::nal::NalUnit;
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};
use walkaround_domain::Size;

/// Most coded pictures that one is put together from by `heifer`, which decodes each at any size up to the whole one's.
const PARTS_MAX: usize = 128;
/// How deep pictures are derived from others.
const DEPTH_MAX: u32 = 4;

/// How the primary picture is stored.
pub(super) struct Layout {
    /// Pixels before the crop and the turns.
    pub(super) coded: Size,
    /// What it is decoded from piece by piece; none where `heifer` puts it together.
    pub(super) pieces: Option<Pieces>,
    /// In their order.
    pub(super) turns: Vec<Turn>,
    upright: Size,
}

/// A turn that the container asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Quarters anti-clockwise.
    Quarters(u8),
    /// Exchanges top and bottom.
    TopBottom,
    /// Exchanges left and right.
    LeftRight,
}

impl Layout {
    pub(super) fn read(file: &HeifFile<'_>) -> Result<Self, Error> {
        let id = file.primary_id;
        let coded = size(file, id)?.ok_or(Error::Invalid("the picture has no size"))?;
        let (mut upright, mut turns, mut is_cropped) = (coded, Vec::new(), false);
        for property in file.item_properties(id)? {
            match *property {
                Property::Rotation(quarters) => {
                    turns.push(Turn::Quarters(quarters % 4));
                    if quarters % 2 == 1 {
                        upright = Size::new(upright.height, upright.width);
                    }
                }
                Property::Mirror(true) => turns.push(Turn::TopBottom),
                Property::Mirror(false) => turns.push(Turn::LeftRight),
                Property::CleanAperture { width, height, .. } => {
                    is_cropped = true;
                    let side = |(over, under): (u32, u32), whole: u32| {
                        over.checked_div(under).unwrap_or(0).min(whole)
                    };
                    upright = Size::new(side(width, upright.width), side(height, upright.height));
                }
                _ => {}
            }
        }
        let pieces = if is_cropped {
            None
        } else {
            pieces(file, id, coded)?
        };
        if pieces.is_none() {
            let mut left = PARTS_MAX;
            count_parts(file, id, 0, &mut left)?;
        }
        Ok(Self {
            coded,
            pieces,
            turns,
            upright,
        })
    }

    /// The size after the crop and the turns.
    pub(super) fn upright(&self) -> Size {
        self.upright
    }
}

fn size(file: &HeifFile<'_>, id: ItemId) -> Result<Option<Size>, Error> {
    let size = file.image_size(id)?;
    Ok(size.map(|(width, height)| Size::new(width, height)))
}

/// One coded picture or a grid of them, without transparency.
fn pieces(file: &HeifFile<'_>, id: ItemId, coded: Size) -> Result<Option<Pieces>, Error> {
    if has_alpha(file, id)? && !is_av1(file, id)? {
        return Ok(None);
    }
    match &file.item(id)?.item_type.0 {
        kind if is_coded(kind) => Pieces::new(vec![id], 1, coded, coded).map(Some),
        b"grid" => {
            let grid = file.grid(id)?;
            let tiles = file.referenced_items(id, b"dimg");
            let (columns, rows) = (usize::from(grid.columns), usize::from(grid.rows));
            if tiles.len() != columns * rows || tiles.is_empty() {
                return Err(Error::Invalid(
                    "grid tile count does not match its rows and columns",
                ));
            }
            if Size::new(grid.output_width, grid.output_height) != coded {
                return Err(Error::Invalid("the grid has another size than the picture"));
            }
            let Some(tile) = size(file, tiles[0])? else {
                return Ok(None);
            };
            for id in tiles {
                if !is_plain(file, *id)? {
                    return Ok(None);
                }
            }
            Pieces::new(tiles.to_vec(), columns, tile, coded).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether an item is a coded picture without a crop, a turn or transparency of its own.
fn is_plain(file: &HeifFile<'_>, id: ItemId) -> Result<bool, Error> {
    let changes = |property: &Property| {
        matches!(
            property,
            Property::CleanAperture { .. } | Property::Rotation(_) | Property::Mirror(_)
        )
    };
    Ok(is_coded(&file.item(id)?.item_type.0)
        && !file.item_properties(id)?.any(changes)
        && (is_av1(file, id)? || !has_alpha(file, id)?))
}

/// Whether a kind of items holds a coded picture of a kind that is decoded here.
fn is_coded(kind: &[u8; 4]) -> bool {
    kind == b"hvc1" || (cfg!(feature = "avif") && kind == b"av01")
}

/// Whether a picture, or the first one of a grid, is coded with AV1: `heifer` knows the container alone.
fn is_av1(file: &HeifFile<'_>, id: ItemId) -> Result<bool, Error> {
    let first = file.referenced_items(id, b"dimg").first().copied().unwrap_or(id);
    Ok(file.item(id)?.item_type.0 == *b"av01" || file.item(first)?.item_type.0 == *b"av01")
}

fn has_alpha(file: &HeifFile<'_>, id: ItemId) -> Result<bool, Error> {
    const ALPHA: [&str; 2] = [
        "urn:mpeg:hevc:2015:auxid:1",
        "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    ];
    for auxiliary in file.referencing_items(id, b"auxl") {
        let is_alpha = |property: &Property| matches!(property, Property::AuxiliaryType(kind) if ALPHA.contains(&kind.as_str()));
        if file.item_properties(auxiliary)?.any(is_alpha) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts what `heifer` would decode for an item, auxiliary pictures included.
fn count_parts(file: &HeifFile<'_>, id: ItemId, depth: u32, left: &mut usize) -> Result<(), Error> {
    *left = left
        .checked_sub(1)
        .ok_or(Error::Invalid("it is put together from too many pictures"))?;
    if depth == DEPTH_MAX {
        return Ok(());
    }
    for part in file.referenced_items(id, b"dimg") {
        count_parts(file, *part, depth + 1, left)?;
    }
    for part in file.referencing_items(id, b"auxl") {
        count_parts(file, part, depth + 1, left)?;
    }
    Ok(())
}

/// The colours of the primary picture: its ICC profile or that of its first piece, or what either says by number.
pub(super) fn profile(file: &HeifFile<'_>) -> Result<Profile, Error> {
    let mut id = file.primary_id;
    let mut coded = None;
    for _ in 0..DEPTH_MAX {
        for property in file.item_properties(id)? {
            match property {
                Property::Color(ColorInfo::Icc(icc)) if !icc.is_empty() => {
                    return Ok(Profile::found(Some(icc.clone())));
                }
                Property::Color(ColorInfo::Nclx {
                    primaries, transfer, ..
                }) => coded = coded.or(Some((*primaries, *transfer))),
                _ => {}
            }
        }
        coded = coded.or(coded_colours(file, id)?);
        match file.referenced_items(id, b"dimg").first() {
            Some(first) => id = *first,
            None => break,
        }
    }
    Ok(coded.map_or(Profile::None, |(primaries, transfer)| {
        by_number(primaries, transfer)
    }))
}

/// Numbers of ITU-T H.273, tables 2 and 3. Curves of standard range are all shown like sRGB's; those of high range (16, 18)
/// are not converted.
fn by_number(primaries: u16, transfer: u16) -> Profile {
    match (primaries, transfer) {
        (12, 1 | 2 | 6 | 13 | 14 | 15) => Profile::DisplayP3,
        (9, 1 | 2 | 6 | 13 | 14 | 15) => Profile::Bt2020,
        _ => Profile::None,
    }
}

/// Primaries and curve that the parameter sets of a coded picture say, where they say both.
fn coded_colours(file: &HeifFile<'_>, id: ItemId) -> Result<Option<(u16, u16)>, Error> {
    const UNSPECIFIED: u8 = 2;
    let Some(config) = file.hevc_config(id)? else {
        return Ok(None);
    };
    let mut sets = ParameterSets::default();
    for unit in &config.nal_units {
        sets.add(&NalUnit::parse(unit)?)?;
    }
    let said = sets.sps.iter().flatten().find_map(|sps| {
        let vui = sps.vui.as_ref()?;
        let (primaries, transfer) = (vui.colour_primaries, vui.transfer_characteristics);
        (primaries != UNSPECIFIED && transfer != UNSPECIFIED).then_some((primaries, transfer))
    });
    Ok(said.map(|(primaries, transfer)| (primaries.into(), transfer.into())))
}
