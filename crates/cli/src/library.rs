//! Finding the ONNX Runtime library and opening a bundle with it.

use crate::args::EngineArgs;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkaround_inference::{ActiveDevice, Device, EngineOptions, OnnxEngine, Runtime, VerifiedBundle};

const FILE: &str = "libonnxruntime.so";

/// A verified bundle and all that makes engines from it.
#[derive(Clone)]
pub(crate) struct Engines {
    pub runtime: Runtime,
    pub bundle: Arc<VerifiedBundle>,
    pub device: ActiveDevice,
    threads: usize,
}

/// What [`Engines`] are opened from.
pub(crate) struct OpenEngines<'a> {
    pub bundle: &'a Path,
    pub device: Device,
    pub onnxruntime: Option<&'a Path>,
    pub threads: usize,
}

impl Engines {
    pub(crate) fn open(args: &EngineArgs) -> Result<Self, Failure> {
        Self::open_with(&OpenEngines {
            bundle: &args.bundle,
            device: args.device,
            onnxruntime: args.onnxruntime.as_deref(),
            threads: usize::from(args.threads),
        })
    }

    pub(crate) fn open_with(from: &OpenEngines<'_>) -> Result<Self, Failure> {
        if !from.bundle.is_dir() {
            return Err(Failure::usage(format!(
                "no bundle folder `{}`; name one with --bundle or WALKAROUND_BUNDLE",
                from.bundle.display()
            )));
        }
        let bundle = Arc::new(VerifiedBundle::load(from.bundle)?);
        let (runtime, device) = start(from.onnxruntime, from.device)?;
        Ok(Self {
            runtime,
            bundle,
            device,
            threads: from.threads,
        })
    }

    /// One engine: each thread has its own.
    pub(crate) fn engine(&self) -> Result<OnnxEngine, Failure> {
        let options = EngineOptions {
            device: self.device,
            threads: self.threads,
        };
        Ok(OnnxEngine::new(&self.runtime, &self.bundle, options)?)
    }

    /// Name and version of the bundle in one word.
    pub(crate) fn label(&self) -> String {
        let manifest = self.bundle.manifest();
        format!("{} {}", manifest.name, manifest.version)
    }
}

/// Loads ONNX Runtime and settles the device.
pub(crate) fn start(library: Option<&Path>, device: Device) -> Result<(Runtime, ActiveDevice), Failure> {
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
