//! The command line of `plan`.

use super::StackArgs;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use walkaround_planning::{DEADLINE, Drought, PHOTOS_MAX, Profile};

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    /// Day to simulate: evening (80,000 photos), evening-800k, monday-backlog (200,000 at once), gpu-drought
    #[arg(value_name = "DAY", default_value = "evening", value_parser = profile, conflicts_with_all = ["arrivals", "from_stack"])]
    pub named: Profile,
    /// CSV of the photos of each minute instead: `HH:MM,PHOTOS` on each line
    #[arg(long, value_name = "FILE", conflicts_with = "from_stack")]
    pub arrivals: Option<PathBuf>,
    /// Take arrivals, rates and settings from a stack, and print the prediction beside what happened
    #[arg(long, requires = "on")]
    pub from_stack: bool,
    /// Day (UTC) of --from-stack, as 2026-11-22
    #[arg(long = "day", id = "on", value_name = "DATE", requires = "from_stack")]
    pub on: Option<String>,
    /// Photos of the day, spread as DAY spreads its own
    #[arg(long, value_name = "N", conflicts_with_all = ["arrivals", "from_stack"], value_parser = clap::value_parser!(u64).range(1..=PHOTOS_MAX))]
    pub photos: Option<u64>,
    /// Change an assumption: share of suspects, rates, settings, prices (--list has all names)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Simulate the same day once more with this changed too, and print both
    #[arg(long, value_name = "NAME=VALUE")]
    pub compare: Vec<String>,
    /// Period without any instance with a GPU, in hours of the day, as 16-20
    #[arg(long, value_name = "FROM-TO", value_parser = drought)]
    pub drought: Vec<Drought>,
    /// Seconds from a photo's arrival after which its verdict is late
    #[arg(long, value_name = "SECONDS", default_value_t = DEADLINE.as_secs() as u32, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub deadline: u32,
    /// Requests name this deadline, so that routing heeds it
    #[arg(long)]
    pub request_deadline: bool,
    /// Seed: the same seed gives the same day
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Also write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// List all assumptions and exit
    #[arg(long, conflicts_with_all = ["arrivals", "from_stack", "html", "compare"])]
    pub list: bool,
    #[command(flatten)]
    pub stack: StackArgs,
}

fn profile(text: &str) -> Result<Profile, String> {
    let names: Vec<&str> = Profile::ALL.into_iter().map(Profile::as_str).collect();
    Profile::parse(text).ok_or_else(|| format!("expected {}", names.join(", ")))
}

fn drought(text: &str) -> Result<Drought, String> {
    Drought::parse(text).map_err(|error| error.to_string())
}
