//! Where things are: the checkout, its bundles, the ONNX Runtime library, the packages of the Python reference.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use walkaround_inference::{ActiveDevice, EngineOptions, OnnxEngine, Runtime, VerifiedBundle};

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests folder stands in the checkout")
}

/// All `.rs` files below a folder, in order, but those of build outputs and of folders that begin with a dot.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The bundle of seven tiny networks.
pub fn seven() -> PathBuf {
    root().join("tests/bundles/seven")
}

/// The demonstration bundle.
pub fn demo() -> PathBuf {
    root().join("bundles/demo")
}

/// The ONNX Runtime library: `WALKAROUND_ONNXRUNTIME`, or what `make setup` put into the checkout.
///
/// # Panics
/// When there is none.
pub fn onnxruntime() -> PathBuf {
    let named = std::env::var_os("WALKAROUND_ONNXRUNTIME").map(PathBuf::from);
    let library = named.unwrap_or_else(|| root().join(".tools/onnxruntime/libonnxruntime.so"));
    assert!(
        library.is_file(),
        "no ONNX Runtime library at {}: run `make setup`",
        library.display()
    );
    library
}

/// Sessions of a bundle on the processor, in this process.
///
/// # Panics
/// When the bundle or the library cannot be used.
pub fn engine(bundle: &Path) -> OnnxEngine {
    let runtime = Runtime::load(&onnxruntime()).unwrap_or_else(|e| panic!("{e}"));
    let bundle = VerifiedBundle::load(bundle).unwrap_or_else(|e| panic!("{e}"));
    let options = EngineOptions {
        device: ActiveDevice::Cpu,
        threads: 1,
    };
    OnnxEngine::new(&runtime, &bundle, options).unwrap_or_else(|e| panic!("{e}"))
}

/// Real exports of networks with reference answers, which are not part of the project: `WALKAROUND_LAB`, or `shared/lab`
/// beside the checkout; none where there are none.
pub fn lab() -> Option<PathBuf> {
    let named = std::env::var_os("WALKAROUND_LAB").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/lab"));
    folder.join("photos").is_dir().then_some(folder)
}

/// Python with the packages of the reference.
///
/// # Panics
/// When the packages are not installed.
pub fn python() -> Command {
    let packages = root().join(".tools/reference");
    assert!(
        packages.join("numpy").is_dir(),
        "no Python packages in {}: run `make setup`",
        packages.display()
    );
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A copy of the seven-network bundle whose manifest has each `from` replaced by its `to`, once.
///
/// # Panics
/// When a `from` does not stand in the manifest: the test would test nothing.
pub fn edited_seven(edits: &[(&str, &str)]) -> TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for entry in seven().read_dir().expect("the seven bundle is in the checkout") {
        let path = entry.expect("its files can be listed").path();
        let name = path.file_name().expect("a file has a name");
        std::fs::copy(&path, copy.path().join(name)).expect("bundle files can be copied");
    }
    let manifest = copy.path().join("bundle.toml");
    let mut text = std::fs::read_to_string(&manifest).expect("the manifest is text");
    for (from, to) in edits {
        assert!(text.contains(from), "the manifest has no `{from}`");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(&manifest, text).expect("the copy can be written");
    copy
}
