//! JPEG files as phones, cameras and converters write them, against the standard or beside it: the picture is whole, so
//! it is inspected. What Pillow's strict load decodes to the last pixel is the yardstick. Each kind stands beside
//! files with the same oddity that do lack a part: those stay unusable.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use image::RgbImage;
use support_decode::*;
use turbojpeg::{Colorspace, PixelFormat, Subsamp};
use walkaround_domain::ReasonCode;

/// A baseline JPEG of 96 x 64 pixels with restart markers.
const RESTART: &[u8] = include_bytes!("data/restart.jpg");

#[track_caller]
fn assert_same(bytes: &[u8], plain: &[u8], what: &str) {
    let expected = whole(plain).unwrap().pixels;
    match whole(bytes) {
        Ok(decoded) => assert_eq!(decoded.pixels, expected, "{what}"),
        Err(reason) => panic!("{what}: {reason}"),
    }
}

/// Offsets of these markers.
fn markers(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<usize> {
    let pairs = bytes.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| pair[0] == 0xff && wanted(pair[1]))
        .map(|(at, _)| at)
        .collect()
}

fn scan_headers(bytes: &[u8]) -> Vec<usize> {
    markers(bytes, |marker| marker == 0xda)
}

fn restarts(bytes: &[u8]) -> Vec<usize> {
    markers(bytes, |marker| (0xd0..=0xd7).contains(&marker))
}

/// Offset of the three bytes at the end of a scan header.
fn spectral(bytes: &[u8], scan: usize) -> usize {
    scan + 5 + 2 * usize::from(bytes[scan + 4])
}

/// Bytes without 0xff, as a file might have where it should not.
fn noise(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64 + 11);
    (0..length).map(|_| random.below(255) as u8).collect()
}

