//! The parts of the pipeline, made from settings and the ports of a stack.

use crate::ending::worker_end;
use crate::failure::Failure;
use crate::library::{Engines, OpenEngines};
use crate::process::cores;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::scaling::{BackOffPolicy, ScalingPolicy};
use walkaround_fetch::{FetchSettings, Fetcher, HostHeader, Secret};
use walkaround_inference::{Engine, FetchMissing};
use walkaround_pipeline::consumer::{ConsumerSettings, Progress};
use walkaround_pipeline::desk::{Desk, Isolation};
use walkaround_pipeline::invocation::InvocationEnd;
use walkaround_pipeline::ledger::Ledger;
use walkaround_pipeline::look::LookSettings;
use walkaround_pipeline::looker::{
    BatchSettings, Compute, CurrentLooker, EngineMonitor, Looker, LookerSettings,
};
use walkaround_pipeline::retry::{Dice, RetryPolicy};
use walkaround_pipeline::scaler::{Patience, Scaler, ScalerPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::situation::{Lanes, Situation, SituationSettings};
use walkaround_pipeline::telemetry::Telemetry;
use walkaround_pipeline::triage::{InlineLook, Triage};
use walkaround_ports::{Clock, GpuCapacity, QueuePair, StackPorts};
use walkaround_settings::Settings;
use walkaround_vision::decode::Limits;
use walkaround_vision::overlay::OverlayStyle;

/// A worker counts as dead when it missed this many heartbeats.
pub const BEATS_MISSED_MAX: u32 = 4;

/// What everything is made from.
#[derive(Clone)]
pub struct Kit {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The stack.
    pub ports: StackPorts,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub telemetry: Arc<dyn Telemetry>,
    /// The health of this process's engines.
    pub engine: Arc<EngineMonitor>,
}

/// What triage is made from, beside the kit.
pub struct TriageParts {
    /// Its networks.
    pub looker: Arc<CurrentLooker>,
    /// Photos that it looks at at once.
    pub jobs: usize,
    /// Time of one heavy look.
    pub inline_look: InlineLook,
    /// When its invocation ends.
    pub end: Arc<InvocationEnd>,
    /// Its counts.
    pub progress: Arc<Progress>,
}

impl Kit {
    /// Inspections.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(Arc::clone(&self.ports.records))
    }

    /// Photos that one process of triage looks at at once.
    pub fn triage_jobs(&self) -> usize {
        match self.settings.triage_jobs {
            0 => cores(),
            jobs => jobs,
        }
    }

    /// The networks of a bundle folder, as the settings want them run.
    ///
    /// # Errors
    /// As [`Engines::open`].
    pub fn engines(&self, bundle: &Path) -> Result<Engines, Failure> {
        Engines::open(&self.open_engines(bundle)?)
    }

    /// The same for [lazy lookers](Kit::lazy_looker), whose segmenters `fetch` brings into the folder.
    ///
    /// # Errors
    /// As [`Engines::open`].
    pub fn engines_without_segmenters(&self, bundle: &Path, fetch: FetchMissing) -> Result<Engines, Failure> {
        Engines::open_without_segmenters(&self.open_engines(bundle)?, fetch)
    }

    fn open_engines<'a>(&'a self, bundle: &'a Path) -> Result<OpenEngines<'a>, Failure> {
        let s = &self.settings;
        Ok(OpenEngines {
            bundle,
            device: crate::library::device(s.device),
            onnxruntime: s.onnxruntime.as_deref(),
            threads: s.threads,
        })
    }

    /// A looker with this many engines; the first one has passed its self-test.
    ///
    /// # Errors
    /// When a network disagrees with its manifest, or the self-test with its expectation.
    pub fn looker(&self, engines: &Engines, count: usize) -> Result<Looker, Failure> {
        let mut first = engines.engine()?;
        first.require_self_test(&engines.bundle)?;
        let more = (1..count)
            .map(|_| Ok(Box::new(engines.engine()?) as Box<dyn Engine>))
            .collect::<Result<Vec<_>, Failure>>()?;
        Ok(self.looker_with(Box::new(first), more))
    }

    /// A looker whose engines load their segmenters when they are first needed, and pass the self-test then.
    ///
    /// # Errors
    /// When a network of the first look disagrees with its manifest.
    pub fn lazy_looker(&self, engines: &Engines, count: usize) -> Result<Looker, Failure> {
        let first = Box::new(engines.lazy_engine()?);
        let more = (1..count)
            .map(|_| Ok(Box::new(engines.lazy_engine()?) as Box<dyn Engine>))
            .collect::<Result<Vec<_>, Failure>>()?;
        Ok(self.looker_with(first, more))
    }

    fn looker_with(&self, first: Box<dyn Engine>, more: Vec<Box<dyn Engine>>) -> Looker {
        let count = more.len() + 1;
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
            decode_bytes_max: s.decode_bytes_max,
            batch: BatchSettings {
                photos_max: s.batch_photos,
                batch_wait: s.batch_wait,
            },
            monitor: Arc::clone(&self.engine),
        };
        Looker::with_engines(first, more, settings, Arc::clone(&self.clock))
    }

    /// All that looking at the photos of a queue's messages needs. `worker` is who looks, for the record.
    ///
    /// # Errors
    /// Usage: what may be fetched is set wrongly.
    pub fn desk(
        &self,
        pair: &QueuePair,
        looker: Arc<CurrentLooker>,
        (worker, progress): (String, Arc<Progress>),
    ) -> Result<Desk, Failure> {
        let s = &self.settings;
        let blobs = Arc::clone(&self.ports.blobs);
        let source = Fetcher::new(fetch_settings(s)?, Arc::clone(&blobs)).map_err(Failure::usage)?;
        // The one place where chance enters: the jitter of retries.
        let seed = self.clock.now().0 ^ u64::from(std::process::id()).rotate_left(32);
        Ok(Desk {
            source: Arc::new(source),
            looker,
            settler: Settler {
                ledger: self.ledger(),
                blobs,
                publisher: Arc::clone(&self.ports.publisher),
                clock: Arc::clone(&self.clock),
                bucket: s.results_bucket.clone(),
                worker,
            },
            dead: Arc::clone(&pair.dead),
            retry: RetryPolicy {
                attempts_max: s.attempts,
                delay_first: s.retry_first,
                host_delay_max: s.host_retry_max,
                ..RetryPolicy::default()
            },
            dice: Arc::new(Dice::seeded(seed)),
            photo_bytes_max: s.photo_bytes_max,
            isolation: Isolation::default(),
            progress,
            telemetry: Arc::clone(&self.telemetry),
            drain_budget: s.drain_budget,
            queue_name: pair.name,
        })
    }

    /// Triage of the intake queue.
    ///
    /// # Errors
    /// As [`Kit::desk`].
    pub fn triage(&self, parts: TriageParts) -> Result<Triage, Failure> {
        let s = &self.settings;
        let lanes = Lanes {
            intake: Arc::clone(&self.ports.intake.queue),
            state: Arc::clone(&self.ports.state),
        };
        let situation = SituationSettings {
            workers_max: s.workers_max,
            rate_guess: s.worker_rate,
            fresh_for: self.lanes_fresh(),
            scale_every: s.scale_every,
        };
        let who = ("triage (cpu)".to_owned(), parts.progress);
        Ok(Triage {
            desk: self.desk(&self.ports.intake, parts.looker, who)?,
            segmentation: Arc::clone(&self.ports.segmentation.queue),
            situation: Arc::new(Situation::new(lanes, Arc::clone(&self.clock), situation)),
            routing: RoutingPolicy {
                cold_start: s.cold_start,
                inline_parallel: u32::try_from(parts.jobs)
                    .unwrap_or(u32::MAX)
                    .saturating_mul(s.triage_processes),
                inline_drain_max: s.inline_drain,
                ..RoutingPolicy::default()
            },
            inline_look: parts.inline_look,
            end: parts.end,
        })
    }

    /// The scaler of the GPU lane.
    pub fn scaler(&self, capacity: Arc<dyn GpuCapacity>) -> Scaler {
        let s = &self.settings;
        Scaler {
            segmentation: Arc::clone(&self.ports.segmentation.queue),
            intake: Arc::clone(&self.ports.intake.queue),
            capacity,
            records: Arc::clone(&self.ports.records),
            state: Arc::clone(&self.ports.state),
            clock: Arc::clone(&self.clock),
            policy: ScalerPolicy {
                scaling: ScalingPolicy {
                    workers_min: s.workers_min,
                    workers_max: s.workers_max,
                    drain_target: s.drain_target,
                    age_max: s.drain_target * 2,
                    rate_guess: s.worker_rate,
                },
                back_off: BackOffPolicy::default(),
                patience: Patience {
                    stale_after: s.heartbeat * BEATS_MISSED_MAX,
                    start_grace: s.start_grace,
                    // Twice the time between two, as one may be on its way.
                    one_heartbeat: s.heartbeat * 2,
                },
                cold_start: s.cold_start,
                lanes_fresh: self.lanes_fresh(),
            },
            end_of: worker_end,
            ends_since: Timestamp(0),
        }
    }

    /// How long triage uses a reading of the lanes. Where the scaler ticks more often, triage reads more often.
    fn lanes_fresh(&self) -> Duration {
        self.settings.scale_every.min(self.settings.lanes_fresh)
    }

    /// Bounds of a consumer.
    pub fn consumer_settings(&self, in_flight_max: usize, idle_exit: Option<Duration>) -> ConsumerSettings {
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
        connect_timeout: FetchSettings::default().connect_timeout.min(s.photo_timeout),
        total_timeout: s.photo_timeout,
    })
}
