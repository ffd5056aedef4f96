//! `walkaround samples`: drawn photos whose damage is known.

use crate::args::SamplesArgs;
use crate::failure::Failure;
use crate::inspect::progress;
use std::io::Write;
use std::process::ExitCode;
use walkaround_samples::{WALKAROUND_PHOTOS, write_walkarounds};

pub(crate) fn run(args: &SamplesArgs) -> Result<ExitCode, Failure> {
    if args.walkarounds {
        return walkarounds(args);
    }
    let bar = progress(u64::from(args.count), "drawing");
    let set = walkaround_samples::SetSpec {
        seed: args.seed,
        count: args.count,
        size: (args.width, args.width * 3 / 4),
    };
    walkaround_samples::write_set(&args.out, set, |_| bar.inc(1))?;
    bar.finish_and_clear();
    writeln!(
        std::io::stdout(),
        "{} drawn samples with their true masks in {}",
        args.count,
        walkaround_bootstrap::terminal::printable_path(&args.out)
    )?;
    Ok(ExitCode::SUCCESS)
}

fn walkarounds(args: &SamplesArgs) -> Result<ExitCode, Failure> {
    let bar = progress(u64::from(WALKAROUND_PHOTOS), "drawing");
    let manifest = write_walkarounds(&args.out, args.width, || bar.inc(1))?;
    bar.finish_and_clear();
    writeln!(
        std::io::stdout(),
        "{WALKAROUND_PHOTOS} drawn photos; submit them with: walkaround submit {}",
        walkaround_bootstrap::terminal::printable_path(&manifest)
    )?;
    Ok(ExitCode::SUCCESS)
}
