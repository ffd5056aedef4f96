//! The command line.

mod bundle;
mod client;
mod dataset;
mod engine;
mod monitor;
mod plan;
mod review;
mod rollout;
mod window;

#[cfg(feature = "aws")]
pub(crate) use bundle::{ActivateArgs, ListBundlesArgs, PushArgs, RegistryArgs, RollbackArgs};
pub(crate) use bundle::{BundleArgs, BundleCommand, CheckArgs, InitArgs};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
pub(crate) use client::{
    AboutArgs, ConsoleArgs, DoctorArgs, ListArgs, OccasionArg, ParkedArgs, Printed, PruneArgs, QueueArg,
    RedriveArgs, RetryArgs, ServeArgs, ShowArgs, StackArgs, StatusArgs, SubmitArgs,
};
pub(crate) use dataset::{ExportArgs, ImportArgs, SampleArgs};
pub(crate) use engine::EngineArgs;
pub(crate) use monitor::{MonitorArgs, Shown};
pub(crate) use plan::PlanArgs;
pub(crate) use review::{
    AskArgs, ClaimArgs, DecideArgs, HistoryArgs, ListTasksArgs, ReviewArgs, ReviewCommand, ShowReviewArgs,
};
pub(crate) use rollout::{
    CanaryArgs, CanaryPolicyArgs, CompareArgs, CompareFormat, PromoteArgs, ReinspectArgs, ReplayArgs,
    RolloutArgs, ShadowArgs,
};
use std::path::PathBuf;
use walkaround_client::EngineChoice;
use walkaround_domain::Overlays;
use walkaround_settings::DeviceKind;

/// Damage inspection of vehicle photos.
#[derive(Debug, Parser)]
#[command(name = "walkaround", version, about, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Inspect photos: verdicts, findings and overlays
    Inspect(InspectArgs),
    /// Score a bundle on photos whose damage is known
    Evaluate(EvaluateArgs),
    /// Draw sample photos whose damage is known
    Samples(SamplesArgs),
    /// Make or check a bundle of networks, or manage the registry that running systems load bundles from
    Bundle(BundleArgs),
    /// Run the whole pipeline on this machine: triage, workers, results
    Up(UpArgs),
    /// Run one worker of the GPU lane (`up` starts these itself)
    Worker(WorkerArgs),
    /// Serve inspections, health and metrics of a stack over HTTP (`up` does so for its own stack)
    Serve(ServeArgs),
    /// Offer the console of a stack in the browser of this machine: reviews, vehicles, the state of the pipeline
    Console(ConsoleArgs),
    /// Submit photos to the pipeline
    Submit(SubmitArgs),
    /// Show the state of the pipeline: queues, workers, results
    Status(StatusArgs),
    /// List inspections, newest first
    List(ListArgs),
    /// Show everything that is known of one inspection
    Show(ShowArgs),
    /// List parked messages and why they were parked
    Parked(ParkedArgs),
    /// Send parked messages back to their queue
    Redrive(RedriveArgs),
    /// Try failed inspections again
    Retry(RetryArgs),
    /// Review inspections: list and claim tasks, decide, show who decided what
    Review(ReviewArgs),
    /// Write reviewed photos as a data set for training or labelling
    Export(ExportArgs),
    /// Store what people corrected in an exported data set as reviews
    Import(ImportArgs),
    /// Choose the photos that people should label next, and say why
    Sample(SampleArgs),
    /// Say whether the bundle still sees what it saw, and whether what it finds is right
    Monitor(MonitorArgs),
    /// Inspect photos of the past with another bundle or other thresholds, beside what is on their records
    Replay(ReplayArgs),
    /// Ask for new inspections that supersede done ones, for a reason; the old records stay
    Reinspect(ReinspectArgs),
    /// Remove data older than the retention settings of the local stack (`up` does so once a day)
    Prune(PruneArgs),
    /// Find out why a stack is not running: one line per check, with the cause and what to do
    Doctor(DoctorArgs),
    /// Simulate a day at scale: times to verdict, workers, usage and costs
    Plan(Box<PlanArgs>),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct UpArgs {
    /// Folder of the stack [default: WALKAROUND_ROOT, or .walkaround]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Watch this folder, and the folders below it, for photos
    #[arg(long, value_name = "DIR")]
    pub drop: Option<PathBuf>,
    /// Address of the HTTP server; empty for none [default: WALKAROUND_LISTEN, or 127.0.0.1:8377]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    #[command(flatten)]
    pub engine: StackEngineArgs,
}

