//! Corrections made in other tools, back as reviews.
//!
//! What a photo looked like when it was exported is made anew from the stack: its report, and its reviews up to the revision
//! in the manifest. What differs in the file is one decision, under the next revision. So a file imported twice changes nothing
//! the second time, and where somebody decided meanwhile, nothing is overwritten.

use super::copies::read_manifest;
use super::outputs::{label_file, labels_beside};
use super::photo::no_report;
use crate::StackClient;
use anyhow::{Context, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;
use walkaround_domain::review::{DecisionBounds, Reviewed, reviewed};
use walkaround_domain::{BlobRef, Inspection, InspectionId, Review, Reviewer, Size, hex};
use walkaround_formats::compare::{Changes, changes, decision};
use walkaround_formats::manifest::MANIFEST_FILE;
use walkaround_formats::{
    Format, ManifestEntry, Photo, ReadError, ReadPhoto, ReadShape, annotations, coco, cvat, label_studio,
    photo_digest, yolo,
};
use walkaround_pipeline::review::{DecisionRequest, ReviewError, ReviewService, ReviewedInspection, is_same};
use walkaround_pipeline::stored_report::read_report;

/// Largest label file and `data.yaml` that are read, in bytes.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// What is imported, and how.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The file of another tool; of YOLO its `data.yaml`, beside `labels`.
    pub file: PathBuf,
    /// Its format; guessed from the file where it is not given.
    pub format: Option<Format>,
    /// The manifest of the export; looked for beside the file and above it where it is not given.
    pub manifest: Option<PathBuf>,
    /// In whose name reviews are stored.
    pub by: Reviewer,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

/// What becomes of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was exported.
    Unchanged,
    /// Its changes are a review now, or would be: how many of what, and the revision.
    Reviewed(String, u32),
    /// Its changes are the review of this revision already.
    Already(u32),
    /// Its changes are refused, and why.
    Refused(String),
}

/// Told how an import gets on.
pub trait ImportProgress {
    /// So many photos are in the file.
    fn total(&self, photos: usize);

    /// What becomes of a photo, under the name that the file has for it.
    ///
    /// # Errors
    /// It cannot be shown: the import stops.
    fn photo(&self, name: &str, inspection: Option<&str>, fate: &Fate) -> std::io::Result<()>;
}

/// What became of the photos of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// They are as they were exported.
    pub unchanged: usize,
    /// Their changes are reviews now, or would be.
    pub reviewed: usize,
    /// Their changes are reviews already.
    pub already: usize,
    /// Their changes are refused.
    pub refused: usize,
}

/// Imports a file.
///
/// # Errors
/// Usage: a file or a manifest that is none. The stack does not answer: run it again to go on.
pub async fn import(
    stack: &dyn StackClient,
    options: &ImportOptions,
    progress: &dyn ImportProgress,
) -> Result<Imported, Failure> {
    if !options.file.is_file() {
        let file = options.file.display();
        let is = if options.file.exists() {
            "no file, but a folder or device"
        } else {
            "no such file"
        };
        return Err(Failure::usage(format!(
            "{file}: {is}; expected the file of another tool"
        )));
    }
    let manifest = Manifest::read(options)?;
    let format = match options.format {
        Some(format) => format,
        None => guess(&options.file)?,
    };
    let photos = read(options, format, &manifest).map_err(|error| {
        let file = options.file.display();
        Failure::usage(format!("{file}: {error}"))
    })?;
    if !options.dry_run {
        // Before anything is stored: without a topic nobody would hear of the reviews.
        stack.publisher()?;
    }
    let importer = Importer {
        service: stack.reviews()?,
        manifest,
        format,
        options,
    };
    progress.total(photos.len());
    let (mut seen, mut counts) = (BTreeSet::new(), Imported::default());
    for photo in photos {
        let (entry, fate) = match importer.manifest.of(&photo.name) {
            Err(why) => (None, Fate::Refused(why)),
            Ok(entry) if !seen.insert(entry.photo_sha256.clone()) => {
                let line = "the file has this photo twice: only the first one counts";
                (Some(entry), Fate::Refused(line.to_owned()))
            }
            Ok(entry) => (Some(entry), importer.photo(entry, photo.shapes).await?),
        };
        match fate {
            Fate::Unchanged => counts.unchanged += 1,
            Fate::Reviewed(..) => counts.reviewed += 1,
            Fate::Already(_) => counts.already += 1,
            Fate::Refused(_) => counts.refused += 1,
        }
        let inspection = entry.map(|entry| entry.inspection_id.as_str());
        progress.photo(&photo.name, inspection, &fate)?;
    }
    Ok(counts)
}

