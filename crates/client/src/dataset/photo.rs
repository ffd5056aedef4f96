//! One photo of a data set: what its record, its report and its reviews come to, and its file.

use super::copies::{Copies, PhotoFile};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use walkaround_bootstrap::Failure;
use walkaround_domain::review::{Judgement, Reviewed, reviewed};
use walkaround_domain::{
    BlobRef, BundleId, Inspection, InspectionId, Phase, PhotoRef, ReviewTask, TaskReason, Timestamp, Verdict,
    hex,
};
use walkaround_formats::manifest::{LeftOut, VERSION};
use walkaround_formats::split::Group;
use walkaround_formats::{Annotation, ManifestEntry, Photo, Splits, annotations};
use walkaround_messages::PhotoReport;
use walkaround_pipeline::stored_report::read_report;
use walkaround_ports::{Blobs, FetchError, PhotoSource, PortError, PortErrorKind, Reviews};
use walkaround_vision::decode::Limits;
use walkaround_vision::strip::{Stripped, strip};

/// Which photos are asked for, beside their time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only those that a person has decided about.
    pub reviewed: bool,
    /// Only those whose review task has one of these reasons; empty for all.
    pub reasons: BTreeSet<TaskReason>,
    /// Only those with an annotation of one of these classes; empty for all.
    pub classes: BTreeSet<String>,
}

/// What is kept of a done inspection until its turn.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: InspectionId,
    pub(super) photo_sha256: [u8; 32],
    accepted_at: Timestamp,
    photo: PhotoRef,
    group: Group,
    verdict: Verdict,
    bundle: BundleId,
    report: Option<BlobRef>,
}

impl Candidate {
    /// None where its bytes are not known: it is not done.
    pub(super) fn of(inspection: Inspection) -> Option<Self> {
        let Phase::Done { verdict } = inspection.phase else {
            return None;
        };
        let photo_sha256 = *inspection.photo_sha256()?;
        let (request, outcome) = (inspection.request, inspection.outcome?);
        let (vehicle, reservation) = (request.vehicle_id.as_deref(), request.reservation_id.as_deref());
        Some(Self {
            group: Group::of(vehicle, reservation, &photo_sha256),
            id: request.id,
            photo_sha256,
            accepted_at: inspection.accepted_at,
            photo: request.photo,
            verdict,
            bundle: outcome.bundle,
            report: outcome.report,
        })
    }
}

/// A candidate with what people did about it.
struct Standing {
    candidate: Candidate,
    reviewed: Reviewed,
    task: Option<ReviewTask>,
    revision: u32,
}

impl Standing {
    /// Whether a person said so, or agreed with the machine.
    fn is_unusable_to_a_person(&self) -> bool {
        match self.reviewed.judgement {
            Judgement::Unusable(_) => true,
            Judgement::Confirmed => self.candidate.verdict == Verdict::Unusable,
            Judgement::Unreviewed | Judgement::Corrected(_) => false,
        }
    }
}

/// What became of the inspections of one photo.
#[derive(Default)]
pub(super) struct Outcome {
    /// The photo, if it is part of the data set.
    pub(super) photo: Option<Photo>,
    /// What was asked for and is left out.
    pub(super) left_out: Vec<ManifestEntry>,
}

/// Reads photos from a stack into a folder.
pub(super) struct PhotoReader {
    pub(super) reviews: Arc<dyn Reviews>,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) photos: Arc<dyn PhotoSource>,
    pub(super) limits: Limits,
    pub(super) query: Query,
    pub(super) splits: Splits,
    pub(super) copies: Copies,
}

impl PhotoReader {
    /// The photo that these inspections are of. Of several, the one that a person has decided about counts, then the latest;
    /// where it is left out, the next one. What a person cannot judge, no other inspection of the same bytes answers for.
    ///
    /// # Errors
    /// The stack does not answer, or the folder cannot be written to.
    pub(super) async fn read(&self, inspections: Vec<Candidate>) -> Result<Outcome, Failure> {
        let asked = self.asked(inspections).await?;
        let places: Vec<&PhotoRef> = asked.iter().map(|it| &it.candidate.photo).collect();
        let mut outcome = Outcome::default();
        for (at, it) in asked.iter().enumerate() {
            let (report, all) = match self.annotated(it).await? {
                Annotated::Not => continue,
                Annotated::Final => return Ok(outcome),
                Annotated::LeftOut(why, detail) => {
                    outcome
                        .left_out
                        .push(left_out(it, why, detail.map(str::to_owned)));
                    if why == LeftOut::Unusable && it.is_unusable_to_a_person() {
                        outcome.left_out.extend(same_photo(it, &asked[at + 1..]));
                        return Ok(outcome);
                    }
                    continue;
                }
                Annotated::As(report, all) => (report, all),
            };
            // Its own place first.
            let places = [&places[at..=at], &places[..]].concat();
            let copy = match self.copy(it.candidate.photo_sha256, &places).await? {
                Ok(copy) if (Some(copy.width), Some(copy.height)) != (report.width, report.height) => {
                    let why = Some("the photo has another size than its report".to_owned());
                    outcome.left_out.push(left_out(it, LeftOut::Unreadable, why));
                    continue;
                }
                copy => copy,
            };
            match copy {
                Ok(copy) => outcome.photo = Some(self.with_file(it, copy, all)),
                Err((why, detail)) => outcome.left_out.push(left_out(it, why, Some(detail.to_owned()))),
            }
            // Without a file, too: the bytes of the others are the same.
            outcome.left_out.extend(same_photo(it, &asked[at + 1..]));
            break;
        }
        Ok(outcome)
    }

