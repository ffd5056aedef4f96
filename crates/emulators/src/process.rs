//! One emulator as a process group: started, waited for, killed.
//!
//! A free port is found by binding it and letting it go; when another process takes it in between, the emulator ends
//! at once and another port is tried. That the port answers is not enough: the process that was started must be alive.

use crate::http;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Ports that are tried.
const STARTS_MAX: usize = 3;
/// Longest wait for the first answer: Python compiles some hundred files the first time.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two checks whether it answers.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much of the log a failure shows.
const LOG_SHOWN_BYTES: usize = 4000;

/// A running emulator.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    port: u16,
    child: Child,
    /// Its log, and whatever it leaves behind.
    folder: TempDir,
}

impl Program {
    /// Starts the emulator whose packages are in `.tools/<name>`; `complete` gives the command its module, function
    /// and settings. Returns once `ready` answers 200.
    pub(crate) fn start(name: &'static str, ready: &str, complete: impl Fn(u16, &mut Command)) -> Self {
        let packages = packages(name);
        let mut log = String::new();
        for _ in 0..STARTS_MAX {
            let mut program = Self::spawn(name, &packages, &complete);
            match program.wait_until_ready(ready) {
                Ok(()) => return program,
                Err(Late::Ended) => log = program.log(),
                Err(Late::Silent) => {
                    panic!(
                        "{name} did not answer for {READY_MAX:?}; it wrote:\n{}",
                        end_of(&program.log())
                    )
                }
            }
        }
        panic!(
            "{name} ended {STARTS_MAX} times before it answered; it wrote:\n{}",
            end_of(&log)
        );
    }

    fn spawn(name: &'static str, packages: &Path, complete: &impl Fn(u16, &mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("a file in a new folder");
        let errors = log.try_clone().expect("a second handle of a file");
        let port = free_port();
        let mut command = Command::new("python3");
        command
            .args(["-c", include_str!("guard.py")])
            .env("PYTHONPATH", packages)
            .env("TMPDIR", folder.path())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(folder.path())
            // Read by the guard: it closes when this process ends, however it ends.
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        complete(port, &mut command);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("python3 does not start: {error}"));
        Self {
            name,
            port,
            child,
            folder,
        }
    }

    fn wait_until_ready(&mut self, path: &str) -> Result<(), Late> {
        let began = Instant::now();
        while began.elapsed() < READY_MAX {
            let answer = http::status(self.port, "GET", path, "");
            if self.child.try_wait().ok().flatten().is_some() {
                return Err(Late::Ended);
            }
            if matches!(answer, Ok(200)) {
                return Ok(());
            }
            sleep(LOOK_EVERY);
        }
        Err(Late::Silent)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn post(&self, path: &str, body: &str) {
        match http::status(self.port, "POST", path, body) {
            Ok(200 | 201) => {}
            answer => panic!(
                "{}: POST {path} was answered {answer:?}; it wrote:\n{}",
                self.name,
                end_of(&self.log())
            ),
        }
    }
}

impl Drop for Program {
    #[expect(clippy::print_stderr, reason = "what a failing test shows")]
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Fails only when nothing of the group is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        if panicking() {
            eprintln!("the end of what {} wrote:\n{}", self.name, end_of(&self.log()));
        }
    }
}

/// Why an emulator is not ready.
enum Late {
    /// Its process is over.
    Ended,
    /// It runs and does not answer.
    Silent,
}

/// The folder that `make setup` put an emulator into, in this checkout.
fn packages(name: &str) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let folder = checkout
        .expect("crates stand in the checkout")
        .join(".tools")
        .join(name);
    assert!(
        folder.join(name).is_dir(),
        "no {name} in {}: run `make setup`",
        folder.display()
    );
    folder
}

fn free_port() -> u16 {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    free.expect("a free port of the loopback interface").port()
}

fn end_of(log: &str) -> &str {
    let mut from = log.len().saturating_sub(LOG_SHOWN_BYTES);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    &log[from..]
}
