//! `walkaround list`: inspections, newest first, page by page, or the photos of a reservation by walkaround.

use super::open;
use super::table::{
    cell, counted_classes, findings, lane, photo_name, print_document, print_line, print_notice, print_table,
    remark, standing_cell, table,
};
use crate::args::{ListArgs, Printed};
use crate::failure::Failure;
use std::cmp::Reverse;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::{clock_time, counted};
use walkaround_client::{IfMissing, StackClient, inspection};
use walkaround_domain::walkaround::{Walkaround, group};
use walkaround_domain::{Inspection, InspectionId, Timestamp, Verdict};
use walkaround_ports::{RECORDS_PAGE_MAX, RecordQuery, StoredRecord};

/// Most photos of a reservation that are grouped.
const RESERVATION_MAX: usize = 10_000;

/// A record and its inspection.
type Entry = (StoredRecord, Inspection);

pub(crate) fn run(args: &ListArgs) -> Result<ExitCode, Failure> {
    let limit = usize::from(args.limit);
    let wanted = if args.reservation.is_some() {
        RESERVATION_MAX
    } else {
        // One more, to know whether there is one.
        limit + 1
    };
    if args.after.is_some() && query(args).is_none() {
        return Err(Failure::usage("--after goes with --vehicle or --day"));
    }
    let mut entries = runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let after = match &args.after {
            Some(id) => Some(place(&*stack, id).await?),
            None => None,
        };
        newest(&*stack, query(args).as_ref(), Window { after, limit: wanted }).await
    })?;
    let more = (args.reservation.is_none() && entries.len() > limit).then(|| {
        entries.truncate(limit);
        more(args, entries.last())
    });
    match args.stack.format {
        Printed::Json => {
            for (record, _) in entries.iter().take(limit) {
                print_document(&record.body)?;
            }
        }
        Printed::Table if args.reservation.is_some() => by_walkaround(&entries, limit)?,
        Printed::Table => flat(entries.iter().map(|(_, i)| i))?,
    }
    if let Some(more) = more {
        print_notice(more)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How to see what comes behind a page.
fn more(args: &ListArgs, last: Option<&Entry>) -> String {
    match last.filter(|_| query(args).is_some()) {
        Some((record, _)) => format!("walkaround: there are more: --after {}", record.id),
        None => {
            "walkaround: there are more: --limit up to 1000, or --day and --after for all of a day".to_owned()
        }
    }
}

/// Where an inspection stands in the order of a list: newest first.
type Place = (Reverse<Timestamp>, InspectionId);

fn place_of(inspection: &Inspection) -> Place {
    (Reverse(inspection.accepted_at), inspection.request.id.clone())
}

async fn place(stack: &dyn StackClient, id: &InspectionId) -> Result<Place, Failure> {
    match stack.records()?.read(id).await? {
        Some(record) => Ok(place_of(&inspection(&record)?)),
        None => Err(Failure::usage(format!(
            "--after {id}: there is no such inspection, expected the last one of the page before"
        ))),
    }
}

/// The part of a list that is wanted.
struct Window {
    /// Only what comes behind this.
    after: Option<Place>,
    limit: usize,
}

fn query(args: &ListArgs) -> Option<RecordQuery> {
    if let Some(vehicle) = &args.vehicle {
        return Some(RecordQuery::Vehicle(vehicle.clone()));
    }
    if let Some(reservation) = &args.reservation {
        return Some(RecordQuery::Reservation(reservation.clone()));
    }
    let day = args.day.clone()?;
    Some(match args.verdict {
        None => RecordQuery::Day(day),
        Some(verdict) => RecordQuery::VerdictOnDay {
            verdict: verdict.as_str().to_owned(),
            day,
        },
    })
}

/// The records that were accepted last, newest first. Pages come by day but in no order within one, so a day
/// is read to its end, where the stack's bound allows it; no more than a page over `limit` is held.
async fn newest(
    stack: &dyn StackClient,
    query: Option<&RecordQuery>,
    window: Window,
) -> Result<Vec<Entry>, Failure> {
    let Window { after: behind, limit } = window;
    let Some(query) = query else {
        let records = stack.operations().latest(limit).await.map_err(Failure::of_port)?;
        return records.into_iter().map(read).collect();
    };
    let (records, records_max) = (stack.records()?, stack.poll_intervals().records_max);
    let mut kept: Vec<Entry> = Vec::new();
    let (mut after, mut seen) = (None, 0);
    loop {
        let page = records.list(query, after.as_deref(), RECORDS_PAGE_MAX).await?;
        let last_day = page.records.last().map(|r| r.keys.day.clone());
        seen += page.records.len();
        for record in page.records {
            let entry = read(record)?;
            if behind.as_ref().is_none_or(|behind| place_of(&entry.1) > *behind) {
                kept.push(entry);
            }
        }
        kept.sort_by_cached_key(|(_, inspection)| place_of(inspection));
        kept.truncate(limit);
        after = page.next;
        let oldest = kept.last().map(|(r, _)| r.keys.day.clone());
        if after.is_none() || (kept.len() == limit && oldest > last_day) {
            return Ok(kept);
        }
        if seen >= records_max {
            let line = format!("walkaround: there are more: only the first {seen} inspections were read");
            print_notice(line)?;
            return Ok(kept);
        }
    }
}

fn read(record: StoredRecord) -> Result<Entry, Failure> {
    let inspection = inspection(&record)?;
    Ok((record, inspection))
}

fn flat<'a>(inspections: impl Iterator<Item = &'a Inspection>) -> Result<(), Failure> {
    let mut table = table(&[
        "accepted", "photo", "verdict", "lane", "findings", "vehicle", "remark", "id",
    ]);
    for i in inspections {
        table.add_row(vec![
            cell(clock_time(i.accepted_at)),
            cell(photo_name(&i.request.photo)),
            standing_cell(i),
            cell(lane(i)),
            cell(findings(i)),
            cell(i.request.vehicle_id.as_deref().unwrap_or_default()),
            cell(remark(i)),
            cell(&i.request.id),
        ]);
    }
    if table.row_count() == 0 {
        return Ok(print_line("no inspections")?);
    }
    Ok(print_table(table)?)
}

