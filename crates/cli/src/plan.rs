//! `walkaround plan`: a day at scale before it happens, from arrivals and assumptions.

mod charts;
mod document;
mod figures;
mod from_stack;
mod page;
mod print;

use crate::args::{PlanArgs, Printed};
use crate::client::table::{cell, print_document, print_table, table};
use crate::failure::Failure;
use anyhow::Context;
use figures::{Plan, Plans, figure};
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use walkaround_bootstrap::terminal::printable_path;
use walkaround_client::whole_file::WholeFile;
use walkaround_planning::{Arrivals, Assumptions, CSV_BYTES_MAX, PlanError, Scenario, simulate};

pub(crate) fn run(args: &PlanArgs) -> Result<ExitCode, Failure> {
    let mut assumptions = Assumptions::default();
    if args.list {
        set(&mut assumptions, &args.set)?;
        list(&assumptions, args.stack.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let observed = match args.from_stack {
        true => Some(from_stack::observe(args)?),
        false => None,
    };
    if let Some(observed) = &observed {
        assumptions = observed.assumptions();
    }
    set(&mut assumptions, &args.set)?;
    let mut scenario = match &observed {
        Some(observed) => observed.scenario(args.seed),
        None => scenario(args)?,
    };
    scenario.droughts.extend(&args.drought);
    scenario.deadline = Duration::from_secs(u64::from(args.deadline));
    scenario.deadline_in_requests = args.request_deadline;
    let mut plans = vec![plan(&scenario, &assumptions, &args.set)];
    if !args.compare.is_empty() {
        set(&mut assumptions, &args.compare)?;
        plans.push(plan(&scenario, &assumptions, &args.compare));
    }
    let plans = Plans {
        scenario,
        plans,
        observed: observed.map(|observed| observed.figures()),
    };
    match args.stack.format {
        Printed::Table => print::print(&plans)?,
        Printed::Json => print_document(document::document(&plans))?,
    }
    if let Some(path) = &args.html {
        let mut file = WholeFile::create(path)?;
        file.write(page::html(&plans).as_bytes())?;
        file.commit()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn set(assumptions: &mut Assumptions, changes: &[String]) -> Result<(), Failure> {
    changes
        .iter()
        .try_for_each(|change| assumptions.set(change))
        .map_err(Failure::usage)
}

fn plan(scenario: &Scenario, assumptions: &Assumptions, changes: &[String]) -> Plan {
    Plan {
        changes: changes.to_vec(),
        assumptions: *assumptions,
        day: simulate(scenario, assumptions),
    }
}

fn scenario(args: &PlanArgs) -> Result<Scenario, Failure> {
    let scenario = args
        .named
        .scenario(args.photos, args.seed)
        .map_err(Failure::usage)?;
    let Some(path) = &args.arrivals else {
        return Ok(scenario);
    };
    let arrivals = Arrivals::from_csv(&csv(path)?).map_err(|error: PlanError| {
        let colon = if matches!(error, PlanError::Arrivals { .. }) {
            ","
        } else {
            ":"
        };
        Failure::usage(format!("{}{colon} {error}", printable_path(path)))
    })?;
    let name = path.file_name().unwrap_or_default();
    Ok(Scenario {
        about: format!(
            "{} photos of {}",
            figures::count(arrivals.total()),
            printable_path(path)
        ),
        name: name.to_string_lossy().into_owned(),
        arrivals,
        droughts: Vec::new(),
        ..scenario
    })
}

/// The text of a CSV file, no longer than a day's.
fn csv(path: &Path) -> Result<String, Failure> {
    let shown = printable_path(path);
    if !path.is_file() {
        return Err(Failure::usage(format!("{shown}: no such file")));
    }
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut bytes = Vec::new();
    file.take(CSV_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() > CSV_BYTES_MAX {
        return Err(Failure::usage(format!(
            "{shown}: longer than {CSV_BYTES_MAX} bytes, expected a line for each minute of a day"
        )));
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{shown}: not UTF-8, expected CSV")))
}

fn list(assumptions: &Assumptions, format: Printed) -> Result<(), Failure> {
    let rows = assumptions.rows();
    if format == Printed::Json {
        print_document(document::assumptions(&rows))?;
        return Ok(());
    }
    let mut table = table(&["name", "figure", "unit", "what it is"]);
    for row in rows {
        table.add_row(vec![
            cell(row.name),
            cell(figure(row.value)),
            cell(row.unit),
            cell(row.about),
        ]);
    }
    Ok(print_table(table)?)
}
