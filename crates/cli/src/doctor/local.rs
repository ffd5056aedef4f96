//! Looking at the embedded stack.

use super::finding::Finding;
use super::queues::{gather, queue};
use super::workers::{WorkerFacts, workers};
use super::{bundle, port};
use crate::args::StackArgs;
use crate::client::EmbeddedClient;
use crate::client::rows::queues;
use crate::failure::Failure;
use crate::local::stack::Stack;
use std::path::Path;
use walkaround_settings::{Settings, SettingsError};

const TAKERS: &str = "start `walkaround up`; where it runs, its log tells what triage and workers fail at";
const STARTER: &str =
    "start `walkaround up`: it takes its workers over or ends them, and starts what the lane needs";

/// The settings, with the root of the command line.
pub(super) fn settings(args: &StackArgs) -> Result<Settings, SettingsError> {
    let mut settings = Settings::from_env()?;
    if let Some(root) = &args.root {
        settings.root.clone_from(root);
    }
    Ok(settings)
}

/// All checks.
pub(super) async fn look(args: &StackArgs) -> Result<Vec<Finding>, Failure> {
    let settings = match settings(args) {
        Ok(settings) => settings,
        Err(error) => {
            return Ok(vec![Finding::fail(
                "settings",
                error.to_string(),
                "correct the variable; README lists what each may be",
            )]);
        }
    };
    let mut findings = vec![Finding::ok("settings", "each value can be read")];
    let (verified, loaded) = bundle::verified(&settings.bundle);
    findings.push(verified);
    let (library, running) = bundle::library(settings.onnxruntime.as_deref(), &settings.device);
    findings.extend(library);
    if let (Some(loaded), Some(running)) = (&loaded, &running) {
        findings.push(bundle::self_test(loaded, running));
    }
    let listening = port::look(settings.listen.as_deref()).await;
    findings.push(port::listening(
        &listening,
        settings.listen.as_deref().unwrap_or_default(),
    ));
    match root(&settings.root) {
        Err(finding) => findings.push(finding),
        Ok(stack) => {
            findings.push(Finding::ok(
                "root",
                format!("{}, the database opens", settings.root.display()),
            ));
            findings.extend(inside(&EmbeddedClient(stack)).await);
        }
    }
    Ok(findings)
}

/// Opens the root, where there is one: looking makes none.
fn root(root: &Path) -> Result<Stack, Finding> {
    if !root.join("walkaround.db").exists() {
        return Err(Finding::fail(
            "root",
            format!("no stack in `{}`", root.display()),
            "start `walkaround up`, which makes one, or name another folder with --root or WALKAROUND_ROOT",
        ));
    }
    Stack::open(Some(root)).map_err(|failure| {
        Finding::fail(
            "root",
            bundle::words(&failure),
            "mend the folder or its database, or name another with --root or WALKAROUND_ROOT",
        )
    })
}

async fn inside(stack: &EmbeddedClient) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut waiting = 0;
    for name in queues(None) {
        match gather(stack, *name).await {
            Ok(facts) => {
                if facts.name == "segmentation" {
                    waiting = facts.depth.ready;
                }
                findings.extend(queue(&facts, TAKERS));
            }
            Err(failure) => findings.push(broken(format!("{} queue", name.as_str()), &failure)),
        }
    }
    match WorkerFacts::gather(stack, (waiting, STARTER)).await {
        Ok(facts) => findings.extend(workers(&facts)),
        Err(failure) => findings.push(broken("workers".to_owned(), &failure)),
    }
    findings
}

fn broken(check: String, failure: &Failure) -> Finding {
    let fix = "the database is damaged: stop `walkaround up`, move the root away, and submit again";
    Finding::fail(check, bundle::words(failure), fix)
}
