//! Waiting for results: records are looked at in turn until every one is final, parked, or out of time.

use super::standing::Watched;
use crate::args::Printed;
use crate::client::backend::Backend;
use crate::client::format::{counted, duration};
use crate::client::parked::asked_for;
use crate::client::table::{
    ROWS_MAX, cell, findings, gate, inspection, lane, millis, photo_name, print_document, print_line,
    print_notice, print_table, queues, remark, standing, standing_cell, table,
};
use crate::failure::Failure;
use crate::inspect::progress;
use comfy_table::{Cell, Color};
use indicatif::ProgressBar;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use walkaround_domain::{Phase, Timestamp};
use walkaround_ports::StoredRecord;

/// Records read at one look.
const LOOKS: usize = 500;

pub(super) struct Waiting<'a> {
    stack: &'a dyn Backend,
    /// Messages parked before belong to an earlier submission.
    since: Timestamp,
    format: Printed,
    bar: ProgressBar,
    /// With their place in the submission.
    pending: VecDeque<(usize, Watched)>,
    parked_look: Duration,
    /// What was said last of who takes photos in.
    nobody: Option<String>,
    rows: Vec<(usize, Vec<Cell>)>,
    counts: BTreeMap<String, usize>,
    bad: usize,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(
        stack: &'a dyn Backend,
        watched: Vec<Watched>,
        since: Timestamp,
        format: Printed,
    ) -> Self {
        Self {
            stack,
            since,
            format,
            bar: progress(watched.len() as u64, "waiting"),
            pending: watched.into_iter().enumerate().collect(),
            parked_look: stack.clock().ticks() + stack.pace().parked,
            nobody: None,
            rows: Vec::new(),
            counts: BTreeMap::new(),
            bad: 0,
        }
    }

    /// Waits and prints; whether every photo has a result.
    pub(super) async fn run(mut self, timeout: Duration) -> Result<bool, Failure> {
        let clock = self.stack.clock();
        let start = clock.ticks();
        // At once: without it a wait for nothing looks like a wait.
        self.look_at_takers().await?;
        while !self.pending.is_empty() && clock.ticks() - start < timeout {
            let before = self.pending.len();
            self.look().await?;
            if clock.ticks() >= self.parked_look {
                self.look_at_parked().await?;
                self.look_at_takers().await?;
            }
            if self.pending.len() == before {
                clock.sleep(self.stack.pace().results).await;
            }
        }
        for (at, watched) in std::mem::take(&mut self.pending) {
            let why = format!("no result within {}", duration(timeout));
            self.without_result(at, &watched, "waiting", &why)?;
        }
        self.bar.finish_and_clear();
        let took = clock.ticks() - start;
        self.print(took)?;
        Ok(self.bad == 0)
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let records = self.stack.records()?;
        for _ in 0..self.pending.len().min(LOOKS) {
            let Some((at, mut watched)) = self.pending.pop_front() else {
                break;
            };
            match records.read(&watched.id).await? {
                Some(record) if watched.is_result(&inspection(&record)?) => self.result(at, &record)?,
                _ => self.pending.push_back((at, watched)),
            }
        }
        Ok(())
    }

    fn result(&mut self, at: usize, record: &StoredRecord) -> Result<(), Failure> {
        let i = inspection(record)?;
        self.bar.inc(1);
        *self.counts.entry(standing(&i).to_owned()).or_default() += 1;
        self.bad += usize::from(matches!(i.phase, Phase::Failed { .. }));
        if self.format == Printed::Json {
            return Ok(self.bar.suspend(|| print_document(&record.body))?);
        }
        let cells = vec![
            cell(photo_name(&i.request.photo)),
            standing_cell(&i),
            cell(lane(&i)),
            cell(gate(&i)),
            cell(findings(&i)),
            cell(millis(&i)),
            cell(remark(&i)),
        ];
        self.row(at, cells);
        Ok(())
    }

    fn row(&mut self, at: usize, cells: Vec<Cell>) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push((at, cells));
        }
    }

    fn without_result(&mut self, at: usize, watched: &Watched, what: &str, why: &str) -> Result<(), Failure> {
        self.bar.inc(1);
        self.bad += 1;
        *self.counts.entry(what.to_owned()).or_default() += 1;
        if self.format == Printed::Json {
            let line = format!("walkaround: {} ({}): {what}: {why}", watched.photo, watched.id);
            return Ok(self.bar.suspend(|| print_notice(line))?);
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
        self.row(at, cells);
        Ok(())
    }

    /// Says when nothing takes photos in, once for each cause.
    async fn look_at_takers(&mut self) -> Result<(), Failure> {
        let nobody = self.stack.nobody_takes().await;
        if let Some(why) = &nobody
            && self.nobody != nobody
        {
            let line = format!("walkaround: nothing takes photos in: {why}");
            self.bar.suspend(|| print_notice(line))?;
        }
        self.nobody = nobody;
        Ok(())
    }

    async fn look_at_parked(&mut self) -> Result<(), Failure> {
        let start = self.stack.clock().ticks();
        let mut reasons: HashMap<String, String> = HashMap::new();
        let since = self.since - self.stack.pace().clock_slack;
        for queue in queues(None) {
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .stack
                    .operations()
                    .parked(*queue, after.as_deref())
                    .await
                    .map_err(Failure::of_port)?;
                for message in &page.messages {
                    if message.parked_at.unwrap_or(message.sent_at) < since {
                        continue;
                    }
                    let reason = message.reason.clone().unwrap_or_default();
                    for (id, _) in asked_for(message) {
                        reasons.insert(id, reason.clone());
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for (at, watched) in std::mem::take(&mut self.pending) {
            match reasons.get(watched.request.id.as_str()) {
                Some(reason) => self.without_result(at, &watched, "parked", reason)?,
                None => self.pending.push_back((at, watched)),
            }
        }
        // Many parked messages make a long look: it takes a tenth of the time at most.
        let took = self.stack.clock().ticks() - start;
        self.parked_look = self.stack.clock().ticks() + self.stack.pace().parked.max(took * 10);
        Ok(())
    }

    fn print(&mut self, took: Duration) -> Result<(), Failure> {
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
        if self.format == Printed::Json {
            return Ok(print_notice(summary)?);
        }
        self.rows.sort_by_key(|(at, _)| *at);
        let mut table = table(&["photo", "verdict", "lane", "gate", "findings", "ms", "remark"]);
        let shown = self.rows.len();
        table.add_rows(self.rows.drain(..).map(|(_, cells)| cells));
        print_table(table)?;
        if photos > shown {
            print_line(format!("… and {} more", counted(photos - shown, "photo")))?;
        }
        Ok(print_line(summary)?)
    }
}
