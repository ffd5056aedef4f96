//! `walkaround status`: queues, workers, results; once, or again and again.

mod document;
mod print;

use super::open;
use crate::args::{Printed, StatusArgs};
use crate::failure::Failure;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use walkaround_bootstrap::process::{runtime, stop_on_signal};
use walkaround_bootstrap::terminal::printable_json;
use walkaround_client::IfMissing;

pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let clock = stack.clock();
        if !args.watch {
            let status = document::read(&*stack).await?;
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
            let status = document::read(&*stack).await?;
            match show(&status, args, place) {
                // Who reads has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                other => other?,
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = clock.sleep(stack.poll_intervals().status) => {}
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
        (Printed::Json, _) => writeln!(out, "{}", printable_json(&serde_json::to_string(status)?))?,
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
