//! A replay: photos of the past through another bundle, beside what is on their records. Nothing of the stack is changed.

mod file;

pub use file::{ReplayFile, ReplayReader, read_header};

use anyhow::anyhow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use walkaround_bootstrap::Failure;
use walkaround_domain::{Inspection, Phase};
use walkaround_evaluation::comparison::{
    BundleResult, ComparedPhoto, Inspected, LeftOut, PhotoLabel, ReplayLine,
};
use walkaround_messages::rfc3339;
use walkaround_pipeline::past::{PastPhotos, PastQuery};
use walkaround_pipeline::replay::{ReplayError, ReplayedPhoto, Replayer};
use walkaround_ports::Records;

/// After so many photos in a row that fail, the replay stops: a host or a store is out of reach.
pub const FAILED_IN_A_ROW_MAX: u32 = 20;

/// What a replay does.
pub struct Replay {
    /// Inspects photos again.
    pub replayer: Replayer,
    /// Where they are found.
    pub records: Arc<dyn Records>,
    /// Which.
    pub query: PastQuery,
    /// Most photos in the file.
    pub max: u64,
    /// Photos in flight: so many at most are done again after a kill.
    pub at_once: usize,
}

/// Reports how far a replay is.
pub trait ReplayProgress: Sync {
    /// So many more photos are to be done.
    fn listed(&self, photos: u64);
    /// One more is done.
    fn done(&self, line: &ReplayLine);
}

impl Replay {
    /// Does what is not in the file yet.
    ///
    /// # Errors
    /// Records that cannot be listed, a file that cannot be written, too many failures in a row. What is done is in the file:
    /// the same replay goes on from there.
    pub async fn run(&self, file: &mut ReplayFile, progress: &dyn ReplayProgress) -> Result<(), Failure> {
        let mut photos = PastPhotos::new(Arc::clone(&self.records), self.query.clone());
        let mut working = Working {
            tasks: JoinSet::new(),
            file,
            progress,
            left: 0,
            failed_in_a_row: 0,
        };
        working.left = self.max.saturating_sub(working.file.done());
        // What failed before comes last: a host that is away must not keep the others waiting.
        let mut again = Vec::new();
        while let Some(page) = photos.next().await? {
            for id in page.unreadable {
                let why = "its record cannot be read".to_owned();
                working.unreadable(left_out(id.to_string(), String::new(), why))?;
            }
            let (late, due): (Vec<Inspection>, Vec<Inspection>) = page
                .inspections
                .into_iter()
                .filter(|inspection| !working.file.has(inspection.request.id.as_str()))
                .partition(|inspection| working.file.failed_before(inspection.request.id.as_str()));
            again.extend(late);
            self.begin(&mut working, due).await?;
            if working.left == 0 {
                break;
            }
        }
        self.begin(&mut working, again).await?;
        while !working.tasks.is_empty() {
            working.one_done().await?;
        }
        Ok(())
    }

    /// Begins with these, as far as there may be more.
    async fn begin(&self, working: &mut Working<'_>, mut due: Vec<Inspection>) -> Result<(), Failure> {
        due.truncate(usize::try_from(working.left).unwrap_or(usize::MAX));
        working.left -= due.len() as u64;
        working.progress.listed(due.len() as u64);
        for inspection in due {
            if working.tasks.len() >= self.at_once.max(1) {
                working.one_done().await?;
            }
            let replayer = self.replayer.clone();
            working.tasks.spawn(async move {
                let replayed = replayer.one(&inspection).await;
                line(&inspection, replayed)
            });
        }
        Ok(())
    }
}

/// Photos in flight, and where they go.
struct Working<'a> {
    tasks: JoinSet<ReplayLine>,
    file: &'a mut ReplayFile,
    progress: &'a dyn ReplayProgress,
    /// Photos that there may still be in the file.
    left: u64,
    failed_in_a_row: u32,
}

