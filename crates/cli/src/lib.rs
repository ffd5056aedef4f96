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
mod inspect;
mod library;
mod local;
mod photo_file;
mod plan;
mod samples;
mod serve;
mod small_picture;
mod template;

use args::{Args, Command};
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use std::io::Write;
use std::process::ExitCode;
use walkaround_bootstrap::terminal::{Text, printable};
use walkaround_bootstrap::{exit, failure};
use walkaround_settings::unknown_settings;

/// Runs the command that the process was started with.
pub fn main() -> ! {
    let args = match parse() {
        Ok(args) => args,
        Err(code) => exit::end(Ok(code)),
    };
    // `doctor` has them among its checks.
    if !matches!(args.command, Command::Doctor(_)) {
        for unknown in unknown_settings() {
            // Nowhere is left to report that standard error is closed.
            let _ = client::table::notice(&unknown.to_string());
        }
    }
    let outcome = match &args.command {
        Command::Inspect(options) => inspect::run(options),
        Command::Evaluate(options) => evaluate::run(options),
        Command::Samples(options) => samples::run(options),
        Command::Bundle(options) => bundle::run(options),
        Command::Up(options) => local::up::run(options),
        Command::Worker(options) => local::worker::run(options),
        Command::Serve(options) => serve::run(options),
        Command::Console(options) => serve::console(options),
        Command::Submit(options) => client::submit::run(options),
        Command::Status(options) => client::status::run(options),
        Command::List(options) => client::list::run(options),
        Command::Show(options) => client::show::run(options),
        Command::Parked(options) => client::parked::run(options),
        Command::Redrive(options) => client::parked::redrive(options),
        Command::Retry(options) => client::retry::run(options),
        Command::Review(options) => client::review::run(options),
        Command::Export(options) => client::export::run(options),
        Command::Import(options) => client::import::run(options),
        Command::Sample(options) => client::sample::run(options),
        Command::Monitor(options) => client::monitor::run(options),
        Command::Reinspect(options) => client::reinspect::run(options),
        Command::Replay(options) => client::replay::run(options),
        Command::Prune(options) => local::prune::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Plan(options) => plan::run(options),
    };
    exit::end(outcome)
}

/// The command line. What is wrong with it is said with what was given, which need not be plain text.
fn parse() -> Result<Args, ExitCode> {
    let error = match Args::try_parse() {
        Ok(args) => return Ok(args),
        // Help and version.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => with_printable_values(error),
    };
    let text = error.render().to_string();
    // Nowhere is left to report that standard error is closed.
    let _ = Text(std::io::stderr()).write_all(text.as_bytes());
    Err(ExitCode::from(2))
}

/// The error with everything that it quotes from the command line as [`printable`] text. Before it is rendered: after
/// that, a line end in a value cannot be distinguished from one of the message.
fn with_printable_values(mut error: clap::Error) -> clap::Error {
    let shown = |text: &str| printable(text).into_owned();
    let context: Vec<_> = error
        .context()
        .map(|(kind, value)| (kind, value.clone()))
        .collect();
    for (kind, value) in context {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(shown(&text)),
            ContextValue::Strings(texts) => {
                ContextValue::Strings(texts.iter().map(|text| shown(text)).collect())
            }
            // A hint may quote an unknown argument; the usage has lines of its own and quotes nothing.
            ContextValue::StyledStrs(hints) if kind == ContextKind::Suggested => {
                let hints = hints.iter().map(|hint| shown(&hint.to_string()).into());
                ContextValue::StyledStrs(hints.collect())
            }
            _ => continue,
        };
        error.insert(kind, value);
    }
    error
}
