//! A photo that is decoded small for its gate has the findings that it has when gate and segmenters share a larger decode,
//! digit for digit; the gate's own answer may move at the last digit, and its verdict with it, which is counted.
//!
//! Always: drawn photos. Where `../shared` is there: all real ones.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests fail and speak as tests do"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;
use walkaround_domain::Verdict;
use walkaround_inference::{Engine, OnnxEngine};
use walkaround_pipeline::inspection::{InspectionSettings, PhotoResult, Preparation, Sides, inspect};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::places::{demo, engine, root};
use walkaround_vision::decode::{Limits, inspect_header};

/// Most verdicts of the gate that may differ, as a share of all photos.
const FLIPS_MAX: f64 = 0.003;
/// Tiles along the long side: the segmenter of the bundle uses 1,024 pixels, its gate 256.
const TILING: &str = "[networks.tiling]\ntiles_long_side = 4\noverlap = 0.1\n\n[self_test]";

/// The demonstration bundle with a segmenter that uses more pixels than its gate, whose photos are decoded so.
fn bundle(folder: &Path, screening: &str) -> OnnxEngine {
    let folder = folder.join(screening);
    std::fs::create_dir(&folder).unwrap();
    for entry in demo().read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = std::fs::read_to_string(folder.join("bundle.toml")).unwrap();
    let decode = format!("[decode]\nscreening = \"{screening}\"\n\n[[classes]]");
    let manifest = manifest
        .replacen("[[classes]]", &decode, 1)
        .replacen("[self_test]", TILING, 1);
    std::fs::write(folder.join("bundle.toml"), manifest).unwrap();
    engine(&folder)
}

fn inspected(engine: &mut OnnxEngine, bytes: &[u8]) -> PhotoResult {
    let (settings, quality) = (InspectionSettings::default(), *engine.quality());
    let with = Preparation {
        settings: &settings,
        quality: &quality,
        sides: Sides::of(engine),
        memory: &MemoryBudget::new(1 << 30),
        ticks: &|| Duration::ZERO,
    };
    inspect(bytes, engine, &with).unwrap()
}

fn photos(folder: &Path) -> Vec<PathBuf> {
    let mut photos = Vec::new();
    for (seed, kind) in (1..).zip([Kind::Clean, Kind::Scratch, Kind::Dent, Kind::Mixed]) {
        for (width, height) in [(1600, 1200), (4032, 3024)] {
            let spec = SampleSpec {
                seed,
                width,
                height,
                kind,
            };
            let name = format!("drawn-{seed}-{width}.jpg");
            photos.push(put(folder, &name, &jpeg(&draw(&spec).picture, 88)));
        }
    }
    let drawn = photos.len();
    collect(&root().join("../shared/data/photos"), &mut photos);
    if let Some(named) = std::env::var_os("WALKAROUND_PHOTOS")
        && photos.len() == drawn
    {
        collect(Path::new(&named), &mut photos);
    }
    if photos.len() == drawn {
        eprintln!("skipped: the photos of ../shared, which is not there; drawn photos only");
    }
    photos
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg")) {
            found.push(path);
        }
    }
}

#[test]
fn findings_are_those_of_one_larger_decode_and_the_gate_hardly_moves() {
    let folder = tempfile::tempdir().unwrap();
    let (mut small, mut shared) = (bundle(folder.path(), "small"), bundle(folder.path(), "shared"));
    assert_eq!(Sides::of(&shared).screening, 1024);
    assert_eq!(Sides::of(&small).segmentation, 1024);
    assert!(Sides::of(&small).screening < 512);
    let photos = photos(folder.path());
    let (mut flips, mut same, mut apart, mut segmented, mut moved) = (0, 0, 0, 0, 0.0_f32);
    for path in &photos {
        let bytes = std::fs::read(path).unwrap();
        let header = inspect_header(&bytes, &Limits::default(), 1024).unwrap();
        if header.upright.long_side() < 2 * Sides::of(&small).screening {
            // Half of it is too little for the gate, too: one decode, all of it.
            same += 1;
            continue;
        }
        let (first, second) = (inspected(&mut small, &bytes), inspected(&mut shared, &bytes));
        let (Some(one), Some(other)) = (first.screening, second.screening) else {
            assert_eq!(first.verdict, second.verdict, "{}", path.display());
            continue;
        };
        apart += usize::from(one.gate != other.gate);
        moved = moved.max((one.gate.unwrap() - other.gate.unwrap()).abs());
        if one.suspect != other.suspect {
            flips += 1;
            eprintln!("{}: gate {:?}, shared {:?}", path.display(), one.gate, other.gate);
            continue;
        }
        segmented += usize::from(first.verdict == Verdict::Damaged);
        assert_eq!(first.findings, second.findings, "{}", path.display());
    }
    eprintln!(
        "{} photos, {same} of them too small for two decodes; gates of {apart} differ, by at most {moved}; {flips} flips; \
         findings of {segmented} are the same",
        photos.len()
    );
    assert!(apart > 0, "the small decode is the large one");
    assert!(segmented > 0);
    assert!(
        f64::from(flips) <= FLIPS_MAX * photos.len() as f64,
        "{flips} flips"
    );
}