/// What follows the picture in files of phones and cameras.
fn trailers() -> Vec<(&'static str, Vec<u8>)> {
    let mut samsung = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data".to_vec();
    samsung.extend(b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFHj\0\0\0\x02\0\0\0");
    samsung.extend([0; 24]);
    samsung.extend(b"\x24\0\0\0SEFT");
    let mut video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42".to_vec();
    video.extend(noise(4000));
    video.extend(b"\xff\xd8\xff\xc4\xff\xff\xda\0");
    let second = jpeg(&busy(96, 64), BASELINE);
    vec![
        ("Samsung's", samsung),
        ("a motion photo's video", video),
        ("a second picture", second.clone()),
        (
            "a second picture that is cut",
            second[..second.len() / 2].to_vec(),
        ),
        (
            "a text",
            b"Written by the dash camera of car 12 on 2026-11-02\r\n".to_vec(),
        ),
        ("one byte", vec![0x0a]),
    ]
}

#[test]
fn a_sequential_scan_that_says_it_holds_no_coefficients_is_looked_at() {
    let picture = busy(320, 240);
    for coding in [BASELINE, ARITHMETIC] {
        let plain = jpeg(&picture, coding);
        // Samsung's phones write 0, 0, 0; others have been seen with one of them wrong.
        for said in [[0, 0, 0], [0, 0, 0x10], [1, 63, 0], [0, 5, 0]] {
            let mut odd = plain.clone();
            let at = spectral(&odd, scan_headers(&odd)[0]);
            odd[at..at + 3].copy_from_slice(&said);
            assert_same(&odd, &plain, &format!("{said:?}"));
            let cut = &odd[..odd.len() - 300];
            assert_eq!(code(cut), ReasonCode::CutShort, "{said:?}, cut");
        }
    }
    let plain = RESTART;
    let mut odd = plain.to_vec();
    let at = spectral(&odd, scan_headers(&odd)[0]);
    odd[at..at + 3].fill(0);
    let end = odd.len() - 2;
    odd.truncate(end);
    odd.extend(&trailers()[0].1);
    assert_same(&odd, plain, "both at once, and no end marker");
}

#[test]
fn a_trailer_in_place_of_the_end_marker_is_no_part_of_the_picture() {
    let whole_files = [jpeg(&busy(320, 240), BASELINE), RESTART.to_vec()];
    for plain in &whole_files {
        let data = &plain[..plain.len() - 2];
        for (name, trailer) in trailers() {
            assert_same(&[data, &trailer].concat(), plain, name);
        }
    }
}

#[test]
fn a_cut_picture_before_a_trailer_stays_unusable() {
    let plain = jpeg(&busy(320, 240), BASELINE);
    for lost in [20, 60, 150, 300, 1000, plain.len() / 2] {
        let data = &plain[..plain.len() - lost];
        for (name, trailer) in trailers() {
            let odd = [data, &trailer].concat();
            assert!(whole(&odd).is_err(), "{lost} bytes lost before {name}");
        }
        for zeros in [lost, 10 * lost + 100_000] {
            let odd = [data, &vec![0; zeros]].concat();
            assert!(whole(&odd).is_err(), "{lost} bytes lost before {zeros} zeros");
        }
    }
}

#[test]
fn stray_bytes_before_a_restart_marker_are_passed_over() {
    let all = restarts(RESTART);
    assert!(all.len() > 2);
    for length in [1, 2, 4, 16, 64, 100, 1000] {
        let strays = noise(length);
        for at in [all[0], all[all.len() / 2], all[all.len() - 1]] {
            let odd = [&RESTART[..at], &strays, &RESTART[at..]].concat();
            assert_same(&odd, RESTART, &format!("{length} bytes before {at}"));
        }
        let mut everywhere = Vec::new();
        let mut from = 0;
        for at in &all {
            everywhere.extend(&RESTART[from..*at]);
            everywhere.extend(&strays);
            from = *at;
        }
        everywhere.extend(&RESTART[from..]);
        assert_same(&everywhere, RESTART, &format!("{length} bytes everywhere"));
    }
    // Bytes that look like a marker of no meaning, and fill bytes.
    for strays in [&[0xff, 0x12, 0x34][..], &[0xff, 0xff, 0xff], &[0, 0xff, 0, 1]] {
        let odd = [&RESTART[..all[1]], strays, &RESTART[all[1]..]].concat();
        assert_same(&odd, RESTART, &format!("{strays:02x?}"));
    }
}

/// Pillow takes such a marker for the one that it stands for; one nearer by for a lost interval.
#[test]
fn a_restart_marker_whose_number_is_far_off_is_taken_for_what_it_stands_for() {
    let all = restarts(RESTART);
    for at in [all[0], all[all.len() / 2], all[all.len() - 1]] {
        for off in [3, 4, 5] {
            let mut odd = RESTART.to_vec();
            odd[at + 1] = 0xd0 + (odd[at + 1] - 0xd0 + off) % 8;
            assert_same(&odd, RESTART, &format!("{off} off at {at}"));
            // Another interval is lost: the number does not say which.
            let (from, to) = (all[1], all[2]);
            let lost = [&odd[..from], &odd[to..]].concat();
            assert_eq!(
                code(&lost),
                ReasonCode::Unreadable,
                "{off} off at {at}, and one lost"
            );
        }
    }
}

#[test]
fn an_interval_that_lacks_codes_or_its_marker_stays_unusable() {
    let all = restarts(RESTART);
    let (from, to) = (all[1] + 2, all[2]);
    let half = (from + to) / 2;
    let lost = [&RESTART[..half], &RESTART[to..]].concat();
    assert_eq!(code(&lost), ReasonCode::Unreadable, "half of an interval is lost");
    let none = [&RESTART[..all[1]], &RESTART[from..]].concat();
    assert_eq!(code(&none), ReasonCode::Unreadable, "a restart marker is lost");
    let mut other = RESTART.to_vec();
    other[all[1] + 1] = 0xd0 + (other[all[1] + 1] - 0xd0 + 2) % 8;
    assert_eq!(
        code(&other),
        ReasonCode::Unreadable,
        "a restart marker of another number"
    );
    let twice = [&RESTART[..from], &RESTART[all[1]..]].concat();
    assert_eq!(
        code(&twice),
        ReasonCode::Unreadable,
        "a restart marker comes twice"
    );
    // A third of an interval stands twice: the codes after it are picture, not strays.
    let again = [&RESTART[..to], &RESTART[from..to], &RESTART[to..]].concat();
    if again.len() - RESTART.len() > 64 {
        assert_eq!(code(&again), ReasonCode::Unreadable, "an interval stands twice");
    }
}

#[test]
fn headers_that_libjpeg_warns_about_keep_their_colours() {
    let picture = drawn(96, 64);
    // Components named R, G, B are RGB, unless JFIF says YCbCr: whatever its version.
    let plain = jpeg(&picture, BASELINE);
    let mut version = plain.clone();
    version[11] = 2;
    assert_same(&version, &plain, "JFIF 2");
    let cmyk: Vec<u8> = picture.pixels().flat_map(|p| [p[0], p[1], p[2], 204]).collect();
    let coding = Coding {
        subsamp: Subsamp::None,
        colours: Some(Colorspace::YCCK),
        ..BASELINE
    };
    let plain = raw_jpeg(&cmyk, (96, 64), PixelFormat::CMYK, coding);
    let mut transform = plain.clone();
    let adobe = plain.windows(5).position(|w| w == b"Adobe").unwrap();
    assert_eq!(transform[adobe + 11], 2);
    transform[adobe + 11] = 7;
    assert_same(&transform, &plain, "a transform that nobody knows");
}

#[test]
fn a_progressive_picture_with_strays_between_its_scans_is_whole() {
    let plain = jpeg(&busy(320, 240), PROGRESSIVE);
    let mut odd = Vec::new();
    let mut from = 0;
    for at in scan_headers(&plain) {
        odd.extend(&plain[from..at]);
        odd.extend(b"\0\x01stray");
        from = at;
    }
    odd.extend(&plain[from..]);
    assert_same(&odd, &plain, "strays before every scan");
    let scans = scan_headers(&plain);
    let last = scans[scans.len() - 1];
    let lost = [&plain[..last], b"\0\x01stray", &plain[plain.len() - 2..]].concat();
    // Without its last scan the picture is as fine as it came: libjpeg has nothing to complain about but the strays.
    assert!(whole(&lost).is_ok());
    let half = [&plain[..(last + plain.len()) / 2], &plain[plain.len() - 2..]].concat();
    assert_eq!(
        code(&half),
        ReasonCode::Unreadable,
        "half of the last scan is lost"
    );
}

#[test]
fn an_orientation_of_any_whole_type_turns_the_picture() {
    let plain = jpeg(&drawn(96, 64), BASELINE);
    let upright = whole(&jpeg_turned(&plain, 6)).unwrap().pixels;
    let long_be = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0";
    let long_le = b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    for block in [&long_be[..], &long_le[..]] {
        let odd = with_segment(&plain, 0xe1, &[b"Exif\0\0", block].concat());
        let turned: RgbImage = whole(&odd).unwrap().pixels;
        assert_eq!(turned.dimensions(), (64, 96));
        assert_eq!(turned, upright);
    }
}
