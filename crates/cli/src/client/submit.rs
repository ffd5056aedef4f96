//! `walkaround submit`: photos in, and with `--wait` their results out.

mod sending;
mod wait;

use super::open;
use super::table::{notice, print_line, print_notice};
use crate::args::{AboutArgs, OccasionArg, Printed, SubmitArgs};
use crate::failure::Failure;
use crate::inspect::progress;
use sending::Sending;
use std::process::ExitCode;
use std::time::Duration;
use wait::Results;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::{counted, moment};
use walkaround_client::submit::{About, Plan, Sender, Sent, Waiting, Words};
use walkaround_client::{IfMissing, PhotoStore, StackClient};
use walkaround_domain::{Occasion, Timestamp};
use walkaround_ports::{Clock, QueueName, SystemClock};

pub(crate) fn run(args: &SubmitArgs) -> Result<ExitCode, Failure> {
    let now = SystemClock::new().now();
    let about = about(&args.about, now)?;
    let words = Words {
        about: &about,
        by_path: args.by_path,
        now,
        notice: &notice,
    };
    let mut plan = Plan::read(&args.paths, words)?;
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Create).await?;
        if args.by_path && stack.name() != "local" {
            return Err(Failure::usage(
                "--by-path works only with --stack local: AWS cannot read files of this machine",
            ));
        }
        plan.list_prefixes(&*stack, words).await?;
        if plan.items.is_empty() {
            return Err(Failure::usage("no photos: the list is empty"));
        }
        submit(args, &*stack, plan).await
    })
}

/// What the command line says of every photo.
fn about(args: &AboutArgs, now: Timestamp) -> Result<About, Failure> {
    let deadline = args.deadline.as_deref().map(|text| moment(text, now));
    Ok(About {
        vehicle_id: args.vehicle_id.clone(),
        reservation_id: args.reservation_id.clone(),
        occasion: args.occasion.map(|o| match o {
            OccasionArg::PickUp => Occasion::PickUp,
            OccasionArg::Return => Occasion::Return,
        }),
        viewpoint: args.viewpoint.clone(),
        deadline: deadline
            .transpose()
            .map_err(|why| Failure::usage(format!("--deadline: {why}")))?,
        labels: args.labels.iter().cloned().collect(),
    })
}

async fn submit(args: &SubmitArgs, stack: &dyn StackClient, plan: Plan) -> Result<ExitCode, Failure> {
    let since = stack.clock().now();
    let sending = Sending {
        bar: progress(plan.items.len() as u64, "submitting"),
        documents: !args.wait && args.stack.format == Printed::Json,
    };
    let sender = Sender {
        clock: stack.clock(),
        intake: stack.queue(QueueName::Intake)?,
        photos: PhotoStore::of(stack.blobs(), stack.settings()),
        records: stack.records()?,
        wire: args.wire.into(),
        rate: args.rate,
        progress: &sending,
    };
    let sent = sender.run(plan.items).await?;
    sending.bar.finish_and_clear();
    let summary = summary(&sent);
    match args.stack.format {
        Printed::Table => print_line(summary)?,
        // Standard output has documents only.
        Printed::Json => print_notice(summary)?,
    }
    let mut good = sent.failed == 0;
    if args.wait && !sent.watched.is_empty() {
        let timeout = Duration::from_secs(u64::from(args.timeout));
        let mut results = Results::of(sent.watched.len(), args.stack.format);
        let waiting = Waiting::new(stack, sent.watched, since, &mut results);
        let took = waiting.run(timeout).await?;
        good &= results.finish(took)?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn summary(sent: &Sent) -> String {
    let mut text = format!(
        "{} sent, {} already known",
        counted(sent.sent, "photo"),
        sent.known
    );
    if sent.repeated > 0 {
        text.push_str(&format!(", {} named twice", sent.repeated));
    }
    if sent.failed > 0 {
        text.push_str(&format!(", {} NOT SENT", sent.failed));
    }
    text
}
