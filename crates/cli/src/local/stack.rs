//! Opening the local stack.

use crate::args::StackEngineArgs;
use crate::client::photo_store::PhotoStore;
use crate::failure::Failure;
use crate::library::Engines;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkaround_bootstrap::PipelineBuilder;
pub(crate) use walkaround_bootstrap::process::{
    resident_bytes, runtime, start_log, stop_on_signal, stop_on_signal_or,
};
use walkaround_local::{Durability, LocalStack, Options, SystemClock};
use walkaround_pipeline::inspector::EngineMonitor;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_ports::Clock;
use walkaround_settings::Settings;

/// The opened stack.
#[derive(Clone)]
pub(crate) struct Stack {
    pub settings: Arc<Settings>,
    pub local: LocalStack,
    pub clock: Arc<dyn Clock>,
}

impl Stack {
    /// Opens the stack in `root`, or in the folder that the settings name; it is made if it is new.
    pub(crate) fn open(root: Option<&Path>) -> Result<Self, Failure> {
        Self::open_with(root, &StackEngineArgs::default())
    }

    /// As [`Stack::open`], with what the command line says of bundle and device.
    pub(crate) fn open_with(root: Option<&Path>, engine: &StackEngineArgs) -> Result<Self, Failure> {
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

    /// Whether a folder holds a stack.
    pub(crate) fn is_there(root: &Path) -> bool {
        root.join("walkaround.db").is_file()
    }

    /// Opens a stack that must be there already: commands that only look do not make one.
    pub(crate) fn existing(root: Option<&Path>) -> Result<Self, Failure> {
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
    pub(crate) fn builder(&self) -> Result<PipelineBuilder, Failure> {
        Ok(PipelineBuilder {
            settings: Arc::clone(&self.settings),
            ports: self.local.ports()?,
            clock: Arc::clone(&self.clock),
            telemetry: Arc::new(NoopTelemetry),
            engine: EngineMonitor::new(),
        })
    }

    /// Where submitted photos are kept.
    pub(crate) fn photo_store(&self) -> PhotoStore {
        PhotoStore::of(self.local.blobs(), &self.settings)
    }

    /// The networks as the settings name them.
    pub(crate) fn engines(&self) -> Result<Engines, Failure> {
        self.builder()?.engines(&self.settings.bundle)
    }
}
