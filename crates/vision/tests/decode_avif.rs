//! AVIF: what browsers, some phones and web tools store. `data/*.avif` were written by Pillow and imagecodecs (libavif).
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use heifer::heifer_isobmff::HeifFile;
use image::imageops;
use support_decode::*;
use walkaround_domain::photo_end::ends_early;
use walkaround_domain::{ReasonCode, Size};
use walkaround_vision::decode::{Format, Limits, decode, inspect_header};

const DRAWN: &[u8] = include_bytes!("data/drawn.avif");
const FULL_COLOUR: &[u8] = include_bytes!("data/full_colour.avif");
const TEN_BITS: &[u8] = include_bytes!("data/ten_bits.avif");
const TWELVE_BITS: &[u8] = include_bytes!("data/twelve_bits.avif");
const ALPHA: &[u8] = include_bytes!("data/alpha.avif");
const TURNED: &[u8] = include_bytes!("data/turned.avif");

#[test]
fn avifs_show_the_picture() {
    let picture = drawn(96, 64);
    for (name, bytes) in [
        ("4:2:0", DRAWN),
        ("4:4:4", FULL_COLOUR),
        ("10 bits", TEN_BITS),
        ("12 bits, 4:2:2", TWELVE_BITS),
        ("with transparency, which is not looked at", ALPHA),
    ] {
        let decoded = whole(bytes).unwrap();
        assert_eq!(
            (decoded.format, decoded.original),
            (Format::Avif, Size::new(96, 64)),
            "{name}"
        );
        let off = difference(&decoded.pixels, &picture);
        assert!(off <= 3.0, "{name}: differs by {off}");
        let half = decode(bytes, &Limits::default(), 48).unwrap();
        assert_eq!(half.pixels.dimensions(), (48, 32), "{name}");
        let off = difference(&half.pixels, &drawn(48, 32));
        assert!(off <= 4.0, "{name}, shrunk: differs by {off}");
    }
    assert_shows(TURNED, &imageops::rotate90(&picture), 3.0);
}

#[test]
fn limits_of_an_avif_are_checked_before_anything_is_decoded() {
    for tight in [
        Limits {
            pixels_max: 6000,
            ..Limits::default()
        },
        Limits {
            decode_bytes_max: 10_000,
            ..Limits::default()
        },
    ] {
        assert_eq!(
            inspect_header(DRAWN, &tight, 96).unwrap_err().code,
            ReasonCode::TooLarge
        );
    }
    // A size that the coded picture does not have is no way around them: smaller, and larger.
    let at = DRAWN.windows(4).position(|name| name == b"ispe").unwrap() + 8;
    for (width, height) in [(20_u32, 20_u32), (960, 640)] {
        let mut lies = DRAWN.to_vec();
        lies[at..at + 8].copy_from_slice(&[width.to_be_bytes(), height.to_be_bytes()].concat());
        let limits = Limits {
            side_min: 16,
            ..Limits::default()
        };
        let reason = decode(&lies, &limits, 96).map(|decoded| decoded.pixels.dimensions());
        match width {
            // Padding to whole blocks is allowed for; what the header says is shown.
            20 => assert_eq!(reason.unwrap(), (20, 20)),
            _ => assert_eq!(reason.unwrap_err().code, ReasonCode::Unreadable),
        }
    }
}

#[test]
fn an_avif_that_is_cut_is_no_half_picture() {
    for length in [30, DRAWN.len() / 2, DRAWN.len() - 100, DRAWN.len() - 1] {
        let reason = whole(&DRAWN[..length]).unwrap_err();
        let codes = [ReasonCode::CutShort, ReasonCode::Unreadable];
        assert!(codes.contains(&reason.code), "{length}: {reason}");
        assert!(ends_early(&DRAWN[..length]), "{length}");
    }
    assert!(!ends_early(DRAWN));
}

