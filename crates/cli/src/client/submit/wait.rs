//! Results as they come: documents at once, or a table at the end.

use crate::args::Printed;
use crate::client::table::{
    ROWS_MAX, cell, findings, gate, lane, millis, photo_name, print_document, print_line, print_notice,
    print_table, remark, standing, standing_cell, table,
};
use crate::inspect::progress;
use comfy_table::{Cell, Color};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use walkaround_client::format::{counted, duration};
use walkaround_client::submit::{NoResult, WaitProgress, Watched};
use walkaround_domain::{Inspection, Phase};
use walkaround_ports::StoredRecord;

/// What is printed of the results of one submission.
pub(super) struct Results {
    format: Printed,
    bar: ProgressBar,
    /// With their place in the submission.
    rows: Vec<(usize, Vec<Cell>)>,
    counts: BTreeMap<String, usize>,
    bad: usize,
}

impl Results {
    pub(super) fn of(photos: usize, format: Printed) -> Self {
        Self {
            format,
            bar: progress(photos as u64, "waiting"),
            rows: Vec::new(),
            counts: BTreeMap::new(),
            bad: 0,
        }
    }

    fn row(&mut self, place: usize, cells: Vec<Cell>) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push((place, cells));
        }
    }

    /// Prints the rest; whether every photo has a result.
    pub(super) fn finish(mut self, took: Duration) -> io::Result<bool> {
        self.bar.finish_and_clear();
        let photos: usize = self.counts.values().sum();
        let parts: Vec<String> = self
            .counts
            .iter()
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        let summary = format!(
            "{}: {} · {}",
            counted(photos, "photo"),
            parts.join(", "),
            duration(took)
        );
        let good = self.bad == 0;
        if self.format == Printed::Json {
            print_notice(summary)?;
            return Ok(good);
        }
        self.rows.sort_by_key(|(place, _)| *place);
        let mut table = table(&["photo", "verdict", "lane", "gate", "findings", "ms", "remark"]);
        let shown = self.rows.len();
        table.add_rows(self.rows.drain(..).map(|(_, cells)| cells));
        print_table(table)?;
        if photos > shown {
            print_line(format!("… and {} more", counted(photos - shown, "photo")))?;
        }
        print_line(summary)?;
        Ok(good)
    }
}

impl WaitProgress for Results {
    fn result(&mut self, place: usize, record: &StoredRecord, i: &Inspection) -> io::Result<()> {
        self.bar.inc(1);
        *self.counts.entry(standing(i).to_owned()).or_default() += 1;
        self.bad += usize::from(matches!(i.phase, Phase::Failed { .. }));
        if self.format == Printed::Json {
            return self.bar.suspend(|| print_document(&record.body));
        }
        let cells = vec![
            cell(photo_name(&i.request.photo)),
            standing_cell(i),
            cell(lane(i)),
            cell(gate(i)),
            cell(findings(i)),
            cell(millis(i)),
            cell(remark(i)),
        ];
        self.row(place, cells);
        Ok(())
    }

    fn no_result(&mut self, place: usize, watched: &Watched, why: NoResult<'_>) -> io::Result<()> {
        let (what, why) = match why {
            NoResult::Parked(reason) => ("parked", reason.to_owned()),
            NoResult::TimedOut(timeout) => ("waiting", format!("no result within {}", duration(timeout))),
        };
        self.bar.inc(1);
        self.bad += 1;
        *self.counts.entry(what.to_owned()).or_default() += 1;
        if self.format == Printed::Json {
            let line = format!("walkaround: {} ({}): {what}: {why}", watched.photo, watched.id);
            return self.bar.suspend(|| print_notice(line));
        }
        let name = watched.photo.rsplit('/').next().unwrap_or_default();
        let (photo, verdict) = (cell(name), cell(what).fg(Color::Red));
        let nothing = || cell("");
        let cells = vec![
            photo,
            verdict,
            nothing(),
            nothing(),
            nothing(),
            nothing(),
            cell(why),
        ];
        self.row(place, cells);
        Ok(())
    }

    fn consumer_problem(&mut self, why: &str) -> io::Result<()> {
        let line = format!("walkaround: photos are not being processed: {why}");
        self.bar.suspend(|| print_notice(line))
    }
}
