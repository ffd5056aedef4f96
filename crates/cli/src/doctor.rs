//! `walkaround doctor`: why is it not running? A line a check, with the cause and what to do.

use crate::args::{DoctorArgs, Printed};
use crate::client::table::{print_document, print_line};
use crate::failure::Failure;
use serde_json::json;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_doctor::{CheckResult, Level, examine};

pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let findings = runtime()?.block_on(examine(&(&args.stack).into()))?;
    let width = findings.iter().map(|f| f.check.len()).max().unwrap_or_default();
    for finding in &findings {
        match args.stack.format {
            Printed::Json => print_document(document(finding))?,
            Printed::Table => print_line(line(finding, width))?,
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

fn line(found: &CheckResult, width: usize) -> String {
    let level = match found.level {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Fail => "FAIL",
    };
    let fix = found
        .fix
        .as_ref()
        .map_or_else(String::new, |fix| format!(" → {fix}"));
    format!("{level}  {:<width$}  {}{fix}", found.check, found.what)
}

fn document(found: &CheckResult) -> serde_json::Value {
    let level = match found.level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    json!({"check": found.check, "level": level, "what": found.what, "fix": found.fix})
}

fn summary(findings: &[CheckResult]) -> String {
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => format!("no problem found in {} checks", findings.len()),
        (fails, warns) => format!(
            "{fails} failed, {warns} with a warning, of {} checks",
            findings.len()
        ),
    }
}
