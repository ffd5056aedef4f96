//! The command line of `walkaround bundle`.

use super::client::{Connecting, Printed, StackName};
use super::rollout::{CanaryArgs, CompareArgs, PromoteArgs, RolloutArgs, ShadowArgs};
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct BundleArgs {
    #[command(subcommand)]
    pub command: BundleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Write a bundle for ONNX files as they were exported: recognises the family, marks what it had to assume
    Init(InitArgs),
    /// Check a bundle: digests, tensors, self-test
    Check(CheckArgs),
    /// Check a bundle and its self-test, and upload it under the name and version in its manifest; versions never change
    // Whoever gives a --version here means the bundle's: that must not print the program's and do nothing.
    #[command(disable_version_flag = true)]
    Push(PushArgs),
    /// List bundles, or the versions of one bundle
    List(ListBundlesArgs),
    /// Make a version the active one, which functions and workers load
    #[command(disable_version_flag = true)]
    Activate(ActivateArgs),
    /// Activate the version before the active one again
    Rollback(RollbackArgs),
    /// Compare two bundles on the same photos: from a replay, or from what a shadow saw
    Compare(CompareArgs),
    /// Let a second bundle see a share of the settled photos, end that, or show it; it answers for none of them
    #[command(disable_version_flag = true)]
    Shadow(ShadowArgs),
    /// Let a version answer for a share of the vehicles until its policy promotes it or rolls it back, end that, or show it
    #[command(disable_version_flag = true)]
    Canary(CanaryArgs),
    /// Let a version answer for all vehicles, whatever the policy of its canary says
    #[command(disable_version_flag = true)]
    Promote(PromoteArgs),
    /// Show which bundles see photos: the one that answers, the shadow, the canary with what is seen of it
    Rollout(RolloutArgs),
}

/// Where networks run while a bundle is checked.
#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// Where networks run: cpu, cuda or auto
    #[arg(long, env = "WALKAROUND_DEVICE", default_value = "cpu")]
    pub device: walkaround_inference::Device,
    /// ONNX Runtime shared library
    #[arg(long, value_name = "FILE", env = "WALKAROUND_ONNXRUNTIME")]
    pub onnxruntime: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Bundle folder
    #[arg(value_name = "DIR")]
    pub bundle: PathBuf,
    #[command(flatten)]
    pub run: RunArgs,
    /// Show what each network says of this picture, whatever the gates say
    #[arg(long, value_name = "PICTURE")]
    pub picture: Option<PathBuf>,
    /// Print the [self_test] block of this picture, ready for bundle.toml
    #[arg(long, value_name = "PICTURE", conflicts_with = "picture")]
    pub measure: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// ONNX files: a classifier becomes a gate, anything else a segmenter
    #[arg(value_name = "MODEL.onnx")]
    pub models: Vec<PathBuf>,
    /// A detector or classifier that decides which photos the segmenters see
    #[arg(long, value_name = "MODEL.onnx")]
    pub gate: Vec<PathBuf>,
    /// A detector that finds the vehicle
    #[arg(long, value_name = "MODEL.onnx")]
    pub locator: Option<PathBuf>,
    /// Folder of the bundle [default: the name of the first file without `.onnx`]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name of the bundle [default: that of the folder]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Classes from number 0 on, `background` for what is not wanted; of one file among several: `MODEL.onnx=A,B,C`
    #[arg(long, value_name = "A,B,C")]
    pub classes: Vec<String>,
    /// Input size, for a network that takes any; of one file among several: `MODEL.onnx=640x640`
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub size: Vec<String>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub format: Printed,
    /// ONNX Runtime shared library
    #[arg(long, value_name = "FILE", env = "WALKAROUND_ONNXRUNTIME")]
    pub onnxruntime: Option<PathBuf>,
}

/// Which registry: a bucket of S3.
#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryArgs {
    /// Bucket of the registry [default: the bucket in WALKAROUND_BUNDLE, if it is s3://BUCKET/NAME]
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Which stack; only aws, as registries are on S3
    #[arg(long, value_enum)]
    pub stack: Option<StackName>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub format: Printed,
    #[command(flatten)]
    pub connecting: Connecting,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PushArgs {
    /// Bundle folder
    #[arg(value_name = "DIR")]
    pub bundle: PathBuf,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListBundlesArgs {
    /// Bundle whose versions are listed [default: all bundles]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ActivateArgs {
    /// Bundle
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Version
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// Activate the version even if it does not fit on the functions' disk
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RollbackArgs {
    /// Bundle
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub registry: RegistryArgs,
}
