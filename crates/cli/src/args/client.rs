//! The command line of the commands that talk to a stack: submit, status, list, show, parked, redrive.

use clap::{ArgGroup, Args as ClapArgs, ValueEnum};
use std::path::PathBuf;
#[cfg(feature = "aws")]
use walkaround_aws::Connection;
use walkaround_client::StackChoice;
use walkaround_client::submit::Wire;
use walkaround_domain::{FailureCode, InspectionId, Verdict};
use walkaround_settings::StackKind;

/// What a client command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Printed {
    /// A table for people
    Table,
    /// JSON documents, one per line
    Json,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WireArg {
    /// JSON
    Json,
    /// Protobuf in base64, with a content-type attribute
    Protobuf,
}

/// At which end of a rental.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OccasionArg {
    /// The customer picks the vehicle up
    #[value(alias = "pick_up")]
    PickUp,
    /// The customer returns it
    Return,
}

/// A queue that messages are parked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueueArg {
    /// Photos that wait for triage
    Intake,
    /// Photos of the GPU lane
    Segmentation,
}

/// Which stack a command talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StackName {
    /// The local one, on this machine
    Local,
    /// The one on AWS whose resources the settings name
    Aws,
}

/// How AWS is reached, beyond its standard environment variables and profile files.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "On AWS")]
pub(crate) struct Connecting {
    /// Named profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// AWS region
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Endpoint of all services, for an emulator
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// A stack, and nothing about what is printed.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct WhichStackArgs {
    /// Which stack [default: WALKAROUND_STACK, or local]
    #[arg(long, value_enum)]
    pub stack: Option<StackName>,
    /// Folder of the local stack [default: WALKAROUND_ROOT, or .walkaround]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    #[command(flatten)]
    pub connecting: Connecting,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct StackArgs {
    /// What to print
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub format: Printed,
    #[command(flatten)]
    pub which: WhichStackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SubmitArgs {
    /// Photos, folders of photos, lists and manifests (CSV, TSV, JSON, plain text), s3://BUCKET/PREFIX/, https:// URLs; `-`
    /// reads a list of these from standard input, one per line
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub stack: StackArgs,
    /// Wait until every photo has a result, and print the results
    #[arg(long)]
    pub wait: bool,
    /// Longest wait in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "wait", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    /// Largest number of photos per second [default: no limit]
    #[arg(long, value_name = "PER_SECOND", value_parser = per_second)]
    pub rate: Option<f64>,
    /// Name local photos by their absolute path instead of copying them into the stack; the path must be
    /// below one of the WALKAROUND_PHOTO_ROOTS of the stack
    #[arg(long)]
    pub by_path: bool,
    /// How to write requests
    #[arg(long = "as", value_enum, default_value_t = WireArg::Json)]
    pub wire: WireArg,
    #[command(flatten)]
    pub about: AboutArgs,
}

/// Facts about every photo for which a manifest does not give them.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "For every photo for which a manifest does not say otherwise")]
pub(crate) struct AboutArgs {
    /// Vehicle
    #[arg(long, value_name = "ID")]
    pub vehicle_id: Option<String>,
    /// Reservation
    #[arg(long, value_name = "ID")]
    pub reservation_id: Option<String>,
    /// End of the rental at which the photos were taken
    #[arg(long, value_enum)]
    pub occasion: Option<OccasionArg>,
    /// Side of the vehicle
    #[arg(long, value_name = "NAME")]
    pub viewpoint: Option<String>,
    /// When the result is wanted: RFC 3339, or a time from now (90s, 5m, 2h, 1d)
    #[arg(long, value_name = "WHEN")]
    pub deadline: Option<String>,
    /// Anything that should be kept on the record; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Refresh every second (on AWS every five), until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Where to listen [default: WALKAROUND_LISTEN, or 127.0.0.1:8377; if that is set but empty, 127.0.0.1:8600]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Where to listen, port 0 for any that is free; beyond loopback only with sign-in (docs/console.md) [default: 127.0.0.1:8600]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Photos of a vehicle
    #[arg(long, value_name = "ID", conflicts_with_all = ["reservation", "verdict", "day"])]
    pub vehicle: Option<String>,
    /// Photos of a reservation, grouped by walkaround
    #[arg(long, value_name = "ID", conflicts_with_all = ["verdict", "day"])]
    pub reservation: Option<String>,
    /// Photos with a verdict (clean, damaged, unusable), of one day
    #[arg(long, requires = "day", value_parser = verdict)]
    pub verdict: Option<Verdict>,
    /// Photos accepted on a day (UTC, 2026-11-22)
    #[arg(long, value_parser = day)]
    pub day: Option<String>,
    /// Largest number of photos to print
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Continue after this inspection, the last one of the page before; with --vehicle or --day
    #[arg(long, value_name = "ID", value_parser = inspection_id, conflicts_with = "reservation")]
    pub after: Option<InspectionId>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    /// Id of the inspection
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: InspectionId,
    #[command(flatten)]
    pub stack: StackArgs,
    /// On AWS, also print signed URLs of report and overlay; whoever has such a URL can read them for 15 minutes
    #[arg(long)]
    pub links: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ParkedArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Only messages parked from this queue [default: both queues]
    #[arg(long, value_enum)]
    pub queue: Option<QueueArg>,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("which").required(true).args(["all", "ids"]))]
pub(crate) struct RedriveArgs {
    /// Ids of messages, as `parked` shows them
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Send back all parked messages
    #[arg(long)]
    pub all: bool,
    /// Only messages parked from this queue [default: both queues]
    #[arg(long, value_enum)]
    pub queue: Option<QueueArg>,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "lost", "failed", "code", "day", "bundle"]))]