#[test]
fn a_grid_of_tiles_is_one_picture() {
    let tile = HeifFile::parse(DRAWN).unwrap();
    let coded = tile.item_data(tile.primary_id).unwrap();
    let file = grid(&coded, Size::new(96, 64), 3, 2);
    let picture = drawn(96, 64);
    let decoded = whole(&file).unwrap();
    assert_eq!(decoded.original, Size::new(3 * 96, 2 * 64));
    for (column, row) in [(0, 0), (2, 0), (1, 1)] {
        let part = imageops::crop_imm(&decoded.pixels, column * 96, row * 64, 96, 64).to_image();
        let off = difference(&part, &picture);
        assert!(off <= 3.0, "{column}, {row}: differs by {off}");
    }
    // Tiles that do not cover it.
    let mut wrong = file.clone();
    let columns = wrong.windows(4).position(|bytes| bytes == [0, 0, 1, 2]).unwrap() + 3;
    wrong[columns] = 3;
    assert_eq!(whole(&wrong).unwrap_err().code, ReasonCode::Unreadable);
}

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = (8 + content.len() as u32).to_be_bytes();
    [&length, name.as_slice(), content].concat()
}

fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

/// The smallest file with a grid of one tile again and again (ISO/IEC 23008-12, 6.6.2.3): item 1 is the grid, item 2 the
/// tile.
fn grid(tile: &[u8], size: Size, columns: u16, rows: u16) -> Vec<u8> {
    let whole = Size::new(size.width * u32::from(columns), size.height * u32::from(rows));
    // Version, flags, rows and columns less one, sides of 16 bits.
    let mut description = vec![0, 0, (rows - 1) as u8, (columns - 1) as u8];
    description.extend((whole.width as u16).to_be_bytes());
    description.extend((whole.height as u16).to_be_bytes());
    let sized = |size: Size| {
        let content = [[0; 4], number(size.width), number(size.height)].concat();
        boxed(b"ispe", &content)
    };
    let item = |id: u8, kind: &[u8; 4]| {
        boxed(
            b"infe",
            &[&[2, 0, 0, 0, 0, id, 0, 0], kind.as_slice(), &[0]].concat(),
        )
    };
    let tiles = u16::from_be_bytes([0, (columns * rows) as u8]);
    let mut reference = [&[0, 1][..], &tiles.to_be_bytes()].concat();
    reference.extend([0, 2].repeat(usize::from(tiles)));
    let properties = [sized(whole), sized(size)].concat();
    let associations = [0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 1, 0, 2, 1, 2];
    let meta = |data_at: u32| {
        // Offsets and lengths of four bytes; two items of one extent each.
        let mut places = vec![0, 0, 0, 0, 0x44, 0, 0, 2];
        let at_tile = data_at + description.len() as u32;
        for (id, at, length) in [(1, data_at, description.len()), (2, at_tile, tile.len())] {
            places.extend([0, id, 0, 0, 0, 1]);
            places.extend([number(at), number(length as u32)].concat());
        }
        let content = [
            vec![0; 4],
            boxed(b"hdlr", &[&[0; 8], b"pict".as_slice(), &[0; 13]].concat()),
            boxed(b"pitm", &[0, 0, 0, 0, 0, 1]),
            boxed(
                b"iinf",
                &[vec![0, 0, 0, 0, 0, 2], item(1, b"grid"), item(2, b"av01")].concat(),
            ),
            boxed(b"iref", &[vec![0; 4], boxed(b"dimg", &reference)].concat()),
            boxed(
                b"iprp",
                &[boxed(b"ipco", &properties), boxed(b"ipma", &associations)].concat(),
            ),
            boxed(b"iloc", &places),
        ];
        boxed(b"meta", &content.concat())
    };
    let start = boxed(b"ftyp", b"avif\0\0\0\0avifmif1");
    let data_at = (start.len() + meta(0).len() + 8) as u32;
    let data = boxed(b"mdat", &[&description, tile].concat());
    [start, meta(data_at), data].concat()
}
