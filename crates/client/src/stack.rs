//! Opening the local stack.

use crate::PhotoStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkaround_bootstrap::canary::ConfiguredBundle;
use walkaround_bootstrap::{Engines, Failure, PipelineBuilder};
use walkaround_local::{Durability, LocalStack, Options, SystemClock};
use walkaround_pipeline::inspector::EngineMonitor;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_ports::Clock;
use walkaround_settings::{DeviceKind, Settings};

/// Which bundle a stack uses and where its networks run; what is not given is in the settings.
#[derive(Debug, Clone, Default)]
pub struct EngineChoice {
    /// Bundle folder.
    pub bundle: Option<PathBuf>,
    /// Where networks run.
    pub device: Option<DeviceKind>,
    /// Threads inside one network run.
    pub threads: Option<usize>,
    /// ONNX Runtime shared library.
    pub onnxruntime: Option<PathBuf>,
}

impl EngineChoice {
    /// Puts what was given in place of the settings.
    fn apply(&self, settings: &mut Settings) {
        if let Some(bundle) = &self.bundle {
            settings.bundle.clone_from(bundle);
        }
        if let Some(device) = self.device {
            settings.device = device;
        }
        if let Some(threads) = self.threads {
            settings.threads = threads;
        }
        if let Some(library) = &self.onnxruntime {
            settings.onnxruntime = Some(library.clone());
        }
    }
}

/// The opened stack.
#[derive(Clone)]
pub struct Stack {
    /// What it runs with, with the folder of this stack.
    pub settings: Arc<Settings>,
    /// Its adapters.
    pub local: LocalStack,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl Stack {
    /// Opens the stack in `root`, or in the folder that the settings name; it is made if it is new.
    ///
    /// # Errors
    /// A bad setting, or a folder or database that cannot be opened.
    pub fn open(root: Option<&Path>) -> Result<Self, Failure> {
        Self::open_with(root, &EngineChoice::default())
    }

    /// As [`Stack::open`], with bundle and device as they are chosen.
    ///
    /// # Errors
    /// As [`Stack::open`].
    pub fn open_with(root: Option<&Path>, engine: &EngineChoice) -> Result<Self, Failure> {
        let mut settings = Settings::from_env().map_err(Failure::usage)?;
        engine.apply(&mut settings);
        if let Some(root) = root {
            settings.root = root.to_path_buf();
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut options = Options::default();
        if settings.durable {
            options.durability = Durability::PowerLoss;
        }
        let local = LocalStack::open(&settings.root, options, Arc::clone(&clock))?;
        settings.root = settings.root.canonicalize().unwrap_or(settings.root);
        Ok(Self {
            settings: Arc::new(settings),
            local,
            clock,
        })
    }

    /// This stack with the bundle that answers, which the rollout may have activated instead of the configured one; and the
    /// configured one.
    ///
    /// # Errors
    /// The folder of the configured bundle has none; the stack does not answer.
    pub async fn answering(mut self) -> Result<(Self, ConfiguredBundle), Failure> {
        let configured = ConfiguredBundle::of(&self.settings.bundle)?;
        let answering = configured.answering_now(&*self.local.state()).await?;
        if answering.bundle != configured.bundle {
            let mut settings = Settings::clone(&self.settings);
            settings.bundle = answering.folder;
            self.settings = Arc::new(settings);
        }
        Ok((self, configured))
    }

    /// Whether a folder holds a stack.
    pub fn is_there(root: &Path) -> bool {
        root.join("walkaround.db").is_file()
    }

    /// Opens a stack that must be there already: commands that only look do not make one.
    ///
    /// # Errors
    /// Usage: there is none; else as [`Stack::open`].
    pub fn existing(root: Option<&Path>) -> Result<Self, Failure> {
        let root: PathBuf = match root {
            Some(root) => root.to_path_buf(),
            None => Settings::from_env().map_err(Failure::usage)?.root,
        };
        if !Self::is_there(&root) {
            return Err(Failure::usage(format!(
                "no stack in `{}`; start one with `walkaround up`, or name another with --root",
                root.display()
            )));
        }
        Self::open(Some(&root))
    }

    /// What the parts of the pipeline are made from.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn builder(&self) -> Result<PipelineBuilder, Failure> {
        Ok(PipelineBuilder {
            settings: Arc::clone(&self.settings),
            ports: self.local.ports()?,
            clock: Arc::clone(&self.clock),
            telemetry: Arc::new(NoopTelemetry),
            engine: EngineMonitor::new(),
            shadow: None,
        })
    }

    /// Where submitted photos are kept.
    pub fn photo_store(&self) -> PhotoStore {
        PhotoStore::of(self.local.blobs(), &self.settings)
    }

    /// The networks as the settings name them.
    ///
    /// # Errors
    /// A bundle or a library that cannot be used.
    pub fn engines(&self) -> Result<Engines, Failure> {
        self.builder()?.engines(&self.settings.bundle)
    }
}
