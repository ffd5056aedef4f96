//! What a drawn sample and a written set promise.

#![allow(clippy::unwrap_used, reason = "a helper of tests outside a test function")]

use image::{GrayImage, RgbImage, imageops};
use serde_json::Value;
use walkaround_samples::{
    CLASSES, Kind, Sample, SampleSpec, SetSpec, draw, sample_set, set_specs, write_set,
};

fn small(seed: u64, kind: Kind) -> SampleSpec {
    SampleSpec {
        seed,
        width: 400,
        height: 300,
        kind,
    }
}

/// FNV-1a over picture and masks.
fn digest(sample: &Sample) -> u64 {
    let masks = sample.damages.iter().flat_map(|damage| damage.mask.as_raw());
    sample
        .picture
        .as_raw()
        .iter()
        .chain(masks)
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

fn share(mask: &GrayImage) -> f64 {
    mask.pixels().filter(|pixel| pixel[0] == 255).count() as f64 / mask.len() as f64
}

fn luma(picture: &RgbImage) -> GrayImage {
    imageops::grayscale(picture)
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

/// Mean squared Laplacian of the picture halved, which leaves most of the sensor noise behind.
fn sharpness(picture: &RgbImage) -> f64 {
    let grey = luma(&imageops::thumbnail(
        picture,
        picture.width() / 2,
        picture.height() / 2,
    ));
    let at = |x: u32, y: u32| f64::from(grey.get_pixel(x, y)[0]);
    let points = (1..grey.height() - 1).flat_map(|y| (1..grey.width() - 1).map(move |x| (x, y)));
    mean(points.map(|(x, y)| {
        let bend = 4.0 * at(x, y) - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1);
        bend * bend
    }))
}

#[test]
fn the_same_spec_draws_the_same_bytes() {
    for kind in Kind::ALL {
        let (once, again) = (draw(&small(5, kind)), draw(&small(5, kind)));
        assert_eq!(digest(&once), digest(&again), "{kind:?}");
        assert_ne!(
            digest(&once),
            digest(&draw(&small(6, kind))),
            "{kind:?}: the seed must matter"
        );
    }
}

#[test]
fn masks_are_there_exactly_for_damaged_kinds() {
    for kind in Kind::ALL {
        for seed in 0..12 {
            let sample = draw(&small(seed, kind));
            assert_eq!(sample.picture.dimensions(), (400, 300));
            assert_eq!(!sample.damages.is_empty(), kind.is_damaged(), "{kind:?} {seed}");
            for damage in &sample.damages {
                assert!(CLASSES.contains(&damage.class));
                assert_eq!(damage.mask.dimensions(), sample.picture.dimensions());
                assert!(damage.mask.as_raw().iter().all(|value| matches!(value, 0 | 255)));
                let share = share(&damage.mask);
                assert!(
                    (0.002..0.25).contains(&share),
                    "{kind:?} {seed} {}: {share}",
                    damage.class
                );
            }
        }
    }
}

#[test]
fn each_kind_shows_its_class() {
    let classes = |kind| {
        draw(&small(3, kind))
            .damages
            .iter()
            .map(|damage| damage.class)
            .collect::<Vec<_>>()
    };
    assert_eq!(classes(Kind::Scratch), ["scratch"]);
    assert_eq!(classes(Kind::Dent), ["dent"]);
    assert_eq!(classes(Kind::Spacing), ["spacing"]);
    assert!(classes(Kind::Mixed).starts_with(&["scratch", "dent"]));
}

#[test]
fn damage_changes_the_picture_inside_its_mask() {
    for kind in [Kind::Scratch, Kind::Dent, Kind::Spacing] {
        for seed in 0..6 {
            let (clean, damaged) = (draw(&small(seed, Kind::Clean)), draw(&small(seed, kind)));
            let mask = &damaged.damages[0].mask;
            let change = |wanted: u8| {
                let pairs = clean
                    .picture
                    .pixels()
                    .zip(damaged.picture.pixels())
                    .zip(mask.pixels());
                mean(
                    pairs
                        .filter(move |(_, m)| m[0] == wanted)
                        .map(|((a, b), _)| f64::from(a[1].abs_diff(b[1]))),
                )
            };
            assert!(
                change(255) > 3.0 * change(0) + 2.0,
                "{kind:?} {seed}: {} {}",
                change(255),
                change(0)
            );
        }
    }
}

#[test]
fn dark_is_dark_and_blurred_is_blurred() {
    for seed in 0..8 {
        let clean = draw(&small(seed, Kind::Clean)).picture;
        let dark = draw(&small(seed, Kind::Dark)).picture;
        let blurred = draw(&small(seed, Kind::Blurred)).picture;
        let brightness = |picture: &RgbImage| mean(luma(picture).pixels().map(|pixel| f64::from(pixel[0])));
        assert!(brightness(&dark) < 26.0, "{seed}: {}", brightness(&dark));
        assert!(brightness(&clean) > 70.0, "{seed}: {}", brightness(&clean));
        assert!(sharpness(&blurred) * 3.0 < sharpness(&clean), "{seed}");
    }
}

#[test]
fn a_dozen_holds_the_promised_mix_and_sets_grow_at_the_end() {
    let set = SetSpec {
        seed: 9,
        count: 24,
        size: (64, 48),
    };
    let kinds: Vec<Kind> = set_specs(set).map(|(_, spec)| spec.kind).collect();
    let count = |kind| kinds[..12].iter().filter(|other| **other == kind).count();
    assert_eq!(Kind::ALL.map(count), [3, 3, 2, 1, 1, 1, 1]);
    assert!(set_specs(SetSpec { count: 5, ..set }).eq(set_specs(set).take(5)));
    assert_eq!(sample_set(9, 3, (64, 48)).count(), 3);
}

/// The mask that COCO's column-major run lengths describe.
fn decode(segmentation: &Value) -> GrayImage {
    let size = |index: usize| segmentation["size"][index].as_u64().unwrap() as u32;
    let (height, width) = (size(0), size(1));
    let runs = segmentation["counts"].as_array().unwrap();
    let column_major: Vec<u8> = runs
        .iter()
        .zip([0, 255].into_iter().cycle())
        .flat_map(|(run, value)| std::iter::repeat_n(value, run.as_u64().unwrap() as usize))
        .collect();
    assert_eq!(column_major.len(), (width * height) as usize);
    GrayImage::from_fn(width, height, |x, y| {
        image::Luma([column_major[(x * height + y) as usize]])
    })
}

#[test]
fn the_written_set_agrees_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let set = SetSpec {
        seed: 4,
        count: 8,
        size: (320, 240),
    };
    let mut seen = Vec::new();
    let written = write_set(folder.path(), set, |step| seen.push((step.done, step.total))).unwrap();
    assert_eq!(seen, (1..=8).map(|done| (done, 8)).collect::<Vec<_>>());
    assert_eq!(written.pictures.len(), 8);
    let readme = std::fs::read_to_string(folder.path().join("README.txt")).unwrap();
    assert!(readme.contains("not photos") && readme.contains("seed 4"));

    let coco: Value = serde_json::from_slice(&std::fs::read(&written.annotations).unwrap()).unwrap();
    let (images, annotations) = (
        coco["images"].as_array().unwrap(),
        coco["annotations"].as_array().unwrap(),
    );
    assert_eq!(images.len(), 8);
    let damages: usize = sample_set(4, 8, (320, 240))
        .map(|(_, sample)| sample.damages.len())
        .sum();
    assert_eq!(annotations.len(), damages);
    for note in annotations {
        let image = images
            .iter()
            .find(|image| image["id"] == note["image_id"])
            .unwrap();
        let category = coco["categories"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["id"] == note["category_id"]);
        let stem = image["file_name"].as_str().unwrap().strip_suffix(".jpg").unwrap();
        let class = category.unwrap()["name"].as_str().unwrap();
        let stored = image::open(folder.path().join(format!("{stem}.{class}.mask.png")))
            .unwrap()
            .into_luma8();
        assert_eq!(decode(&note["segmentation"]), stored, "{stem} {class}");
        let area = stored.pixels().filter(|pixel| pixel[0] > 0).count();
        assert_eq!(note["area"].as_u64().unwrap(), area as u64);
        let [x, y, width, height] = [0, 1, 2, 3].map(|index| note["bbox"][index].as_u64().unwrap() as u32);
        let boxed = imageops::crop_imm(&stored, x, y, width, height).to_image();
        assert_eq!(boxed.pixels().filter(|pixel| pixel[0] > 0).count(), area);
    }
}

#[test]
fn pictures_say_that_they_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let written = write_set(
        folder.path(),
        SetSpec {
            seed: 1,
            count: 1,
            size: (64, 48),
        },
        |_| {},
    )
    .unwrap();
    let bytes = std::fs::read(&written.pictures[0]).unwrap();
    let says = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(says(b"Exif\0\0II"));
    assert!(says(b"drawn sample, not a photo\0"));
    assert_eq!(
        image::open(&written.pictures[0])
            .unwrap()
            .into_rgb8()
            .dimensions(),
        (64, 48)
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("taken");
    std::fs::write(&blocked, b"a file").unwrap();
    let error = write_set(
        &blocked,
        SetSpec {
            count: 1,
            ..SetSpec::default()
        },
        |_| {},
    )
    .unwrap_err();
    assert!(error.to_string().contains("taken"));
}
