//! Whatever a photo has on it: a file that is written and read back says the same, and one shape less is one change.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use walkaround_domain::review::{Correction, FindingsDecision, Judgement};
use walkaround_domain::{Decision, Point, Polygon, Size};
use walkaround_formats::annotation::Region;
use walkaround_formats::compare::{Change, changes, decision};
use walkaround_formats::{
    Annotation, Format, Key, ManifestEntry, Photo, ReadShape, coco, cvat, label_studio, spool, yolo,
};
use walkaround_messages::BundleDocument;
use walkaround_vision::outlines::outlines;
use walkaround_vision::rle::encode_mask;

const SIZE: Size = Size::new(24, 18);

fn size_of(_name: &str) -> Option<Size> {
    Some(SIZE)
}

fn entry() -> ManifestEntry {
    ManifestEntry {
        version: 1,
        photo_sha256: "ab".repeat(32),
        inspection_id: "i-1".to_owned(),
        file: Some(format!("images/{}.jpg", "ab".repeat(32))),
        file_sha256: None,
        copied: None,
        encoded_because: None,
        width: Some(SIZE.width),
        height: Some(SIZE.height),
        left_out: None,
        detail: None,
        split: Some("all".to_owned()),
        group: String::new(),
        verdict: "damaged".to_owned(),
        bundle: BundleDocument {
            name: "a".to_owned(),
            version: "1".to_owned(),
        },
        report_sha256: None,
        judgement: "confirmed".to_owned(),
        revision: 1,
        reviewer: None,
        reasons: Vec::new(),
        inclusion: None,
        annotations: BTreeMap::new(),
    }
}

fn photo(regions: Vec<Region>) -> Photo {
    let annotation = |(at, region): (u32, Region)| Annotation {
        key: Key::Finding(at),
        class: if at % 2 == 0 { "dent" } else { "a & \"b\"" }.to_owned(),
        region,
        probability: Some(0.5),
        by_person: false,
    };
    Photo {
        entry: entry(),
        annotations: (0..).zip(regions).map(annotation).collect(),
    }
}

/// What a file of a format says of the only photo in it.
fn read_back(format: Format, photo: &Photo) -> Vec<ReadShape> {
    let classes = ["a & \"b\"", "dent"].map(str::to_owned);
    let read = match format {
        Format::Coco => {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer = coco::Writer::new(File::create(file.path()).unwrap(), &classes).unwrap();
            writer.add(photo).unwrap();
            writer.finish().unwrap();
            coco::read(file.path(), &size_of).unwrap()
        }
        Format::Cvat => {
            let mut writer = cvat::Writer::new(Vec::new(), &classes).unwrap();
            writer.add(photo).unwrap();
            cvat::read(&writer.finish().unwrap()[..], &size_of).unwrap()
        }
        Format::LabelStudio => {
            let mut writer = label_studio::Writer::new(Vec::new()).unwrap();
            writer.add(photo).unwrap();
            label_studio::read(&writer.finish().unwrap()[..], &size_of).unwrap()
        }
        Format::Yolo => return yolo::read(&yolo::labels(photo, &classes).0, &classes, SIZE).unwrap(),
    };
    assert_eq!(read.len(), 1);
    assert!(read[0].name.contains(&photo.entry.photo_sha256));
    read[0].shapes.clone().unwrap()
}

fn masked() -> impl Strategy<Value = Region> {
    // Sparse enough for holes and parts, dense enough for long runs.
    let pixels = prop::collection::vec(prop::bool::weighted(0.6), SIZE.pixels() as usize);
    pixels.prop_map(|pixels| {
        let mask: Vec<u8> = pixels.into_iter().map(u8::from).collect();
        let mask = encode_mask(SIZE, &mask);
        Region {
            outlines: outlines(&mask, 0.0).unwrap(),
            mask,
            drawn: false,
        }
    })
}

fn drawn() -> impl Strategy<Value = Region> {
    // A pointer may leave the photo by a pixel.
    let point = (-1.0_f32..25.0, -1.0_f32..19.0).prop_map(|(x, y)| Point { x, y });
    prop::collection::vec(point, 3..9).prop_map(|outer| {
        let outline = Polygon {
            outer,
            holes: Vec::new(),
        };
        Region::drawn(SIZE, vec![outline]).unwrap()
    })
}

