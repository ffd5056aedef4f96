//! Memory for the tensors that go to a device and come back from it.
//!
//! A GPU copies from and to page-locked ("pinned") memory by itself and at the full rate of the bus; from any other the
//! driver first copies into such memory of its own. On a processor the networks read and write where the tensors are.
//! See <https://onnxruntime.ai/docs/performance/tune-performance/iobinding.html>.

use crate::runtime::{ActiveDevice, first_line};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use tracing::warn;

/// The first GPU: a worker has one, AWS Batch gives each job its own.
const GPU: i32 = 0;

/// Memory for the outputs of one session, and an allocator for inputs.
pub(crate) struct Places {
    pub(crate) input: Allocator,
    pub(crate) output: MemoryInfo<'static>,
}

impl Places {
    pub(crate) fn of(session: &Session, device: ActiveDevice) -> Self {
        match device {
            ActiveDevice::Cpu => Self::plain(),
            // Without it everything works, only slower.
            ActiveDevice::Cuda => Self::pinned(session).unwrap_or_else(|error| {
                let why = first_line(&error.to_string());
                warn!(why, "no page-locked memory: photos reach the GPU more slowly");
                Self::plain()
            }),
        }
    }

    fn pinned(session: &Session) -> ort::Result<Self> {
        let info = |kind| MemoryInfo::new(AllocationDevice::CUDA_PINNED, GPU, AllocatorType::Device, kind);
        Ok(Self {
            input: Allocator::new(session, info(MemoryType::CPUInput)?)?,
            output: info(MemoryType::CPUOutput)?,
        })
    }

    fn plain() -> Self {
        Self {
            input: Allocator::default(),
            output: MemoryInfo::default(),
        }
    }
}
