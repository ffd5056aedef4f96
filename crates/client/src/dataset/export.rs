//! Reviewed photos as a data set.
//!
//! First everything is listed, and the photos are put in the order of their digests: so the same query of the same stack gives
//! the same bytes. Then they are read a few at a time, each into its file and onto a line of a working file; at the end the
//! formats are written from that. A run that is cut is gone on with by the next one.

use super::copies::{Copies, SPOOL};
use super::listing::each_done;
use super::outputs::{Outputs, Written, remove_earlier};
use super::photo::{Candidate, Outcome, PhotoReader, Query};
use crate::StackClient;
use crate::whole_file::{WholeFile, write_whole};
use anyhow::{Context, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use walkaround_bootstrap::Failure;
use walkaround_domain::InspectionId;
use walkaround_formats::card::{About, CARD_FILE, Counts, card};
use walkaround_formats::manifest::{LeftOut, MANIFEST_FILE};
use walkaround_formats::{Format, Losses, ManifestEntry, Splits, spool};
use walkaround_pipeline::past::Window;
use walkaround_ports::{PhotoSource, Records};
use walkaround_vision::decode::Limits;

/// Photos that are read at the same time: each may be decoded at full size.
const PHOTOS_AT_ONCE: usize = 4;

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Photos of this time.
    pub window: Window,
    /// Which of them.
    pub query: Query,
    /// In these formats.
    pub formats: BTreeSet<Format>,
    /// Divided like this.
    pub splits: Splits,
    /// The query in the words of the command line, for the card.
    pub words: String,
}

/// Told how an export gets on.
pub trait ExportProgress {
    /// So many photos are to be read.
    fn total(&self, photos: usize);

    /// So many more are done with.
    fn advance(&self, photos: usize);
}

/// What was exported.
#[derive(Debug, Clone)]
pub struct Exported {
    /// What the data set holds.
    pub counts: Counts,
    /// What the formats do not carry.
    pub losses: BTreeMap<Format, Losses>,
    /// Photos that were asked for and have no file, each with its reason.
    pub left_out: Vec<ManifestEntry>,
    /// Inspections whose records cannot be read.
    pub unreadable: Vec<InspectionId>,
    /// Photos of an earlier run that were removed: they are not asked for any more.
    pub removed: u64,
}

impl Exported {
    /// Photos that another run may get.
    pub fn unreachable(&self) -> usize {
        let is = |entry: &&ManifestEntry| entry.left_out == Some(LeftOut::PhotoUnreachable);
        self.left_out.iter().filter(is).count()
    }
}

/// Writes a data set into a folder.
///
/// # Errors
/// Usage: the folder holds something else, or the query is too large. The stack does not answer, or the folder cannot be
/// written to: run it again to go on.
pub async fn export(
    stack: &dyn StackClient,
    photos: Arc<dyn PhotoSource>,
    into: &Path,
    options: &ExportOptions,
    progress: &dyn ExportProgress,
) -> Result<Exported, Failure> {
    let (copies, before) = Copies::open(into)?;
    let (candidates, unreadable) = candidates(stack, options.window).await?;
    let listed: BTreeSet<InspectionId> = candidates.values().flatten().map(|it| it.id.clone()).collect();
    progress.total(candidates.len());
    let service = stack.reviews()?;
    let reader = Arc::new(PhotoReader {
        reviews: service.reviews,
        blobs: stack.blobs(),
        photos,
        limits: limits(stack),
        query: options.query.clone(),
        splits: options.splits.clone(),
        copies,
    });
    let mut entries = read_all(&reader, candidates, into, progress).await?;
    let records = stack.records()?;
    let gone = gone(&*records, &before, &entries, &listed).await?;
    entries.extend(gone);
    entries.sort_by(|a, b| {
        let place = |entry: &ManifestEntry| (entry.photo_sha256.clone(), entry.inspection_id.clone());
        place(a).cmp(&place(b))
    });
    let Written { losses, files } = write_formats(into, options, &entries)?;
    let counts = Counts::of(options.splits.names(), &entries);
    let splits = options.splits.to_string();
    let about = About {
        query: &options.words,
        splits: &splits,
        losses: &losses,
    };
    write_whole(&into.join(CARD_FILE), card(&about, &counts).as_bytes())?;
    // Everything new is in place, and the manifest still says what else there is: a run that is killed here is gone on with.
    remove_earlier(into, &before, &files)?;
    let mut manifest = WholeFile::create(&into.join(MANIFEST_FILE))?;
    for entry in &entries {
        manifest.write(format!("{}\n", entry.line()).as_bytes())?;
    }
    manifest.commit()?;
    let removed = reader.copies.finish(&entries)?;
    entries.retain(|entry| entry.left_out.is_some());
    Ok(Exported {
        counts,
        losses,
        left_out: entries,
        unreadable,
        removed,
    })
}