fn boxed() -> impl Strategy<Value = Region> {
    (0_u32..20, 0_u32..14).prop_map(|(x, y)| {
        let inside = |at: u32| u8::from(at % 24 >= x && at % 24 < x + 4 && at / 24 >= y && at / 24 < y + 4);
        let mask: Vec<u8> = (0..24 * 18).map(inside).collect();
        Region {
            mask: encode_mask(SIZE, &mask),
            outlines: Vec::new(),
            drawn: false,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_it_was(
        regions in prop::collection::vec(prop_oneof![masked(), drawn(), boxed()], 0..5),
    ) {
        let photo = photo(regions);
        for format in Format::ALL {
            // An outline that covers no pixel is not in the file; what covers some, however few, is.
            let read = read_back(format, &photo);
            let differs = changes(format, &photo, &read).unwrap();
            prop_assert!(differs.is_empty(), "{:?}: {}", format, differs.summary());
        }
        prop_assert_eq!(&spool::parse(&spool::line(&photo)).unwrap(), &photo);
    }

    #[test]
    fn no_text_is_a_panic(text in "[<>/a-z=\"0-9 ,;.]{0,80}") {
        let _ = cvat::read(format!("<annotations><image name=\"a\" width=\"9\" height=\"9\">{text}</image></annotations>").as_bytes(), &|_| Some(Size::new(9, 9)));
        let _ = label_studio::read(text.as_bytes(), &size_of);
        let _ = yolo::read(&text, &["a".to_owned()], SIZE);
        let _ = yolo::class_names(&text);
    }
}

#[test]
fn a_change_of_what_was_changed_before_says_both() {
    let ring = |x: f32| Polygon {
        outer: [(x, 1.0), (x + 6.0, 1.0), (x + 6.0, 7.0)]
            .map(|(x, y)| Point { x, y })
            .to_vec(),
        holes: Vec::new(),
    };
    let photo = photo(vec![Region::drawn(SIZE, vec![ring(2.0)]).unwrap()]);
    let mut read = read_back(Format::Cvat, &photo);
    read[0].class = "crack".to_owned();
    let found = changes(Format::Cvat, &photo, &read).unwrap();
    assert_eq!(
        found.changed[&Key::Finding(0)],
        Change::Reclassified("crack".to_owned())
    );
    let before = Judgement::Corrected(FindingsDecision {
        findings: BTreeMap::from([(0, Correction::Reshape(vec![ring(2.0)]))]),
        added: Vec::new(),
    });
    let Some(Decision::Findings(next)) = decision(&before, 1, &found) else {
        panic!("a decision about findings");
    };
    assert!(matches!(next.findings[&0], Correction::Reject(_)));
    assert_eq!(
        (next.added[0].class.as_str(), &next.added[0].polygons),
        ("crack", &vec![ring(2.0)])
    );
    read.clear();
    let found = changes(Format::Cvat, &photo, &read).unwrap();
    assert_eq!(found.changed[&Key::Finding(0)], Change::Removed);
}

/// Two squares, the first one with a hole: what YOLO has as two objects.
fn parts() -> Photo {
    let ring = |left: f32, right: f32, top: f32, bottom: f32| {
        [(left, top), (right, top), (right, bottom), (left, bottom)]
            .map(|(x, y)| Point { x, y })
            .to_vec()
    };
    let square = |left: f32, holes| Polygon {
        outer: ring(left, left + 6.0, 1.0, 7.0),
        holes,
    };
    let outlines = vec![
        square(1.0, vec![ring(3.0, 5.0, 3.0, 5.0)]),
        square(12.0, Vec::new()),
    ];
    photo(vec![Region::drawn(SIZE, outlines).unwrap()])
}

#[test]
fn a_part_of_another_class_is_a_finding_of_its_own_and_the_others_keep_their_holes() {
    let photo = parts();
    let outlines = &photo.annotations[0].region.outlines;
    let mut read = read_back(Format::Yolo, &photo);
    assert_eq!(read.len(), 2);
    for part in [0, 1] {
        read[part].class = "crack".to_owned();
        read[1 - part].class = "dent".to_owned();
        let found = changes(Format::Yolo, &photo, &read).unwrap();
        let kept = Change::Reshaped(vec![outlines[1 - part].clone()]);
        assert_eq!(found.changed[&Key::Finding(0)], kept, "{part}");
        let added = (&found.added[0].class, &found.added[0].polygons);
        assert_eq!(added, (&"crack".to_owned(), &vec![outlines[part].clone()]));
    }
    // All of them: it is another class, and nothing is drawn anew.
    for one in &mut read {
        one.class = "crack".to_owned();
    }
    let found = changes(Format::Yolo, &photo, &read).unwrap();
    assert_eq!(
        found.changed[&Key::Finding(0)],
        Change::Reclassified("crack".to_owned())
    );
    assert!(found.added.is_empty());
    // Each another one.
    read[1].class = "hole".to_owned();
    let found = changes(Format::Yolo, &photo, &read).unwrap();
    assert_eq!(found.summary(), "1 replaced, 1 added");
}

#[test]
fn a_size_that_was_not_exported_is_refused_in_every_format_that_states_one() {
    let photo = parts();
    let other = |_: &str| Some(Size::new(SIZE.width * 2, SIZE.height));
    let said = "the file says 24 x 18 pixels, expected 48 x 18: the size that was exported";
    let classes = ["dent".to_owned()];
    let mut writer = cvat::Writer::new(Vec::new(), &classes).unwrap();
    writer.add(&photo).unwrap();
    let cvat = cvat::read(&writer.finish().unwrap()[..], &other).unwrap();
    let mut writer = label_studio::Writer::new(Vec::new()).unwrap();
    writer.add(&photo).unwrap();
    let tasks = label_studio::read(&writer.finish().unwrap()[..], &other).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = coco::Writer::new(File::create(file.path()).unwrap(), &classes).unwrap();
    writer.add(&photo).unwrap();
    writer.finish().unwrap();
    let coco = coco::read(file.path(), &other).unwrap();
    for read in [cvat, tasks, coco] {
        assert_eq!(read[0].shapes.as_ref().unwrap_err().to_string(), said);
    }
}
