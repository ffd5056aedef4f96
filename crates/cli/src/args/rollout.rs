//! The command line of what leads from one bundle to the next: replay, compare, shadow, canary.

use super::client::{StackArgs, WhichStackArgs, inspection_id};
use super::engine::EngineArgs;
use super::window::WindowArgs;
use clap::{ArgGroup, Args as ClapArgs, ValueEnum};
use std::path::PathBuf;
use walkaround_domain::supersede::REASON_BYTES_MAX;
use walkaround_domain::{BundleId, InspectionId};

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// File that the results are written to, a line a photo; a replay that was interrupted goes on in its file
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only photos with a finding of this class on their record; may be given several times
    #[arg(long, value_name = "CLASS")]
    pub class: Vec<String>,
    /// Largest number of photos; those of the newest day come first
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max: u32,
    /// Another threshold than the bundle's: of a class, or of a gate by the name of its network; may be given several times
    #[arg(long, value_name = "NAME=P", value_parser = threshold)]
    pub threshold: Vec<(String, f32)>,
    /// Photos inspected at the same time [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub stack: StackArgs,
}

/// What a comparison prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// Tables for people
    Table,
    /// One JSON document
    Json,
    /// A page with the largest differences in pictures, in the folder of --out
    Html,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// The bundle on the records, NAME@VERSION [default with --replay: whichever it is]
    #[arg(value_name = "A", value_parser = bundle_id, required_unless_present = "replay")]
    pub old: Option<BundleId>,
    /// The other bundle, NAME@VERSION [default with --replay: that of the replay]
    #[arg(value_name = "B", value_parser = bundle_id, required_unless_present = "replay")]
    pub new: Option<BundleId>,
    /// File of a replay [default: what B saw as the shadow of the stack, of the time that --since and --until say]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "until"])]
    pub replay: Option<PathBuf>,
    #[command(flatten)]
    pub window: WindowArgs,
    /// Of a shadow: largest number of photos; those of the newest day come first
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max: u32,
    /// What is printed or made
    #[arg(long, value_enum, default_value_t = CompareFormat::Table)]
    pub format: CompareFormat,
    /// Folder of the page
    #[arg(long, value_name = "DIR", required_if_eq("format", "html"))]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub stack: WhichStackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShadowArgs {
    /// Bundle [default: show the present shadow]
    #[arg(value_name = "NAME", requires = "version")]
    pub name: Option<String>,
    /// Version
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    /// Share of the photos, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub share: f64,
    /// End the shadow
    #[arg(long, conflicts_with_all = ["name", "bundle"])]
    pub off: bool,
    /// Folder of the bundle, on the local stack [default: the folder of this name and version beside WALKAROUND_BUNDLE]
    #[arg(long, value_name = "DIR", requires = "name")]
    pub bundle: Option<PathBuf>,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CanaryArgs {
    /// Version of the stack's bundle [default: show the canary]
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    /// Share of the vehicles, above 0 and at most 0.5
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, requires = "version")]
    pub share: f64,
    /// End the canary: it answers for no vehicle any more
    #[arg(long, conflicts_with_all = ["version", "bundle"])]
    pub off: bool,
    /// With --off: why
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "off")]
    pub reason: Option<String>,
    /// Folder of the bundle, on the local stack [default: the folder of this version beside the bundle that answers]
    #[arg(long, value_name = "DIR", requires = "version")]
    pub bundle: Option<PathBuf>,
    #[command(flatten)]
    pub policy: CanaryPolicyArgs,
    #[command(flatten)]
    pub stack: StackArgs,
}

/// What decides about a canary.
#[derive(Debug, ClapArgs)]
pub(crate) struct CanaryPolicyArgs {
    /// Photos that it answers for before it may be promoted
    #[arg(long, value_name = "N", default_value_t = 500, requires = "version", value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub photos_min: u64,
    /// Largest share of photos on which its verdict differs from that of the bundle before
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, requires = "version", value_parser = share)]
    pub flips_max: f64,
    /// Largest share of photos that it fails on
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, requires = "version", value_parser = share)]
    pub failures_max: f64,
    /// Largest factor by which the share of damaged, or of unusable, photos may differ from that of other vehicles
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0, requires = "version", value_parser = factor)]
    pub change_max: f64,
    /// Largest factor by which its networks may be slower
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0, requires = "version", value_parser = factor)]
    pub slower_max: f64,
    /// Smallest share of what it calls damaged that people must find damaged [default: reviews do not count]
    #[arg(long, value_name = "SHARE", requires = "version", value_parser = share)]
    pub precision_min: Option<f64>,
    /// Days without a decision after which it is rolled back
    #[arg(long, value_name = "DAYS", default_value_t = 7, requires = "version", value_parser = clap::value_parser!(u64).range(1..=90))]
    pub days: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PromoteArgs {
    /// Version of the stack's bundle
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "by hand")]
    pub reason: String,
    /// Folder of the bundle, on the local stack [default: the folder of this version beside the bundle that answers]
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "since", "class", "bundle"]))]
pub(crate) struct ReinspectArgs {
    /// Ids of done inspections
    #[arg(value_name = "ID", value_parser = inspection_id, conflicts_with_all = ["since", "until", "class", "bundle"])]
    pub ids: Vec<InspectionId>,
    /// Why; the new inspections and their events say so
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only photos with a finding of this class on their record; may be given several times
    #[arg(long, value_name = "CLASS")]
    pub class: Vec<String>,
    /// Only photos with the result of this bundle, NAME@VERSION
    #[arg(long, value_name = "BUNDLE", value_parser = bundle_id)]
    pub bundle: Option<BundleId>,
    /// Largest number of new inspections in this run; run the same command again to continue
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Only list what would be done
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub stack: StackArgs,
}

fn reason(text: &str) -> Result<String, String> {
    let fits = (1..=REASON_BYTES_MAX).contains(&text.trim().len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.trim().to_owned())
    } else {
        Err(format!(
            "expected 1 to {REASON_BYTES_MAX} bytes without control characters"
        ))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (1.0..=1000.0).contains(factor));
    factor.ok_or_else(|| "expected a number from 1 to 1000".to_owned())
}

fn threshold(text: &str) -> Result<(String, f32), String> {
    let value = text.split_once('=').and_then(|(name, value)| {
        let value: f32 = value.parse().ok()?;
        (!name.is_empty()).then(|| (name.to_owned(), value))
    });
    value.ok_or_else(|| "expected NAME=P, such as gate=0.4".to_owned())
}

fn bundle_id(text: &str) -> Result<BundleId, String> {
    match text.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok(BundleId::new(name, version)),
        _ => Err("expected NAME@VERSION".to_owned()),
    }
}
