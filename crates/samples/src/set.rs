//! Sets of samples: a varied dozen over and over, in memory or as files. How: each place in the dozen has its
//! kind, and each sample a seed of its own, so that a longer set begins with the shorter one.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, ImageError, ImageFormat};

use crate::coco::Coco;
use crate::math::Rng;
use crate::{Kind, Sample, SampleSpec, VERSION, draw};

/// Any run of a few holds damage and its absence; a dozen holds every kind.
const DOZEN: [Kind; 12] = [
    Kind::Scratch,
    Kind::Clean,
    Kind::Dent,
    Kind::Spacing,
    Kind::Scratch,
    Kind::Clean,
    Kind::Mixed,
    Kind::Dark,
    Kind::Dent,
    Kind::Clean,
    Kind::Scratch,
    Kind::Blurred,
];

/// Said in every file, so that no sample passes for a photo.
const NOTE: &str = "drawn sample, not a photo";
const QUALITY: u8 = 92;

/// Which set to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSpec {
    /// Decides every sample of the set.
    pub seed: u64,
    /// Samples in it.
    pub count: u32,
    /// Pixels across and down.
    pub size: (u32, u32),
}

impl Default for SetSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            count: 12,
            size: (1600, 1200),
        }
    }
}

/// How far [`write_set`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Samples written, this one included.
    pub done: u32,
    /// Samples in the set.
    pub total: u32,
    /// File stem of the sample just written.
    pub stem: &'a str,
}

/// What [`write_set`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOutcome {
    /// The pictures, in order.
    pub pictures: Vec<PathBuf>,
    /// The COCO file with the true regions.
    pub annotations: PathBuf,
}

/// Why a set could not be written. Free the space or the folder named and run again: files are overwritten.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture could not be encoded.
    #[error("cannot encode {path}")]
    Picture {
        /// The picture's file.
        path: PathBuf,
        /// What the encoder said.
        source: ImageError,
    },
}

/// File stems and specs of a set, without drawing anything.
pub fn set_specs(set: SetSpec) -> impl Iterator<Item = (String, SampleSpec)> {
    (0..set.count).map(move |index| {
        let kind = DOZEN[index as usize % DOZEN.len()];
        let seed = Rng::new(set.seed, 1000 + u64::from(index)).next();
        let stem = format!("sample-{:04}-{}", index + 1, kind.name());
        (
            stem,
            SampleSpec {
                seed,
                width: set.size.0,
                height: set.size.1,
                kind,
            },
        )
    })
}

/// Draws a set: of 12 samples, 3 clean, 3 scratched, 2 dented, 1 spacing, 1 mixed, 1 dark, 1 blurred.
/// Items are the file stem and the sample.
pub fn sample_set(seed: u64, count: u32, size: (u32, u32)) -> impl Iterator<Item = (String, Sample)> {
    set_specs(SetSpec { seed, count, size }).map(|(stem, spec)| (stem, draw(&spec)))
}

/// Writes a set into `folder` (made if missing): `<stem>.jpg`, `<stem>.<class>.mask.png`,
/// `_annotations.coco.json` and `README.txt`. Calls `on_progress` after each sample.
///
/// # Errors
/// [`WriteError`] on the first file that cannot be written; what was written before stays.
pub fn write_set(
    folder: &Path,
    set: SetSpec,
    mut on_progress: impl FnMut(Progress<'_>),
) -> Result<WriteOutcome, WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::File {
        path: folder.to_owned(),
        source,
    })?;
    let mut coco = Coco::default();
    let mut pictures = Vec::new();
    for (done, (stem, spec)) in (1..).zip(set_specs(set)) {
        let sample = draw(&spec);
        let picture = folder.join(format!("{stem}.jpg"));
        write(&picture, &jpeg(&picture, &sample)?)?;
        let drawn = SampleSpec {
            width: sample.picture.width(),
            height: sample.picture.height(),
            ..spec
        };
        let image = coco.image(&format!("{stem}.jpg"), &drawn);
        for damage in &sample.damages {
            let path = folder.join(format!("{stem}.{}.mask.png", damage.class));
            let mut png = Cursor::new(Vec::new());
            let encoded = damage.mask.write_to(&mut png, ImageFormat::Png);
            encoded.map_err(|source| WriteError::Picture {
                path: path.clone(),
                source,
            })?;
            write(&path, png.get_ref())?;
            coco.damage(image, damage);
        }
        pictures.push(picture);
        on_progress(Progress {
            done,
            total: set.count,
            stem: &stem,
        });
    }
    let annotations = folder.join("_annotations.coco.json");
    write(&annotations, coco.document(set.seed).to_string().as_bytes())?;
    write(&folder.join("README.txt"), readme(set).as_bytes())?;
    Ok(WriteOutcome {
        pictures,
        annotations,
    })
}

/// Writes beside and renames: the file is there whole or not at all, whatever the disk does.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let beside = path.with_added_extension("part");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // What is left of it is of no use; if it cannot be removed either, the first error is the one to report.
        let _ = fs::remove_file(&beside);
        WriteError::File {
            path: path.to_owned(),
            source,
        }
    })
}

pub(crate) fn jpeg(path: &Path, sample: &Sample) -> Result<Vec<u8>, WriteError> {
    let failed = |source| WriteError::Picture {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    encoder
        .set_exif_metadata(exif())
        .map_err(|error| failed(ImageError::Unsupported(error)))?;
    encoder.encode_image(&sample.picture).map_err(failed)?;
    Ok(bytes)
}

/// A little-endian TIFF block with ImageDescription (0x010E) and Software (0x0131).
fn exif() -> Vec<u8> {
    let software = format!("walkaround samples {VERSION}");
    let texts = [(0x010E_u16, NOTE), (0x0131, software.as_str())];
    let mut head = b"II\x2A\x00\x08\x00\x00\x00".to_vec();
    head.extend((texts.len() as u16).to_le_bytes());
    // Texts follow the directory: 8 header bytes, 2 of count, 12 an entry, 4 for "no next directory".
    let mut offset = (8 + 2 + 12 * texts.len() + 4) as u32;
    let mut tail = Vec::new();
    for (tag, text) in texts {
        let size = text.len() as u32 + 1;
        head.extend(tag.to_le_bytes());
        head.extend(2_u16.to_le_bytes());
        head.extend(size.to_le_bytes());
        head.extend(offset.to_le_bytes());
        tail.extend(text.as_bytes());
        tail.push(0);
        offset += size;
    }
    head.extend([0; 4]);
    head.extend(tail);
    head
}

fn readme(set: SetSpec) -> String {
    format!(
        "These pictures are drawn samples, not photos.\n\n\
         Drawn by `walkaround samples` (drawing version {VERSION}), seed {}, {} samples of {} x {} pixels.\n\
         The same seed, count and version draw the same pictures.\n\n\
         <stem>.jpg               the picture\n\
         <stem>.<class>.mask.png  where it is truly damaged (255), per class: scratch, dent, spacing\n\
         _annotations.coco.json   the same regions as COCO run lengths\n",
        set.seed, set.count, set.size.0, set.size.1
    )
}
