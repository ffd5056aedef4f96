//! Which networks answer for a photo: those in use, or, for some vehicles, a canary's.

use super::Inspector;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use walkaround_domain::InspectionRequest;
use walkaround_domain::canary::{Canary, CanaryGroup};

/// After so many failures in a row a canary gets no more photos in this process: its photos would wait for it in vain.
const FAILURES_MAX: u32 = 3;

/// The inspector in use, and a canary's beside it. Both can be replaced between photos: each photo keeps what it began with.
pub struct ActiveInspector(RwLock<InUse>);

struct InUse {
    inspector: Arc<Inspector>,
    canary: Option<Arc<CanaryInUse>>,
}

/// A canary in a process.
pub struct CanaryInUse {
    /// What the rollout says of it.
    pub canary: Canary,
    /// Its networks, or why there are none.
    pub networks: Result<Arc<Inspector>, String>,
    failures_in_a_row: AtomicU32,
}

impl CanaryInUse {
    /// A canary with its networks, or with the reason why this process has none.
    pub fn new(canary: Canary, networks: Result<Arc<Inspector>, String>) -> Self {
        Self {
            canary,
            networks,
            failures_in_a_row: AtomicU32::new(0),
        }
    }

    /// Its networks, or why they get no photo.
    fn fit(&self) -> Result<&Arc<Inspector>, String> {
        if self.failures_in_a_row.load(Ordering::Relaxed) >= FAILURES_MAX {
            return Err(format!("it failed {FAILURES_MAX} times in a row in this process"));
        }
        self.networks.as_ref().map_err(Clone::clone)
    }
}

/// What answers for one photo.
#[derive(Clone)]
pub struct Answering {
    /// The networks.
    pub inspector: Arc<Inspector>,
    /// The photo's part in the comparison of a canary.
    pub part: Option<CanaryPart>,
    /// The networks that answer where the canary fails; none where these are they.
    before: Option<Arc<Inspector>>,
}

/// The part of a photo in the comparison of a canary.
#[derive(Clone)]
pub struct CanaryPart {
    /// The canary.
    pub in_use: Arc<CanaryInUse>,
    /// The photo's group.
    pub group: CanaryGroup,
    /// Why the canary does not answer for a photo of its own.
    pub failed: Option<String>,
}

impl ActiveInspector {
    /// Starts with this inspector and no canary.
    pub fn new(inspector: Inspector) -> Arc<Self> {
        Arc::new(Self(RwLock::new(InUse {
            inspector: Arc::new(inspector),
            canary: None,
        })))
    }

    /// The one that answers for most photos.
    pub fn get(&self) -> Arc<Inspector> {
        Arc::clone(&self.read().inspector)
    }

    /// Replaces it. The old one is dropped with the last photo that uses it.
    pub fn replace(&self, inspector: Inspector) {
        self.write().inspector = Arc::new(inspector);
    }

    /// The canary.
    pub fn canary(&self) -> Option<Arc<CanaryInUse>> {
        self.read().canary.clone()
    }

    /// From now on there is this canary, or none.
    pub fn set_canary(&self, canary: Option<CanaryInUse>) {
        self.write().canary = canary.map(Arc::new);
    }

    /// What answers for a request's photo.
    pub fn answering(&self, request: &InspectionRequest) -> Answering {
        let in_use = self.read();
        let plain = |part| Answering {
            inspector: Arc::clone(&in_use.inspector),
            part,
            before: None,
        };
        let Some(canary) = &in_use.canary else {
            return plain(None);
        };
        let part = |group, failed| CanaryPart {
            in_use: Arc::clone(canary),
            group,
            failed,
        };
        match canary.canary.group(request) {
            None => plain(None),
            Some(CanaryGroup::Control) => plain(Some(part(CanaryGroup::Control, None))),
            Some(CanaryGroup::Canary) => match canary.fit() {
                Err(why) => plain(Some(part(CanaryGroup::Canary, Some(why)))),
                Ok(networks) => Answering {
                    inspector: Arc::clone(networks),
                    part: Some(part(CanaryGroup::Canary, None)),
                    before: Some(Arc::clone(&in_use.inspector)),
                },
            },
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, InUse> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, InUse> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answering {
    /// Networks that no canary stands beside.
    pub const fn plain(inspector: Arc<Inspector>) -> Self {
        Self {
            inspector,
            part: None,
            before: None,
        }
    }

    /// Whether the canary's networks answer.
    pub const fn is_canary(&self) -> bool {
        self.before.is_some()
    }

    /// The bundle before answers, because the canary failed. False where it does already.
    pub(crate) fn fall_back(&mut self, why: &str) -> bool {
        let (Some(before), Some(part)) = (self.before.take(), &mut self.part) else {
            return false;
        };
        part.in_use.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        part.failed = Some(why.to_owned());
        self.inspector = before;
        true
    }

    /// The canary has answered.
    pub(crate) fn succeeded(&self) {
        if let (true, Some(part)) = (self.is_canary(), &self.part) {
            part.in_use.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }
}
