//! The ONNX Runtime library and the device that networks run on.
//!
//! The library is loaded at run time from a named file (the pinned `onnxruntime` wheel's, see
//! `make setup`), so the same program runs with the CPU and with the CUDA build. One environment serves the
//! whole process.

use crate::error::EngineError;
use ort::ep::{CUDA, ExecutionProvider, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{debug, warn};

/// The device asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU; its absence is an error.
    Cuda,
    /// CUDA when it is there, the processor otherwise.
    Auto,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "auto" => Ok(Self::Auto),
            other => Err(format!("`{other}` is not a device, expected cpu, cuda or auto")),
        }
    }
}

/// The device in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveDevice {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

impl fmt::Display for ActiveDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// The loaded library. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: ort::environment::Environment,
    library: PathBuf,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
}

/// ONNX Runtime allows one environment a process: the first `load` makes it, later ones share it.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// The library's own lines go into the log, not to standard error. What fails is returned as an error as well.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => debug!(location, "ONNX Runtime: {message}"),
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => warn!(location, "ONNX Runtime: {message}"),
    }
}

impl Runtime {
    /// Loads the ONNX Runtime shared library. Once loaded, later calls give the same library, whatever path
    /// they name: a process has one.
    ///
    /// # Errors
    /// [`EngineError::Library`] when the file is no ONNX Runtime library, or one that is too old.
    pub fn load(library: &Path) -> Result<Self, EngineError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            return Ok(runtime.clone());
        }
        let error = |cause: String| EngineError::Library {
            path: library.to_path_buf(),
            cause,
        };
        // An absolute path: the loader would otherwise look beside the executable first.
        let path = library.canonicalize().map_err(|e| error(e.to_string()))?;
        let builder = ort::init_from(&path).map_err(|e| error(e.to_string()))?;
        let environment = builder
            .with_name("walkaround")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|e| error(e.to_string()))?;
        environment.set_log_level(LogLevel::Error);
        let runtime = Self {
            environment,
            library: path,
        };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library file.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The environment of the process, for a session beside the engine's: a benchmark compares with one.
    pub fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }

    /// Settles which device is used.
    ///
    /// # Errors
    /// [`EngineError::Device`] when CUDA was asked for and cannot be used: it names the cause.
    pub fn resolve(&self, device: Device) -> Result<ActiveDevice, EngineError> {
        match device {
            Device::Cpu => Ok(ActiveDevice::Cpu),
            Device::Cuda => self.probe_cuda().map(|()| ActiveDevice::Cuda),
            Device::Auto => Ok(self
                .probe_cuda()
                .map_or(ActiveDevice::Cpu, |()| ActiveDevice::Cuda)),
        }
    }

    fn probe_cuda(&self) -> Result<(), EngineError> {
        let error = |cause: String| EngineError::Device { cause };
        if !CUDA::is_available().map_err(|e| error(e.to_string()))? {
            return Err(error(format!(
                "the ONNX Runtime library {} is built without CUDA; use the one of the onnxruntime-gpu wheel",
                self.library.display()
            )));
        }
        self.builder(ActiveDevice::Cuda, 1)
            .map(|_| ())
            .map_err(|e| error(first_line(&e.to_string())))
    }

    /// A session builder for one network on one thread.
    pub(crate) fn builder(&self, device: ActiveDevice, threads: usize) -> ort::Result<SessionBuilder> {
        let builder = Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // Spinning threads would take the cores that decode and post-processing need.
            .with_intra_op_spinning(false)?
            .with_execution_providers(providers(device))?;
        Ok(builder)
    }
}

/// Execution providers fail soft by default: CUDA asked for is CUDA or an error.
fn providers(device: ActiveDevice) -> Vec<ExecutionProviderDispatch> {
    match device {
        ActiveDevice::Cpu => Vec::new(),
        ActiveDevice::Cuda => vec![CUDA::default().build().error_on_failure()],
    }
}

/// ONNX Runtime's messages carry stack traces after the first line.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
