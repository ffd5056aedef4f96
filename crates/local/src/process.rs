//! Processes of this machine, identified beyond the reuse of their ids.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::fmt;
use std::fs;
use std::io;
use std::sync::OnceLock;

/// A process: its pid, when it started (clock ticks since boot), and the boot. Pids are used again, this is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    start: u64,
    boot: String,
}

impl ProcessId {
    /// This process.
    pub(crate) fn own() -> &'static Self {
        static OWN: OnceLock<ProcessId> = OnceLock::new();
        OWN.get_or_init(|| {
            let pid = rustix::process::getpid().as_raw_nonzero().get();
            // Without /proc nothing can be distinguished; zero then equals zero, and nothing is removed.
            Self::of(pid).unwrap_or(Self {
                pid,
                start: 0,
                boot: boot(),
            })
        })
    }

    /// The process that has `pid` now; none when there is none, or only its remains (a zombie).
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = stat(pid)?;
        let mut fields = stat.split(' ');
        let state = fields.next()?;
        if matches!(state, "Z" | "X") {
            return None;
        }
        // Field 22 of proc(5); the state was field 3.
        let start = fields.nth(18)?.parse().ok()?;
        Some(Self {
            pid,
            start,
            boot: boot(),
        })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Whether somebody has stopped it: a signal, a terminal or a debugger.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_alive() && stat(self.pid).is_some_and(|stat| stat.starts_with(['T', 't']))
    }

    /// Sends it a signal; false when it is gone.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(false);
        };
        // The descriptor pins the process before it is checked: a reused pid is never signalled.
        let sent = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) if self.is_alive() => rustix::process::pidfd_send_signal(&process, signal),
            Ok(_) => return Ok(false),
            // A sandbox without it.
            Err(Errno::NOSYS) if self.is_alive() => rustix::process::kill_process(pid, signal),
            Err(Errno::NOSYS) => return Ok(false),
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The process with this line of arguments, and this variable in its environment.
    pub(crate) fn find(arguments: &[String], variable: &str) -> Option<Self> {
        let line = arguments.join("\0") + "\0";
        let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.parse::<i32>().ok()
        });
        for pid in pids {
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let named = || {
                read("environ")
                    .split(|b| *b == 0)
                    .any(|v| v == variable.as_bytes())
            };
            if read("cmdline") == line.as_bytes() && named() {
                return Self::of(pid);
            }
        }
        None
    }

    /// The inverse of its display.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        Some(Self {
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
            boot: parts.next()?.to_owned(),
        })
    }
}

/// The fields of proc(5) from the third on, the state. The name in brackets before them may hold anything, also brackets.
fn stat(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

/// Pid, start and boot, joined by hyphens.
impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.pid, self.start, self.boot)
    }
}

/// First part of the id of this boot; empty where the system has none.
pub(crate) fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.split('-').next().unwrap_or_default().trim().to_owned()
}
