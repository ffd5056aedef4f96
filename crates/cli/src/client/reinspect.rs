//! `walkaround reinspect`: new inspections that supersede done ones, for a reason.

use super::table::{ROWS_MAX, cell, print_document, print_line, print_notice, print_table, table};
use super::{name_unreadable, open};
use crate::args::{Printed, ReinspectArgs};
use crate::failure::Failure;
use comfy_table::Table;
use serde_json::json;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::counted;
use walkaround_client::{IfMissing, StackClient, inspection};
use walkaround_domain::Inspection;
use walkaround_domain::supersede::SUPERSEDES_BECAUSE;
use walkaround_pipeline::past::{PastPhotos, PastQuery};
use walkaround_pipeline::reinspect::{REINSPECT_MAX, Reinspected, Reinspector};
use walkaround_ports::QueueName;

pub(crate) fn run(args: &ReinspectArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let mut run = Run {
            args,
            reinspector: Reinspector {
                records: stack.records()?,
                intake: stack.queue(QueueName::Intake)?,
                reason: args.reason.clone(),
                dry_run: args.dry_run,
            },
            table: table(&["inspection", "outcome", "new inspection"]),
            sent: 0,
            known: 0,
            left: 0,
            failed: 0,
            more: false,
        };
        if args.ids.is_empty() {
            run.of_query(&*stack).await?;
        } else {
            run.of_ids(&*stack).await?;
        }
        run.finish()
    })
}

/// One run of the command.
struct Run<'a> {
    args: &'a ReinspectArgs,
    reinspector: Reinspector,
    table: Table,
    sent: usize,
    known: usize,
    left: usize,
    failed: usize,
    /// The limit was reached, and there are more.
    more: bool,
}

impl Run<'_> {
    async fn of_ids(&mut self, stack: &dyn StackClient) -> Result<(), Failure> {
        let records = stack.records()?;
        let mut found = Vec::new();
        for id in &self.args.ids {
            match records.read(id).await? {
                Some(record) => found.push(inspection(&record)?),
                None => return Err(Failure::usage(format!("there is no inspection {id}"))),
            }
        }
        self.all(&found).await
    }

    async fn of_query(&mut self, stack: &dyn StackClient) -> Result<(), Failure> {
        let window = self.args.window.window(stack.clock().now());
        let query = PastQuery {
            window: window.map_err(Failure::usage)?,
            classes: self.args.class.iter().cloned().collect(),
        };
        let mut photos = PastPhotos::new(stack.records()?, query);
        while let Some(page) = photos.next().await? {
            name_unreadable(&page.unreadable)?;
            self.failed += page.unreadable.len();
            let mut wanted = page.inspections;
            wanted.retain(|inspection| self.wants(inspection));
            self.all(&wanted).await?;
            if self.more {
                break;
            }
        }
        Ok(())
    }

    /// Whether the result of an inspection is of the bundle that was asked for, and the inspection is none that an earlier run
    /// of this command made.
    fn wants(&self, inspection: &Inspection) -> bool {
        let because = inspection.request.labels.get(SUPERSEDES_BECAUSE);
        let bundle = inspection.outcome.as_ref().map(|outcome| &outcome.bundle);
        because != Some(&self.args.reason)
            && self
                .args
                .bundle
                .as_ref()
                .is_none_or(|wanted| bundle == Some(wanted))
    }

    async fn all(&mut self, inspections: &[Inspection]) -> Result<(), Failure> {
        let mut rest = inspections;
        while !rest.is_empty() {
            let room = (self.args.limit as usize).saturating_sub(self.sent);
            if room == 0 {
                self.more = true;
                return Ok(());
            }
            let (some, others) = rest.split_at(rest.len().min(room).min(REINSPECT_MAX));
            let outcomes = self.reinspector.send(some).await?;
            for (inspection, outcome) in some.iter().zip(outcomes) {
                self.one(inspection, &outcome)?;
            }
            rest = others;
        }
        Ok(())
    }

    fn one(&mut self, inspection: &Inspection, outcome: &Reinspected) -> Result<(), Failure> {
        let (state, new, why) = match outcome {
            Reinspected::Sent(id) => {
                self.sent += 1;
                (
                    if self.args.dry_run { "would_send" } else { "sent" },
                    Some(id),
                    None,
                )
            }
            Reinspected::Known(id) => {
                self.known += 1;
                ("known", Some(id), None)
            }
            Reinspected::NotDone => ("left", None, Some("it is not done".to_owned())),
            Reinspected::SignedUrl => (
                "left",
                None,
                Some("its URL may have been signed and is not kept".to_owned()),
            ),
            Reinspected::Labels => (
                "left",
                None,
                Some("its labels leave no room for two more".to_owned()),
            ),
            Reinspected::NotSent(why) => ("not_sent", None, Some(why.clone())),
        };
        self.left += usize::from(state == "left");
        self.failed += usize::from(state == "not_sent");
        match self.args.stack.format {
            Printed::Json => print_document(json!({
                "inspection_id": inspection.request.id.as_str(),
                "state": state,
                "new_inspection_id": new.map(ToString::to_string),
                "why": why,
            }))?,
            Printed::Table if self.table.row_count() < ROWS_MAX => {
                let what = state.replace('_', " ") + &why.map_or_else(String::new, |why| format!(": {why}"));
                let new = new.map_or_else(String::new, ToString::to_string);
                self.table
                    .add_row([cell(&inspection.request.id), cell(what), cell(new)]);
            }
            Printed::Table => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<ExitCode, Failure> {
        let done = if self.args.dry_run {
            "would be sent"
        } else {
            "sent"
        };
        let mut line = format!("{} {done}", counted(self.sent, "new inspection"));
        for (count, word) in [
            (self.known, "asked for before"),
            (self.left, "left as they are"),
            (self.failed, "NOT SENT"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {word}"));
            }
        }
        if self.more {
            line.push_str("; there are more: run the same command again to continue");
        }
        match self.args.stack.format {
            Printed::Table => {
                if self.table.row_count() > 0 {
                    print_table(self.table)?;
                }
                print_line(line)?;
            }
            // Standard output has documents only.
            Printed::Json => print_notice(line)?,
        }
        let bad = self.left + self.failed > 0;
        Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
