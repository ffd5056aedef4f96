//! The monitor and the judge of a canary, from settings and ports.

use std::sync::Arc;
use walkaround_pipeline::canary::{Activation, CanaryJudge, EvidenceReader, Observations};
use walkaround_pipeline::monitor::{Monitor, MonitorPolicy};
use walkaround_ports::{Blobs, Clock, Records, Reviews, StateStore};
use walkaround_settings::Settings;

/// What a monitor, or a judge, reads and writes: no queue, and no topic.
#[derive(Clone)]
pub struct MonitorPorts {
    /// Inspections.
    pub records: Arc<dyn Records>,
    /// What people say of them.
    pub reviews: Arc<dyn Reviews>,
    /// Reports, and what is seen of a canary.
    pub blobs: Arc<dyn Blobs>,
    /// Where windows are stored, and the rollout.
    pub state: Arc<dyn StateStore>,
}

/// The monitor of a stack, for every program that makes a pass.
pub fn monitor(settings: &Settings, ports: MonitorPorts, clock: Arc<dyn Clock>) -> Monitor {
    Monitor {
        records: ports.records,
        reviews: ports.reviews,
        blobs: ports.blobs,
        state: ports.state,
        clock,
        policy: MonitorPolicy {
            reference_photos: settings.monitor_photos,
            source_label: settings.monitor_label.clone(),
        },
    }
}

/// What decides about a canary of a stack, for every program that makes a pass. `activation` is how its bundle is promoted.
pub fn canary_judge(
    settings: &Settings,
    ports: MonitorPorts,
    clock: Arc<dyn Clock>,
    activation: Arc<dyn Activation>,
) -> CanaryJudge {
    CanaryJudge {
        state: ports.state,
        evidence: EvidenceReader {
            observations: Observations {
                blobs: ports.blobs,
                bucket: settings.results_bucket.clone(),
            },
            records: ports.records,
            reviews: ports.reviews,
        },
        clock,
        activation,
    }
}
