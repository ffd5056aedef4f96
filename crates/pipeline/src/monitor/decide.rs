//! What the windows come to: which bundle is in use, its reference, how far the latest photos are from it.

use super::{DAY, HOUR, Monitor, corrupt, read_window};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::monitor::{
    Figure, Figures, Judged, RECENT_PHOTOS_MIN, Recent, Reference, ReferenceWindow, judge,
};
use walkaround_domain::{BundleId, Timestamp};
use walkaround_messages::monitor::{
    BinDocument, MODEL_STATE, MeasureDocument, ModelDocument, ModelState, MonitorWindow, Progress,
    ReviewsDocument, ShiftDocument, SpanDocument, hour_of, hour_start, hour_text, parse_model,
    parse_reference, reference_body, reference_name,
};
use walkaround_messages::rfc3339;
use walkaround_ports::{PortError, STATE_BYTES_MAX};

/// How long after its end an hour is complete enough for a reference.
const SETTLED: Duration = Duration::from_secs(10 * 60);
/// Most days of the latest photos that are compared.
const RECENT_DAYS: u32 = 7;
/// Days of reviews that precision and recall are from.
pub(super) const REVIEW_DAYS: u32 = 14;
/// How long a reference is kept after the last pass that needed it.
const REFERENCE_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

impl Monitor {
    /// Compares the latest windows with the reference of their bundle.
    pub(super) async fn decide(
        &self,
        progress: &Progress,
        now: Timestamp,
    ) -> Result<ModelDocument, PortError> {
        let mut windows = Vec::new();
        for hour in hours_since(progress, 0) {
            windows.push(read_window(&*self.state, hour).await?);
        }
        let mut model = ModelDocument {
            at: Some(rfc3339(now)),
            ..ModelDocument::empty(self.policy.reference_photos)
        };
        let Some(bundle) = bundle_in_use(&windows) else {
            return Ok(model);
        };
        model.bundle = Some((&bundle).into());
        let since = now - DAY * REVIEW_DAYS;
        let late = windows.iter().filter(|w| w.hour >= hour_of(since));
        model.reviews = reviews_of(late, &bundle);
        let of_bundle: Vec<ReferenceWindow> = windows
            .iter()
            .map(|window| figures_of(window, &bundle))
            .filter(|window| window.figures.photos > 0)
            .collect();
        let Some(reference) = self.reference(&bundle, &of_bundle, now).await? else {
            model.state = ModelState::Learning;
            model.reference = span(&of_bundle);
            return Ok(model);
        };
        self.compare(&mut model, &reference, &of_bundle, now).await?;
        Ok(model)
    }

    /// The reference of a bundle: the stored one, or the one that is complete now.
    async fn reference(
        &self,
        bundle: &BundleId,
        windows: &[ReferenceWindow],
        now: Timestamp,
    ) -> Result<Option<Reference>, PortError> {
        let name = reference_name(bundle);
        let stored = self.state.read(&name).await?;
        let stored = stored.map(|body| parse_reference(&body)).transpose();
        let mut reference = stored.map_err(|unreadable| corrupt(&name, &unreadable))?;
        if reference.is_none() {
            let settled = |w: &&ReferenceWindow| hour_start(w.hour) + HOUR + SETTLED <= now;
            let settled: Vec<ReferenceWindow> = windows.iter().filter(settled).cloned().collect();
            reference = Reference::of(&settled, self.policy.reference_photos).map(|reference| {
                let fits = reference_body(bundle, &reference).len() <= STATE_BYTES_MAX;
                if fits {
                    reference
                } else {
                    reference.without_hours()
                }
            });
            if let Some(reference) = &reference {
                let photos = reference.whole().photos;
                info!(%bundle, photos, "the reference of the bundle is fixed");
            }
        }
        if let Some(reference) = &reference {
            let body = reference_body(bundle, reference);
            self.state.write(&name, &body, REFERENCE_KEPT).await?;
        }
        Ok(reference)
    }

    async fn compare(
        &self,
        model: &mut ModelDocument,
        reference: &Reference,
        windows: &[ReferenceWindow],
        now: Timestamp,
    ) -> Result<(), PortError> {
        model.reference = Some(SpanDocument {
            from: hour_text(reference.from),
            to: hour_text(reference.to),
            photos: reference.whole().photos,
        });
        let since = hour_of(now - DAY * RECENT_DAYS).max(reference.to + 1);
        let late: Vec<ReferenceWindow> = windows.iter().filter(|w| w.hour >= since).cloned().collect();
        let recent = Recent::of(&late);
        if let (Some(to), Some(from)) = (recent.hours.first(), recent.hours.last()) {
            model.now = Some(SpanDocument {
                from: hour_text(*from),
                to: hour_text(*to),
                photos: recent.figures.photos,
            });
        }
        if recent.figures.photos < RECENT_PHOTOS_MIN {
            model.state = ModelState::Waiting;
            return Ok(());
        }
        let base = reference.baseline(&recent.hours);
        let shifts = judge(reference, &recent);
        model.figures = shifts
            .iter()
            .map(|shift| ShiftDocument::new(shift, bins(shift.figure, &base, &recent.figures)))
            .collect();
        self.mark_since(model).await?;
        let drifts = model.drifting().next().is_some();
        model.state = if drifts {
            ModelState::Drift
        } else {
            ModelState::Steady
        };
        for figure in model.drifting() {
            warn!(
                figure = figure.figure,
                psi = figure.psi,
                limit = figure.limit,
                "the photos or the bundle have changed"
            );
        }
        Ok(())
    }

