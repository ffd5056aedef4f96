//! What two bundles say of the same photos, as far as a stack knows: the results of a shadow, and what people decided.

use crate::StackClient;
use crate::replay::beside_record;
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use walkaround_bootstrap::Failure;
use walkaround_domain::{BundleId, InspectionId, Phase};
use walkaround_evaluation::comparison::{ComparedPhoto, Inspected, ReviewedPhoto, true_verdict};
use walkaround_pipeline::past::{PastQuery, Window};
use walkaround_pipeline::review::{ReviewError, ReviewService, report_digest};
use walkaround_pipeline::shadow::{ShadowResult, ShadowResults};
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::stored_report::report_if_there;

/// Photos that are looked up at once.
const AT_ONCE: usize = 16;

/// What people were to look at, and what they decided, photo by photo in the same order. A photo whose record has another
/// report by now has none.
///
/// # Errors
/// Of the stack.
pub async fn reviews_of(
    service: &ReviewService,
    photos: &[ComparedPhoto],
) -> Result<Vec<Option<ReviewedPhoto>>, Failure> {
    let mut all = vec![None; photos.len()];
    let mut tasks = JoinSet::new();
    for (at, photo) in photos.iter().enumerate() {
        if tasks.len() >= AT_ONCE {
            take(&mut tasks, &mut all).await?;
        }
        let (service, photo) = (service.clone(), photo.clone());
        tasks.spawn(async move { Ok::<_, Failure>((at, review_of(&service, &photo).await?)) });
    }
    while !tasks.is_empty() {
        take(&mut tasks, &mut all).await?;
    }
    Ok(all)
}

type Reviewed = Result<(usize, Option<ReviewedPhoto>), Failure>;

async fn take(tasks: &mut JoinSet<Reviewed>, all: &mut [Option<ReviewedPhoto>]) -> Result<(), Failure> {
    if let Some(done) = tasks.join_next().await {
        let (at, review) = done.map_err(|error| anyhow::anyhow!("a look-up ended: {error}"))??;
        all[at] = review;
    }
    Ok(())
}

async fn review_of(service: &ReviewService, photo: &ComparedPhoto) -> Result<Option<ReviewedPhoto>, Failure> {
    let Ok(id) = InspectionId::new(photo.inspection_id.as_str()) else {
        return Ok(None);
    };
    // Most photos have none: one small read each.
    if service.reviews.task(&id).await?.is_none() {
        return Ok(None);
    }
    let read = match service.read(&id).await {
        Err(ReviewError::NotFound(_)) => return Ok(None),
        Err(ReviewError::Port(error)) => return Err(error.into()),
        Err(error) => return Err(anyhow::anyhow!("{error}").into()),
        Ok(read) => read,
    };
    let (Some(task), Phase::Done { verdict }) = (&read.task, &read.inspection.phase) else {
        return Ok(None);
    };
    let same = verdict.as_str() == photo.old.verdict && report_digest(&read.inspection).is_some();
    let findings = read.inspection.outcome.as_ref().map_or(0, |o| o.findings.len());
    Ok(same.then(|| ReviewedPhoto {
        inclusion: task.inclusion,
        verdict: true_verdict(&read.reviewed.judgement, *verdict, findings),
    }))
}

/// The photos that a bundle saw as a shadow, day by day, the newest one first.
pub struct ShadowPhotos<'a> {
    stack: &'a dyn StackClient,
    results: ShadowResults,
    query: PastQuery,
    /// The days to come, the next one last.
    days: Vec<String>,
    after: Option<String>,
}

/// Some of them.
#[derive(Debug, Default)]
pub struct ShadowPage {
    /// Beside what is on their records.
    pub photos: Vec<ComparedPhoto>,
    /// Photos whose record is gone, or is of another result by now.
    pub left_out: BTreeMap<&'static str, u64>,
}

impl<'a> ShadowPhotos<'a> {
    /// Of this bundle, accepted within the window.
    pub fn new(stack: &'a dyn StackClient, bundle: BundleId, window: Window) -> Self {
        let mut days = window.days();
        days.reverse();
        Self {
            results: ShadowResults {
                blobs: stack.blobs(),
                bucket: stack.settings().results_bucket.clone(),
                bundle,
            },
            stack,
            query: PastQuery::all(window),
            days,
            after: None,
        }
    }

    /// The next page, which may be empty; none after the last one.
    ///
    /// # Errors
    /// Of the stack.
    pub async fn next(&mut self) -> Result<Option<ShadowPage>, Failure> {
        let Some(day) = self.days.last() else {
            return Ok(None);
        };
        let (results, next) = self.results.page(day, self.after.as_deref()).await?;
        self.after = next;
        if self.after.is_none() {
            self.days.pop();
        }
        let store = InspectionStore::new(self.stack.records()?);
        let mut page = ShadowPage::default();
        for result in results {
            match self.beside(&store, &result).await? {
                Ok(Some(photo)) => page.photos.push(photo),
                Ok(None) => {}
                Err(why) => *page.left_out.entry(why).or_default() += 1,
            }
        }
        Ok(Some(page))
    }

    /// A result of the shadow beside what is on the record; none when it is outside of what was asked for.
    async fn beside(
        &self,
        store: &InspectionStore,
        result: &ShadowResult,
    ) -> Result<Result<Option<ComparedPhoto>, &'static str>, Failure> {
        let Some(entry) = store.read(&result.inspection).await? else {
            return Ok(Err("gone"));
        };
        let inspection = entry.inspection;
        if inspection.history.reopened != result.round {
            return Ok(Err("changed"));
        }
        if !self.query.wants(&inspection) {
            return Ok(Ok(None));
        }
        let blob = inspection
            .outcome
            .as_ref()
            .and_then(|outcome| outcome.report.as_ref());
        let report = match blob {
            Some(blob) => report_if_there(&*self.stack.blobs(), blob).await?,
            None => None,
        };
        let new = Inspected {
            report: &result.report,
            timings_ms: &result.report.timings_ms,
        };
        Ok(Ok(Some(beside_record(&inspection, report.as_ref(), &new))))
    }
}
