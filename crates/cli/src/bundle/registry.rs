//! `walkaround bundle push`, `list`, `activate`, `rollback`: the registry of bundles on S3.
//!
//! A push runs the self-test first: what is in the registry has worked once. Versions never change, so pushing twice
//! is harmless and other files under a version that is there are refused.

use crate::args::{ActivateArgs, ListBundlesArgs, Printed, PushArgs, RegistryArgs, RollbackArgs};
use crate::client::table::{cell, print_document, print_line, print_notice, print_table, table};
use crate::failure::Failure;
use crate::library::start;
use anyhow::anyhow;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use walkaround_aws::{Activated, Active, BundleId, BundleNames, BundleRegistry, Pushed};
use walkaround_bootstrap::process::runtime;
use walkaround_client::aws::connect;
use walkaround_client::format::clock_time;
use walkaround_domain::Timestamp;
use walkaround_inference::{EngineOptions, OnnxEngine, VerifiedBundle};
use walkaround_messages::rfc3339;
use walkaround_ports::{Clock, SystemClock};
use walkaround_settings::{Settings, StackKind};

/// The registry, and its bucket.
async fn open(args: &RegistryArgs) -> Result<(BundleRegistry, String), Failure> {
    if args.stack.map(StackKind::from) == Some(StackKind::Local) {
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
    let (stack, _) = connect(&(&args.connecting).into()).await?;
    Ok((BundleRegistry::new(stack.aws.s3, &bucket), bucket))
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
    // Under no other name: records tell what the manifest says.
    let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
    if manifest.self_test.is_none() {
        return Err(anyhow!(
            "{} has no self-test: `walkaround bundle check DIR --measure PICTURE` prints one for bundle.toml",
            args.bundle.display()
        )
        .into());
    }
    let (library, device) = start(args.run.onnxruntime.as_deref(), args.run.device)?;
    let mut engine = OnnxEngine::new(&library, &bundle, EngineOptions { device, threads: 1 })?;
    engine.require_self_test(&bundle)?;
    let (pushed, bucket) = runtime()?.block_on(async {
        let (registry, bucket) = open(&args.registry).await?;
        let pushed = registry.push(BundleId::new(name, version), &args.bundle).await?;
        Ok::<_, Failure>((pushed, bucket))
    })?;
    let (word, text) = match pushed {
        Pushed::New => ("new", "pushed"),
        Pushed::AlreadyThere => ("already_there", "was already there"),
        Pushed::Other => {
            let why = format!(
                "{name} {version} is in {bucket} with other files, and versions never change: change `version` in bundle.toml"
            );
            return Err(anyhow!(why).into());
        }
    };
    match args.registry.format {
        Printed::Json => print_document(json!({"name": name, "version": version, "state": word}))?,
        Printed::Table => print_line(format!(
            "{name} {version} {text}; `walkaround bundle activate {name} {version}` activates it"
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(args: &ListBundlesArgs) -> Result<ExitCode, Failure> {
    let (bundles, more) = runtime()?.block_on(async {
        let (registry, _) = open(&args.registry).await?;
        let found = match &args.name {
            Some(name) => BundleNames {
                names: vec![name.clone()],
                more: false,
            },
            None => registry.names().await?,
        };
        let mut bundles = Vec::new();
        for name in found.names {
            let versions = registry.versions(&name).await?;
            let active = registry.active(&name).await?;
            bundles.push((name, versions, active));
        }
        Ok::<_, Failure>((bundles, found.more))
    })?;
    let mut table = table(&["bundle", "version", "active since", "before"]);
    for (name, versions, active) in &bundles {
        for version in versions {
            let active = active.as_ref().filter(|a| a.version == *version);
            match args.registry.format {
                Printed::Json => print_document(document(name, version, active))?,
                Printed::Table => {
                    table.add_row([
                        cell(name),
                        cell(version),
                        cell(active.map_or_else(String::new, |a| clock_time(a.activated_at))),
                        cell(active.map_or_else(String::new, |a| a.history.join(", "))),
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
    if more {
        let line = format!("walkaround: there are more bundles than these {}", bundles.len());
        print_notice(line)?;
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

pub(super) fn activate(args: &ActivateArgs) -> Result<ExitCode, Failure> {
    let id = BundleId::new(&args.name, &args.version);
    let outcome = runtime()?.block_on(async {
        let (registry, _) = open(&args.registry).await?;
        if !args.force {
            let disk = Settings::from_env().map_err(Failure::usage)?.triage_storage_bytes;
            require_room(&registry, id, disk).await?;
        }
        Ok::<_, Failure>(registry.activate(id, now()).await?)
    })?;
    tell(id.name, &outcome, &args.registry)
}

/// A function that is started again in a place where it ran before has the version before on its disk, too.
async fn require_room(registry: &BundleRegistry, id: BundleId<'_>, disk: u64) -> Result<(), Failure> {
    let Some(bytes) = registry.bytes_of(id).await? else {
        return Ok(());
    };
    let before = match registry.active(id.name).await? {
        Some(active) if active.version != id.version => {
            registry.bytes_of(BundleId::new(id.name, &active.version)).await?
        }
        _ => None,
    };
    match refusal(id, bytes, before.unwrap_or_default(), disk) {
        Some(why) => Err(anyhow!(why).into()),
        None => Ok(()),
    }
}

/// Why a version is not activated; none where it fits.
fn refusal(id: BundleId<'_>, bytes: u64, before: u64, disk: u64) -> Option<String> {
    let BundleId { name, version } = id;
    (bytes.saturating_add(before) > disk).then(|| {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        format!(
            "{name} {version} has {} MiB, and the active version {} MiB: together they exceed the {} MiB of the \
             triage \
             function's disk; raise TriageStorageMiB of the pipeline stack and WALKAROUND_TRIAGE_STORAGE_MIB here, or \
             use --force",
            mib(bytes),
            mib(before),
            mib(disk)
        )
    })
}

pub(super) fn rollback(args: &RollbackArgs) -> Result<ExitCode, Failure> {
    let outcome = runtime()?.block_on(async {
        let (registry, _) = open(&args.registry).await?;
        Ok::<_, Failure>(registry.rollback(&args.name, now()).await?)
    })?;
    tell(&args.name, &outcome, &args.registry)
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn tell(name: &str, outcome: &Activated, args: &RegistryArgs) -> Result<ExitCode, Failure> {
    let (active, text) = match outcome {
        Activated::Done(active) => (
            active,
            "is now active; workers load it within WALKAROUND_BUNDLE_POLL_S, functions when they next start",
        ),
        Activated::Already(active) => (active, "was already active"),
        Activated::NoSuchVersion => {
            let why =
                format!("{name} has no such version: `walkaround bundle list {name}` lists its versions");
            return Err(anyhow!(why).into());
        }
        Activated::NothingBefore => return Err(anyhow!("{name} has no version before the active one").into()),
        Activated::Raced => {
            return Err(anyhow!(
                "somebody else activated a version of {name} just now: see `walkaround bundle list {name}`"
            )
            .into());
        }
    };
    match args.format {
        Printed::Json => print_document(document(name, &active.version, Some(active)))?,
        Printed::Table => print_line(format!("{name} {} {text}", active.version))?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_larger_than_the_functions_disk_is_not_activated() {
        let mib = |n: u64| n << 20;
        assert_eq!(
            refusal(BundleId::new("demo", "2"), mib(500), mib(524), mib(1024)),
            None
        );
        let why = refusal(BundleId::new("demo", "2"), mib(600), mib(500), mib(1024)).unwrap();
        assert!(
            why.contains("600 MiB") && why.contains("TriageStorageMiB"),
            "{why}"
        );
        assert!(refusal(BundleId::new("demo", "2"), u64::MAX, 1, mib(1024)).is_some());
    }

    #[test]
    fn a_registry_is_named_by_the_bundle() {
        let of = |text: &str| bucket_of(Path::new(text));
        assert_eq!(of("s3://models/demo"), Some("models".to_owned()));
        assert_eq!(of("s3://models"), Some("models".to_owned()));
        assert_eq!(of("s3:///demo"), None);
        assert_eq!(of("bundles/demo"), None);
    }
}
