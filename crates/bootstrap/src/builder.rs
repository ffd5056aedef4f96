//! The parts of the pipeline, made from settings and the ports of a stack.

use crate::exit_diagnosis::worker_end;
use crate::failure::Failure;
use crate::library::{Engines, OpenEngines};
use crate::monitor::{MonitorPorts, canary_judge, monitor};
use crate::process::cores;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::scaling::{BackOffPolicy, ScalingPolicy};
use walkaround_domain::{Overlays, Timestamp};
use walkaround_fetch::{FetchSettings, FetchSettingsError, Fetcher, HostHeader, Secret};
use walkaround_inference::FetchMissing;
use walkaround_pipeline::canary::{Activation, CanaryJudge};
use walkaround_pipeline::consumer::{ConsumerSettings, Progress};
use walkaround_pipeline::inspection::InspectionSettings;
use walkaround_pipeline::inspector::{
    ActiveInspector, BatchingPolicy, Compute, EngineMonitor, EngineSet, Inspector, InspectorSettings,
};
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_pipeline::monitor::Monitor;
use walkaround_pipeline::processor::{Isolation, RequestProcessor};
use walkaround_pipeline::retry::{Jitter, RetryPolicy};
use walkaround_pipeline::scaler::{Patience, Scaler, ScalerPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::shadow::ShadowFeed;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::Telemetry;
use walkaround_pipeline::triage::{InlineSegmentationCost, Triage};
use walkaround_ports::{Blobs, Clock, GpuCapacity, PhotoSource, QueuePair, StackPorts};
use walkaround_settings::Settings;
use walkaround_vision::decode::Limits;

/// A worker counts as dead when it missed this many heartbeats.
pub const BEATS_MISSED_MAX: u32 = 4;

/// What everything is made from.
#[derive(Clone)]
pub struct PipelineBuilder {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The stack.
    pub ports: StackPorts,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts events, for metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// The health of this process's engines.
    pub engine: Arc<EngineMonitor>,
    /// Where settled photos are named for a shadow, in processes that have one.
    pub shadow: Option<ShadowFeed>,
}

/// What triage is made from, beside the kit.
pub struct TriageParts {
    /// Its networks.
    pub inspector: Arc<ActiveInspector>,
    /// Photos that it processes at once.
    pub jobs: usize,
    /// Time of one segmentation.
    pub inline_segmentation: InlineSegmentationCost,
    /// When its invocation ends.
    pub end: Arc<InvocationDeadline>,
    /// Its counts.
    pub progress: Arc<Progress>,
}

impl PipelineBuilder {
    /// Inspections.
    pub fn store(&self) -> InspectionStore {
        InspectionStore::new(Arc::clone(&self.ports.records))
    }

    /// Photos that one process of triage processes at once.
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

    /// The same for [lazy inspectors](PipelineBuilder::lazy_inspector), whose segmenters `fetch` brings into the folder.
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

    /// An inspector with this many engines; the first one has passed its self-test.
    ///
    /// # Errors
    /// When a network disagrees with its manifest, or the self-test with its expectation.
    pub fn inspector(&self, engines: &Engines, count: usize) -> Result<Inspector, Failure> {
        let all = engine_set(engines, count)?;
        Ok(self.inspector_with(all, count))
    }

    /// An inspector whose engines load their segmenters when they are first needed, and pass the self-test then.
    ///
    /// # Errors
    /// When a network of the screening disagrees with its manifest.
    pub fn lazy_inspector(&self, engines: &Engines, count: usize) -> Result<Inspector, Failure> {
        let mut all = EngineSet::of(Box::new(engines.lazy_engine()?));
        for _ in 1..count {
            all.push(Box::new(engines.lazy_engine()?));
        }
        Ok(self.inspector_with(all, count))
    }

    fn inspector_with(&self, engines: EngineSet, count: usize) -> Inspector {
        let settings = inspector_settings(&self.settings, count, Arc::clone(&self.engine));
        Inspector::with_engines(engines, settings, Arc::clone(&self.clock))
    }

    /// All that is needed to inspect the photos of a queue's messages. `worker` is who inspects, for the record.
    ///
    /// # Errors
    /// Usage: what may be fetched is set wrongly.
    pub fn processor(
        &self,
        pair: &QueuePair,
        inspector: Arc<ActiveInspector>,
        worker: String,
        progress: Arc<Progress>,
    ) -> Result<RequestProcessor, Failure> {
        let s = &self.settings;
        let blobs = Arc::clone(&self.ports.blobs);
        let source = photo_source(s, Arc::clone(&blobs))?;
        // The one place where chance enters: the jitter of retries.
        let seed = self.clock.now().0 ^ u64::from(std::process::id()).rotate_left(32);
        Ok(RequestProcessor {
            source,
            inspector,
            settler: Settler {
                store: self.store(),
                blobs,
                reviews: Arc::clone(&self.ports.reviews),
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
            jitter: Arc::new(Jitter::seeded(seed)),
            photo_bytes_max: s.photo_bytes_max,
            isolation: Isolation::default(),
            progress,
            telemetry: Arc::clone(&self.telemetry),
            drain_budget: s.drain_budget,
            queue_name: pair.name,
            shadow: self.shadow.clone(),
        })
    }

    /// Triage of the intake queue.
    ///
    /// # Errors
    /// As [`PipelineBuilder::processor`].
    pub fn triage(&self, parts: TriageParts) -> Result<Triage, Failure> {
        let s = &self.settings;
        let lanes = Lanes {
            intake: Arc::clone(&self.ports.intake.queue),
            state: Arc::clone(&self.ports.state),
        };
        let lane_monitor = LaneMonitorSettings {
            workers_max: s.workers_max,
            rate_guess: s.worker_rate,
            fresh_for: self.lane_cache(),
            scale_every: s.scale_every,
        };
        let worker = "triage (cpu)".to_owned();
        Ok(Triage {
            processor: self.processor(&self.ports.intake, parts.inspector, worker, parts.progress)?,
            segmentation: Arc::clone(&self.ports.segmentation.queue),
            lane_monitor: Arc::new(LaneMonitor::new(lanes, Arc::clone(&self.clock), lane_monitor)),
            routing: RoutingPolicy {
                cold_start: s.cold_start,
                inline_parallel: u32::try_from(parts.jobs)
                    .unwrap_or(u32::MAX)
                    .saturating_mul(s.triage_processes),
                inline_drain_max: s.inline_drain,
                ..RoutingPolicy::default()
            },
            inline_segmentation: parts.inline_segmentation,
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
                lane_cache: self.lane_cache(),
            },
            end_of: worker_end,
            ends_since: Timestamp(0),
        }
    }

    /// What decides about a canary.
    pub fn canary_judge(&self, activation: Arc<dyn Activation>) -> CanaryJudge {
        let clock = Arc::clone(&self.clock);
        canary_judge(&self.settings, self.monitor_ports(), clock, activation)
    }

    /// This builder with the health of other engines: what they do ends no process.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            engine: EngineMonitor::new(),
            ..self.clone()
        }
    }

    /// The monitor.
    pub fn monitor(&self) -> Monitor {
        monitor(&self.settings, self.monitor_ports(), Arc::clone(&self.clock))
    }

    fn monitor_ports(&self) -> MonitorPorts {
        MonitorPorts {
            records: Arc::clone(&self.ports.records),
            reviews: Arc::clone(&self.ports.reviews),
            blobs: Arc::clone(&self.ports.blobs),
            state: Arc::clone(&self.ports.state),
        }
    }

    /// How long triage uses a reading of the lanes. Where the scaler ticks more often, triage reads more often.
    pub fn lane_cache(&self) -> Duration {
        self.settings.scale_every.min(self.settings.lane_cache)
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

/// How photos are inspected by so many engines.
fn inspector_settings(s: &Settings, count: usize, monitor: Arc<EngineMonitor>) -> InspectorSettings {
    InspectorSettings {
        inspection: InspectionSettings {
            limits: Limits {
                bytes_max: s.photo_bytes_max,
                ..Limits::default()
            },
            overlays: s.overlays,
            ..InspectionSettings::default()
        },
        compute: Compute::Pool(count.max(cores())),
        decode_bytes_max: s.decode_bytes_max,
        batch: BatchingPolicy {
            photos_max: s.batch_photos,
            batch_wait: s.batch_wait,
        },
        monitor,
    }
}

/// An inspector of a second bundle, which answers for no photo and draws none: photos are inspected as the settings
/// say, with these engines.
///
/// # Errors
/// When a network disagrees with its manifest, or the self-test with its expectation.
pub fn second_inspector(
    settings: &Settings,
    engines: &Engines,
    count: usize,
    clock: Arc<dyn Clock>,
) -> Result<Inspector, Failure> {
    let all = engine_set(engines, count)?;
    let mut settings = inspector_settings(settings, count, EngineMonitor::new());
    settings.inspection.overlays = Overlays::Never;
    Ok(Inspector::with_engines(all, settings, clock))
}

/// So many engines, of which the first one has passed its self-test.
fn engine_set(engines: &Engines, count: usize) -> Result<EngineSet, Failure> {
    let mut first = engines.engine()?;
    first.require_self_test(&engines.bundle)?;
    let mut all = EngineSet::of(Box::new(first));
    for _ in 1..count {
        all.push(Box::new(engines.engine()?));
    }
    Ok(all)
}

/// Where photos come from, behind the allow-lists of the settings.
///
/// # Errors
/// Usage: what may be fetched is set wrongly.
pub fn photo_source(settings: &Settings, blobs: Arc<dyn Blobs>) -> Result<Arc<dyn PhotoSource>, Failure> {
    let source = Fetcher::new(fetch_settings(settings)?, blobs).map_err(|error| fetch_setting(&error))?;
    Ok(Arc::new(source))
}

/// By the variable that somebody has set.
fn fetch_setting(error: &FetchSettingsError) -> Failure {
    let variable = match error.field {
        "file_roots" => "WALKAROUND_PHOTO_ROOTS",
        "buckets" => "WALKAROUND_PHOTO_BUCKETS",
        "hosts" => "WALKAROUND_PHOTO_HOSTS",
        "headers" => "WALKAROUND_PHOTO_HEADER",
        "total_timeout" | "connect_timeout" => "WALKAROUND_PHOTO_TIMEOUT_S",
        other => other,
    };
    Failure::usage(format!("{variable}: {}", error.problem))
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
        // Of both sides of the pipeline the one that holds fewer: its room must not be a single host's.
        at_once: s.triage_in_flight.min(s.worker_in_flight),
    })
}
