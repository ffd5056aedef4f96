//! Finding the ONNX Runtime library and opening a bundle with it.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkaround_inference::{
    ActiveDevice, Device, EngineOptions, FetchMissing, LazyBundle, LazyEngine, OnnxEngine, Runtime,
    VerifiedBundle,
};
use walkaround_settings::DeviceKind;

const FILE: &str = "libonnxruntime.so";

/// The device that a setting asks for.
pub const fn device(wanted: DeviceKind) -> Device {
    match wanted {
        DeviceKind::Cpu => Device::Cpu,
        DeviceKind::Cuda => Device::Cuda,
        DeviceKind::Auto => Device::Auto,
    }
}

/// A verified bundle and all that makes engines from it.
#[derive(Clone)]
pub struct Engines {
    /// The library.
    pub runtime: Runtime,
    /// The bundle; of one whose segmenters are fetched later, what is there from the beginning.
    pub bundle: Arc<VerifiedBundle>,
    lazy: Arc<LazyBundle>,
    /// Where networks run.
    pub device: ActiveDevice,
    threads: usize,
}

/// What [`Engines`] are opened from.
pub struct OpenEngines<'a> {
    /// Folder of the bundle.
    pub bundle: &'a Path,
    /// Wanted device.
    pub device: Device,
    /// ONNX Runtime library; looked for when none is named.
    pub onnxruntime: Option<&'a Path>,
    /// Threads inside one network run.
    pub threads: usize,
}

impl Engines {
    /// Verifies the bundle, loads the library and settles the device.
    ///
    /// # Errors
    /// Usage: no such folder, no library. Otherwise what is wrong with the bundle or the device, in one line.
    pub fn open(from: &OpenEngines<'_>) -> Result<Self, Failure> {
        Self::start(from, None)
    }

    /// As [`Engines::open`], for [lazy engines](Engines::lazy_engine) only: the folder need not have the segmenters'
    /// files, which `fetch` brings when they are first needed.
    ///
    /// # Errors
    /// As [`Engines::open`].
    pub fn open_without_segmenters(from: &OpenEngines<'_>, fetch: FetchMissing) -> Result<Self, Failure> {
        Self::start(from, Some(fetch))
    }

    fn start(from: &OpenEngines<'_>, fetch: Option<FetchMissing>) -> Result<Self, Failure> {
        require_folder(from.bundle)?;
        let bundle = Arc::new(match fetch {
            Some(_) => VerifiedBundle::load_without_segmenters(from.bundle)?,
            None => VerifiedBundle::load(from.bundle)?,
        });
        let (runtime, device) = start(from.onnxruntime, from.device)?;
        let fetch = fetch.unwrap_or_else(|| Arc::new(|| Ok(())));
        Ok(Self {
            runtime,
            lazy: Arc::new(LazyBundle::new(Arc::clone(&bundle), fetch)),
            bundle,
            device,
            threads: from.threads,
        })
    }

    /// The same networks with other thresholds; not for lazy engines.
    ///
    /// # Errors
    /// Usage: no such class or gate, a value that is no probability.
    pub fn with_thresholds(mut self, thresholds: &BTreeMap<String, f32>) -> Result<Self, Failure> {
        let bundle = self.bundle.with_thresholds(thresholds).map_err(Failure::usage)?;
        self.bundle = Arc::new(bundle);
        Ok(self)
    }

    /// One engine: each thread has its own.
    ///
    /// # Errors
    /// When a network disagrees with its manifest.
    pub fn engine(&self) -> Result<OnnxEngine, Failure> {
        let options = EngineOptions {
            device: self.device,
            threads: self.threads,
        };
        Ok(OnnxEngine::new(&self.runtime, &self.bundle, options)?)
    }

    /// One engine that loads its segmenters when they are first needed.
    ///
    /// # Errors
    /// When a network of the screening disagrees with its manifest.
    pub fn lazy_engine(&self) -> Result<LazyEngine, Failure> {
        let options = EngineOptions {
            device: self.device,
            threads: self.threads,
        };
        Ok(LazyEngine::new(&self.runtime, &self.lazy, options)?)
    }

    /// Name and version of the bundle in one word.
    pub fn label(&self) -> String {
        let manifest = self.bundle.manifest();
        format!("{} {}", manifest.name, manifest.version)
    }
}

/// Loads ONNX Runtime and settles the device.
///
/// # Errors
/// No library, or no such device here.
pub fn start(library: Option<&Path>, device: Device) -> Result<(Runtime, ActiveDevice), Failure> {
    let library = library.map_or_else(find, |path| Ok(path.to_path_buf()))?;
    let runtime = Runtime::load(&library)?;
    let device = runtime.resolve(device)?;
    Ok((runtime, device))
}

/// Beside the program, in `../lib`, or in `.tools/onnxruntime` of the program's or the current folder's
/// parents (a development tree).
fn find() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().ok().and_then(|p| p.canonicalize().ok());
    let here = std::env::current_dir().ok();
    let beside = program
        .iter()
        .filter_map(|p| p.parent())
        .flat_map(|d| [d.join(FILE), d.join("../lib").join(FILE)]);
    let trees = program.iter().chain(&here).flat_map(|p| p.ancestors());
    let in_tree = trees.map(|dir| dir.join(".tools/onnxruntime").join(FILE));
    beside.chain(in_tree).find(|path| path.is_file()).ok_or_else(|| {
        Failure::usage(format!(
            "no ONNX Runtime library ({FILE}) found: run `make setup`, or name it with --onnxruntime"
        ))
    })
}

/// That there is a folder for a bundle.
pub(crate) fn require_folder(folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "no bundle folder `{}`; name one with --bundle or WALKAROUND_BUNDLE",
        folder.display()
    )))
}
