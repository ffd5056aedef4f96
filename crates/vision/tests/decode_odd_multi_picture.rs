//! JPEG files of several pictures: stereo cameras' MPO, and Ultra HDR photos with their gain map. The first picture is the
//! photo; whether the others are there or whole changes nothing of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod support_decode;

use image::GrayImage;
use support_decode::*;
use turbojpeg::{Colorspace, PixelFormat, Subsamp};
use walkaround_domain::ReasonCode;
use walkaround_domain::photo_end::ends_early;
use walkaround_vision::decode::{Format, Limits, inspect_header};

/// A picture of one channel and half the sides, as phones write them.
fn gain_map(width: u32, height: u32) -> Vec<u8> {
    let grey = GrayImage::from_fn(width / 2, height / 2, |x, y| image::Luma([(x + y) as u8]));
    let coding = Coding {
        subsamp: Subsamp::Gray,
        colours: Some(Colorspace::Gray),
        ..BASELINE
    };
    raw_jpeg(grey.as_raw(), grey.dimensions(), PixelFormat::GRAY, coding)
}

/// What an Ultra HDR photo says of its second picture, in XMP.
fn ultra_hdr(first: &[u8], map: &[u8]) -> Vec<u8> {
    let xmp = format!(
        "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><rdf:Description \
         hdrgm:Version=\"1.0\"><Container:Directory><rdf:Seq><rdf:li Item:Semantic=\"Primary\"/><rdf:li \
         Item:Semantic=\"GainMap\" Item:Length=\"{}\"/></rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>",
        map.len()
    );
    multi_picture(&with_segment(first, 0xe1, xmp.as_bytes()), &[map])
}

#[test]
fn the_first_picture_is_the_photo() {
    let (left, right) = (busy(320, 240), drawn(320, 240));
    for coding in [BASELINE, PROGRESSIVE, ARITHMETIC] {
        let (first, second) = (jpeg(&left, coding), jpeg(&right, coding));
        let expected = whole(&first).unwrap().pixels;
        let turned = whole(&jpeg_turned(&first, 6)).unwrap().pixels;
        for (name, file, pixels) in [
            ("stereo", multi_picture(&first, &[&second]), &expected),
            ("three", multi_picture(&first, &[&second, &second]), &expected),
            ("gain map", ultra_hdr(&first, &gain_map(320, 240)), &expected),
            (
                "the first one is turned, the second is not",
                multi_picture(&jpeg_turned(&first, 6), &[&second]),
                &turned,
            ),
            (
                "the second one is turned, the first is not",
                multi_picture(&first, &[&jpeg_turned(&second, 6)]),
                &expected,
            ),
            (
                "the second one is a bomb",
                multi_picture(&first, &[&bomb()]),
                &expected,
            ),
        ] {
            let header = inspect_header(&file, &Limits::default(), 320).unwrap();
            assert_eq!(header.format, Format::Jpeg, "{name}");
            assert_eq!(whole(&file).unwrap().pixels, *pixels, "{name}");
            assert!(!ends_early(&file), "{name}");
        }
    }
}

/// A frame header that claims 65,000 x 65,000 pixels, and a scan.
fn bomb() -> Vec<u8> {
    let mut bytes = jpeg(&drawn(64, 64), BASELINE);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);
    bytes
}

#[test]
fn a_file_of_several_pictures_that_is_cut_lacks_its_end_and_still_shows_a_whole_first_one() {
    let first = jpeg(&busy(320, 240), BASELINE);
    let expected = whole(&first).unwrap().pixels;
    let second = jpeg(&drawn(320, 240), BASELINE);
    for file in [
        multi_picture(&first, &[&second]),
        ultra_hdr(&first, &gain_map(320, 240)),
        multi_picture(&first, &[&second, &second]),
    ] {
        let end_of_first = file.windows(2).position(|pair| pair == [0xff, 0xd9]).unwrap() + 2;
        // Whoever copies it has not come to its end; of what there is, the first picture is whole.
        for end in [end_of_first, end_of_first + 1, end_of_first + 200, file.len() - 1] {
            assert!(ends_early(&file[..end]), "{end} of {}", file.len());
            assert_eq!(
                whole(&file[..end]).unwrap().pixels,
                expected,
                "{end} of {}",
                file.len()
            );
        }
        for end in [end_of_first / 2, end_of_first - 300] {
            assert!(ends_early(&file[..end]), "{end} of {}", file.len());
            assert_eq!(
                code(&file[..end]),
                ReasonCode::CutShort,
                "{end} of {}",
                file.len()
            );
        }
        // The first picture lacks a part, and the second is there.
        let hole = [&file[..end_of_first - 300], &file[end_of_first..]].concat();
        assert!(
            whole(&hole).is_err(),
            "the second picture does not stand in for the first"
        );
    }
}

#[test]
fn an_index_that_makes_no_sense_harms_nothing() {
    let first = jpeg(&busy(96, 64), BASELINE);
    let expected = whole(&first).unwrap().pixels;
    let file = multi_picture(&first, &[&first]);
    let index = file.windows(4).position(|name| name == b"MPF\0").unwrap();
    let mut random = Random(23);
    for _ in 0..500 {
        let mut odd = file.clone();
        for _ in 0..=random.below(4) {
            odd[index + random.below(62)] = random.next() as u8;
        }
        // It says something or the other about the end; the picture is the same.
        let _ = ends_early(&odd);
        assert_eq!(whole(&odd).unwrap().pixels, expected);
    }
}