impl Working<'_> {
    /// Notes a photo whose record cannot be read: it counts as the others do.
    fn unreadable(&mut self, out: LeftOut) -> Result<(), Failure> {
        if self.left == 0 || self.file.has(&out.inspection_id) {
            return Ok(());
        }
        self.left -= 1;
        self.progress.listed(1);
        self.take(&ReplayLine::Unreadable(out))
    }

    async fn one_done(&mut self) -> Result<(), Failure> {
        let Some(done) = self.tasks.join_next().await else {
            return Ok(());
        };
        let line = done.map_err(|error| anyhow!("a photo's task ended: {error}"))?;
        self.take(&line)
    }

    fn take(&mut self, line: &ReplayLine) -> Result<(), Failure> {
        self.file.add(line)?;
        self.progress.done(line);
        let ReplayLine::Failed(failed) = line else {
            self.failed_in_a_row = 0;
            return Ok(());
        };
        self.failed_in_a_row += 1;
        if self.failed_in_a_row < FAILED_IN_A_ROW_MAX {
            return Ok(());
        }
        Err(anyhow!(
            "{FAILED_IN_A_ROW_MAX} photos in a row failed, the last one: {}; what is done is in the file, run the same command \
             again to go on",
            failed.why
        )
        .into())
    }
}

fn left_out(inspection_id: String, photo: String, why: String) -> LeftOut {
    LeftOut {
        inspection_id,
        photo,
        why,
    }
}

fn line(inspection: &Inspection, replayed: Result<ReplayedPhoto, ReplayError>) -> ReplayLine {
    let request = &inspection.request;
    let out = |why: String| left_out(request.id.to_string(), request.photo.to_string(), why);
    match replayed {
        Ok(photo) => ReplayLine::Compared(Box::new(compared(inspection, &photo))),
        Err(ReplayError::Gone(why)) => ReplayLine::Gone(out(why)),
        Err(ReplayError::Changed) => ReplayLine::Changed(out("other bytes are in its place".to_owned())),
        Err(ReplayError::Failed(why)) => ReplayLine::Failed(out(why)),
    }
}

/// A photo as its record names it.
pub(crate) fn label(inspection: &Inspection) -> PhotoLabel {
    let request = &inspection.request;
    PhotoLabel {
        inspection_id: request.id.to_string(),
        photo: request.photo.to_string(),
        vehicle_id: request.vehicle_id.clone(),
        accepted_at: rfc3339(inspection.accepted_at),
    }
}

fn compared(inspection: &Inspection, photo: &ReplayedPhoto) -> ComparedPhoto {
    let new = Inspected {
        report: &photo.new,
        timings_ms: &photo.timings_ms,
    };
    beside_record(inspection, photo.old.as_ref(), &new)
}

/// What is on the record of an inspection, and in its report where that is there, beside another report.
pub(crate) fn beside_record(
    inspection: &Inspection,
    report: Option<&walkaround_messages::PhotoReport>,
    new: &Inspected<'_>,
) -> ComparedPhoto {
    let none = BTreeMap::new();
    let timings_ms = inspection
        .outcome
        .as_ref()
        .map_or(&none, |outcome| &outcome.timings_ms);
    match report {
        Some(report) => {
            let old = Inspected { report, timings_ms };
            ComparedPhoto::of_reports(label(inspection), &old, new)
        }
        None => ComparedPhoto::of_results(label(inspection), on_record(inspection), new),
    }
}

/// What the record alone says.
fn on_record(inspection: &Inspection) -> BundleResult {
    let outcome = inspection.outcome.clone().unwrap_or_default();
    let verdict = match inspection.phase {
        Phase::Done { verdict } => verdict.as_str(),
        _ => inspection.phase.as_str(),
    };
    BundleResult {
        bundle: (&outcome.bundle).into(),
        verdict: verdict.to_owned(),
        reasons: outcome
            .reasons
            .iter()
            .map(|r| r.code.as_str().to_owned())
            .collect(),
        gate: outcome.gate,
        timings_ms: outcome.timings_ms,
        outlines: Vec::new(),
    }
}
