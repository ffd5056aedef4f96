//! What a world is made of.

use crate::context::Context;
use crate::injected_fault::InjectedFault;
use crate::sim_canary::SimCanary;
use std::sync::Arc;
use tokio::sync::Mutex;
use walkaround_pipeline::shadow::ShadowFeed;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Blobs, GpuCapacity, PhotoSource, Publisher, Queue, Records, Reviews, StateStore};

/// Everything in a world that outlives its processes.
pub(crate) struct World {
    pub(crate) context: Arc<Context>,
    pub(crate) intake: Arc<dyn Queue>,
    pub(crate) segmentation: Arc<dyn Queue>,
    pub(crate) dead: Arc<dyn Queue>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) reviews: Arc<dyn Reviews>,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) photos: Arc<dyn PhotoSource>,
    pub(crate) capacity: Arc<dyn GpuCapacity>,
    /// Only one scaler at a time.
    pub(crate) scaling: Mutex<()>,
    /// The planted fault, where it is not one of a port.
    pub(crate) plant: Option<InjectedFault>,
    /// Where settled photos are named for a shadow.
    pub(crate) shadow: Option<ShadowFeed>,
    /// The canary.
    pub(crate) canary: Option<Arc<SimCanary>>,
    /// Given when everything has drained.
    pub(crate) closing: ShutdownSignal,
}
