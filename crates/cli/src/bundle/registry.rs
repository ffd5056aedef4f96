//! `walkaround bundle push`, `list`, `activate`, `rollback`: the registry of bundles on S3.
//!
//! A push runs the self-test first: what is in the registry has worked once. Versions never change, so pushing twice
//! is harmless and other files under a version that is there are refused.

use crate::args::{ActivateArgs, ListBundlesArgs, Printed, PushArgs, RegistryArgs, RollbackArgs, StackName};
use crate::client::aws::connect;
use crate::client::rows::{print_line, print_table, table};
use crate::client::words::clock_time;
use crate::failure::Failure;
use crate::library::start;
use crate::local::stack::runtime;
use anyhow::anyhow;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use walkaround_aws::{Activated, Active, BundleRegistry, Pushed, S3Blobs};
use walkaround_domain::Timestamp;
use walkaround_inference::{EngineOptions, OnnxEngine, VerifiedBundle};
use walkaround_messages::rfc3339;
use walkaround_ports::{BlobAddress, Blobs, Clock, PortError, SystemClock};
use walkaround_settings::Settings;

/// Most bundles of a list.
const BUNDLES_MAX: usize = 200;
/// Where bundles are in the bucket.
const FOLDER: &str = "bundles/";
/// Comes after every character of a version or file name.
const AFTER_ALL: char = '~';

/// The registry, and what lists its names.
struct Opened {
    registry: BundleRegistry,
    blobs: S3Blobs,
    bucket: String,
}

async fn open(args: &RegistryArgs) -> Result<Opened, Failure> {
    if args.stack == Some(StackName::Local) {
        return Err(Failure::usage(
            "bundles of the local stack are folders: name one with WALKAROUND_BUNDLE",
        ));
    }
    let bucket = match &args.bucket {
        Some(bucket) => bucket.clone(),
        None => bucket_of(&Settings::from_env().map_err(Failure::usage)?.bundle).ok_or_else(|| {
            Failure::usage(
                "no registry: name its bucket with --bucket, or set WALKAROUND_BUNDLE to s3://BUCKET/NAME",
            )
        })?,
    };
    let (stack, _) = connect(&args.connecting).await?;
    Ok(Opened {
        registry: BundleRegistry::new(stack.aws.s3.clone(), &bucket),
        blobs: stack.blobs(),
        bucket,
    })
}

