//! The tables of a plan.

use super::figures::{Plans, Row, count, times};
use crate::client::table::{cell, print_line, print_table, table};
use crate::failure::Failure;
use comfy_table::{CellAlignment, Table};

pub(super) fn print(plans: &Plans) -> Result<(), Failure> {
    let scenario = &plans.scenario;
    print_line(format_args!("{}: {}", scenario.name, scenario.about))?;
    for (at, plan) in plans.plans.iter().enumerate() {
        print_line("")?;
        print_line(plan.title(at))?;
        print_table(by_hour(plan))?;
    }
    print_line("")?;
    print_table(figures(plans))?;
    Ok(())
}

fn by_hour(plan: &super::figures::Plan) -> Table {
    let mut table = table(&[
        "hour", "photos", "p50", "p95", "p99", "late", "workers", "waiting",
    ]);
    for (hour, of_hour) in plan.day.hours.iter().enumerate() {
        let minutes = plan.day.minutes.iter().skip(hour * 60).take(60);
        let workers = minutes
            .clone()
            .map(|minute| minute.workers)
            .max()
            .unwrap_or_default();
        let waiting = minutes
            .map(|minute| minute.intake + minute.lane)
            .max()
            .unwrap_or_default();
        let mut row = vec![format!("{hour:02}"), count(of_hour.photos)];
        row.extend(times(of_hour.photos, &of_hour.times));
        row.extend([count(of_hour.missed), workers.to_string(), count(waiting)]);
        table.add_row(row.iter().map(cell));
    }
    right_aligned(table)
}

fn figures(plans: &Plans) -> Table {
    let deadline_s = plans.scenario.deadline.as_secs();
    let titles = plans.plans.iter().enumerate().map(|(at, plan)| plan.title(at));
    let mut header = vec!["figure".to_owned()];
    header.extend(titles);
    if plans.observed.is_some() {
        header.push("what happened".to_owned());
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = table(&header);
    let columns: Vec<Vec<Row>> = plans.plans.iter().map(|plan| plan.rows(deadline_s)).collect();
    for (at, row) in columns[0].iter().enumerate() {
        let mut cells = vec![cell(&row.name)];
        cells.extend(columns.iter().map(|column| cell(&column[at].value)));
        if let Some(observed) = &plans.observed {
            let same = observed.iter().find(|other| other.name == row.name);
            cells.push(cell(same.map_or("", |row| row.value.as_str())));
        }
        table.add_row(cells);
    }
    right_aligned(table)
}

fn right_aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
