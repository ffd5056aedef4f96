//! Memory of the GPU, as the NVIDIA driver reports it: for the dashboard, and to see exhaustion in advance.
//!
//! The driver's library (NVML) is in the container where the NVIDIA container runtime runs it with the capability
//! `utility` (gpu-batch/Containerfile).

use nvml_wrapper::Nvml;
use std::ffi::OsStr;
use tracing::warn;
use walkaround_inference::ActiveDevice;

/// Where the loader finds the driver's library.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// AWS Batch shows a job only the GPU that is its own.
const GPU: u32 = 0;

/// A GPU whose memory can be asked for.
pub(crate) struct GpuMemory(Nvml);

impl GpuMemory {
    /// None where networks run on the processor, or where the driver does not report it: the worker runs without.
    pub(crate) fn of(device: ActiveDevice) -> Option<Self> {
        match device {
            ActiveDevice::Cpu => None,
            ActiveDevice::Cuda => Self::open(LIBRARY.as_ref())
                .inspect_err(|why| warn!(why, "the memory of the GPU will not be reported"))
                .ok(),
        }
    }

    fn open(library: &OsStr) -> Result<Self, String> {
        let told = Nvml::builder().lib_path(library).init();
        told.map(Self).map_err(|error| error.to_string())
    }

    /// Bytes in use, by whomever, and bytes there are.
    pub(crate) fn used_of_total(&self) -> Option<(u64, u64)> {
        let memory = self.0.device_by_index(GPU).and_then(|gpu| gpu.memory_info());
        match memory {
            Ok(memory) => Some((memory.used, memory.total)),
            Err(error) => {
                warn!(why = %error, "the driver does not report the memory of the GPU");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    /// What the driver's library would say, in so many lines of C: no machine of ours has one.
    const DRIVER: &str = r#"
        #include <stdint.h>
        typedef struct { unsigned version; uint64_t total, reserved, free, used; } memory;
        int nvmlInit_v2(void) { return 0; }
        int nvmlShutdown(void) { return 0; }
        int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **gpu) { *gpu = (void *)0x10; return i == 0 ? 0 : 2; }
        int nvmlDeviceGetMemoryInfo_v2(void *gpu, memory *m) {
            if (LOST || gpu != (void *)0x10 || m->version != (sizeof(memory) | (2 << 24))) return 15;
            m->total = 16000; m->used = 4100; m->free = 11900; m->reserved = 0;
            return 0;
        }
    "#;

    fn driver(folder: &Path, lost: u8) -> GpuMemory {
        let (source, library) = (folder.join("nvml.c"), folder.join(format!("nvml-{lost}.so")));
        std::fs::write(&source, DRIVER).unwrap();
        let define = format!("-DLOST={lost}");
        let compiler = Command::new("cc")
            .args(["-shared", "-fPIC", &define, "-o"])
            .args([&library, &source])
            .status();
        assert!(
            compiler
                .expect("a C compiler, which the build needs, too")
                .success()
        );
        GpuMemory::open(library.as_os_str()).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn what_the_driver_tells_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(driver(folder.path(), 0).used_of_total(), Some((4100, 16_000)));
    }

    #[test]
    fn a_gpu_that_fell_off_its_bus_is_no_reason_to_end() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(driver(folder.path(), 1).used_of_total(), None);
    }

    #[test]
    fn without_a_driver_nothing_is_told() {
        assert!(GpuMemory::of(ActiveDevice::Cpu).is_none());
        let why = GpuMemory::open("/nowhere/libnvidia-ml.so.1".as_ref())
            .map(|_| ())
            .unwrap_err();
        assert!(why.contains("/nowhere/libnvidia-ml.so.1"), "{why}");
    }
}