/// The photos of an export, by digest.
struct Manifest(BTreeMap<String, ManifestEntry>);

impl Manifest {
    fn read(options: &ImportOptions) -> Result<Self, Failure> {
        let path = match &options.manifest {
            Some(path) => path.clone(),
            None => beside(&options.file).ok_or_else(|| {
                Failure::usage(format!(
                    "no {MANIFEST_FILE} beside {} or above it; name that of the export with --manifest",
                    options.file.display()
                ))
            })?,
        };
        if !path.is_file() {
            return Err(Failure::usage(format!("{}: no such file", path.display())));
        }
        let entries = read_manifest(&path).map_err(|error| Failure::usage(format!("{error:#}")))?;
        let with_files = entries.into_iter().filter(|entry| entry.file.is_some());
        Ok(Self(
            with_files
                .map(|entry| (entry.photo_sha256.clone(), entry))
                .collect(),
        ))
    }

    fn of(&self, name: &str) -> Result<&ManifestEntry, String> {
        let digest = photo_digest(name);
        let digest = digest.ok_or("its name has no digest: expected the name of an exported photo")?;
        let entry = self.0.get(&digest);
        entry.ok_or_else(|| "the manifest has no such photo".to_owned())
    }

    fn size(&self, name: &str) -> Option<Size> {
        let entry = self.of(name).ok()?;
        Some(Size::new(entry.width?, entry.height?))
    }
}

/// The manifest in the folder of a file, or in one of the two above it.
fn beside(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let folders = file.ancestors().skip(1).take(3);
    let mut manifests = folders.map(|folder| folder.join(MANIFEST_FILE));
    manifests.find(|path| path.is_file())
}

/// The format of a file, by its name and its first character.
fn guess(file: &Path) -> Result<Format, Failure> {
    let extension = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let unknown = || {
        let file = file.display();
        Failure::usage(format!(
            "{file}: of which format? expected --format coco, cvat, label-studio or yolo"
        ))
    };
    match extension.as_str() {
        "xml" => Ok(Format::Cvat),
        "yaml" | "yml" => Ok(Format::Yolo),
        "json" => {
            let context = || format!("cannot read {}", file.display());
            let mut bytes = BufReader::new(File::open(file).with_context(context)?).bytes();
            let first = bytes.find(|byte| !byte.as_ref().is_ok_and(u8::is_ascii_whitespace));
            match first.transpose().with_context(context)? {
                Some(b'[') => Ok(Format::LabelStudio),
                Some(b'{') => Ok(Format::Coco),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

fn read(options: &ImportOptions, format: Format, manifest: &Manifest) -> Result<Vec<ReadPhoto>, ReadError> {
    let file = &options.file;
    let size_of = |name: &str| manifest.size(name);
    let open = || File::open(file).map_err(|error| ReadError(error.to_string()));
    match format {
        Format::Coco => coco::read(file, &size_of),
        Format::Cvat => cvat::read(open()?, &size_of),
        Format::LabelStudio => label_studio::read(BufReader::new(open()?), &size_of),
        Format::Yolo => {
            let classes = yolo::class_names(&text(file)?)?;
            let folder = labels_beside(file);
            if !folder.is_dir() {
                return Err(ReadError(format!(
                    "{}: no such folder, expected its label files",
                    folder.display()
                )));
            }
            let there = manifest
                .0
                .keys()
                .map(|photo| (photo, folder.join(label_file(photo))));
            // A photo without a label file is not part of what comes back.
            let there = there.filter(|(_, path)| path.is_file());
            let photos = there.map(|(photo, path)| ReadPhoto {
                name: photo.clone(),
                shapes: manifest
                    .size(photo)
                    .ok_or_else(|| ReadError("it has no size".to_owned()))
                    .and_then(|size| yolo::read(&text(&path)?, &classes, size)),
            });
            Ok(photos.collect())
        }
    }
}

fn text(path: &Path) -> Result<String, ReadError> {
    let read = || -> std::io::Result<String> {
        if fs::metadata(path)?.len() > TEXT_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "larger than {} MiB",
                TEXT_BYTES_MAX >> 20
            )));
        }
        fs::read_to_string(path)
    };
    read().map_err(|error| ReadError(error.to_string()))
}

struct Importer<'a> {
    service: ReviewService,
    manifest: Manifest,
    format: Format,
    options: &'a ImportOptions,
}

/// What a photo was when it was exported.
struct AsExported {
    inspection: InspectionId,
    report: [u8; 32],
    state: Reviewed,
    photo: Photo,
    findings: usize,
    history: Vec<Review>,
}

