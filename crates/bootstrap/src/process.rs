//! A program as a process of its machine: runtime, log, signals, memory.

use crate::failure::Failure;
use crate::terminal::LogLines;
use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};
use walkaround_settings::unknown_settings;

/// Cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The runtime of a command. Dropping it waits for no thread: one that runs a network may never come back.
#[derive(Debug)]
pub struct Runtime {
    runtime: Option<tokio::runtime::Runtime>,
    handle: tokio::runtime::Handle,
}

impl Runtime {
    /// Runs a future to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The runtime of a command.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    Ok(Runtime {
        handle: runtime.handle().clone(),
        runtime: Some(runtime),
    })
}

/// Logs to standard error: `WALKAROUND_LOG` filters (`info` by default).
pub fn start_log() {
    let filter = EnvFilter::try_from_env("WALKAROUND_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let coloured = std::io::stderr().is_terminal();
    // A second call in one process (tests) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(coloured)
        .with_writer(move || LogLines::new(std::io::stderr(), coloured))
        .try_init();
}

/// Logs to standard error as JSON, a line an event, for machines that gather logs: `WALKAROUND_LOG` filters as
/// in [`start_log`]. Variables that are named like settings and are none are its first lines. The fields of the span around an event (`request_id`, `trace`) stand under `span`.
pub fn start_json_log() {
    let filter = EnvFilter::try_from_env("WALKAROUND_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    for unknown in unknown_settings() {
        tracing::warn!(
            variable = unknown.name,
            nearest = unknown.nearest,
            "no setting, ignored"
        );
    }
}

/// A signal that SIGTERM and Ctrl-C give.
///
/// # Errors
/// When the system takes no signal handler.
pub fn stop_on_signal() -> Result<ShutdownSignal, Failure> {
    stop_on_signal_or(std::future::pending())
}

/// As [`stop_on_signal`], or when `notice` returns; it says why.
///
/// # Errors
/// When the system takes no signal handler.
pub fn stop_on_signal_or(
    notice: impl Future<Output = String> + Send + 'static,
) -> Result<ShutdownSignal, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stopper, waiter) = shutdown_signal();
    let mut term = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    tokio::spawn(async move {
        let reason = tokio::select! {
            _ = term.recv() => "SIGTERM".to_owned(),
            _ = int.recv() => "Ctrl-C".to_owned(),
            reason = notice => reason,
        };
        tracing::info!(reason, "stopping: finishing what is in flight");
        stopper.stop();
        // Kept until the process ends: dropping it would look like a signal that never comes.
        std::future::pending::<()>().await;
    });
    Ok(waiter)
}

/// Name of this machine, for heartbeats.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".into(), |h| h.trim().to_owned())
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}
