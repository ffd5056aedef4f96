//! ONNX Runtime, the device, and the bundle with its self-test.

use super::finding::Finding;
use crate::failure::Failure;
use crate::library::start;
use std::path::Path;
use walkaround_inference::{
    ActiveDevice, Device, EngineError, EngineOptions, OnnxEngine, Runtime, VerifiedBundle,
};

/// What to do about a bundle that cannot be used.
const MEND: &str =
    "restore the bundle's files, or name another with WALKAROUND_BUNDLE; `walkaround bundle check` shows all";

/// Verifies the bundle in a folder, without running it.
pub(super) fn verified(folder: &Path) -> (Finding, Option<VerifiedBundle>) {
    let check = "bundle";
    if !folder.is_dir() {
        let what = format!("no folder `{}`", folder.display());
        return (
            Finding::fail(check, what, "name the bundle's folder with WALKAROUND_BUNDLE"),
            None,
        );
    }
    match VerifiedBundle::load(folder) {
        Err(error) => (Finding::fail(check, error.to_string(), MEND), None),
        Ok(bundle) => {
            let manifest = bundle.manifest();
            let what = format!("{} {}, digests as pinned", manifest.name, manifest.version);
            (Finding::ok(check, what), Some(bundle))
        }
    }
}

/// Loads the library, then settles the device.
pub(super) fn library(named: Option<&Path>, device: &str) -> (Vec<Finding>, Option<(Runtime, ActiveDevice)>) {
    let runtime = match start(named, Device::Cpu) {
        Ok((runtime, _)) => runtime,
        Err(failure) => {
            let fix = "run `make setup`, or name the library with WALKAROUND_ONNXRUNTIME";
            return (vec![Finding::fail("ONNX Runtime", words(&failure), fix)], None);
        }
    };
    let mut findings = vec![Finding::ok(
        "ONNX Runtime",
        runtime.library().display().to_string(),
    )];
    let resolved = device.parse::<Device>().map(|wanted| runtime.resolve(wanted));
    let device = match resolved {
        Ok(Ok(device)) => {
            findings.push(Finding::ok("device", device.to_string()));
            Some((runtime, device))
        }
        Ok(Err(error)) => {
            let fix = "install what is missing, or set WALKAROUND_DEVICE to cpu or auto";
            findings.push(Finding::fail("device", error.to_string(), fix));
            None
        }
        Err(error) => {
            findings.push(Finding::fail(
                "device",
                error.to_string(),
                "set WALKAROUND_DEVICE to cpu, cuda or auto",
            ));
            None
        }
    };
    (findings, device)
}

/// Runs the self-test.
pub(super) fn self_test(bundle: &VerifiedBundle, (runtime, device): &(Runtime, ActiveDevice)) -> Finding {
    let options = EngineOptions {
        device: *device,
        threads: 1,
    };
    let tested = OnnxEngine::new(runtime, bundle, options).and_then(|mut engine| {
        let has_one = engine.self_test(bundle)?.is_some();
        engine.require_self_test(bundle)?;
        Ok::<_, EngineError>(has_one)
    });
    match tested {
        Ok(true) => Finding::ok("self-test", "the networks answer as the manifest expects"),
        Ok(false) => Finding::warn(
            "self-test",
            "the bundle has none",
            "`walkaround bundle check DIR --measure PICTURE` prints one for bundle.toml",
        ),
        Err(error) => Finding::fail("self-test", error.to_string(), MEND),
    }
}

/// A failure in its own words.
pub(super) fn words(failure: &Failure) -> String {
    match failure {
        Failure::Usage(line) => line.clone(),
        Failure::Failed(error) | Failure::Coded(_, error) => format!("{error:#}"),
    }
}