    /// Since when each figure drifts: as in the last pass, where it did then.
    async fn mark_since(&self, model: &mut ModelDocument) -> Result<(), PortError> {
        let before = self.state.read(MODEL_STATE).await?;
        let before = before.and_then(|body| parse_model(&body).ok());
        let before = before.filter(|before| before.bundle == model.bundle);
        let now = model.at.clone();
        for figure in model.figures.iter_mut().filter(|figure| figure.is_drift()) {
            let same = before
                .iter()
                .flat_map(|before| before.drifting())
                .find(|other| other.figure == figure.figure);
            figure.since = same.and_then(|other| other.since.clone()).or_else(|| now.clone());
        }
        Ok(())
    }
}

/// The hours of all windows from one on, the first one first.
pub(super) fn hours_since(progress: &Progress, from: u64) -> BTreeSet<u64> {
    let hours = progress.days.values().flat_map(|day| &day.hours);
    hours.copied().filter(|hour| *hour >= from).collect()
}

/// The bundle that most photos of the last window were inspected with.
pub(super) fn bundle_in_use(windows: &[MonitorWindow]) -> Option<BundleId> {
    windows.iter().rev().find_map(|window| {
        let mut photos = BTreeMap::<&BundleId, u64>::new();
        for cell in &window.cells {
            *photos.entry(&cell.bundle).or_default() += cell.figures.photos;
        }
        let most = photos.into_iter().max_by_key(|(_, photos)| *photos);
        most.filter(|(_, photos)| *photos > 0)
            .map(|(bundle, _)| bundle.clone())
    })
}

fn figures_of(window: &MonitorWindow, bundle: &BundleId) -> ReferenceWindow {
    let mut figures = Figures::default();
    for cell in window.cells.iter().filter(|cell| cell.bundle == *bundle) {
        figures.merge(&cell.figures);
    }
    ReferenceWindow {
        hour: window.hour,
        figures,
    }
}

fn span(windows: &[ReferenceWindow]) -> Option<SpanDocument> {
    Some(SpanDocument {
        from: hour_text(windows.first()?.hour),
        to: hour_text(windows.last()?.hour),
        photos: windows.iter().map(|w| w.figures.photos).sum(),
    })
}

/// Precision and recall of a bundle, from the reviews of these windows.
pub(super) fn reviews_of<'a>(
    windows: impl Iterator<Item = &'a MonitorWindow>,
    bundle: &BundleId,
) -> ReviewsDocument {
    let (mut judged, mut photos, mut hours) = (Judged::default(), 0, BTreeSet::new());
    for window in windows {
        for cell in window.cells.iter().filter(|cell| cell.bundle == *bundle) {
            judged.merge(&cell.judged);
            photos += cell.figures.photos;
            hours.insert(window.hour);
        }
    }
    let [drawn, reviewed] = judged.drawn_and_observed();
    let measures = judged.measures();
    let measures = measures
        .iter()
        .map(|measure| MeasureDocument::new(measure, &judged.estimate(measure, photos)));
    let text = |hour: Option<&u64>| hour.map(|hour| hour_text(*hour)).unwrap_or_default();
    ReviewsDocument {
        span: SpanDocument {
            from: text(hours.first()),
            to: text(hours.last()),
            photos,
        },
        drawn,
        reviewed,
        measures: measures.collect(),
    }
}

/// The shares of a figure in both, bin by bin.
fn bins(figure: Figure, reference: &Figures, now: &Figures) -> Vec<BinDocument> {
    let (Some(reference), Some(now)) = (reference.histogram(figure), now.histogram(figure)) else {
        return Vec::new();
    };
    let all: BTreeSet<&str> = reference
        .counts()
        .chain(now.counts())
        .map(|(bin, _)| bin)
        .collect();
    let totals = [reference.total().max(1) as f64, now.total().max(1) as f64];
    let bin = |bin: &str| {
        BinDocument::new(
            figure.bin_label(bin),
            reference.count(bin) as f64 / totals[0],
            now.count(bin) as f64 / totals[1],
        )
    };
    all.into_iter().map(bin).collect()
}
