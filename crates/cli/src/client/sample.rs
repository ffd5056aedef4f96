//! `walkaround sample`: the photos that people should label next.

use super::table::{cell, print_document, print_line, print_notice, print_table, table};
use super::{name_unreadable, open};
use crate::args::{Printed, SampleArgs};
use crate::failure::Failure;
use serde_json::{Value, json};
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::dataset::{Sample, SampleOptions, Sampled, Thresholds, sample};
use walkaround_client::format::counted;
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::sampling::Why;
use walkaround_inference::read_manifest;

pub(crate) fn run(args: &SampleArgs) -> Result<ExitCode, Failure> {
    let Sampled {
        photos: chosen,
        unreadable,
    } = runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let window = args.window.window(stack.clock().now()).map_err(Failure::usage)?;
        let options = SampleOptions {
            window,
            count: usize::from(args.count),
            thresholds: thresholds(args, &*stack)?,
            ask: args.ask,
        };
        sample(&*stack, &options).await
    })?;
    name_unreadable(&unreadable)?;
    match args.stack.format {
        Printed::Json => {
            for one in &chosen {
                print_document(document(one))?;
            }
        }
        Printed::Table if chosen.is_empty() => print_line("no photos")?,
        Printed::Table => {
            let mut rows = table(&["inspection", "day", "vehicle", "verdict", "why"]);
            for one in &chosen {
                rows.add_row([
                    cell(&one.chosen.id),
                    cell(&one.day),
                    cell(one.vehicle_id.as_deref().unwrap_or_default()),
                    cell(one.verdict.as_str()),
                    cell(why(&one.chosen.why)),
                ]);
            }
            print_table(rows)?;
        }
    }
    if args.ask {
        let tasks = counted(chosen.len(), "review task");
        print_notice(format!(
            "walkaround: {tasks} open: `walkaround review list --reason asked`"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Those of the bundle that is named, or else of the settings' one, where it can be read.
fn thresholds(args: &SampleArgs, stack: &dyn StackClient) -> Result<Thresholds, Failure> {
    let folder = args.bundle.as_ref().unwrap_or(&stack.settings().bundle);
    match read_manifest(folder) {
        Ok(manifest) => Ok(Thresholds::from(&manifest.review)),
        Err(error) if args.bundle.is_some() => Err(Failure::usage(error)),
        Err(_) => {
            let folder = folder.display();
            print_notice(format!(
                "walkaround: no bundle can be read in {folder}: every threshold counts as 0.5; name one with --bundle"
            ))?;
            Ok(Thresholds::default())
        }
    }
}

fn why(why: &Why) -> String {
    match why {
        Why::Random => "drawn at random".to_owned(),
        Why::Near { nearest, before } => {
            let further = match before {
                0 => String::new(),
                n => format!("; {} of its vehicle and day before it", counted(*n, "photo")),
            };
            format!(
                "{} {:.2} is {:.2} from its threshold {:.2}{further}",
                nearest.what,
                nearest.value,
                nearest.margin(),
                nearest.threshold
            )
        }
    }
}

fn document(one: &Sample) -> Value {
    let (kind, near) = match &one.chosen.why {
        Why::Random => ("random", Value::Null),
        Why::Near { nearest, before } => (
            "near_threshold",
            json!({
                "what": nearest.what,
                "probability": nearest.value,
                "threshold": nearest.threshold,
                "margin": nearest.margin(),
                "same_vehicle_and_day_before": before,
            }),
        ),
    };
    json!({
        "inspection_id": one.chosen.id.as_str(),
        "day": one.day,
        "vehicle_id": one.vehicle_id,
        "verdict": one.verdict.as_str(),
        "kind": kind,
        "near": near,
        "why": why(&one.chosen.why),
    })
}
