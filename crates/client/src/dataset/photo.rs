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
use walkaround_formats::{ManifestEntry, Photo, Splits, annotations};
use walkaround_messages::PhotoReport;
use walkaround_ports::{BlobAddress, Blobs, FetchError, PhotoSource, PortError, PortErrorKind, Reviews};
use walkaround_vision::decode::Limits;
use walkaround_vision::strip::{Stripped, strip};

/// Largest report that is read, in bytes.
const REPORT_BYTES_MAX: u64 = 64 << 20;

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
    /// The photo that these inspections are of. Of several, the one that a person has decided about counts, then the latest.
    ///
    /// # Errors
    /// The stack does not answer, or the folder cannot be written to.
    pub(super) async fn read(&self, inspections: Vec<Candidate>) -> Result<Outcome, Failure> {
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
        let mut asked = asked.into_iter();
        let Some(first) = asked.next() else {
            return Ok(Outcome::default());
        };
        let mut outcome = self.photo(&first).await?;
        if outcome.photo.is_some() || !outcome.left_out.is_empty() {
            let of = &first.candidate.id;
            let detail = || Some(format!("its photo is that of inspection {of}"));
            let others = asked.map(|other| left_out(&other, LeftOut::SamePhoto, detail()));
            outcome.left_out.extend(others);
        }
        Ok(outcome)
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

    async fn photo(&self, it: &Standing) -> Result<Outcome, Failure> {
        let without = |why, detail| Outcome {
            photo: None,
            left_out: vec![left_out(it, why, detail)],
        };
        let by_machine = it.candidate.verdict == Verdict::Unusable
            && !matches!(it.reviewed.judgement, Judgement::Corrected(_));
        let unusable = by_machine || matches!(it.reviewed.judgement, Judgement::Unusable(_));
        if unusable && self.query.classes.is_empty() {
            return Ok(without(LeftOut::Unusable, None));
        }
        let report = match self.report(&it.candidate).await? {
            Ok(report) => report,
            Err((why, detail)) => return Ok(without(why, Some(detail))),
        };
        let all = match annotations(&report, &it.reviewed.judgement) {
            Ok(all) => all,
            Err(why) => return Ok(without(LeftOut::Unreadable, Some(why.to_string()))),
        };
        let classes = &self.query.classes;
        if unusable || !(classes.is_empty() || all.iter().any(|one| classes.contains(&one.class))) {
            return Ok(Outcome::default());
        }
        let copy = match self.copy(&it.candidate).await? {
            Ok(copy) => copy,
            Err((why, detail)) => return Ok(without(why, Some(detail))),
        };
        if (Some(copy.width), Some(copy.height)) != (report.width, report.height) {
            let detail = "the photo has another size than its report".to_owned();
            return Ok(without(LeftOut::Unreadable, Some(detail)));
        }
        let mut entry = entry(it);
        entry.split = Some(self.splits.of(&it.candidate.group).to_owned());
        entry.file = Some(copy.file);
        entry.file_sha256 = Some(copy.file_sha256);
        entry.copied = Some(copy.copied);
        (entry.width, entry.height) = (Some(copy.width), Some(copy.height));
        for one in &all {
            *entry.annotations.entry(one.class.clone()).or_default() += 1;
        }
        Ok(Outcome {
            photo: Some(Photo {
                entry,
                annotations: all,
            }),
            left_out: Vec::new(),
        })
    }

    async fn report(&self, candidate: &Candidate) -> Result<Result<PhotoReport, (LeftOut, String)>, Failure> {
        let Some(report) = &candidate.report else {
            return Ok(Err((
                LeftOut::ReportGone,
                "its record names no report".to_owned(),
            )));
        };
        Ok(match read_report(&*self.blobs, report).await {
            Ok(report) => Ok(report),
            Err(ReportError::Gone) => Err((LeftOut::ReportGone, "its report is gone".to_owned())),
            Err(ReportError::Unreadable(why)) => Err((LeftOut::Unreadable, why)),
            Err(ReportError::Port(error)) => return Err(Failure::of_port(error)),
        })
    }

    /// The file of a photo: the one that is there, or a new one.
    async fn copy(&self, candidate: &Candidate) -> Result<Result<PhotoFile, (LeftOut, String)>, Failure> {
        let digest = hex(&candidate.photo_sha256);
        if let Some(copy) = self.copies.get(&digest) {
            return Ok(Ok(copy));
        }
        let bytes = match self.photos.fetch(&candidate.photo, self.limits.bytes_max).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(unfetched(&error))),
        };
        let (expected, limits) = (candidate.photo_sha256, self.limits);
        let stripping = tokio::task::spawn_blocking(move || -> Result<Stripped, (LeftOut, String)> {
            if <[u8; 32]>::from(Sha256::digest(&bytes)) != expected {
                let line = "the file is no longer the one that was inspected";
                return Err((LeftOut::PhotoChanged, line.to_owned()));
            }
            strip(&bytes, &limits).map_err(|reason| (LeftOut::Unreadable, reason.detail))
        });
        Ok(match stripping.await? {
            Ok(stripped) => Ok(self.copies.put(&digest, &stripped)?),
            Err(why) => Err(why),
        })
    }
}

/// Why there is no report.
pub(super) enum ReportError {
    /// It is gone.
    Gone,
    /// It is not what it should be.
    Unreadable(String),
    /// The store does not answer.
    Port(PortError),
}

/// Reads the report that a record names.
pub(super) async fn read_report(blobs: &dyn Blobs, report: &BlobRef) -> Result<PhotoReport, ReportError> {
    let at = BlobAddress {
        bucket: report.bucket.clone(),
        key: report.key.clone(),
    };
    let bytes = blobs
        .get(&at, REPORT_BYTES_MAX)
        .await
        .map_err(|error| match error.kind {
            PortErrorKind::NotFound => ReportError::Gone,
            PortErrorKind::Corrupt | PortErrorKind::TooLarge => ReportError::Unreadable(error.to_string()),
            _ => ReportError::Port(error),
        })?;
    if <[u8; 32]>::from(Sha256::digest(&bytes)) != report.sha256 {
        let line = "the report is not the one that its record names";
        return Err(ReportError::Unreadable(line.to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| ReportError::Unreadable(error.to_string()))
}

fn unfetched(error: &FetchError) -> (LeftOut, String) {
    let why = match error {
        FetchError::NotFound(_) | FetchError::Malformed(_) => LeftOut::PhotoGone,
        FetchError::Forbidden(_) | FetchError::Denied(_) => LeftOut::PhotoForbidden,
        FetchError::TooLarge(_) => LeftOut::Unreadable,
        FetchError::Unreachable(_) | FetchError::HostBusy(_) => LeftOut::PhotoUnreachable,
        FetchError::Port(error) => match error.kind {
            PortErrorKind::NotFound | PortErrorKind::Invalid => LeftOut::PhotoGone,
            PortErrorKind::Denied => LeftOut::PhotoForbidden,
            PortErrorKind::Corrupt | PortErrorKind::TooLarge => LeftOut::Unreadable,
            PortErrorKind::Unavailable | PortErrorKind::Throttled => LeftOut::PhotoUnreachable,
        },
    };
    (why, error.to_string())
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
