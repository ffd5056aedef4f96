//! Beside the process that answers: reads the rollout now and then, loads a canary's networks and, where bundles are folders,
//! those of a bundle that was activated.
//!
//! Networks are loaded and pass their self-test beside the ones in use; until then photos are answered as before. A canary that
//! cannot be loaded fails on each of its photos, so that its policy sees it.

use crate::builder::PipelineBuilder;
use crate::failure::Failure;
use crate::library::require_folder;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::canary::Canary;
use walkaround_domain::rollout::{ActiveBundle, Rollout};
use walkaround_domain::{BundleId, Timestamp};
use walkaround_inference::read_manifest;
use walkaround_pipeline::canary::{Activation, CanaryJudge, CanaryPass};
use walkaround_pipeline::inspector::{ActiveInspector, CanaryInUse, Inspector};
use walkaround_pipeline::rollout::read_rollout;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Clock, PortError, StateStore};

/// Times that networks are tried to be loaded, one a poll, before the canary counts as one that cannot be.
const LOADS_MAX: u32 = 3;

/// Where the networks of another bundle come from.
#[async_trait]
pub trait LoadBundle: Send + Sync {
    /// Networks, after their self-test. `builder` has the settings, and the health that their failures count for.
    ///
    /// # Errors
    /// [`Failure::Usage`] and [`Failure::Coded`] for what no later try changes.
    async fn load(
        &self,
        builder: &PipelineBuilder,
        bundle: &BundleId,
        folder: Option<&Path>,
    ) -> Result<Inspector, Failure>;
}

/// Bundles that are folders.
pub struct FolderBundles {
    /// Engines of one inspector.
    pub engines: usize,
}

#[async_trait]
impl LoadBundle for FolderBundles {
    async fn load(
        &self,
        builder: &PipelineBuilder,
        bundle: &BundleId,
        folder: Option<&Path>,
    ) -> Result<Inspector, Failure> {
        let folder =
            folder.ok_or_else(|| Failure::usage(format!("the rollout names no folder for {bundle}")))?;
        load_folder(builder, bundle, folder, self.engines).await
    }
}

/// The networks of a folder, which must have this bundle.
///
/// # Errors
/// As [`LoadBundle::load`].
pub async fn load_folder(
    builder: &PipelineBuilder,
    bundle: &BundleId,
    folder: &Path,
    engines: usize,
) -> Result<Inspector, Failure> {
    let (builder, folder) = (builder.clone(), folder.to_owned());
    // Reading networks and the self-test take seconds of CPU.
    let made = tokio::task::spawn_blocking(move || {
        let opened = builder.engines(&folder)?;
        builder.inspector(&opened, engines)
    });
    let made = made
        .await
        .map_err(|error| anyhow::anyhow!("creating its sessions: {error}"))??;
    let there = &made.bundle().id;
    match there == bundle {
        true => Ok(made),
        false => Err(Failure::usage(format!("its folder has {there}, not {bundle}"))),
    }
}

/// The bundle that a stack was configured with, where bundles are folders.
#[derive(Debug, Clone)]
pub struct ConfiguredBundle {
    /// Which.
    pub bundle: BundleId,
    /// Its folder.
    pub folder: PathBuf,
}

impl ConfiguredBundle {
    /// The bundle of a folder.
    ///
    /// # Errors
    /// Usage: there is no such folder. Otherwise its manifest cannot be read, or is invalid.
    pub fn of(folder: &Path) -> Result<Self, Failure> {
        require_folder(folder)?;
        let manifest = read_manifest(folder)?;
        Ok(Self {
            bundle: BundleId::new(manifest.name, manifest.version),
            folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
        })
    }

    /// The bundle that answers when a process starts: where the folder of the active one is gone, this one.
    ///
    /// # Errors
    /// The state store does not answer.
    pub async fn answering_now(&self, state: &dyn StateStore) -> Result<Self, PortError> {
        let answering = self.answering(&read_rollout(state).await?);
        if answering.folder.is_dir() {
            return Ok(answering);
        }
        let folder = answering.folder.display();
        warn!(%folder, bundle = %answering.bundle, "the folder of the active bundle is gone: the configured one answers");
        Ok(self.clone())
    }

    /// The bundle that answers, by the rollout: this one, or the one that was activated instead.
    pub fn answering(&self, rollout: &Rollout) -> Self {
        match rollout.active_instead_of(&self.bundle) {
            Some(active) => Self {
                bundle: active.bundle.clone(),
                folder: PathBuf::from(&active.folder),
            },
            None => self.clone(),
        }
    }
}

/// A bundle is activated by what the rollout says.
#[async_trait]
impl Activation for ConfiguredBundle {
    async fn activate(&self, canary: &Canary, at: Timestamp) -> Result<Option<ActiveBundle>, PortError> {
        let folder = canary.folder.clone().unwrap_or_default();
        Ok(Some(self.active(&canary.bundle, folder, at)))
    }
}

impl ConfiguredBundle {
    /// What the rollout says of a bundle that answers from `since` on.
    pub fn active(&self, bundle: &BundleId, folder: String, since: Timestamp) -> ActiveBundle {
        ActiveBundle {
            bundle: bundle.clone(),
            folder,
            configured: self.bundle.clone(),
            since,
        }
    }
}

