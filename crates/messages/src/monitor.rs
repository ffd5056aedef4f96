//! Documents of the monitor: windows, the reference of a bundle, what its last pass came to, and where it stands.

mod model;
mod window;

pub use model::{
    BinDocument, MeasureDocument, ModelDocument, ModelState, ReviewsDocument, ShiftDocument, SpanDocument,
    WindowSummary, model_body, parse_model,
};
pub use window::{
    Cell, DayProgress, FiguresDocument, MonitorWindow, Progress, monitor_window_body, parse_monitor_window,
    parse_progress, parse_reference, progress_body, reference_body,
};

use crate::Unreadable;
use crate::moment::{parse_rfc3339, rfc3339};
use walkaround_domain::{BundleId, Timestamp};

/// Name of the document of the last pass in a state store.
pub const MODEL_STATE: &str = "monitor-model";
/// Name of the document about what was listed.
pub const MONITOR_PROGRESS: &str = "monitor-progress";
const HOUR_MS: u64 = 3_600_000;

/// Name of the document of a window in a state store.
pub fn window_name(hour: u64) -> String {
    format!("monitor-window-{}", hour_text(hour))
}

/// Name of the document with the reference of a bundle in a state store.
pub fn reference_name(bundle: &BundleId) -> String {
    // No name has a slash: two bundles never share one.
    format!("monitor-reference-{}/{}", bundle.name, bundle.version)
}

/// The hour of a moment, since 1970.
pub const fn hour_of(at: Timestamp) -> u64 {
    at.0 / HOUR_MS
}

/// The first moment of an hour.
pub const fn hour_start(hour: u64) -> Timestamp {
    Timestamp(hour.saturating_mul(HOUR_MS))
}

/// An hour since 1970 as documents have it: `2026-11-22T17` (UTC).
pub fn hour_text(hour: u64) -> String {
    let mut text = rfc3339(hour_start(hour));
    text.truncate("2026-11-22T17".len());
    text
}

fn parse_hour(field: &str, text: &str) -> Result<u64, Unreadable> {
    let wrong = || Unreadable::new(format!("{field}: expected an hour such as 2026-11-22T17"));
    let at = parse_rfc3339(&format!("{text}:00:00Z")).map_err(|_| wrong())?;
    Ok(hour_of(at))
}
