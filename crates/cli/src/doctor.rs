//! `walkaround doctor`: why is it not running? A line a check, with the cause and what to do.
//!
//! [`local`] and [`cloud`] gather what is to be seen; [`queues`], [`workers`], [`capacity`] and [`bundle`] are the
//! judgement: from facts to findings, without asking anybody. A check that cannot be made is a finding too, so that one
//! broken part does not hide the others.

mod bundle;
mod capacity;
mod cloud;
mod finding;
mod lane;
mod local;
mod port;
mod queues;
mod up;
mod workers;

use crate::args::{DoctorArgs, Printed};
use crate::client::table::{print_document, print_line};
use crate::failure::Failure;
use finding::{CheckResult, Level};
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::StackChoice;
use walkaround_settings::StackKind;

pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let findings = runtime()?.block_on(examine(&StackChoice::from(&args.stack)))?;
    let width = findings.iter().map(|f| f.check.len()).max().unwrap_or_default();
    for finding in &findings {
        match args.stack.format {
            Printed::Json => print_document(finding.document())?,
            Printed::Table => print_line(finding.line(width))?,
        }
    }
    let failed = findings.iter().filter(|f| f.level == Level::Fail).count();
    if args.stack.format == Printed::Table {
        print_line(summary(&findings))?;
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All checks of the stack that is meant.
async fn examine(choice: &StackChoice) -> Result<Vec<CheckResult>, Failure> {
    match choice.stack {
        // A bad setting is a finding here, where every other command stops.
        None if choice.kind().is_err() && local::settings(choice).is_err() => local::look(choice).await,
        _ => match choice.kind()? {
            StackKind::Local => local::look(choice).await,
            StackKind::Aws => cloud::look(choice).await,
        },
    }
}

fn summary(findings: &[CheckResult]) -> String {
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => format!("nothing found in {} checks", findings.len()),
        (fails, warns) => format!("{fails} failed, {warns} to look at, of {} checks", findings.len()),
    }
}