/// The bucket of `s3://BUCKET/NAME`.
fn bucket_of(bundle: &Path) -> Option<String> {
    let rest = bundle.to_str()?.strip_prefix("s3://")?;
    let bucket = rest.split('/').next().unwrap_or_default();
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

pub(super) fn push(args: &PushArgs) -> Result<ExitCode, Failure> {
    if !args.bundle.is_dir() {
        return Err(Failure::usage(format!(
            "no bundle folder `{}`",
            args.bundle.display()
        )));
    }
    let bundle = VerifiedBundle::load(&args.bundle)?;
    let manifest = bundle.manifest();
    let name = args.name.as_deref().unwrap_or(&manifest.name);
    let version = args.version.as_deref().unwrap_or(&manifest.version);
    let (library, device) = start(args.run.onnxruntime.as_deref(), args.run.device)?;
    let mut engine = OnnxEngine::new(&library, &bundle, EngineOptions { device, threads: 1 })?;
    if engine.self_test(&bundle)?.is_none() {
        return Err(anyhow!(
            "{} has no self-test: `walkaround bundle check DIR --measure PICTURE` prints one for bundle.toml",
            args.bundle.display()
        )
        .into());
    }
    engine.require_self_test(&bundle)?;
    let (pushed, bucket) = runtime()?.block_on(async {
        let opened = open(&args.registry).await?;
        let pushed = opened.registry.push((name, version), &args.bundle).await?;
        Ok::<_, Failure>((pushed, opened.bucket))
    })?;
    let (word, text) = match pushed {
        Pushed::New => ("new", "pushed"),
        Pushed::AlreadyThere => ("already_there", "was there already"),
        Pushed::Other => {
            let why = format!(
                "{name} {version} is in {bucket} with other files, and versions never change: choose another with --version"
            );
            return Err(anyhow!(why).into());
        }
    };
    match args.registry.format {
        Printed::Json => print_line(json!({"name": name, "version": version, "state": word}))?,
        Printed::Table => print_line(format!(
            "{name} {version} {text}; `walkaround bundle activate {name} {version}` takes it into use"
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(args: &ListBundlesArgs) -> Result<ExitCode, Failure> {
    let bundles = runtime()?.block_on(async {
        let opened = open(&args.registry).await?;
        let names = match &args.name {
            Some(name) => vec![name.clone()],
            None => names(&opened).await?,
        };
        let mut bundles = Vec::new();
        for name in names {
            let versions = opened.registry.versions(&name).await?;
            let active = opened.registry.active(&name).await?;
            bundles.push((name, versions, active));
        }
        Ok::<_, Failure>(bundles)
    })?;
    let mut table = table(&["bundle", "version", "active since", "before"]);
    for (name, versions, active) in &bundles {
        for version in versions {
            let active = active.as_ref().filter(|a| a.version == *version);
            match args.registry.format {
                Printed::Json => print_line(document(name, version, active))?,
                Printed::Table => {
                    table.add_row([
                        name.clone(),
                        version.clone(),
                        active.map_or_else(String::new, |a| clock_time(a.activated_at)),
                        active.map_or_else(String::new, |a| a.history.join(", ")),
                    ]);
                }
            }
        }
    }
    if args.registry.format == Printed::Table {
        match table.row_count() {
            0 => print_line("no bundles")?,
            _ => print_table(table)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document(name: &str, version: &str, active: Option<&Active>) -> serde_json::Value {
    json!({
        "name": name,
        "version": version,
        "active": active.is_some(),
        "activated_at": active.map(|a| rfc3339(a.activated_at)),
        "before": active.map(|a| &a.history),
    })
}

/// Names of bundles: one listing a name, each starting after everything of the one before.
async fn names(opened: &Opened) -> Result<Vec<String>, PortError> {
    let all = BlobAddress {
        bucket: opened.bucket.clone(),
        key: FOLDER.to_owned(),
    };
    let mut names: Vec<String> = Vec::new();
    while names.len() < BUNDLES_MAX {
        let after = names.last().map(|name| format!("{FOLDER}{name}/{AFTER_ALL}"));
        let keys = opened.blobs.list(&all, after.as_deref(), 1).await?;
        let name = keys
            .first()
            .and_then(|key| key.strip_prefix(FOLDER)?.split('/').next());
        match name {
            Some(name) if names.last().is_none_or(|last| last != name) => names.push(name.to_owned()),
            _ => break,
        }
    }
    Ok(names)
}

pub(super) fn activate(args: &ActivateArgs) -> Result<ExitCode, Failure> {
    let of = (args.name.as_str(), args.version.as_str());
    let outcome = runtime()?.block_on(async {
        let opened = open(&args.registry).await?;
        Ok::<_, Failure>(opened.registry.activate(of, now()).await?)
    })?;
    tell(of.0, &outcome, &args.registry)
}

pub(super) fn rollback(args: &RollbackArgs) -> Result<ExitCode, Failure> {
    let outcome = runtime()?.block_on(async {
        let opened = open(&args.registry).await?;
        Ok::<_, Failure>(opened.registry.rollback(&args.name, now()).await?)
    })?;
    tell(&args.name, &outcome, &args.registry)
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn tell(name: &str, outcome: &Activated, args: &RegistryArgs) -> Result<ExitCode, Failure> {
    let (active, text) = match outcome {
        Activated::Done(active) => (active, "is active now; what runs takes it up within a minute"),
        Activated::Already(active) => (active, "was active already"),
        Activated::NoSuchVersion => {
            let why = format!(
                "{name} has no such version: `walkaround bundle list {name}` shows those that are there"
            );
            return Err(anyhow!(why).into());
        }
        Activated::NothingBefore => return Err(anyhow!("{name} has no version before the active one").into()),
        Activated::Raced => {
            return Err(anyhow!("somebody else activated a version of {name} just now: look with `walkaround bundle list {name}`").into());
        }
    };
    match args.format {
        Printed::Json => print_line(document(name, &active.version, Some(active)))?,
        Printed::Table => print_line(format!("{name} {} {text}", active.version))?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_named_by_the_bundle() {
        let of = |text: &str| bucket_of(Path::new(text));
        assert_eq!(of("s3://models/demo"), Some("models".to_owned()));
        assert_eq!(of("s3://models"), Some("models".to_owned()));
        assert_eq!(of("s3:///demo"), None);
        assert_eq!(of("bundles/demo"), None);
    }
}
