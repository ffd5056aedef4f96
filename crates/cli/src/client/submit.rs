//! `walkaround submit`: photos in, and with `--wait` their results out.
//!
//! Everything named is read first ([`sources`], [`manifest`]), so that a wrong line stops the run before
//! anything is sent; then photos are taken in and requests go out ([`send`]); then results are waited for
//! ([`wait`]). Submitting twice is harmless: the same photo is the same inspection.

mod item;
mod manifest;
mod send;
mod sources;
mod standing;
mod wait;

use super::backend::Backend;
use super::format::counted;
use super::photo_store::PhotoStore;
use super::table::{print_line, print_notice};
use super::{IfMissing, open};
use crate::args::{Printed, SubmitArgs};
use crate::failure::Failure;
use crate::inspect::progress;
use crate::local::stack::runtime;
use item::About;
use send::{Sender, Sent};
use sources::{Plan, Words};
use std::process::ExitCode;
use std::time::Duration;
use wait::Waiting;
use walkaround_ports::{Clock, QueueName, SystemClock};

pub(crate) fn run(args: &SubmitArgs) -> Result<ExitCode, Failure> {
    let now = SystemClock::new().now();
    let about = About::new(&args.about, now)?;
    let words = Words {
        about: &about,
        by_path: args.by_path,
        now,
    };
    let mut plan = Plan::read(&args.paths, words)?;
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Create).await?;
        if args.by_path && stack.name() != "local" {
            return Err(Failure::usage(
                "--by-path goes with --stack local: AWS reads no files of this machine",
            ));
        }
        plan.list_prefixes(&*stack, &about).await?;
        if plan.items.is_empty() {
            return Err(Failure::usage("no photos: the list is empty"));
        }
        submit(args, &*stack, plan).await
    })
}

async fn submit(args: &SubmitArgs, stack: &dyn Backend, plan: Plan) -> Result<ExitCode, Failure> {
    let since = stack.clock().now();
    let bar = progress(plan.items.len() as u64, "submitting");
    let sender = Sender {
        clock: stack.clock(),
        intake: stack.queue(QueueName::Intake)?,
        photos: PhotoStore::of(stack.blobs(), stack.settings()),
        records: stack.records()?,
        wire: args.wire,
        rate: args.rate,
        documents: (!args.wait).then_some(args.stack.format),
        bar: &bar,
    };
    let sent = sender.run(plan.items).await?;
    bar.finish_and_clear();
    let summary = summary(&sent);
    match args.stack.format {
        Printed::Table => print_line(summary)?,
        // Standard output has documents only.
        Printed::Json => print_notice(summary)?,
    }
    let mut good = sent.failed == 0;
    if args.wait && !sent.watched.is_empty() {
        let timeout = Duration::from_secs(u64::from(args.timeout));
        let waiting = Waiting::new(stack, sent.watched, since, args.stack.format);
        good &= waiting.run(timeout).await?;
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
    if sent.failed > 0 {
        text.push_str(&format!(", {} NOT SENT", sent.failed));
    }
    text
}
