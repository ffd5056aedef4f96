//! HEIC: what phones store.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use std::path::PathBuf;
use support_decode::*;
use walkaround_domain::{ReasonCode, Size};
use walkaround_vision::decode::{Format, Limits, decode, inspect_header};

#[test]
fn a_heic_is_decoded_and_shrunk() {
    let picture = drawn(1203, 802);
    let bytes = heic(&picture, None);
    assert_shows(&bytes, &picture, 3.0);
    let header = inspect_header(&bytes, &Limits::default(), 400).unwrap();
    assert_eq!(
        (header.format, header.upright),
        (Format::Heic, Size::new(1203, 802))
    );
    let small = decode(&bytes, &Limits::default(), 400).unwrap();
    assert_eq!(small.pixels.dimensions(), (401, 268));
    assert_eq!(small.original, Size::new(1203, 802));
}

#[test]
fn the_container_turns_and_exif_does_not_turn_again() {
    // Even sides: of odd ones the encoder crops, and the order of crop and turn counts.
    let picture = drawn(300, 200);
    let bytes = heic(&picture, None);
    for (quarters, turned) in [
        (0, picture.clone()),
        (1, image::imageops::rotate270(&picture)),
        (2, image::imageops::rotate180(&picture)),
        (3, image::imageops::rotate90(&picture)),
    ] {
        let bytes = heic_turned(&bytes, quarters);
        assert_shows(&bytes, &turned, 3.0);
        let header = inspect_header(&bytes, &Limits::default(), 300).unwrap();
        assert_eq!((header.orientation, header.upright.width), (1, turned.width()));
    }
}

#[test]
fn transparent_parts_are_white() {
    let picture = drawn(200, 100);
    let decoded = decode(&heic(&picture, Some(0)), &Limits::default(), 200).unwrap();
    let darkest = decoded.pixels.as_raw().iter().min().unwrap();
    assert!(*darkest >= 250, "{darkest}");
}

#[test]
fn limits_are_checked_before_anything_is_decoded() {
    let bytes = heic(&drawn(640, 480), None);
    let tight = Limits {
        pixels_max: 300_000,
        ..Limits::default()
    };
    assert_eq!(
        decode(&bytes, &tight, 640).unwrap_err().code,
        ReasonCode::TooLarge
    );
    let tight = Limits {
        decode_bytes_max: 3_000_000,
        ..Limits::default()
    };
    assert_eq!(
        decode(&bytes, &tight, 640).unwrap_err().code,
        ReasonCode::TooLarge
    );
    // A size that the coded picture does not have is no way around them.
    let mut lies = bytes.clone();
    let size = [
        b"ispe\0\0\0\0".as_slice(),
        &640_u32.to_be_bytes(),
        &480_u32.to_be_bytes(),
    ]
    .concat();
    let at = lies.windows(size.len()).position(|bytes| bytes == size).unwrap() + 8;
    lies[at..at + 8].copy_from_slice(&[0, 0, 0, 64, 0, 0, 0, 64]);
    assert_eq!(
        decode(&lies, &Limits::default(), 64).unwrap_err().code,
        ReasonCode::Unreadable
    );
}

#[test]
fn a_heic_that_is_cut_is_no_half_picture() {
    let bytes = heic(&busy(640, 480), None);
    for share in [10, 50, 90, 99] {
        let reason = decode(&bytes[..bytes.len() * share / 100], &Limits::default(), 640).unwrap_err();
        let codes = [ReasonCode::CutShort, ReasonCode::Unreadable];
        assert!(codes.contains(&reason.code), "{share}: {reason}");
    }
}

/// Those of phones turn and cut their pictures into tiles. `WALKAROUND_PHOTOS` names the folder of real photos.
#[test]
fn photos_of_phones_are_upright_and_whole() {
    let folder = std::env::var_os("WALKAROUND_PHOTOS").map(|folder| PathBuf::from(folder).join("other"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("skipped: WALKAROUND_PHOTOS names no folder with a folder `other`");
        return;
    };
    let mut seen = 0;
    for (name, size) in [
        ("n04_iphone13pm.HEIC", Size::new(3024, 4032)),
        ("n05_nokia.heif", Size::new(4608, 3456)),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let decoded = decode(&bytes, &Limits::default(), 1600).unwrap();
        assert_eq!((decoded.original, decoded.format), (size, Format::Heic), "{name}");
        assert_eq!(decoded.pixels.width() * 2, size.width, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}
