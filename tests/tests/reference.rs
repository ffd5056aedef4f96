//! Pre- and post-processing agree with the independent Python reference (training/reference): tensors within
//! 2/255 mean absolute difference of Pillow's on the full-size decode, masks with an IoU of at least 0.98.
//!
//! Drawn pictures always; real photos too where `WALKAROUND_PHOTOS` names a folder of them (`make test` does
//! where there is one).

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests fail and speak as tests do"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use walkaround_inference::PreparedInput;
use walkaround_pipeline::inspection::Sides;
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::{DENT, MARKS, Scene, THIN_SCRATCH, VEHICLE, vehicle_with};
use walkaround_tests::places::{demo, engine, python, root, seven};
use walkaround_tests::program;
use walkaround_vision::decode::{Limits, decode};

/// Real photos are slow in the reference: this many, spread over the folder.
const REAL_PHOTOS_MAX: usize = 6;

#[test]
fn drawn_pictures_with_the_seven_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let marks = [&[VEHICLE][..], &MARKS].concat();
    let photos = [
        put(folder.path(), "all.jpg", &jpeg(&vehicle_with(&MARKS), 95)),
        put(
            folder.path(),
            "few.jpg",
            &jpeg(&vehicle_with(&[DENT, THIN_SCRATCH]), 90),
        ),
        put(folder.path(), "none.jpg", &jpeg(&vehicle_with(&[]), 95)),
        // Decoded at a quarter here, at full size there.
        put(folder.path(), "large.jpg", &jpeg(&Scene::new(&marks, 4), 90)),
        put(
            folder.path(),
            "odd_size.jpg",
            &jpeg(&Scene::scaled(&marks, 23, 13), 90),
        ),
    ];
    compare(&seven(), &photos, Seen::ItsOwn, folder.path());
}

#[test]
fn samples_with_the_demonstration_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let photos: Vec<PathBuf> = [Kind::Scratch, Kind::Dent, Kind::Mixed]
        .into_iter()
        .zip(1..)
        .map(|(kind, seed)| {
            let sample = draw(&SampleSpec {
                seed,
                kind,
                ..SampleSpec::default()
            });
            put(
                folder.path(),
                &format!("{}.jpg", kind.name()),
                &jpeg(&sample.picture, 92),
            )
        })
        .collect();
    compare(&demo(), &photos, Seen::Ours, folder.path());
}

#[test]
fn real_photos_with_the_demonstration_bundle() {
    let Some(real) = std::env::var_os("WALKAROUND_PHOTOS") else {
        eprintln!("skipped: real photos: name a folder of JPEG photos in WALKAROUND_PHOTOS");
        return;
    };
    let mut found = Vec::new();
    collect_jpegs(Path::new(&real), &mut found);
    found.sort();
    assert!(
        !found.is_empty(),
        "no JPEG photos in {}",
        Path::new(&real).display()
    );
    let step = found.len().div_ceil(REAL_PHOTOS_MAX);
    let photos: Vec<PathBuf> = found.into_iter().step_by(step).collect();
    let folder = tempfile::tempdir().unwrap();
    compare(&demo(), &photos, Seen::Ours, folder.path());
}

/// What the reference's networks see when masks are compared.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// What the reference prepared: both ways are compared in one.
    ItsOwn,
    /// What we prepared: masks compare the post-processing. The int8 networks of the demonstration bundle turn
    /// one step of a pixel into up to 0.18 of a probability, so regions come and go at a threshold.
    Ours,
}

/// Runs both sides on the photos and compares what they wrote.
fn compare(bundle: &Path, photos: &[PathBuf], seen: Seen, folder: &Path) {
    let (reference, ours) = (folder.join("reference"), folder.join("ours"));
    let paths: Vec<&Path> = photos.iter().map(PathBuf::as_path).collect();
    program!()
        .inspect(bundle, &paths, &["--out", ours.to_str().unwrap()])
        .succeeded();
    write_tensors(bundle, photos, &ours);

    let scripts = root().join("training/reference");
    let mut command = python();
    command
        .arg(scripts.join("reference.py"))
        .args(photos)
        .arg("--tensors");
    command.arg("--bundle").arg(bundle).arg("--out").arg(&reference);
    if seen == Seen::Ours {
        command.arg("--tensors-from").arg(&ours);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let mut command = python();
    command
        .arg(scripts.join("compare.py"))
        .args([&reference, &ours])
        .arg("--bundle")
        .arg(bundle);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    eprintln!("{said}");
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains(&format!("{} photos, ", photos.len())), "{said}");
}

/// Writes what each network is given, from the decode that every way of looking asks for.
fn write_tensors(bundle: &Path, photos: &[PathBuf], folder: &Path) {
    let mut engine = engine(bundle);
    let long_side = Sides::of(&engine).segmentation;
    for photo in photos {
        let bytes = std::fs::read(photo).unwrap();
        let decoded = decode(&bytes, &Limits::default(), long_side).unwrap();
        for input in engine.inputs(&decoded.pixels).unwrap() {
            let stem = photo.file_stem().unwrap().to_str().unwrap();
            write_npy(&folder.join(format!("{stem}.{}.f32.npy", input.network)), &input);
        }
    }
}

/// NumPy's file format, version 1.0.
fn write_npy(path: &Path, input: &PreparedInput) {
    let [a, b, c, d] = input.shape;
    assert_eq!(input.values.len(), a * b * c * d);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({a}, {b}, {c}, {d}), }}");
    // Magic, version, length and header fill whole blocks of 64 bytes; a line feed ends them.
    let padding = 63 - (10 + header.len()) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(input.values.iter().flat_map(|v| v.to_le_bytes()));
    std::fs::File::create(path).unwrap().write_all(&bytes).unwrap();
}

fn collect_jpegs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_jpegs(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg")) {
            found.push(path);
        }
    }
}
