//! Which bundle a command runs itself, and where.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Which bundle, and where its networks run.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct EngineArgs {
    /// Bundle folder
    #[arg(
        long,
        value_name = "DIR",
        env = "WALKAROUND_BUNDLE",
        default_value = "bundles/demo"
    )]
    pub bundle: PathBuf,
    /// Where networks run: cpu, cuda or auto
    #[arg(long, env = "WALKAROUND_DEVICE", default_value = "cpu")]
    pub device: walkaround_inference::Device,
    /// Threads inside one network run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// ONNX Runtime shared library [default: found beside the program or in .tools/onnxruntime]
    #[arg(long, value_name = "FILE", env = "WALKAROUND_ONNXRUNTIME")]
    pub onnxruntime: Option<PathBuf>,
}
