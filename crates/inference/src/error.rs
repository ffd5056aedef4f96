//! What can go wrong with a bundle or an engine, in one clear line each.

use std::path::PathBuf;

/// A bundle cannot be used. The operator has to fix or replace it; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file of the bundle cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is not valid.
    #[error("{path}: {message}")]
    Manifest {
        /// Which manifest.
        path: PathBuf,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A file is not the one that the manifest pins.
    #[error(
        "{path}: SHA-256 is {actual}, but bundle.toml pins {expected}; restore the file or pin the new digest"
    )]
    Digest {
        /// Which file.
        path: PathBuf,
        /// Pinned digest, hexadecimal.
        expected: String,
        /// Digest found, hexadecimal.
        actual: String,
    },
    /// A file is larger than this program reads.
    #[error("{path}: {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A network disagrees with its description, or cannot be loaded.
    #[error("network `{network}`: {message}")]
    Network {
        /// Name in the manifest.
        network: String,
        /// What disagrees.
        message: String,
    },
    /// The networks do not give what the manifest expects of the self-test picture.
    #[error("self-test failed: {0}")]
    SelfTest(String),
}

/// The engine cannot start or cannot run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ONNX Runtime library cannot be loaded.
    #[error(
        "cannot load ONNX Runtime from {path}: {cause}; run `make setup`, or name the library in WALKAROUND_ONNXRUNTIME"
    )]
    Library {
        /// The library that was tried.
        path: PathBuf,
        /// What the loader said.
        cause: String,
    },
    /// The device asked for is not there.
    #[error("device cuda is not available: {cause}")]
    Device {
        /// What is missing: provider, driver, library or version.
        cause: String,
    },
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A network failed while running.
    #[error("network `{network}` failed: {cause}")]
    Run {
        /// Name in the manifest.
        network: String,
        /// What ONNX Runtime said.
        cause: String,
    },
}
