//! The photos that the page shows: best, worst, false alarms. Each becomes a small copy with outlines to lay over it.
//!
//! Only the few candidates are kept while photos come in; their pictures are read again at the end.

use crate::small_picture::{polygons, push_ring, small, small_jpeg};
use anyhow::Context;
use std::path::Path;
use walkaround_client::whole_file::write_whole;
use walkaround_domain::{Rle, Size};
use walkaround_evaluation::{Damage, ScoredPhoto};
use walkaround_messages::PhotoReport;
use walkaround_vision::findings::{OUTLINE_TOLERANCE, simplify, trace};
use walkaround_vision::mask::Patch;
use walkaround_vision::rle;

/// Most pictures of one kind.
const SHELF_MAX: usize = 12;
/// Folder of the copies, inside the report's.
const FOLDER: &str = "pictures";

/// The best and worst damaged photos by IoU, and the undamaged ones with the most reported.
#[derive(Default)]
pub(crate) struct Pictures {
    best: Shelf,
    worst: Shelf,
    alarms: Shelf,
}

/// Up to [`SHELF_MAX`] candidates, largest key first.
#[derive(Default)]
struct Shelf(Vec<Ranked>);

/// A candidate and the key that it is ranked by.
struct Ranked {
    key: [f64; 2],
    candidate: Candidate,
}

/// What is kept of a photo.
#[derive(Clone)]
struct Candidate {
    report: PhotoReport,
    /// Which of the report's findings `inspect` reports by default.
    shown: Vec<usize>,
    any: Rle,
    any_or_ignored: Rle,
    size: Size,
    iou: Option<f64>,
    stopped: bool,
}

/// A picture for the page.
pub(crate) struct Shown {
    /// Relative to the page; none when the photo can no longer be read.
    pub file: Option<String>,
    /// File name of the photo.
    pub name: String,
    pub size: Size,
    pub iou: Option<f64>,
    pub gate: Option<f32>,
    /// The gate stopped it: its findings are not reported.
    pub stopped: bool,
    pub unusable: Vec<String>,
    /// The findings that `inspect` reports by default.
    pub findings: Vec<ShownFinding>,
    /// SVG paths in pixels of the original.
    pub truth: String,
    pub ignored: String,
}

/// A finding on a picture.
pub(crate) struct ShownFinding {
    pub class: String,
    pub probability: f32,
    /// SVG path in pixels of the original.
    pub path: String,
}

/// The pictures of the page, by kind.
pub(crate) struct AllShown {
    pub best: Vec<Shown>,
    pub worst: Vec<Shown>,
    pub alarms: Vec<Shown>,
}

impl Pictures {
    /// Takes a photo when it is among the best, the worst or the false alarms so far.
    pub(crate) fn offer(&mut self, photo: &ScoredPhoto<'_>) {
        let score = &photo.score;
        let counts = score.counts[0];
        let share = |pixels: u64| pixels as f64 / photo.size.pixels() as f64;
        let candidate = || Candidate {
            report: photo.inspected.report.clone(),
            shown: score.shown.clone(),
            any: photo.truth.any.clone(),
            any_or_ignored: photo.truth.any_or_ignored.clone(),
            size: photo.size,
            iou: counts.iou(),
            stopped: score.suspect == Some(false),
        };
        match score.damage {
            Damage::Damaged => {
                let (iou, area) = (counts.iou().unwrap_or(0.0), share(counts.hit + counts.missed));
                self.best.offer([iou, area], candidate);
                self.worst.offer([-iou, area], candidate);
            }
            Damage::Undamaged if counts.wrong > 0 => self.alarms.offer([share(counts.wrong), 0.0], candidate),
            _ => {}
        }
    }

    /// Writes the copies into the report's folder.
    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<AllShown> {
        let folder = out.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create folder {}", folder.display()))?;
        Ok(AllShown {
            best: self.best.write(out, "best")?,
            worst: self.worst.write(out, "worst")?,
            alarms: self.alarms.write(out, "false-alarm")?,
        })
    }
}

impl Shelf {
    fn offer(&mut self, key: [f64; 2], candidate: impl Fn() -> Candidate) {
        let at = self.0.partition_point(|other| other.key >= key);
        if at < SHELF_MAX {
            let candidate = candidate();
            self.0.insert(at, Ranked { key, candidate });
            self.0.truncate(SHELF_MAX);
        }
    }

