//! What the functions need around them, for `make invoke` and for trying them by hand: ministack with queues, table,
//! buckets, topic and secret, drawn photos where the events of events/ name them, and a stand-in for Slack.
//!
//! Usage: `function-stack ENV_FILE`. Writes the functions' environment to the file once all is there, then waits:
//! each line on standard input prints the records and the alerts so far; its end ends everything.

use std::io::{BufRead, Result, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use walkaround_domain::{Inspection, Phase};
use walkaround_samples::{SetSpec, draw, set_specs};
use walkaround_tests::files::jpeg;
use walkaround_tests::function_stack::{DAY, FunctionStack, photo_keys};
use walkaround_tests::places;

const PHOTO_SIZE: (u32, u32) = (1200, 900);
const PHOTO_QUALITY: u8 = 90;

fn main() -> Result<()> {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let file = file.ok_or_else(|| std::io::Error::other("name the file for the environment"))?;
    let stack = FunctionStack::start(&places::demo());
    put_photos(&stack);
    write_environment(&stack, &file)?;
    let mut out = stdout();
    writeln!(
        out,
        "The stack stands at {}; its environment is in {}.",
        stack.ministack.endpoint(),
        file.display()
    )?;
    writeln!(out, "Enter shows records and alerts, Ctrl-D ends.")?;
    for line in stdin().lock().lines() {
        line?;
        show(&stack, &mut out)?;
    }
    Ok(())
}

/// Draws a photo for each key that the events name.
fn put_photos(stack: &FunctionStack) {
    let keys = photo_keys();
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let set = SetSpec {
        seed: 7,
        count,
        size: PHOTO_SIZE,
    };
    for (key, (_, spec)) in keys.iter().zip(set_specs(set)) {
        stack.put_photo(key, &jpeg(&draw(&spec).picture, PHOTO_QUALITY));
    }
}

/// Writes `NAME=value` lines, all or nothing: whoever waits for the file finds it whole.
fn write_environment(stack: &FunctionStack, file: &Path) -> Result<()> {
    let lines = stack
        .environment()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = file.with_extension("new");
    std::fs::write(&beside, lines.collect::<String>())?;
    std::fs::rename(&beside, file)
}

fn show(stack: &FunctionStack, out: &mut impl Write) -> Result<()> {
    for (id, inspection) in stack.inspections(DAY) {
        writeln!(out, "record  {id:.44}  {}", said(&inspection))?;
    }
    let parked = stack.depth("WALKAROUND_INTAKE_DEAD_QUEUE").ready;
    writeln!(out, "parked  {parked}")?;
    for message in stack.slack.take_messages() {
        writeln!(out, "alert   {}", message["text"].as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn said(inspection: &Inspection) -> String {
    match &inspection.phase {
        Phase::Done { verdict } => verdict.as_str().to_owned(),
        Phase::Failed { code, .. } => format!("failed: {}", code.as_str()),
        other => format!("{other:?}"),
    }
}
