//! `walkaround monitor`: whether the bundle still sees what it saw, and whether what it finds is right.

mod page;
mod print;

use super::open;
use super::table::{print_document, print_notice};
use crate::args::{MonitorArgs, Shown};
use crate::failure::Failure;
use anyhow::anyhow;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use walkaround_bootstrap::process::runtime;
use walkaround_bootstrap::{MonitorPorts, monitor};
use walkaround_client::{IfMissing, StackClient};
use walkaround_messages::monitor::{ModelDocument, ModelState, model_body};
use walkaround_pipeline::monitor::read_model;

pub(crate) fn run(args: &MonitorArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        if args.now {
            pass(&*stack).await?;
        }
        let model = read_model(&*stack.state()?, stack.clock().now(), args.since).await?;
        let model = model.ok_or_else(|| {
            anyhow!(
                "the monitor has made no pass over this stack yet: `walkaround monitor --now` makes one, `walkaround up` and \
                 the function monitor do every hour"
            )
        })?;
        show(args, &model)?;
        let drifts = model.state == ModelState::Drift;
        Ok(if drifts && args.fail_on_drift {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    })
}

async fn pass(stack: &dyn StackClient) -> Result<(), Failure> {
    let ports = MonitorPorts {
        records: stack.records()?,
        reviews: Arc::clone(&stack.reviews()?.reviews),
        blobs: stack.blobs(),
        state: stack.state()?,
    };
    let pass = monitor(stack.settings(), ports, stack.clock()).pass().await?;
    Ok(print_notice(format!(
        "walkaround: read {} records of {} days, wrote {} windows",
        pass.records, pass.days, pass.windows
    ))?)
}

fn show(args: &MonitorArgs, model: &ModelDocument) -> Result<(), Failure> {
    match args.format {
        Shown::Table => print::print(model),
        Shown::Json => Ok(print_document(model_body(model))?),
        Shown::Html => Ok(writeln!(std::io::stdout(), "{}", page::html(model))?),
    }
}
