//! The command line of `walkaround export`, `import` and `sample`.

use super::client::{Printed, StackArgs, WhichStackArgs, day};
use super::review::reason;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use walkaround_client::dataset::Window;
use walkaround_client::format::past_moment;
use walkaround_domain::{Reviewer, TaskReason, Timestamp};
use walkaround_formats::{Format, Splits};
use walkaround_messages::parse_rfc3339;

const DAY_MS: u64 = 86_400_000;

/// Photos of a stretch of time.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct WindowArgs {
    /// Photos accepted from then on: a day (UTC, 2026-11-22), RFC 3339, or a time ago (12h, 7d)
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub since: String,
    /// Photos accepted before then; a day is part of it [default: now]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
}

impl WindowArgs {
    /// The moments, as things stand now.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn window(&self, now: Timestamp) -> Result<Window, String> {
        let since = moment(&self.since, now, Edge::Start).map_err(|why| format!("--since: {why}"))?;
        let until = match &self.until {
            Some(text) => moment(text, now, Edge::End).map_err(|why| format!("--until: {why}"))?,
            // What is accepted in this very millisecond is of the past.
            None => Timestamp(now.0 + 1),
        };
        if until <= since {
            return Err("--until: expected a moment after --since".to_owned());
        }
        Ok(Window { since, until })
    }
}

/// Which edge of a day is meant.
#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

fn moment(text: &str, now: Timestamp, edge: Edge) -> Result<Timestamp, String> {
    if let Ok(day) = day(text) {
        let midnight = parse_rfc3339(&format!("{day}T00:00:00Z")).map_err(|e| e.to_string())?;
        return Ok(match edge {
            Edge::Start => midnight,
            Edge::End => Timestamp(midnight.0 + DAY_MS),
        });
    }
    past_moment(text, now)
        .map_err(|_| "expected a day such as 2026-11-22, RFC 3339, or 90s, 5m, 2h, 1d before now".to_owned())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_764_331_200_000);

    fn window(since: &str, until: Option<&str>) -> Result<Window, String> {
        let args = WindowArgs {
            since: since.to_owned(),
            until: until.map(str::to_owned),
        };
        args.window(NOON)
    }

    #[test]
    fn a_day_is_whole_and_a_time_is_ago() {
        let days = window("2025-11-27", Some("2025-11-27")).unwrap();
        assert_eq!(days.until.0 - days.since.0, DAY_MS);
        let hours = window("12h", None).unwrap();
        assert_eq!((hours.since.0, hours.until.0), (NOON.0 - DAY_MS / 2, NOON.0 + 1));
        assert_eq!(
            window("2025-11-27T12:00:00Z", None).unwrap().since.0,
            NOON.0 - DAY_MS
        );
        assert!(
            window("yesterday", None)
                .unwrap_err()
                .starts_with("--since: expected")
        );
        assert!(window("1h", Some("2h")).unwrap_err().contains("after --since"));
    }
}
