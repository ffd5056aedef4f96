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
pub(crate) mod up;
mod workers;

use crate::args::{DoctorArgs, Printed, StackName};
use crate::client::table::{print_document, print_line};
use crate::client::which;
use crate::failure::Failure;
use crate::local::stack::runtime;
use finding::{CheckResult, Level};
use std::process::ExitCode;

pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let findings = runtime()?.block_on(async {
        match args.stack.stack {
            // A bad setting is a finding here, where every other command stops.
            None if which(&args.stack).is_err() && local::settings(&args.stack).is_err() => {
                local::look(&args.stack).await
            }
            _ => match which(&args.stack)? {
                StackName::Local => local::look(&args.stack).await,
                StackName::Aws => cloud::look(&args.stack).await,
            },
        }
    })?;
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

fn summary(findings: &[CheckResult]) -> String {
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => format!("nothing found in {} checks", findings.len()),
        (fails, warns) => format!("{fails} failed, {warns} to look at, of {} checks", findings.len()),
    }
}
