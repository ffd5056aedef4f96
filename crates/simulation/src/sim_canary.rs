//! The canary of a world, as its processes share it.

use crate::planted_bundle::PlantedBundle;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use walkaround_domain::canary::{Canary, CanaryPolicy};
use walkaround_domain::{BundleId, Timestamp};
use walkaround_pipeline::inspector::{ActiveInspector, CanaryInUse, Inspector};
use walkaround_pipeline::shadow::{ShadowFeed, ShadowQueue, shadow_feed};

/// Photos that a canary answers for before it may be promoted.
pub(crate) const PHOTOS_MIN: u64 = 60;

/// The canary of a world.
pub(crate) struct SimCanary {
    pub(crate) planted: PlantedBundle,
    pub(crate) canary: Canary,
    pub(crate) feed: ShadowFeed,
    /// Taken by the shadow's slot.
    pub(crate) queue: Mutex<Option<ShadowQueue>>,
    /// Processes that were born while it was running.
    inspectors: Mutex<Vec<Arc<ActiveInspector>>>,
    has_ended: Mutex<bool>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimCanary {
    pub(crate) fn new(planted: PlantedBundle) -> Arc<Self> {
        let (feed, queue) = shadow_feed();
        Arc::new(Self {
            planted,
            canary: Canary {
                bundle: BundleId::new("simulated", "2"),
                folder: None,
                instead_of: BundleId::new("simulated", "1"),
                instead_of_folder: None,
                share: 0.5,
                since: Timestamp(1),
                policy: CanaryPolicy {
                    photos_min: PHOTOS_MIN,
                    // Moments are simulated: the policy's patience is not what a world is about.
                    patience: Duration::from_secs(100 * 365 * 24 * 3600),
                    ..CanaryPolicy::default()
                },
                end: None,
            },
            feed,
            queue: Mutex::new(Some(queue)),
            inspectors: Mutex::default(),
            has_ended: Mutex::default(),
        })
    }

    /// A process is born: it has the canary's networks beside its own.
    pub(crate) fn joins(&self, inspector: &Arc<ActiveInspector>, networks: Inspector) {
        if *lock(&self.has_ended) {
            return;
        }
        let in_use = CanaryInUse::new(self.canary.clone(), Ok(Arc::new(networks)));
        inspector.set_canary(Some(in_use));
        lock(&self.inspectors).push(Arc::clone(inspector));
    }

    /// No process has it any more.
    pub(crate) fn ends(&self) {
        *lock(&self.has_ended) = true;
        for inspector in lock(&self.inspectors).drain(..) {
            inspector.set_canary(None);
        }
    }
}
