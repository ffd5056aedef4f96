//! ONNX Runtime, the device, and the bundle with its self-test.

use super::finding::CheckResult;
use std::path::Path;
use walkaround_bootstrap::library::start;
use walkaround_inference::{ActiveDevice, Device, EngineOptions, OnnxEngine, Runtime, VerifiedBundle};

/// What to do about a bundle that cannot be used.
const FIX: &str = "restore the bundle's files, or name another bundle with WALKAROUND_BUNDLE; `walkaround bundle check` shows all";

/// Verifies the bundle in a folder, without running it.
pub(super) fn verified(folder: &Path) -> (CheckResult, Option<VerifiedBundle>) {
    let check = "bundle";
    if !folder.is_dir() {
        let what = format!("no folder `{}`", folder.display());
        return (
            CheckResult::fail(check, what, "name the bundle's folder with WALKAROUND_BUNDLE"),
            None,
        );
    }
    match VerifiedBundle::load(folder) {
        Err(error) => (CheckResult::fail(check, error.to_string(), FIX), None),
        Ok(bundle) => {
            let manifest = bundle.manifest();
            let what = format!("{} {}, digests as pinned", manifest.name, manifest.version);
            (CheckResult::ok(check, what), Some(bundle))
        }
    }
}

/// Loads the library, then settles the device.
pub(super) fn library(
    named: Option<&Path>,
    wanted: Device,
) -> (Vec<CheckResult>, Option<(Runtime, ActiveDevice)>) {
    let runtime = match start(named, Device::Cpu) {
        Ok((runtime, _)) => runtime,
        Err(failure) => {
            let fix = "run `make setup`, or name the library with WALKAROUND_ONNXRUNTIME";
            return (
                vec![CheckResult::fail("ONNX Runtime", failure.to_string(), fix)],
                None,
            );
        }
    };
    let mut results = vec![CheckResult::ok(
        "ONNX Runtime",
        runtime.library().display().to_string(),
    )];
    let device = match runtime.resolve(wanted) {
        Ok(device) => {
            results.push(CheckResult::ok("device", device.to_string()));
            Some((runtime, device))
        }
        Err(error) => {
            let fix = "install what is missing, or set WALKAROUND_DEVICE to cpu or auto";
            results.push(CheckResult::fail("device", error.to_string(), fix));
            None
        }
    };
    (results, device)
}

/// Runs the self-test.
pub(super) fn self_test(bundle: &VerifiedBundle, runtime: &Runtime, device: ActiveDevice) -> CheckResult {
    let options = EngineOptions { device, threads: 1 };
    let has_one = bundle.manifest().self_test.is_some();
    // One without a test is run all the same: its networks have to load.
    let tested =
        OnnxEngine::new(runtime, bundle, options).and_then(|mut engine| engine.require_self_test(bundle));
    match tested {
        Ok(()) if has_one => CheckResult::ok("self-test", "the networks answer as the manifest expects"),
        Ok(()) => CheckResult::warn(
            "self-test",
            "the bundle has none",
            "`walkaround bundle check DIR --measure PICTURE` prints one for bundle.toml",
        ),
        Err(error) => CheckResult::fail("self-test", error.to_string(), FIX),
    }
}
