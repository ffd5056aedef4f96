//! A coded picture, or a grid of them: each is decoded by itself and shrunk at once, so that the whole picture is never
//! held at full size.

use super::shrink::{Planes, RowSums};
use crate::decode::other::shrunk_size;
use heifer::Error;
use heifer::color::{ColorParams, frame_to_rgba_into};
use heifer::heifer_hevc_dec::Error as CodedError;
use heifer::heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer::heifer_hevc_dec::recon::Frame;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};
use image::RgbImage;
use walkaround_domain::Size;

/// Three planes of 16 bits at full size.
const PLANE_BYTES_PER_PIXEL: u64 = 6;
/// What decoding needs for each pixel besides its planes: modes and strengths of blocks, copies for filters.
const DECODER_BYTES_PER_PIXEL: u64 = 6;

/// Tiles of a grid have at least so many pixels a side (MIAF, ISO/IEC 23000-22, 7.3.11.4.2). Smaller ones would be mostly
/// padding.
const TILE_SIDE_MIN: u32 = 64;

/// How `heifer-hevc-dec` 0.3 says that a picture is over the limit given.
const TOO_LARGE: &str = "picture larger than";

/// How far a coded picture may be larger than its header says, a side: it is padded to whole blocks.
const PADDING_MAX: u64 = 64;

/// Pixels of a coded picture of a size, padded.
pub(super) fn padded(size: Size) -> u64 {
    (u64::from(size.width) + PADDING_MAX) * (u64::from(size.height) + PADDING_MAX)
}

/// Tiles of one size, row by row.
pub(super) struct Pieces {
    items: Vec<ItemId>,
    columns: usize,
    tile: Size,
    coded: Size,
}

impl Pieces {
    /// `tile` is the size of each item, `coded` of the picture.
    ///
    /// # Errors
    /// The tiles do not cover the picture, or some lie beside it: they would be decoded for nothing. Or they are tiny.
    pub(super) fn new(items: Vec<ItemId>, columns: usize, tile: Size, coded: Size) -> Result<Self, Error> {
        let rows = items.len() / columns.max(1);
        let covers = |count: usize, tile: u32, whole: u32| {
            tile > 0 && whole > 0 && count as u64 == u64::from(whole.div_ceil(tile))
        };
        if !covers(columns, tile.width, coded.width) || !covers(rows, tile.height, coded.height) {
            return Err(Error::Invalid("the tiles of the grid do not cover it"));
        }
        if items.len() > 1 && tile.width.min(tile.height) < TILE_SIDE_MIN {
            return Err(Error::Invalid("the tiles of the grid are under 64 pixels a side"));
        }
        Ok(Self {
            items,
            columns,
            tile,
            coded,
        })
    }

    /// Working memory of [`Self::decode`] besides its result, in bytes.
    pub(super) fn decode_bytes(&self, factor: u32) -> u64 {
        let (one, row) = (padded(self.tile), padded(self.tile) * self.columns as u64);
        let converted = if factor == 1 { 4 * one } else { 0 };
        row * PLANE_BYTES_PER_PIXEL + one * DECODER_BYTES_PER_PIXEL + converted
    }

    /// Decodes and shrinks by `factor`.
    pub(super) fn decode(&self, file: &HeifFile<'_>, factor: u32) -> Result<RgbImage, Error> {
        let shrunk = shrunk_size(self.coded, factor);
        let mut pixels = RgbImage::new(shrunk.width, shrunk.height);
        let mut sums = RowSums::new(self.coded, factor);
        for (row, items) in self.items.chunks(self.columns).enumerate() {
            let top = row as u32 * self.tile.height;
            let height = self.tile.height.min(self.coded.height - top);
            if factor == 1 {
                self.convert_row(file, items, top, &mut pixels)?;
                continue;
            }
            let frames = items
                .iter()
                .map(|id| self.frame(file, *id, factor))
                .collect::<Result<Vec<_>, _>>()?;
            for y in 0..height {
                for (column, (frame, colours)) in frames.iter().enumerate() {
                    let left = column as u32 * self.tile.width;
                    let width = self.tile.width.min(self.coded.width - left);
                    sums.add(
                        &Planes {
                            frame,
                            colours: *colours,
                        },
                        y as usize,
                        left as usize..(left + width) as usize,
                    );
                }
                sums.end_row(&mut pixels);
            }
        }
        Ok(pixels)
    }

    /// Tile by tile, at full size.
    fn convert_row(
        &self,
        file: &HeifFile<'_>,
        items: &[ItemId],
        top: u32,
        pixels: &mut RgbImage,
    ) -> Result<(), Error> {
        let stride = 3 * self.coded.width as usize;
        for (column, id) in items.iter().enumerate() {
            let left = column * self.tile.width as usize;
            let width = (self.tile.width as usize).min(self.coded.width as usize - left);
            let height = self.tile.height.min(self.coded.height - top) as usize;
            let (frame, colours) = self.frame(file, *id, 1)?;
            let mut rgba = vec![0; 4 * width * height];
            let mut rows: Vec<&mut [u8]> = rgba.chunks_exact_mut(4 * width).collect();
            frame_to_rgba_into(&frame, colours, &mut rows, width, height);
            let to = pixels.chunks_exact_mut(stride).skip(top as usize);
            for (from, to) in rgba.chunks_exact(4 * width).zip(to) {
                let to = &mut to[3 * left..3 * (left + width)];
                for (from, to) in from.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<3>().0) {
                    to.copy_from_slice(&from[..3]);
                }
            }
        }
        Ok(())
    }

    /// Decodes one tile, to be shrunk by `factor`.
    fn frame(&self, file: &HeifFile<'_>, id: ItemId, factor: u32) -> Result<(Frame, ColorParams), Error> {
        // What the memory and the time were counted for: a header may lie.
        let pixels_max = padded(self.tile);
        let frame = match &file.item(id)?.item_type.0 {
            #[cfg(feature = "avif")]
            b"av01" => super::av1::decode(file.item_data(id)?.into_owned(), pixels_max)?,
            _ => hevc(file, id, pixels_max, factor)?,
        };
        if frame.widths[0] < self.tile.width || frame.heights[0] < self.tile.height {
            return Err(Error::Invalid("a picture is smaller than its header says"));
        }
        let said = file.item_properties(id)?.find_map(|property| match property {
            Property::Color(ColorInfo::Nclx {
                matrix, full_range, ..
            }) => Some(ColorParams {
                matrix: *matrix,
                full_range: *full_range,
            }),
            _ => None,
        });
        let colours = said.unwrap_or_else(|| ColorParams::from_frame(&frame));
        Ok((frame, colours))
    }
}

/// Decodes a picture coded with HEVC. Where it is shrunk, without the filters that smooth the edges of its blocks: they
/// change less than shrinking evens out, as nothing else is predicted from what they leave.
fn hevc(file: &HeifFile<'_>, id: ItemId, pixels_max: u64, factor: u32) -> Result<Frame, Error> {
    let options = DecodeOptions {
        max_pixels: pixels_max,
        skip_loop_filters: factor > 1,
        ..DecodeOptions::default()
    };
    match decode_picture(&file.hevc_bitstream(id)?, options) {
        Err(CodedError::Unimplemented(what)) if what.starts_with(TOO_LARGE) => {
            Err(Error::Invalid("a picture is larger than its header says"))
        }
        decoded => Ok(decoded?),
    }
}