    /// The inspections that are asked for, the one that counts first.
    async fn asked(&self, inspections: Vec<Candidate>) -> Result<Vec<Standing>, Failure> {
        let mut asked = Vec::new();
        for candidate in inspections {
            let standing = self.standing(candidate).await?;
            if self.is_asked(&standing) {
                asked.push(standing);
            }
        }
        asked.sort_by_key(|it| {
            let reviewed = it.reviewed.judgement != Judgement::Unreviewed;
            let place = (!reviewed, std::cmp::Reverse(it.candidate.accepted_at));
            (place, it.candidate.id.clone())
        });
        Ok(asked)
    }

    async fn standing(&self, candidate: Candidate) -> Result<Standing, Failure> {
        let history = self.reviews.history(&candidate.id).await?;
        let report = candidate.report.as_ref();
        Ok(Standing {
            reviewed: report
                .map(|report| reviewed(&history, &report.sha256))
                .unwrap_or_default(),
            task: self.reviews.task(&candidate.id).await?,
            revision: history.last().map_or(0, |review| review.revision),
            candidate,
        })
    }

    /// As far as it can be said without the report.
    fn is_asked(&self, it: &Standing) -> bool {
        let query = &self.query;
        let mut reasons = it.task.iter().flat_map(ReviewTask::reasons);
        let reviewed = !query.reviewed || it.reviewed.judgement != Judgement::Unreviewed;
        reviewed && (query.reasons.is_empty() || reasons.any(|reason| query.reasons.contains(&reason)))
    }

    /// What is on a photo as one of its inspections has it.
    async fn annotated(&self, it: &Standing) -> Result<Annotated, Failure> {
        let classes = &self.query.classes;
        let by_machine = it.candidate.verdict == Verdict::Unusable
            && !matches!(it.reviewed.judgement, Judgement::Corrected(_));
        if by_machine || it.is_unusable_to_a_person() {
            // Nothing is on it, so no class is: it is not asked for, and its report may well have no size.
            return Ok(match (classes.is_empty(), it.is_unusable_to_a_person()) {
                (true, _) => Annotated::LeftOut(LeftOut::Unusable, None),
                (false, true) => Annotated::Final,
                (false, false) => Annotated::Not,
            });
        }
        let report = match self.report(&it.candidate).await? {
            Ok(report) => report,
            Err((why, detail)) => return Ok(Annotated::LeftOut(why, Some(detail))),
        };
        let Ok(all) = annotations(&report, &it.reviewed.judgement) else {
            let detail = "its report cannot be read: no size, or codes that do not fit it";
            return Ok(Annotated::LeftOut(LeftOut::Unreadable, Some(detail)));
        };
        if !classes.is_empty() && !all.iter().any(|one| classes.contains(&one.class)) {
            return Ok(Annotated::Final);
        }
        Ok(Annotated::As(Box::new(report), all))
    }

    fn with_file(&self, it: &Standing, copy: PhotoFile, annotations: Vec<Annotation>) -> Photo {
        let mut entry = entry(it);
        entry.split = Some(self.splits.of(&it.candidate.group).to_owned());
        entry.file = Some(copy.file);
        entry.file_sha256 = Some(copy.file_sha256);
        entry.copied = Some(copy.copied);
        entry.encoded_because = copy.encoded_because;
        (entry.width, entry.height) = (Some(copy.width), Some(copy.height));
        for one in &annotations {
            *entry.annotations.entry(one.class.clone()).or_default() += 1;
        }
        Photo { entry, annotations }
    }

    async fn report(&self, candidate: &Candidate) -> Result<Result<PhotoReport, Why>, Failure> {
        let Some(report) = &candidate.report else {
            return Ok(Err((LeftOut::ReportGone, "its record names no report")));
        };
        match read_report(&*self.blobs, report).await {
            Ok(report) => Ok(Ok(report)),
            Err(error) => no_report(error).map(Err),
        }
    }

    /// The file of a photo: the one that is there, or a new one from the first of these places that has its bytes.
    async fn copy(&self, photo: [u8; 32], places: &[&PhotoRef]) -> Result<Result<PhotoFile, Why>, Failure> {
        let digest = hex(&photo);
        if let Some(copy) = self.copies.get(&digest).await? {
            return Ok(Ok(copy));
        }
        let mut why = None;
        for (at, place) in places.iter().enumerate() {
            if places[..at].contains(place) {
                continue;
            }
            let this = match self.stripped(photo, place).await? {
                Ok(stripped) => return Ok(Ok(self.copies.put(&digest, &stripped)?)),
                // Its bytes are the same everywhere.
                Err(why @ (LeftOut::Unreadable, _)) => return Ok(Err(why)),
                Err(this) => this,
            };
            // What another run may get is what should be known.
            if why.is_none() || this.0 == LeftOut::PhotoUnreachable {
                why = Some(this);
            }
        }
        Ok(Err(why.unwrap_or((LeftOut::PhotoGone, GONE))))
    }