impl Importer<'_> {
    async fn photo(
        &self,
        entry: &ManifestEntry,
        shapes: Result<Vec<ReadShape>, ReadError>,
    ) -> Result<Fate, Failure> {
        let shapes = match shapes {
            Ok(shapes) => shapes,
            Err(why) => return Ok(Fate::Refused(why.to_string())),
        };
        let was = match self.as_exported(entry).await? {
            Ok(was) => was,
            Err(why) => return Ok(Fate::Refused(why)),
        };
        match changes(self.format, &was.photo, &shapes) {
            Ok(changes) => self.decide(entry, &was, &changes).await,
            Err(why) => Ok(Fate::Refused(why.to_string())),
        }
    }

    /// The photo under the revision that the manifest names.
    async fn as_exported(&self, entry: &ManifestEntry) -> Result<Result<AsExported, String>, Failure> {
        let Ok(id) = InspectionId::new(entry.inspection_id.clone()) else {
            return Ok(Err("the manifest names no inspection".to_owned()));
        };
        let read = match self.service.read(&id).await {
            Ok(read) => read,
            Err(ReviewError::NotFound(id)) => {
                return Ok(Err(format!("there is no inspection {id} any more")));
            }
            Err(error) => return Err(failure(error)),
        };
        let ReviewedInspection {
            inspection, history, ..
        } = read;
        if inspection.photo_sha256().map(|digest| hex(digest)).as_ref() != Some(&entry.photo_sha256) {
            return Ok(Err(format!("inspection {id} is of another photo")));
        }
        let Some(report) = report_of(&inspection, entry) else {
            return Ok(Err(format!(
                "inspection {id} has another report now: export it again"
            )));
        };
        let document = match read_report(&*self.service.blobs, report).await {
            Ok(document) => document,
            Err(error) => {
                let (_, why) = no_report(error)?;
                return Ok(Err(format!("inspection {id}: {why}")));
            }
        };
        let up_to = history.iter().filter(|review| review.revision <= entry.revision);
        let state = reviewed(up_to, &report.sha256);
        let all =
            annotations(&document, &state.judgement).map_err(|why| anyhow!("inspection {id}: {why}"))?;
        Ok(Ok(AsExported {
            report: report.sha256,
            findings: document.findings.len(),
            photo: Photo {
                entry: entry.clone(),
                annotations: all,
            },
            inspection: id,
            state,
            history,
        }))
    }

    async fn decide(
        &self,
        entry: &ManifestEntry,
        was: &AsExported,
        changes: &Changes,
    ) -> Result<Fate, Failure> {
        let findings = u32::try_from(was.findings).unwrap_or(u32::MAX);
        let Some(decision) = decision(&was.state.judgement, findings, changes) else {
            return Ok(Fate::Unchanged);
        };
        let revision = entry.revision + 1;
        let request = DecisionRequest {
            inspection: was.inspection.clone(),
            revision,
            by: self.options.by.clone(),
            based_on: was.report,
            decision,
            note: None,
        };
        let stored = was.history.iter().find(|review| review.revision == revision);
        if stored.is_some_and(|stored| is_same(stored, &request)) {
            return Ok(Fate::Already(revision));
        }
        if let Some(last) = was.history.last().filter(|last| last.revision > entry.revision) {
            return Ok(Fate::Refused(format!(
                "revision {} was exported, and {} by {} is the last now: export it again",
                entry.revision, last.revision, last.by
            )));
        }
        let done = Fate::Reviewed(changes.summary(), revision);
        if self.options.dry_run {
            let bounds = DecisionBounds {
                findings: was.findings,
                size: Some(was.photo.size()),
                revision,
            };
            let checked = request.decision.check(None, &bounds);
            return Ok(checked.map_or_else(|why| Fate::Refused(why.to_string()), |()| done));
        }
        match self.service.decide(request).await {
            Ok(_) => Ok(done),
            Err(error @ (ReviewError::Port(_) | ReviewError::NotFound(_))) => Err(failure(error)),
            // Somebody was faster, or it is out of bounds: that photo alone is not changed.
            Err(error) => Ok(Fate::Refused(error.to_string())),
        }
    }
}

fn failure(error: ReviewError) -> Failure {
    match error {
        ReviewError::Port(error) => Failure::of_port(error),
        other => Failure::Failed(other.into()),
    }
}

/// The report of an inspection, if it is the one that was exported.
fn report_of<'a>(inspection: &'a Inspection, entry: &ManifestEntry) -> Option<&'a BlobRef> {
    let report = inspection.outcome.as_ref()?.report.as_ref()?;
    (entry.report_sha256.as_ref() == Some(&hex(&report.sha256))).then_some(report)
}
