//! `walkaround status`: queues, workers, results; once, or every second.

mod document;
mod print;

use super::stack::{Stack, runtime, stop_on_signal};
use crate::args::{Printed, StatusArgs};
use crate::failure::Failure;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Between two looks of `--watch`.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let stack = Stack::existing(args.stack.root.as_deref())?;
    runtime()?.block_on(async {
        if !args.watch {
            let status = document::read(&stack).await?;
            show(&status, args, Place::Once)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut stop = stop_on_signal()?;
        let place = if std::io::stdout().is_terminal() {
            Place::Screen
        } else {
            Place::Pipe
        };
        while !stop.is_set() {
            let status = document::read(&stack).await?;
            match show(&status, args, place) {
                // Who reads has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                other => other?,
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = stack.clock.sleep(LOOK_EVERY) => {}
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Where a status goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Printed once, whole.
    Once,
    /// A terminal that is drawn over.
    Screen,
    /// A pipe or file: a line each time.
    Pipe,
}

fn show(status: &document::Status, args: &StatusArgs, place: Place) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match (args.stack.format, place) {
        (Printed::Json, _) => writeln!(out, "{}", serde_json::to_string(status)?)?,
        (Printed::Table, Place::Once) => writeln!(out, "{}", print::page(status, out.is_terminal()))?,
        // Home, each line cleared to its end, then everything below: no flicker.
        (Printed::Table, Place::Screen) => {
            let page = print::page(status, true).replace('\n', "\x1b[K\n");
            writeln!(out, "\x1b[H{page}\x1b[K\n\x1b[J")?;
        }
        (Printed::Table, Place::Pipe) => writeln!(out, "{}", print::line(status))?,
    }
    out.flush()
}
