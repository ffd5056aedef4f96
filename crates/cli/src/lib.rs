//! The `walkaround` command: parses the command line, runs one command, maps its outcome to an exit code.
//!
//! A library, so that the end-to-end tests build the same program without calling cargo from a test.
//!
//! Exit codes: 0 done, 1 something failed, 2 the command line or a setting is wrong.

mod args;
mod bundle;
mod client;
mod doctor;
mod evaluate;
mod http;
mod inspect;
mod library;
mod local;
mod samples;
mod whole_file;

use args::{Args, Command};
use clap::Parser;
use walkaround_assembly::{exit, failure};

/// Runs the command that the process was started with.
pub fn main() -> ! {
    let args = Args::parse();
    let outcome = match &args.command {
        Command::Inspect(options) => inspect::run(options),
        Command::Evaluate(options) => evaluate::run(options),
        Command::Samples(options) => samples::run(options),
        Command::Bundle(options) => bundle::run(options),
        Command::Up(options) => local::up::run(options),
        Command::Worker(options) => local::worker::run(options),
        Command::Submit(options) => client::submit::run(options),
        Command::Status(options) => client::status::run(options),
        Command::List(options) => client::list::run(options),
        Command::Show(options) => client::show::run(options),
        Command::Parked(options) => client::parked::run(options),
        Command::Redrive(options) => client::parked::redrive(options),
        Command::Doctor(options) => doctor::run(options),
    };
    exit::end(outcome)
}
