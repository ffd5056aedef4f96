//! What people see of the monitor: its last pass, and the windows of some time.

use super::decide::{hours_since, reviews_of};
use super::{corrupt, read_progress, read_window};
use std::time::Duration;
use walkaround_domain::{BundleId, Timestamp, Verdict};
use walkaround_messages::monitor::{
    MODEL_STATE, ModelDocument, MonitorWindow, WindowSummary, hour_of, hour_text, parse_model,
};
use walkaround_ports::{PortError, StateStore};

/// The last pass, with the windows since a moment and what reviews say of them; none before the first pass.
///
/// # Errors
/// [`PortError`]; `Corrupt` for a document that cannot be read.
pub async fn read_model(
    state: &dyn StateStore,
    now: Timestamp,
    since: Duration,
) -> Result<Option<ModelDocument>, PortError> {
    let Some(body) = state.read(MODEL_STATE).await? else {
        return Ok(None);
    };
    let mut model = parse_model(&body).map_err(|unreadable| corrupt(MODEL_STATE, &unreadable))?;
    let progress = read_progress(state).await?;
    let mut windows = Vec::new();
    for hour in hours_since(&progress, hour_of(now - since)) {
        windows.push(read_window(state, hour).await?);
    }
    if let Some(bundle) = &model.bundle {
        let bundle = BundleId::new(&bundle.name, &bundle.version);
        model.reviews = reviews_of(windows.iter(), &bundle);
    }
    model.windows = windows.iter().flat_map(summaries).collect();
    Ok(Some(model))
}

/// A window in numbers, a line for each bundle.
fn summaries(window: &MonitorWindow) -> Vec<WindowSummary> {
    let mut lines = Vec::<WindowSummary>::new();
    for cell in &window.cells {
        let bundle = Some((&cell.bundle).into());
        let place = lines.iter().position(|line| line.bundle == bundle);
        let place = place.unwrap_or_else(|| {
            lines.push(WindowSummary {
                hour: hour_text(window.hour),
                bundle,
                ..WindowSummary::default()
            });
            lines.len() - 1
        });
        let (line, figures) = (&mut lines[place], &cell.figures);
        let verdicts = figures.histogram(walkaround_domain::monitor::Figure::Verdict);
        let count = |verdict: Verdict| verdicts.map_or(0, |h| h.count(verdict.as_str()));
        line.photos += figures.photos;
        line.failed += figures.failed;
        line.clean += count(Verdict::Clean);
        line.damaged += count(Verdict::Damaged);
        line.unusable += count(Verdict::Unusable);
    }
    lines
}
