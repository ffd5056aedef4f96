//! The monitor: periodically, what was finished since becomes windows, and the latest are compared with the first ones
//! under the bundle.
//!
//! **Nothing is lost, nothing counts twice**: the records of a day are listed whole (by the index of that day, page after page),
//! and the part that this day has in each window is written anew. A record that became final behind a page is found by the
//! next pass; a pass that ends early leaves what was stored before, and the next one lists the day again.
//!
//! **Which days**: today's in every pass, so that each is listed once more after its end; an earlier one while some of
//! its inspections are open; and each of the last 14 once a day, as people review for days. At most [`DAYS_PER_PASS`] in one
//! pass, today and yesterday first and then the one that has waited longest.
//!
//! **Cost**, in reads of records: a day of N photos is listed 24 times while it grows, N/2 in the mean, and 14 times after:
//! about 26 N a day. Each photo that was drawn for review costs one read of its reviews more, each time.

mod decide;
mod listing;
mod view;

pub use view::read_model;

use listing::{DayListing, DayReader};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;
use walkaround_domain::Timestamp;
use walkaround_messages::Unreadable;
use walkaround_messages::monitor::{
    DayProgress, MODEL_STATE, MONITOR_PROGRESS, ModelDocument, MonitorWindow, Progress, hour_text,
    model_body, monitor_window_body, parse_monitor_window, parse_progress, progress_body, window_name,
};
use walkaround_messages::utc_day;
use walkaround_ports::{
    Blobs, Clock, PortCall, PortError, PortErrorKind, Records, Reviews, STATE_BYTES_MAX, StateStore,
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days back from today whose records are still listed.
const DAYS_BACK: u32 = 14;
/// Days back in which a photo may still be open: a message lives so long.
const OPEN_DAYS: u32 = 4;
/// Most days that one pass lists.
pub const DAYS_PER_PASS: usize = 6;
/// How long windows are kept.
pub const WINDOWS_KEPT_DAYS: u32 = 40;

/// What a monitor needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorPolicy {
    /// Photos that a reference needs.
    pub reference_photos: u64,
    /// The label of requests that names the source of a photo.
    pub source_label: String,
}

/// Reads what was finished, and says whether the bundle still sees what it saw.
pub struct Monitor {
    /// Inspections.
    pub records: Arc<dyn Records>,
    /// What people say of them.
    pub reviews: Arc<dyn Reviews>,
    /// Reports.
    pub blobs: Arc<dyn Blobs>,
    /// Where windows are stored.
    pub state: Arc<dyn StateStore>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub policy: MonitorPolicy,
}

/// What a pass did.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorPass {
    /// Days that were listed.
    pub days: usize,
    /// Records that were read.
    pub records: u64,
    /// Windows that were written.
    pub windows: usize,
    /// What it came to.
    pub model: ModelDocument,
}

impl Monitor {
    /// One pass. Two at once do no harm: both write the same.
    ///
    /// # Errors
    /// [`PortError`]; the next pass does what is missing.
    pub async fn pass(&self) -> Result<MonitorPass, PortError> {
        let now = self.clock.now();
        let mut progress = read_progress(&*self.state).await?;
        let (mut records, mut windows) = (0, 0);
        let due = due(&progress, now);
        let reader = DayReader {
            records: &*self.records,
            reviews: &self.reviews,
            blobs: &self.blobs,
            source_label: &self.policy.source_label,
        };
        for day in &due {
            let listing = reader.list(day).await?;
            records += listing.records;
            windows += self.store(day, listing, &mut progress, now).await?;
        }
        let model = self.decide(&progress, now).await?;
        self.write(MODEL_STATE, &model_body(&model)).await?;
        Ok(MonitorPass {
            days: due.len(),
            records,
            windows,
            model,
        })
    }

    /// Writes the parts that a day has in windows, and that it was listed; how many windows have changed.
    async fn store(
        &self,
        day: &str,
        listing: DayListing,
        progress: &mut Progress,
        now: Timestamp,
    ) -> Result<usize, PortError> {
        let before = progress
            .days
            .get(day)
            .map(|p| p.hours.clone())
            .unwrap_or_default();
        let hours: BTreeSet<u64> = listing.cells.keys().map(|(hour, _)| *hour).collect();
        let mut by_hour: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for ((hour, _), cell) in listing.cells {
            by_hour.entry(hour).or_default().push(cell);
        }
        let mut written = 0;
        for hour in before.union(&hours) {
            let stored = read_window(&*self.state, *hour).await?;
            let mut window = stored.clone();
            window.cells.retain(|cell| cell.day != day);
            window.cells.extend(by_hour.remove(hour).unwrap_or_default());
            window
                .cells
                .sort_by_cached_key(|cell| (cell.day.clone(), cell.bundle.clone()));
            if window != stored {
                self.write(&window_name(*hour), &fitting_body(window)).await?;
                written += 1;
            }
        }
        let listed = DayProgress {
            listed_at: now,
            open: listing.open,
            hours,
        };
        progress.days.insert(day.to_owned(), listed);
        let oldest = utc_day(now - DAY * WINDOWS_KEPT_DAYS);
        progress.days.retain(|day, _| *day >= oldest);
        self.write(MONITOR_PROGRESS, &progress_body(progress)).await?;
        Ok(written)
    }

    async fn write(&self, name: &str, body: &str) -> Result<(), PortError> {
        self.state.write(name, body, DAY * WINDOWS_KEPT_DAYS).await
    }
}