    /// The picture of a photo from one place.
    async fn stripped(&self, photo: [u8; 32], place: &PhotoRef) -> Result<Result<Stripped, Why>, Failure> {
        let bytes = match self.photos.fetch(place, self.limits.bytes_max).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(unfetched(&error))),
        };
        let limits = self.limits;
        let stripping = tokio::task::spawn_blocking(move || -> Result<Stripped, Why> {
            if <[u8; 32]>::from(Sha256::digest(&bytes)) != photo {
                let line = "the file is no longer the one that was inspected";
                return Err((LeftOut::PhotoChanged, line));
            }
            let cannot = "it cannot be decoded at full size";
            strip(&bytes, &limits).map_err(|_| (LeftOut::Unreadable, cannot))
        });
        Ok(stripping.await?)
    }
}

/// Why a photo is left out: the manifest has it, so it names no place of a photo or a report, which may be a secret.
type Why = (LeftOut, &'static str);

/// What one inspection of a photo comes to.
enum Annotated {
    /// It is not asked for; another inspection of the photo may be.
    Not,
    /// The photo is not asked for.
    Final,
    /// It is left out, and another inspection of the photo may stand for it.
    LeftOut(LeftOut, Option<&'static str>),
    /// It has this.
    As(Box<PhotoReport>, Vec<Annotation>),
}

const GONE: &str = "its file is gone";

/// Why there is no report.
///
/// # Errors
/// The store does not answer.
pub(super) fn no_report(error: PortError) -> Result<Why, Failure> {
    match error.kind {
        PortErrorKind::NotFound => Ok((LeftOut::ReportGone, "its report is gone")),
        PortErrorKind::Corrupt | PortErrorKind::TooLarge => {
            let line = "its report cannot be read, or is not the one that its record names";
            Ok((LeftOut::Unreadable, line))
        }
        _ => Err(Failure::of_port(error)),
    }
}

fn unfetched(error: &FetchError) -> Why {
    let forbidden = (
        LeftOut::PhotoForbidden,
        "its place may not be read from here: see the allowed roots, buckets and hosts, and the rights",
    );
    let large = (
        LeftOut::Unreadable,
        "its file is damaged, or larger than is read here",
    );
    let unreachable = (LeftOut::PhotoUnreachable, "its place does not answer");
    match error {
        FetchError::NotFound(_) | FetchError::Malformed(_) => (LeftOut::PhotoGone, GONE),
        FetchError::Forbidden(_) | FetchError::Denied(_) => forbidden,
        FetchError::TooLarge(_) => large,
        FetchError::Unreachable(_) | FetchError::HostBusy(_) => unreachable,
        FetchError::Port(error) => match error.kind {
            PortErrorKind::NotFound | PortErrorKind::Invalid => (LeftOut::PhotoGone, GONE),
            PortErrorKind::Denied => forbidden,
            PortErrorKind::Corrupt | PortErrorKind::TooLarge => large,
            PortErrorKind::Unavailable | PortErrorKind::Throttled => unreachable,
        },
    }
}

/// The other inspections of a photo.
fn same_photo<'a>(first: &Standing, others: &'a [Standing]) -> impl Iterator<Item = ManifestEntry> + use<'a> {
    let detail = format!("its photo is that of inspection {}", first.candidate.id);
    let others = others.iter();
    others.map(move |other| left_out(other, LeftOut::SamePhoto, Some(detail.clone())))
}

fn left_out(it: &Standing, why: LeftOut, detail: Option<String>) -> ManifestEntry {
    ManifestEntry {
        left_out: Some(why),
        detail,
        ..entry(it)
    }
}

/// What the manifest says of every inspection.
fn entry(it: &Standing) -> ManifestEntry {
    let candidate = &it.candidate;
    let reasons = it.task.iter().flat_map(ReviewTask::reasons);
    ManifestEntry {
        version: VERSION,
        photo_sha256: hex(&candidate.photo_sha256),
        inspection_id: candidate.id.to_string(),
        file: None,
        file_sha256: None,
        copied: None,
        encoded_because: None,
        width: None,
        height: None,
        left_out: None,
        detail: None,
        split: None,
        group: candidate.group.name(),
        verdict: candidate.verdict.as_str().to_owned(),
        bundle: (&candidate.bundle).into(),
        report_sha256: candidate.report.as_ref().map(|report| hex(&report.sha256)),
        judgement: it.reviewed.judgement.as_str().to_owned(),
        revision: it.revision,
        reviewer: it.reviewed.by.as_ref().map(ToString::to_string),
        reasons: reasons.map(|reason| reason.as_str().to_owned()).collect(),
        inclusion: it.task.as_ref().map(|task| task.inclusion),
        annotations: std::collections::BTreeMap::new(),
    }
}
