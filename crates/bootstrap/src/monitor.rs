//! The monitor, from settings and ports.

use std::sync::Arc;
use walkaround_pipeline::monitor::{Monitor, MonitorPolicy};
use walkaround_ports::{Blobs, Clock, Records, Reviews, StateStore};
use walkaround_settings::Settings;

/// What a monitor reads and writes: no queue, and no topic.
pub struct MonitorPorts {
    /// Inspections.
    pub records: Arc<dyn Records>,
    /// What people say of them.
    pub reviews: Arc<dyn Reviews>,
    /// Reports.
    pub blobs: Arc<dyn Blobs>,
    /// Where windows are stored.
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
