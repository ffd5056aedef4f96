//! Networks: what a bundle says about them, whether its files are what it says, and running them.
//!
//! The way of a bundle: [`Manifest`] (text, checked) → [`VerifiedBundle`] (files match their SHA-256) →
//! [`OnnxEngine`] (ONNX Runtime sessions whose tensors match the manifest). Only a verified bundle becomes
//! sessions. Everyone else sees networks through the synchronous trait [`Engine`], so a simulation runs
//! without ONNX Runtime. This is the only crate that names `ort`.
//!
//! ```
//! use walkaround_inference::Manifest;
//!
//! // One line that says what is missing, where.
//! let refused = Manifest::parse("name = \"mine\"").expect_err("it says no format");
//! assert!(refused.contains("format"), "{refused}");
//! ```

pub mod bundle;
mod class_maps;
pub mod draft;
pub mod engine;
mod error;
mod instances;
mod lazy;
pub mod manifest;
mod network;
mod onnx;
mod outputs;
pub mod runtime;
pub mod self_test;
mod shared_encoder;
mod tiling;

pub use bundle::{BundleFile, VerifiedBundle, read_manifest, segmenter_files};
pub use engine::{Engine, Screening, Vehicle};
pub use error::{BundleError, EngineError};
pub use lazy::{FetchMissing, LazyBundle, LazyEngine};
pub use manifest::{Head, Manifest, NetworkSpec, Role};
pub use onnx::{BATCH_BUCKETS, EngineOptions, NetworkReport, OnnxEngine, PreparedInput, TensorReport};
pub use runtime::{ActiveDevice, Device, Runtime};
pub use self_test::{SelfTestLine, SelfTestReport};