/// The document of a window. What a state store does not hold is left out, the parts with the fewest photos first: a pass that
/// failed over one window would fail each time.
fn fitting_body(mut window: MonitorWindow) -> String {
    loop {
        let body = monitor_window_body(&window);
        let fewest = window
            .cells
            .iter()
            .enumerate()
            .min_by_key(|(_, cell)| cell.figures.photos);
        let Some((place, cell)) = fewest.filter(|_| body.len() > STATE_BYTES_MAX) else {
            return body;
        };
        warn!(
            hour = hour_text(window.hour), day = cell.day, bundle = %cell.bundle, photos = cell.figures.photos,
            "the window is too large, this part of it is left out"
        );
        window.cells.remove(place);
    }
}

/// The days to list, the most urgent first.
fn due(progress: &Progress, now: Timestamp) -> Vec<String> {
    let mut due: Vec<(Timestamp, u32, String)> = Vec::new();
    for back in 0..=DAYS_BACK {
        let day = utc_day(now - DAY * back);
        let Some(listed) = progress.days.get(&day) else {
            due.push((Timestamp(0), back, day));
            continue;
        };
        // A record may be written a little after the moment that it says.
        let after_end = utc_day(listed.listed_at - HOUR) > day;
        let open = listed.open > 0 && back <= OPEN_DAYS;
        if !after_end || open || now.since(listed.listed_at) >= DAY {
            due.push((listed.listed_at, back, day));
        }
    }
    // Yesterday's photos may be the latest ones: older days wait for it.
    due.sort_by_key(|(listed_at, back, _)| ((*back).min(2), *listed_at, *back));
    due.truncate(DAYS_PER_PASS);
    due.into_iter().map(|(_, _, day)| day).collect()
}

/// How far records were read.
async fn read_progress(state: &dyn StateStore) -> Result<Progress, PortError> {
    let body = state.read(MONITOR_PROGRESS).await?;
    let read = body.map(|body| parse_progress(&body)).transpose();
    Ok(read
        .unwrap_or_else(|unreadable| {
            warn!(%unreadable, "what the monitor has read is not known, all days are listed again");
            None
        })
        .unwrap_or_default())
}

/// A window; an empty one where there is none.
async fn read_window(state: &dyn StateStore, hour: u64) -> Result<MonitorWindow, PortError> {
    let name = window_name(hour);
    let body = state.read(&name).await?;
    let read = body.map(|body| parse_monitor_window(&body)).transpose();
    let window = read.map_err(|unreadable| corrupt(&name, &unreadable))?;
    Ok(window.unwrap_or(MonitorWindow {
        hour,
        cells: Vec::new(),
    }))
}

fn corrupt(name: &str, unreadable: &Unreadable) -> PortError {
    PortError::new(
        PortCall::new("state", "read"),
        PortErrorKind::Corrupt,
        format!("state {name}: {unreadable}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::BundleId;
    use walkaround_domain::monitor::{Figures, Judged};
    use walkaround_messages::monitor::Cell;

    const NOON: Timestamp = Timestamp(1_795_348_800_000);

    fn listed(ago: Duration, open: u64) -> DayProgress {
        DayProgress {
            listed_at: NOON - ago,
            open,
            hours: BTreeSet::new(),
        }
    }

    fn days(known: &[(u32, DayProgress)]) -> Vec<u32> {
        let mut progress = Progress::default();
        for back in 0..=DAYS_BACK {
            let day = utc_day(NOON - DAY * back);
            progress.days.insert(day, listed(HOUR * 6, 0));
        }
        for (back, day) in known {
            progress.days.insert(utc_day(NOON - DAY * *back), day.clone());
        }
        let back_of = |day: String| (0..=DAYS_BACK).find(|back| utc_day(NOON - DAY * *back) == day);
        due(&progress, NOON).into_iter().filter_map(back_of).collect()
    }

    #[test]
    fn a_window_that_is_too_large_keeps_the_parts_with_most_photos() {
        let cell = |number: u64| Cell {
            // A part of 10,000 bytes.
            day: "d".repeat(10_000),
            bundle: BundleId::new("demo", number.to_string()),
            figures: Figures {
                photos: number,
                ..Figures::default()
            },
            judged: Judged::default(),
        };
        let window = |cells| MonitorWindow { hour: 1, cells };
        let small = window((1..=3).map(cell).collect());
        assert_eq!(fitting_body(small.clone()), monitor_window_body(&small));
        let body = fitting_body(window((1..=15).map(cell).collect()));
        assert!(body.len() <= STATE_BYTES_MAX);
        let kept: Vec<u64> = parse_monitor_window(&body)
            .unwrap()
            .cells
            .iter()
            .map(|cell| cell.figures.photos)
            .collect();
        assert_eq!(kept.last(), Some(&15));
        assert_eq!(kept.len() as u64, 15 - kept[0] + 1, "without a gap: {kept:?}");
    }

    #[test]
    fn today_is_listed_in_every_pass_and_others_when_something_may_have_changed() {
        assert_eq!(days(&[]), [0]);
        assert_eq!(days(&[(1, listed(HOUR * 13, 0))]), [0, 1], "not since its end");
        assert_eq!(days(&[(3, listed(HOUR, 2))]), [0, 3], "inspections are open");
        assert_eq!(days(&[(6, listed(HOUR, 2))]), [0], "and will not end");
        assert_eq!(days(&[(9, listed(HOUR * 24, 0))]), [0, 9], "reviews of a day");
    }

    #[test]
    fn a_pass_has_a_bound_and_begins_with_what_waited_longest() {
        let all: Vec<_> = (1..=DAYS_BACK)
            .map(|back| (back, listed(HOUR * (24 + back), 0)))
            .collect();
        assert_eq!(days(&all), [0, 1, 14, 13, 12, 11]);
        let first = due(&Progress::default(), NOON);
        assert_eq!(first.len(), DAYS_PER_PASS);
        assert_eq!(first[..2], [utc_day(NOON), utc_day(NOON - DAY)]);
    }
}
