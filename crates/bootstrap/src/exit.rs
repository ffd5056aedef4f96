//! How a process ends: its exit code arrives, whatever its threads do.
//!
//! A thread that runs a network cannot be interrupted. Leaving `main` waits for blocking threads when the runtime is
//! dropped, and `exit(3)` runs the destructors of ONNX Runtime and CUDA, which wait for the device. Both would keep a
//! process with a hung device for ever, and whoever restarts it by its exit code would never see one. So every program
//! ends here: output is flushed, and `_exit(2)` ends all threads at once. Nothing is lost by it: effects are durable
//! before a message is acknowledged, and what was in flight is delivered again.

use crate::failure::{Failure, exit_code};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tracing::error;
use walkaround_pipeline::consumer::Progress;
use walkaround_ports::Clock;

/// Time that a program may take to end beyond its drain budget: the last heartbeat and the last metrics.
pub const EXIT_SLACK: Duration = Duration::from_secs(3);
/// A consumer ends a stall by itself; this long after it should have, the process is ended from outside of it.
const STALL_SLACK: Duration = Duration::from_secs(60);
/// How often a consumer's progress is checked from outside.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// How long flushing standard output may take: whoever reads it may have stopped.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Ends the process with the exit code of an outcome; a failure is reported first.
pub fn end(outcome: Result<ExitCode, Failure>) -> ! {
    end_with(exit_code(outcome))
}

/// Ends the process with this code after `time`, unless it has ended before. For a shutdown that may not take longer,
/// whatever it waits for.
pub fn end_within(time: Duration, code: ExitCode) {
    let wait = move || {
        thread::sleep(time);
        error!(?time, "the shutdown is overdue, the process exits without it");
        end_with(code)
    };
    let spawned: std::io::Result<thread::JoinHandle<()>> =
        thread::Builder::new().name("exit".into()).spawn(wait);
    if let Err(error) = spawned {
        error!(%error, "cannot start the thread that enforces the shutdown's deadline");
    }
}

/// A consumer as it is watched from outside.
#[derive(Clone)]
pub struct Watched {
    /// Its counts.
    pub progress: Arc<Progress>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its `stall_exit` and its drain budget together.
    pub ends_within: Duration,
}

/// Ends the process with this code when its consumer has finished nothing for so long that it should have ended by itself.
/// On a thread of its own: a runtime whose threads all block runs no timer.
pub fn end_when_stalled(consumer: Watched, code: ExitCode) {
    let limit = consumer.ends_within + STALL_SLACK;
    consumer.progress.progressed(consumer.clock.ticks());
    let watch = move || {
        while consumer
            .clock
            .ticks()
            .saturating_sub(consumer.progress.last_finish())
            <= limit
        {
            thread::sleep(WATCH_EVERY);
        }
        error!(
            ?limit,
            "nothing was finished and the consumer did not end, the process exits without it"
        );
        end_with(code)
    };
    let spawned: std::io::Result<thread::JoinHandle<()>> =
        thread::Builder::new().name("stall".into()).spawn(watch);
    if let Err(error) = spawned {
        error!(%error, "cannot start the thread that watches for stalls");
    }
}

/// Ends the process with the exit code of a program's outcome, in this one place.
fn end_with(code: ExitCode) -> ! {
    let (done, flushed) = std::sync::mpsc::channel();
    let flush = move || {
        // Nowhere is left to report a closed output.
        let _ = std::io::stdout().flush();
        let _ = std::io::stderr().flush();
        let _ = done.send(());
    };
    // A reader that has stopped reading must not keep the process: the flush is waited for, but not for ever.
    if thread::Builder::new().spawn(flush).is_ok() {
        let _ = flushed.recv_timeout(FLUSH_MAX);
    }
    signal_hook::low_level::exit(i32::from(number(code)))
}

/// The number of an exit code: the standard library compares codes, but does not show them.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX)
        .find(|number| ExitCode::from(*number) == code)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_its_number() {
        assert_eq!(number(ExitCode::SUCCESS), 0);
        assert_eq!(number(ExitCode::FAILURE), 1);
        for code in [0, 2, 69, 70, 75, 78, 255] {
            assert_eq!(number(ExitCode::from(code)), code);
        }
    }
}
