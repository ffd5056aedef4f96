//! The command line of `walkaround export`, `import` and `sample`.

use super::client::{Printed, StackArgs, WhichStackArgs};
use super::review::reason;
use super::window::WindowArgs;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use walkaround_domain::{Reviewer, TaskReason};
use walkaround_formats::{Format, Splits};

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// Folder to write into; that of an earlier run is gone on with
    #[arg(value_name = "DIR")]
    pub into: PathBuf,
    /// Format of the annotations: coco, cvat, label-studio or yolo; may be given several times
    #[arg(long = "format", value_name = "FORMAT", required = true, value_parser = format)]
    pub formats: Vec<Format>,
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only photos that a person has decided about
    #[arg(long)]
    pub reviewed: bool,
    /// Only photos whose review task has this reason: asked, damage_not_located, unusable_at_return, disagreement,
    /// near_threshold or audit; may be given several times
    #[arg(long = "reason", value_name = "REASON", value_parser = reason)]
    pub reasons: Vec<TaskReason>,
    /// Only photos with damage of this class; may be given several times
    #[arg(long = "class", value_name = "CLASS")]
    pub classes: Vec<String>,
    /// Parts of the data set and their shares, by vehicle: train=0.8,val=0.1,test=0.1 [default: one part, all]
    #[arg(long, value_name = "NAME=SHARE,...", value_parser = Splits::parse)]
    pub split: Option<Splits>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub summary: Printed,
    #[command(flatten)]
    pub which: WhichStackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// File of the other tool; of YOLO its data.yaml, beside the folder labels
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Its format: coco, cvat, label-studio or yolo [default: by its name and content]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<Format>,
    /// Manifest of the export [default: manifest.jsonl beside FILE, or in one of the two folders above]
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Who corrected it: reviews are stored in the name of import:NAME [default: import]
    #[arg(long, value_name = "NAME", value_parser = importer)]
    pub by: Option<Reviewer>,
    /// Only list what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Printed::Table)]
    pub summary: Printed,
    #[command(flatten)]
    pub which: WhichStackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SampleArgs {
    /// Number of photos
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub count: u16,
    #[command(flatten)]
    pub window: WindowArgs,
    /// Bundle whose thresholds count; without one that can be read, every threshold is 0.5 [default: WALKAROUND_BUNDLE, or
    /// bundles/demo]
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Open a review task for each
    #[arg(long)]
    pub ask: bool,
    #[command(flatten)]
    pub stack: StackArgs,
}

fn format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

fn importer(text: &str) -> Result<Reviewer, String> {
    Reviewer::new(text).map_err(|e| e.to_string())?;
    Reviewer::new(format!("import:{text}")).map_err(|e| e.to_string())
}