    /// Copies the pictures, and removes those that an earlier report left under this kind's names.
    fn write(&self, out: &Path, kind: &str) -> anyhow::Result<Vec<Shown>> {
        let file = |number: usize| format!("{FOLDER}/{kind}-{number:02}.jpg");
        for number in 1..=SHELF_MAX {
            let old = out.join(file(number));
            if old.exists() {
                std::fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        let mut shown = Vec::new();
        for (number, Ranked { candidate, .. }) in (1..).zip(&self.0) {
            let mut written = None;
            let bytes = std::fs::read(Path::new(&candidate.report.photo)).ok();
            if let Some(jpeg) = bytes.and_then(|bytes| small_jpeg(&bytes)) {
                write_whole(&out.join(file(number)), &jpeg)?;
                written = Some(file(number));
            }
            shown.push(candidate.shown(written)?);
        }
        Ok(shown)
    }
}

impl Candidate {
    fn shown(&self, file: Option<String>) -> anyhow::Result<Shown> {
        let report = &self.report;
        let path = Path::new(&report.photo);
        Ok(Shown {
            file,
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            size: self.size,
            iou: self.iou,
            gate: report.gate,
            stopped: self.stopped,
            unusable: report.reasons.iter().map(|r| r.detail.clone()).collect(),
            findings: self
                .shown
                .iter()
                .filter_map(|&at| report.findings.get(at))
                .map(|finding| ShownFinding {
                    class: finding.class.clone(),
                    probability: finding.probability,
                    path: polygons(&finding.polygons),
                })
                .collect(),
            truth: outlines(&self.any, None)?,
            ignored: outlines(&self.any_or_ignored, Some(&self.any))?,
        })
    }
}

/// Outlines of a mask, without another one, as an SVG path in its pixels; traced at the size of the copy.
fn outlines(mask: &Rle, without: Option<&Rle>) -> anyhow::Result<String> {
    let mut pixels = rle::decode_mask(mask)?;
    if let Some(without) = without {
        for (pixel, out) in pixels.iter_mut().zip(rle::decode_mask(without)?) {
            *pixel &= 1 - out;
        }
    }
    let (patch, scale) = shrunk(&pixels, mask.size);
    let mut path = String::new();
    for ring in trace(&patch) {
        let corners = simplify(&ring, OUTLINE_TOLERANCE);
        push_ring(
            &mut path,
            corners
                .iter()
                .map(|&(x, y)| (x as f32 * scale.0, y as f32 * scale.1)),
        );
    }
    Ok(path)
}

/// A mask at the size of the copy, and by how much that is smaller in x and y.
fn shrunk(pixels: &[u8], size: Size) -> (Patch, (f32, f32)) {
    let small = small(size);
    // The original pixel under the centre of a small one.
    let under = |at: u32, from: u32, to: u32| {
        ((u64::from(at) * 2 + 1) * u64::from(from) / (u64::from(to) * 2)) as usize
    };
    let mut patch = Patch {
        x: 0,
        y: 0,
        width: small.width as usize,
        height: small.height as usize,
        pixels: Vec::with_capacity(small.pixels() as usize),
    };
    for y in 0..small.height {
        let row = under(y, size.height, small.height) * size.width as usize;
        for x in 0..small.width {
            patch.pixels.push(pixels[row + under(x, size.width, small.width)]);
        }
    }
    let scale = |from: u32, to: u32| from as f32 / to as f32;
    (
        patch,
        (scale(size.width, small.width), scale(size.height, small.height)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_in_pixels_of_the_original() {
        let size = Size::new(2560, 1280);
        let mut pixels = vec![0; size.pixels() as usize];
        for y in 400..800 {
            pixels[y * 2560 + 1000..y * 2560 + 1400].fill(1);
        }
        let mask = rle::encode_mask(size, &pixels);
        let path = outlines(&mask, None).unwrap();
        assert_eq!(path, "M1400.0 400.0L1400.0 800.0L1000.0 800.0L1000.0 400.0Z");
        assert_eq!(outlines(&mask, Some(&mask)).unwrap(), "");
    }

    #[test]
    fn a_shelf_keeps_the_first_twelve_by_key() {
        let candidate = || Candidate {
            report: serde_json::from_str(
                r#"{"schema":"","photo":"","verdict":"","reasons":[],"findings":[],
                    "bundle":{"name":"","version":""},"timings_ms":{}}"#,
            )
            .unwrap(),
            shown: vec![],
            any: rle::encode_mask(Size::new(1, 1), &[0]),
            any_or_ignored: rle::encode_mask(Size::new(1, 1), &[0]),
            size: Size::new(1, 1),
            iou: None,
            stopped: false,
        };
        let mut shelf = Shelf::default();
        for key in [3, 11, 5, 0, 9, 7, 1, 13, 2, 8, 12, 10, 4, 6] {
            shelf.offer([f64::from(key), 0.0], candidate);
        }
        let kept: Vec<f64> = shelf.0.iter().map(|ranked| ranked.key[0]).collect();
        let expected: Vec<f64> = (2..=13).rev().map(f64::from).collect();
        assert_eq!(kept, expected);
    }
}
