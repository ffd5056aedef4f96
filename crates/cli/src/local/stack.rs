//! Opening the embedded stack: settings, ports, and the parts that `up` and `worker` share.

use crate::failure::Failure;
use crate::library::{Engines, OpenEngines};
use anyhow::Context;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use walkaround_embedded::{
    Embedded, INTAKE, INTAKE_DEAD, Options, SEGMENTATION, SEGMENTATION_DEAD, SystemClock,
};
use walkaround_fetch::{FetchSettings, Fetcher, HostHeader, Secret};
use walkaround_inference::Engine;
use walkaround_pipeline::consumer::{ConsumerSettings, Progress};
use walkaround_pipeline::desk::Desk;
use walkaround_pipeline::ledger::Ledger;
use walkaround_pipeline::look::LookSettings;
use walkaround_pipeline::looker::{BatchSettings, Compute, Looker, LookerSettings};
use walkaround_pipeline::retry::{Dice, RetryPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::stop::{Stop, stop};
use walkaround_ports::{Clock, Queue};
use walkaround_settings::Settings;
use walkaround_vision::decode::Limits;
use walkaround_vision::overlay::OverlayStyle;

/// Bucket that submitted photos are kept in.
pub(crate) const PHOTOS: &str = "photos";
/// Bucket of reports and marked pictures.
pub(crate) const RESULTS: &str = "results";
/// Deliveries after which a queue parks a message by itself: only a message that kills its process every
/// time gets there, as trouble that can be recorded is recorded long before.
const RECEIVES_MAX: u32 = 20;

/// The opened stack.
#[derive(Clone)]
pub(crate) struct Stack {
    pub settings: Arc<Settings>,
    pub embedded: Embedded,
    pub clock: Arc<dyn Clock>,
}

/// A queue and the queue that its parked messages are in.
pub(crate) struct QueuePair {
    pub name: &'static str,
    pub queue: Arc<dyn Queue>,
    pub dead: Arc<dyn Queue>,
}

impl Stack {
    /// Opens the stack in `root`, or in the folder that the settings name; it is made if it is new.
    pub(crate) fn open(root: Option<&Path>) -> Result<Self, Failure> {
        let mut settings = Settings::from_env().map_err(Failure::usage)?;
        if let Some(root) = root {
            settings.root = root.to_path_buf();
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut options = Options::default();
        for dead in options.queues.iter_mut().filter_map(|q| q.dead_letter.as_mut()) {
            dead.receives_max = RECEIVES_MAX;
        }
        let embedded = Embedded::open(&settings.root, options, Arc::clone(&clock))?;
        settings.root = settings.root.canonicalize().unwrap_or(settings.root);
        Ok(Self {
            settings: Arc::new(settings),
            embedded,
            clock,
        })
    }

    /// Opens a stack that must be there already: commands that only look do not make one.
    pub(crate) fn existing(root: Option<&Path>) -> Result<Self, Failure> {
        let settings = Settings::from_env().map_err(Failure::usage)?;
        let folder: PathBuf = root.map_or(settings.root, Path::to_path_buf);
        if !folder.is_dir() {
            return Err(Failure::usage(format!(
                "no stack in `{}`; start one with `walkaround up`, or name it with --root",
                folder.display()
            )));
        }
        Self::open(Some(&folder))
    }

    pub(crate) fn intake(&self) -> Result<QueuePair, Failure> {
        self.pair(INTAKE, INTAKE_DEAD)
    }

    pub(crate) fn segmentation(&self) -> Result<QueuePair, Failure> {
        self.pair(SEGMENTATION, SEGMENTATION_DEAD)
    }

    fn pair(&self, name: &'static str, dead: &'static str) -> Result<QueuePair, Failure> {
        Ok(QueuePair {
            name,
            queue: self.embedded.queue(name)?,
            dead: self.embedded.queue(dead)?,
        })
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(self.embedded.records())
    }

    /// The networks as the settings name them.
    pub(crate) fn engines(&self) -> Result<Engines, Failure> {
        let s = &self.settings;
        Engines::open_with(&OpenEngines {
            bundle: &s.bundle,
            device: s.device.parse().map_err(Failure::usage)?,
            onnxruntime: s.onnxruntime.as_deref(),
            threads: s.threads,
        })
    }

    /// A looker with this many engines; the first one has passed its self-test.
    pub(crate) fn looker(&self, engines: &Engines, count: usize) -> Result<Looker, Failure> {
        let mut first = engines.engine()?;
        first.require_self_test(&engines.bundle)?;
        let more = (1..count)
            .map(|_| Ok(Box::new(engines.engine()?) as Box<dyn Engine>))
            .collect::<Result<Vec<_>, Failure>>()?;
        let s = &self.settings;
        let settings = LookerSettings {
            look: LookSettings {
                limits: Limits {
                    bytes_max: s.photo_bytes_max,
                    ..Limits::default()
                },
                overlay: s.overlay.then(OverlayStyle::default),
                ..LookSettings::default()
            },
            compute: Compute::Pool(count.max(cores())),
            batch: BatchSettings {
                photos_max: s.batch_photos,
                batch_wait: s.batch_wait,
            },
            ..LookerSettings::default()
        };
        Ok(Looker::with_engines(
            Box::new(first),
            more,
            settings,
            Arc::clone(&self.clock),
        ))
    }

    /// All that looking at the photos of a queue's messages needs.
    pub(crate) fn desk(
        &self,
        pair: &QueuePair,
        looker: Looker,
        (worker, progress): (String, Arc<Progress>),
    ) -> Result<Desk, Failure> {
        let s = &self.settings;
        let blobs = self.embedded.blobs();
        let source = Fetcher::new(fetch_settings(s)?, Arc::clone(&blobs)).map_err(Failure::usage)?;
        // The one place where chance enters: the jitter of retries.
        let seed = self.clock.now().0 ^ u64::from(std::process::id()).rotate_left(32);
        Ok(Desk {
            source: Arc::new(source),
            looker: Arc::new(looker),
            settler: Settler {
                ledger: self.ledger(),
                blobs,
                publisher: self.embedded.publisher(),
                clock: Arc::clone(&self.clock),
                bucket: RESULTS.to_owned(),
                worker,
            },
            dead: Arc::clone(&pair.dead),
            retry: RetryPolicy {
                attempts_max: s.attempts,
                delay_first: s.retry_first,
                ..RetryPolicy::default()
            },
            dice: Arc::new(Dice::seeded(seed)),
            photo_bytes_max: s.photo_bytes_max,
            progress,
            queue_name: pair.name,
        })
    }

    pub(crate) fn consumer_settings(
        &self,
        in_flight_max: usize,
        idle_exit: Option<Duration>,
    ) -> ConsumerSettings {
        let s = &self.settings;
        ConsumerSettings {
            in_flight_max,
            lease: s.lease,
            idle_exit,
            stall_exit: s.stall_exit,
            drain_budget: s.drain_budget,
            ..ConsumerSettings::default()
        }
    }
}

fn fetch_settings(s: &Settings) -> Result<FetchSettings, Failure> {
    let mut headers = Vec::new();
    if let Some(header) = &s.photo_header {
        let wrong = || Failure::usage("WALKAROUND_PHOTO_HEADER is not of the form `host header: value`");
        let (host, rest) = header.reveal().split_once(' ').ok_or_else(wrong)?;
        let (name, value) = rest.split_once(':').ok_or_else(wrong)?;
        headers.push(HostHeader {
            host: host.to_owned(),
            name: name.trim().to_owned(),
            value: Secret::new(value.trim().to_owned()),
        });
    }
    Ok(FetchSettings {
        file_roots: s.photo_roots.clone(),
        buckets: s.photo_buckets.clone(),
        hosts: s.photo_hosts.clone(),
        allow_http: s.photo_http,
        allow_private: s.photo_private,
        headers,
        ..FetchSettings::default()
    })
}

/// Cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The runtime of a command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?)
}

/// Logs to standard error: `WALKAROUND_LOG` filters (`info` by default).
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_env("WALKAROUND_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call in one process (tests) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

/// A signal that SIGTERM and Ctrl-C give.
pub(crate) fn stop_on_signal() -> Result<Stop, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stopper, waiter) = stop();
    let mut term = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("stopping: finishing what is in hand");
        stopper.stop();
        // Kept until the process ends: dropping it would look like a signal that never comes.
        std::future::pending::<()>().await;
    });
    Ok(waiter)
}

/// Name of this machine, for heartbeats.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".into(), |h| h.trim().to_owned())
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}