fn by_walkaround(entries: &[Entry], limit: usize) -> Result<(), Failure> {
    let groups = group(entries.iter().map(|(_, i)| i));
    if groups.is_empty() {
        return Ok(print_line("no inspections")?);
    }
    let mut left = limit;
    for walkaround in &groups {
        print_line(heading(walkaround))?;
        let shown = walkaround.inspections.len().min(left);
        left -= shown;
        if shown > 0 {
            print_table(photos(&walkaround.inspections[..shown]))?;
        }
        let more = walkaround.inspections.len() - shown;
        if more > 0 {
            print_line(format!("… and {} more", counted(more, "photo")))?;
        }
    }
    Ok(())
}

/// `r-7 return: damaged · 8 photos, 2 pending · scratch ×2`.
fn heading(w: &Walkaround<'_>) -> String {
    let mut text = w.key.reservation_id.clone();
    if !w.key.occasion.is_empty() {
        text.push_str(&format!(" {}", w.key.occasion));
    }
    let verdict = w.verdict().map_or("no verdict yet", Verdict::as_str);
    text.push_str(&format!(
        ": {verdict} · {}",
        counted(w.inspections.len(), "photo")
    ));
    text.push_str(&format!(", {} pending", w.pending()));
    let found = counted_classes(&w.findings());
    if !found.is_empty() {
        text.push_str(&format!(" · {found}"));
    }
    text
}

fn photos(inspections: &[&Inspection]) -> comfy_table::Table {
    let mut table = table(&[
        "viewpoint",
        "photo",
        "verdict",
        "lane",
        "findings",
        "remark",
        "id",
    ]);
    for i in inspections {
        table.add_row(vec![
            cell(i.request.viewpoint.as_deref().unwrap_or_default()),
            cell(photo_name(&i.request.photo)),
            standing_cell(i),
            cell(lane(i)),
            cell(findings(i)),
            cell(remark(i)),
            cell(&i.request.id),
        ]);
    }
    table
}
