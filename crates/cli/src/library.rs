//! Opening a bundle as the command line names it.

use crate::args::EngineArgs;
use crate::failure::Failure;
use walkaround_bootstrap::library::OpenEngines;
pub(crate) use walkaround_bootstrap::library::{Engines, start};

/// The engines of these arguments.
pub(crate) fn open(args: &EngineArgs) -> Result<Engines, Failure> {
    Engines::open(&OpenEngines {
        bundle: &args.bundle,
        device: args.device,
        onnxruntime: args.onnxruntime.as_deref(),
        threads: usize::from(args.threads),
    })
}