/// Which bundle a stack uses and where its networks run, instead of what the settings say.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct StackEngineArgs {
    /// Bundle folder [default: WALKAROUND_BUNDLE, or bundles/demo]
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Where networks run: cpu, cuda or auto [default: WALKAROUND_DEVICE, or cpu]
    #[arg(long, value_parser = ["cpu", "cuda", "auto"], hide_possible_values = true)]
    pub device: Option<String>,
    /// Threads inside one network run [default: WALKAROUND_THREADS, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// ONNX Runtime shared library [default: WALKAROUND_ONNXRUNTIME, or found beside the program or in .tools/onnxruntime]
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

impl From<&StackEngineArgs> for EngineChoice {
    fn from(args: &StackEngineArgs) -> Self {
        Self {
            bundle: args.bundle.clone(),
            // The words were checked when the command line was read.
            device: args.device.as_deref().and_then(DeviceKind::parse),
            threads: args.threads.map(usize::from),
            onnxruntime: args.onnxruntime.clone(),
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct WorkerArgs {
    /// Folder of the stack [default: WALKAROUND_ROOT, or .walkaround]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Name of the worker in heartbeats and on records [default: worker-pid-PID]
    #[arg(long, env = "WALKAROUND_WORKER")]
    pub name: Option<String>,
    /// Run the bundle that `bundle shadow` names on the settled photos that standard input names (`up` and workers start it
    /// themselves)
    #[arg(long)]
    pub shadow: bool,
    #[command(flatten)]
    pub engine: StackEngineArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    /// Photos and folders of photos; `-` reads a list of paths from standard input, one per line
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Write reports, overlays and a gallery into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Which photos get an overlay in that folder: findings (those with findings), always or never
    #[arg(long, value_name = "WHICH", default_value_t = Overlays::Findings, requires = "out")]
    pub overlay: Overlays,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Photos inspected at the same time [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Also report the classes that the bundle reports only on request
    #[arg(long)]
    pub all_classes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// One JSON document per photo, one per line
    Json,
    /// One COCO document with all findings as run-length codes
    Coco,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// Folders of photos with COCO annotations in `_annotations.coco.json`; photos in a folder without them
    /// count as undamaged
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// COCO annotations of the only PATH, if they are not in `_annotations.coco.json` inside it
    #[arg(long, value_name = "FILE")]
    pub annotations: Option<PathBuf>,
    /// Assign a category of the annotations to a class of the bundle [default: equal names match]
    #[arg(long, value_name = "THEIRS=OURS")]
    pub map: Vec<String>,
    /// Leave the regions of this category out of every score
    #[arg(long, value_name = "CATEGORY")]
    pub ignore: Vec<String>,
    /// TOML file with `[map]` and `ignore` [default: map.toml beside the annotations, if there is one]
    #[arg(long, value_name = "FILE")]
    pub map_file: Option<PathBuf>,
    /// Folder of undamaged photos
    #[arg(long, value_name = "DIR")]
    pub undamaged: Vec<PathBuf>,
    /// Folder for report.json, index.html and its pictures
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// Photos inspected at the same time [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Tables for people
    Table,
    /// The document that is also written to report.json
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SamplesArgs {
    /// Folder to write into
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// Number of samples
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Seed: the same seed draws the same pictures
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Width in pixels; the height is three quarters of it
    #[arg(long, default_value_t = 1600, value_parser = clap::value_parser!(u32).range(160..=8000))]
    pub width: u32,
    /// Draw walkarounds instead: two vehicles, pick-up and return of three reservations, and a manifest for `submit`
    #[arg(long, conflicts_with_all = ["count", "seed"])]
    pub walkarounds: bool,
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::{CommandFactory, Parser};

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Args::command().debug_assert();
    }

    /// Deployment runs commands of this program, where no test runs them: an option that is gone must fail here.
    #[test]
    fn the_deployment_script_gives_options_that_there_are() {
        let script = include_str!("../../../scripts/deploy.sh");
        // What a command prints is one word, like what a variable holds.
        let script = script.replace("$(bundle_says version)", "$version");
        let commands: Vec<Vec<&str>> = script
            .lines()
            .filter_map(|line| line.split_once("\"${walkaround[@]}\" "))
            .map(|(_, rest)| rest.trim_end_matches('\\').split_whitespace())
            .map(|words| words.map(|word| word.trim_matches('"')))
            .map(|words| std::iter::once("walkaround").chain(words).collect())
            .collect();
        assert_eq!(commands.len(), 2, "{commands:?}");
        for command in commands {
            let parsed = Args::try_parse_from(&command);
            assert!(
                parsed.is_ok(),
                "{command:?}: {}",
                parsed.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }
}
