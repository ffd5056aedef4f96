//! A status for people: a page of tables, or one line.

use super::document::{JobsStatus, QueueStatus, Status, WorkerStatus};
use crate::client::table::table;
use comfy_table::{CellAlignment, Table};
use std::time::Duration;
use walkaround_bootstrap::terminal::printable;
use walkaround_client::format::{counted, duration, mebibytes};

/// Columns of the queues that hold numbers.
const QUEUE_NUMBERS: [usize; 5] = [1, 2, 3, 4, 5];
/// Columns of the workers that hold numbers.
const WORKER_NUMBERS: [usize; 5] = [3, 4, 5, 6, 7];

/// Everything.
pub(super) fn page(status: &Status, terminal: bool) -> String {
    let mut queues = table(&["queue", "ready", "leased", "delayed", "oldest", "parked"]);
    queues.add_rows(status.queues.iter().map(queue));
    let mut workers = table(&[
        "worker",
        "state",
        "device",
        "photos/s",
        "in flight",
        "done",
        "memory",
        "beat",
    ]);
    workers.add_rows(status.workers.iter().map(worker));
    let mut text = format!("{}\n\n", finish(queues, &QUEUE_NUMBERS, terminal));
    if status.workers.is_empty() {
        text.push_str("no workers\n");
    } else {
        text.push_str(&format!("{}\n", finish(workers, &WORKER_NUMBERS, terminal)));
    }
    let JobsStatus { starting, running } = &status.jobs;
    if starting + running > 0 {
        text.push_str(&format!(
            "\njobs         {running} running, {starting} starting\n"
        ));
    }
    let pending: u64 = status.pending.values().sum();
    text.push_str(&format!("\npending      {pending}\n"));
    let done = &status.done;
    if let Some(minute) = done.last_minute {
        text.push_str(&format!("last minute  {minute} done\n"));
    }
    if let (Some(hour), Some(failed)) = (done.last_hour, done.failed_last_hour) {
        text.push_str(&format!("last hour    {hour} done, {failed} failed\n"));
    }
    if let Some(mean) = done.per_minute_today {
        text.push_str(&format!("per minute   {mean:.1} done, mean of today\n"));
    }
    let span = if status.day.is_some() { "today" } else { "so far" };
    text.push_str(&format!("{span:<12} {}", so_far(status)));
    for concern in &status.concerns {
        text.push_str(&format!("\n\n{}", printable(concern)));
    }
    text
}

/// The same in one line, for a pipe.
pub(super) fn line(status: &Status) -> String {
    let queues = status.queues.iter().map(|q| {
        let waiting = q.ready + q.delayed;
        format!(
            "{} {waiting} waiting {} leased {} parked",
            q.name, q.leased, q.parked
        )
    });
    let mut parts = vec![status.at.clone()];
    parts.extend(queues);
    parts.push(counted(status.workers.len(), "worker"));
    parts.extend(
        status
            .done
            .last_minute
            .map(|n| format!("{n} done in the last minute")),
    );
    parts.push(so_far(status));
    parts.extend(
        status
            .concerns
            .iter()
            .map(|concern| printable(concern).into_owned()),
    );
    parts.join(" · ")
}

fn so_far(status: &Status) -> String {
    let mut parts: Vec<String> = status
        .verdicts
        .iter()
        .map(|(verdict, n)| format!("{n} {verdict}"))
        .collect();
    parts.push(format!("{} failed", status.failed));
    parts.join(", ")
}

fn finish(mut table: Table, numbers: &[usize], terminal: bool) -> Table {
    if !terminal {
        table.force_no_tty();
    }
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn seconds(s: f64) -> String {
    duration(Duration::try_from_secs_f64(s).unwrap_or_default())
}

fn queue(q: &QueueStatus) -> Vec<String> {
    vec![
        q.name.to_owned(),
        q.ready.to_string(),
        q.leased.to_string(),
        q.delayed.to_string(),
        q.oldest_age_s.map_or_else(String::new, seconds),
        q.parked.to_string(),
    ]
}

fn worker(w: &WorkerStatus) -> Vec<String> {
    vec![
        printable(&w.name).into_owned(),
        w.state.to_owned(),
        printable(&w.device).into_owned(),
        format!("{:.1}", w.photos_per_second),
        w.in_flight.to_string(),
        w.photos_done.to_string(),
        mebibytes(w.memory_bytes),
        seconds(w.beat_age_s),
    ]
}
