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
mod text;
mod whole_file;

use args::{Args, Command};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use walkaround_assembly::terminal::{Text, printable};
use walkaround_assembly::{exit, failure};

/// Runs the command that the process was started with.
pub fn main() -> ! {
    let args = match parse() {
        Ok(args) => args,
        Err(code) => exit::end(Ok(code)),
    };
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
        Command::Retry(options) => client::retry::run(options),
        Command::Prune(options) => local::prune::run(options),
        Command::Doctor(options) => doctor::run(options),
    };
    exit::end(outcome)
}

/// The command line. What is wrong with it is said with what was given, which need not be plain text.
fn parse() -> Result<Args, ExitCode> {
    let error = match Args::try_parse() {
        Ok(args) => return Ok(args),
        // Help and version.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => error,
    };
    let mut text = error.render().to_string();
    for given in std::env::args_os() {
        let given = given.to_string_lossy();
        text = text.replace(&*given, &printable(&given));
    }
    // Nowhere is left to report that standard error is closed.
    let _ = Text(std::io::stderr()).write_all(text.as_bytes());
    Err(ExitCode::from(2))
}