/// Keeps a process's networks as the rollout says.
pub struct CanaryWatch {
    builder: PipelineBuilder,
    inspector: Arc<ActiveInspector>,
    bundles: Arc<dyn LoadBundle>,
    /// Where bundles are folders.
    configured: Option<ConfiguredBundle>,
    /// What could not be loaded, and how often it was tried.
    refused: Mutex<Option<(BundleId, u32)>>,
}

impl CanaryWatch {
    /// For the inspector of a process. Without a configured bundle only canaries are loaded: what is active is another's to know.
    pub fn new(
        builder: &PipelineBuilder,
        inspector: &Arc<ActiveInspector>,
        bundles: Arc<dyn LoadBundle>,
        configured: Option<ConfiguredBundle>,
    ) -> Self {
        Self {
            builder: builder.clone(),
            inspector: Arc::clone(inspector),
            bundles,
            configured,
            refused: Mutex::new(None),
        }
    }

    /// Reads the rollout until asked to stop.
    pub async fn run(self, mut stop: ShutdownSignal) {
        while !stop.is_set() {
            tokio::select! {
                biased;
                () = stop.wait() => return,
                () = self.refresh() => {}
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = self.builder.clock.sleep(self.every()) => {}
            }
        }
    }

    /// Time between two readings.
    pub fn every(&self) -> Duration {
        self.builder.lane_cache()
    }

    /// Reads the rollout once and does what it says.
    pub async fn refresh(&self) {
        let rollout = match read_rollout(&*self.builder.ports.state).await {
            Ok(rollout) => rollout,
            Err(error) => {
                warn!(%error, "the rollout cannot be read, what answers stays as it is");
                return;
            }
        };
        self.set_answering(&rollout).await;
        self.set_canary(rollout.running_canary()).await;
    }

    async fn set_answering(&self, rollout: &Rollout) {
        let Some(configured) = &self.configured else {
            return;
        };
        let wanted = configured.answering(rollout);
        if self.inspector.get().bundle().id == wanted.bundle || self.loads(&wanted.bundle) >= LOADS_MAX {
            return;
        }
        let folder = Some(wanted.folder.as_path());
        match self.bundles.load(&self.builder, &wanted.bundle, folder).await {
            Ok(networks) => {
                self.inspector.replace(networks);
                info!(bundle = %wanted.bundle, "another bundle answers");
            }
            Err(failure) => {
                self.has_failed(&wanted.bundle, &failure);
                warn!(bundle = %wanted.bundle, why = %failure, "it was activated and cannot be loaded: the bundle before answers");
            }
        }
    }

    async fn set_canary(&self, wanted: Option<&Canary>) {
        let present = self.inspector.canary();
        if present.as_ref().map(|in_use| &in_use.canary) == wanted {
            return;
        }
        if present.is_some() {
            self.inspector.set_canary(None);
        }
        let Some(canary) = wanted else {
            info!("no canary answers any more");
            return;
        };
        let folder = canary.folder.as_deref().map(Path::new);
        // Its failures end no process.
        let loaded = self
            .bundles
            .load(&self.builder.beside(), &canary.bundle, folder)
            .await;
        let networks = match loaded {
            Ok(networks) => {
                info!(bundle = %canary.bundle, share = canary.share, "a canary answers for a share of the vehicles");
                Ok(Arc::new(networks))
            }
            Err(failure) => {
                let tries = self.has_failed(&canary.bundle, &failure);
                warn!(bundle = %canary.bundle, why = %failure, tries, "the canary cannot be loaded");
                if tries < LOADS_MAX {
                    return;
                }
                Err(format!("it cannot be loaded: {failure}"))
            }
        };
        self.inspector
            .set_canary(Some(CanaryInUse::new(canary.clone(), networks)));
    }

    fn loads(&self, bundle: &BundleId) -> u32 {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused
            .as_ref()
            .filter(|(id, _)| id == bundle)
            .map_or(0, |(_, loads)| *loads)
    }

    /// How often a bundle could not be loaded; what no later try changes counts as all of them.
    fn has_failed(&self, bundle: &BundleId, failure: &Failure) -> u32 {
        let for_good = matches!(failure, Failure::Usage(_) | Failure::Coded(..));
        let loads = if for_good {
            LOADS_MAX
        } else {
            self.loads(bundle) + 1
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((bundle.clone(), loads));
        loads
    }
}

/// Passes of the judge until asked to stop. One that fails is made up for by the next.
pub async fn judge(judge: CanaryJudge, every: Duration, mut stop: ShutdownSignal) {
    let clock: Arc<dyn Clock> = Arc::clone(&judge.clock);
    let mut waiting = None;
    while !stop.is_set() {
        tokio::select! {
            biased;
            () = stop.wait() => return,
            pass = judge.pass() => match pass {
                Ok(CanaryPass::Goes(canary, evidence, why)) if waiting.as_ref() != Some(&why) => {
                    let answered = evidence.canary.answered();
                    info!(bundle = %canary.bundle, answered, why, "the canary goes on");
                    waiting = Some(why);
                }
                Ok(_) => {}
                Err(error) => warn!(%error, "nothing was decided about the canary, trying again"),
            }
        }
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = clock.sleep(every) => {}
        }
    }
}