pub(crate) struct RetryArgs {
    /// Ids of failed inspections
    #[arg(value_name = "ID", value_parser = inspection_id, conflicts_with_all = ["failed", "code", "day", "bundle"])]
    pub ids: Vec<InspectionId>,
    /// All failed inspections of the last 30 days, or of --day
    #[arg(long)]
    pub failed: bool,
    /// Inspect again the photos of finished inspections whose stored report or overlay is lost
    #[arg(long, conflicts_with_all = ["failed", "code", "bundle"])]
    pub lost: bool,
    /// Those that failed with this code: engine_failed, photo_unreachable, ...
    #[arg(long, value_parser = failure_code)]
    pub code: Option<FailureCode>,
    /// Those that were accepted on a day (UTC, 2026-11-22)
    #[arg(long, value_parser = day)]
    pub day: Option<String>,
    /// Those that failed while this bundle was in use
    #[arg(long, value_name = "NAME")]
    pub bundle: Option<String>,
    /// Signed URL of the photo, for a single inspection: records keep URLs without their query
    #[arg(long, requires = "ids")]
    pub url: Option<String>,
    /// Largest number of inspections in this run; run the same command again to continue
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Only list what would be done
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PruneArgs {
    /// Folder of the stack [default: WALKAROUND_ROOT, or .walkaround]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub format: Printed,
    /// Only list what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

impl From<StackName> for StackKind {
    fn from(name: StackName) -> Self {
        match name {
            StackName::Local => Self::Local,
            StackName::Aws => Self::Aws,
        }
    }
}

#[cfg(feature = "aws")]
impl From<&Connecting> for Connection {
    fn from(args: &Connecting) -> Self {
        Self {
            profile: args.profile.clone(),
            region: args.region.clone(),
            endpoint_url: args.endpoint_url.clone(),
        }
    }
}

impl From<&StackArgs> for StackChoice {
    fn from(args: &StackArgs) -> Self {
        Self::from(&args.which)
    }
}

impl From<&WhichStackArgs> for StackChoice {
    fn from(args: &WhichStackArgs) -> Self {
        Self {
            stack: args.stack.map(StackKind::from),
            root: args.root.clone(),
            profile: args.connecting.profile.clone(),
            region: args.connecting.region.clone(),
            endpoint_url: args.connecting.endpoint_url.clone(),
        }
    }
}

impl From<WireArg> for Wire {
    fn from(wire: WireArg) -> Self {
        match wire {
            WireArg::Json => Self::Json,
            WireArg::Protobuf => Self::Protobuf,
        }
    }
}

fn failure_code(text: &str) -> Result<FailureCode, String> {
    FailureCode::parse(text).ok_or_else(|| {
        let known: Vec<&str> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

fn per_second(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.01..=100_000.0).contains(&rate) {
        return Ok(rate);
    }
    Err("expected 0.01 to 100000".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::parse(text).ok_or_else(|| "expected clean, damaged or unusable".to_owned())
}

pub(super) fn inspection_id(text: &str) -> Result<InspectionId, String> {
    InspectionId::new(text).map_err(|e| e.to_string())
}

pub(super) fn day(text: &str) -> Result<String, String> {
    let midnight = format!("{text}T00:00:00Z");
    match walkaround_messages::parse_rfc3339(&midnight) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a day such as 2026-11-22".to_owned()),
    }
}
