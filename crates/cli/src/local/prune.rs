//! `walkaround prune`, and the same once a day in `up`: what is older than the settings keep it is removed.

use crate::args::{Printed, PruneArgs};
use crate::client::table::{cell, print_document, print_line, print_table, table};
use crate::failure::Failure;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_bootstrap::process::runtime;
use walkaround_client::Stack;
use walkaround_local::{PrunePass, Pruned, Retention};
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_settings::Settings;

/// Most things of each kind that one pass removes.
const EACH_MAX: u64 = 50_000;
/// Most passes of one command.
const PASSES_MAX: usize = 1000;
/// Time between two passes of `up`.
const EVERY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn run(args: &PruneArgs) -> Result<ExitCode, Failure> {
    let all = runtime()?.block_on(async {
        let stack = Stack::existing(args.root.as_deref())?;
        let keep = retention(&stack.settings);
        let pass = PrunePass {
            each_max: EACH_MAX,
            dry_run: args.dry_run,
        };
        let mut all = stack.local.prune(&keep, pass).await?;
        for _ in 1..PASSES_MAX {
            if args.dry_run || all.iter().all(|pruned| !pruned.more) {
                break;
            }
            let next = stack.local.prune(&keep, pass).await?;
            for (sum, next) in all.iter_mut().zip(next) {
                sum.items += next.items;
                sum.bytes += next.bytes;
                sum.more = next.more;
            }
        }
        Ok::<_, Failure>(all)
    })?;
    print(&all, args)?;
    Ok(ExitCode::SUCCESS)
}

/// Removes once a day until asked to stop; a pass is bounded, and the rest is left for the next day.
pub(crate) async fn daily(stack: Stack, mut stop: ShutdownSignal) {
    let keep = retention(&stack.settings);
    let pass = PrunePass {
        each_max: EACH_MAX,
        dry_run: false,
    };
    while !stop.is_set() {
        tokio::select! {
            biased;
            () = stop.wait() => return,
            pruned = stack.local.prune(&keep, pass) => match pruned {
                Ok(all) => report(&all),
                Err(error) => warn!(%error, "old data could not be removed"),
            },
        }
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = stack.clock.sleep(EVERY) => {}
        }
    }
}

fn report(all: &[Pruned]) {
    for pruned in all.iter().filter(|pruned| pruned.items > 0) {
        let (kind, items, more) = (&pruned.kind, pruned.items, pruned.more);
        info!(kind, items, bytes = pruned.bytes, more, "old data removed");
    }
}

/// How long the settings keep things: the same days as on AWS.
fn retention(s: &Settings) -> Retention {
    let days = |days: Option<u32>| days.map(|days| Duration::from_secs(86_400) * days);
    let mut buckets = vec![
        (s.photos_bucket.clone(), days(s.photo_days)),
        (s.results_bucket.clone(), days(s.result_days)),
    ];
    if s.photos_bucket == s.results_bucket {
        // Nobody can tell which is which: both are kept as long as the one that is kept longer.
        let longer = days(s.photo_days).zip(days(s.result_days)).map(|(a, b)| a.max(b));
        buckets = vec![(s.photos_bucket.clone(), longer)];
    }
    Retention {
        records: days(s.record_days),
        buckets,
        dead_letters: days(s.dead_letter_days),
    }
}

fn print(all: &[Pruned], args: &PruneArgs) -> Result<(), Failure> {
    let days = |pruned: &Pruned| pruned.kept.map(|kept| kept.as_secs() / 86_400);
    if args.format == Printed::Json {
        for pruned in all {
            print_document(json!({
                "kind": pruned.kind,
                "days_kept": days(pruned),
                "removed": pruned.items,
                "bytes": pruned.bytes,
                "more": pruned.more,
                "dry_run": args.dry_run,
            }))?;
        }
        return Ok(());
    }
    let done = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    let mut table = table(&["what", "kept", done, "MiB"]);
    for pruned in all {
        let more = if pruned.more { " and more" } else { "" };
        table.add_row([
            cell(&pruned.kind),
            cell(days(pruned).map_or_else(|| "for ever".to_owned(), |days| format!("{days} d"))),
            cell(format!("{}{more}", pruned.items)),
            cell(format!("{:.1}", pruned.bytes as f64 / f64::from(1 << 20))),
        ]);
    }
    print_table(table)?;
    let items: u64 = all.iter().map(|pruned| pruned.items).sum();
    Ok(print_line(format!("{items} {done}"))?)
}
