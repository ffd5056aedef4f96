//! Processes of the program under test, and waiting for what they do.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// Between two checks of a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process of the program; killed when it is dropped.
pub struct Running {
    pub(crate) child: Child,
    pub(crate) log: PathBuf,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        send_signal(
            i32::try_from(self.child.id()).expect("process ids are small"),
            rustix::process::Signal::TERM,
        );
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("an own child can be killed");
        self.child.wait().expect("an own child can be waited for");
    }

    /// Its exit code.
    ///
    /// # Panics
    /// When it has not ended within `bound`, or a signal ended it.
    pub fn exit_code(&mut self, bound: Duration) -> i32 {
        let mut status = None;
        until(bound, || {
            status = self.child.try_wait().expect("an own child can be waited for");
            status.is_some()
        });
        let status =
            status.unwrap_or_else(|| panic!("not ended within {bound:?}:\n{}", tail(&self.log(), 60)));
        status
            .code()
            .unwrap_or_else(|| panic!("{status}:\n{}", tail(&self.log(), 60)))
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// When the system does not report it.
    pub fn is_running(&mut self) -> bool {
        let ended = self.child.try_wait().expect("an own child can be waited for");
        ended.is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send_signal(pid: i32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // It may just have ended by itself.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Whether a condition became true within `bound`.
pub fn until(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + bound;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
