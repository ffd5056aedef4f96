//! Worker processes: starting one with its log, and keeping logs small.

use crate::files;
use crate::jobs;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// What a worker process is started from: program and arguments, and variables to add to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) line: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

/// Starts a worker that outlives this process, with both outputs in its log.
pub(crate) fn start(command: &CommandLine, log: &Path) -> io::Result<Child> {
    let output = OpenOptions::new().create(true).append(true).open(log)?;
    let (program, arguments) = command
        .line
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program to start"))?;
    Command::new(program)
        .args(arguments)
        .envs(command.variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // A group of its own: Ctrl-C at the terminal is for `up`, which then drains its workers.
        .process_group(0)
        .spawn()
}

/// How a process ended, in words.
pub(crate) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The log of a job.
pub(crate) fn log_path(root: &Path, number: i64) -> PathBuf {
    root.join(files::LOGS).join(format!("{}.log", jobs::name(number)))
}

fn older_log_path(log: &Path) -> PathBuf {
    log.with_extension("log.1")
}

/// Removes both parts of a log.
pub(crate) fn remove_log(log: &Path) -> io::Result<()> {
    files::remove_if_there(log)?;
    files::remove_if_there(&older_log_path(log))
}

/// Moves the end of a log that has grown too long aside, and empties it. The worker goes on writing: it
/// appends, so what it writes next stands at the new beginning. A line may be lost in between.
pub(crate) fn shorten_log(log: &Path, bytes_max: u64) -> io::Result<()> {
    let length = match fs::metadata(log) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if length <= bytes_max {
        return Ok(());
    }
    let mut file = OpenOptions::new().read(true).write(true).open(log)?;
    file.seek(SeekFrom::Start(length - bytes_max))?;
    io::copy(
        &mut (&mut file).take(bytes_max),
        &mut File::create(older_log_path(log))?,
    )?;
    file.set_len(0)
}