/// What a full-size decode may cost: at least what is allowed without any setting.
fn limits(stack: &dyn StackClient) -> Limits {
    let (settings, usual) = (stack.settings(), Limits::default());
    Limits {
        bytes_max: settings.photo_bytes_max,
        decode_bytes_max: settings.decode_bytes_max.max(usual.decode_bytes_max),
        ..usual
    }
}

/// Done inspections, by the digest of their photo.
type Candidates = BTreeMap<[u8; 32], Vec<Candidate>>;

/// Those of a window, and those whose records cannot be read.
async fn candidates(
    stack: &dyn StackClient,
    window: Window,
) -> Result<(Candidates, Vec<InspectionId>), Failure> {
    let mut all = Candidates::new();
    let take = |inspection| {
        if let Some(candidate) = Candidate::of(inspection) {
            all.entry(candidate.photo_sha256).or_default().push(candidate);
        }
    };
    let unreadable = each_done(stack, window, take).await?;
    Ok((all, unreadable))
}

/// Reads every photo, in order, onto the working file; their lines of the manifest.
async fn read_all(
    reader: &Arc<PhotoReader>,
    candidates: Candidates,
    into: &Path,
    progress: &dyn ExportProgress,
) -> Result<Vec<ManifestEntry>, Failure> {
    let mut spooled = WholeFile::create(&into.join(SPOOL))?;
    let mut entries = Vec::new();
    let mut left = candidates.into_values();
    loop {
        let mut reading = JoinSet::new();
        for (place, inspections) in left.by_ref().take(PHOTOS_AT_ONCE).enumerate() {
            let reader = Arc::clone(reader);
            reading.spawn(async move { (place, reader.read(inspections).await) });
        }
        if reading.is_empty() {
            break;
        }
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        while let Some(read) = reading.join_next().await {
            let (place, outcome) = read.map_err(|error| anyhow!("a photo was not read: {error}"))?;
            outcomes.insert(place, outcome?);
        }
        progress.advance(outcomes.len());
        for outcome in outcomes.into_values() {
            entries.extend(outcome.left_out);
            if let Some(photo) = outcome.photo {
                spooled.write(format!("{}\n", spool::line(&photo)).as_bytes())?;
                entries.push(photo.entry);
            }
        }
    }
    spooled.commit()?;
    Ok(entries)
}

/// Photos of an earlier run whose records are gone since. Others of it are not asked for any more.
async fn gone(
    records: &dyn Records,
    before: &[ManifestEntry],
    now: &[ManifestEntry],
    listed: &BTreeSet<InspectionId>,
) -> Result<Vec<ManifestEntry>, Failure> {
    let there: BTreeSet<&str> = now.iter().map(|entry| entry.photo_sha256.as_str()).collect();
    let mut gone = Vec::new();
    for entry in before {
        let Ok(id) = InspectionId::new(entry.inspection_id.clone()) else {
            continue;
        };
        if listed.contains(&id) || there.contains(entry.photo_sha256.as_str()) {
            continue;
        }
        if records.read(&id).await?.is_none() {
            gone.push(ManifestEntry {
                left_out: Some(LeftOut::RecordGone),
                detail: Some("its record is gone since an earlier export".to_owned()),
                file: None,
                file_sha256: None,
                copied: None,
                split: None,
                annotations: BTreeMap::new(),
                ..entry.clone()
            });
        }
    }
    Ok(gone)
}

fn write_formats(into: &Path, options: &ExportOptions, entries: &[ManifestEntry]) -> anyhow::Result<Written> {
    let classes: BTreeSet<&String> = entries
        .iter()
        .flat_map(|entry| entry.annotations.keys())
        .collect();
    let classes = classes.into_iter().cloned().collect();
    let mut outputs = Outputs::begin(into, &options.formats, &options.splits, classes)?;
    let path = into.join(SPOOL);
    let context = || format!("cannot read {}", path.display());
    for line in BufReader::new(File::open(&path).with_context(context)?).lines() {
        let photo = spool::parse(&line.with_context(context)?);
        outputs.add(&photo.map_err(|why| anyhow!("{}: {why}", path.display()))?)?;
    }
    outputs.finish()
}
