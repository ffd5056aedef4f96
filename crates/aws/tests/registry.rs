//! The registry of bundles, on both emulators: versions never change, activation has one winner, what is fetched
//! is what was activated.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod common;

use aws_sdk_s3::types::CreateBucketConfiguration;
use std::fs;
use std::path::Path;
use walkaround_aws::{Activated, Active, Aws, BundleId, BundleRegistry, Pushed};
use walkaround_domain::Timestamp;
use walkaround_emulators::{Ministack, Moto, REGION};
use walkaround_ports::{BlobAddress, Blobs, PortErrorKind};

const BUCKET: &str = "bundles";

fn bundle(folder: &Path, weights: &str) {
    fs::write(folder.join("bundle.toml"), "name = \"demo\"").unwrap();
    fs::write(folder.join("gate.onnx"), weights).unwrap();
}

#[allow(
    clippy::too_many_lines,
    reason = "one story, each step on what the one before left"
)]
async fn keeps_its_words(aws: &Aws) {
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into());
    let create = aws.s3.create_bucket().bucket(BUCKET);
    create
        .create_bucket_configuration(place.build())
        .send()
        .await
        .unwrap();
    let registry = BundleRegistry::new(aws.s3.clone(), BUCKET);
    let home = tempfile::tempdir().unwrap();
    let (folder, cache) = (home.path().join("demo"), home.path().join("cache"));
    fs::create_dir(&folder).unwrap();
    bundle(&folder, "one");
    assert_eq!(
        registry.push(BundleId::new("demo", "1"), &folder).await.unwrap(),
        Pushed::New
    );
    assert_eq!(
        registry.push(BundleId::new("demo", "1"), &folder).await.unwrap(),
        Pushed::AlreadyThere
    );
    bundle(&folder, "two");
    assert_eq!(
        registry.push(BundleId::new("demo", "1"), &folder).await.unwrap(),
        Pushed::Other
    );
    assert_eq!(
        registry.push(BundleId::new("demo", "2"), &folder).await.unwrap(),
        Pushed::New
    );
    assert_eq!(registry.versions("demo").await.unwrap(), ["1", "2"]);
    names_skip_what_is_no_bundle(aws, &registry, &folder).await;

    let nothing = registry.fetch_active("demo", &cache).await.unwrap_err();
    assert_eq!(nothing.kind, PortErrorKind::NotFound);
    assert_eq!(
        registry.rollback("demo", Timestamp(1)).await.unwrap(),
        Activated::NothingBefore
    );
    assert_eq!(
        registry
            .activate(BundleId::new("demo", "9"), Timestamp(1))
            .await
            .unwrap(),
        Activated::NoSuchVersion
    );
    let first = registry
        .activate(BundleId::new("demo", "1"), Timestamp(1))
        .await
        .unwrap();
    assert!(
        matches!(&first, Activated::Done(a) if a.version == "1" && a.history.is_empty()),
        "{first:?}"
    );
    let again = registry
        .activate(BundleId::new("demo", "1"), Timestamp(2))
        .await
        .unwrap();
    assert!(matches!(again, Activated::Already(_)));
    let (one, _) = registry.fetch_active("demo", &cache).await.unwrap();
    assert_eq!(fs::read_to_string(one.join("gate.onnx")).unwrap(), "one");

    let second = registry
        .activate(BundleId::new("demo", "2"), Timestamp(3))
        .await
        .unwrap();
    assert!(
        matches!(&second, Activated::Done(a) if a.history == ["1"]),
        "{second:?}"
    );
    let (two, active) = registry.fetch_active("demo", &cache).await.unwrap();
    assert_eq!(active.activated_at, Timestamp(3));
    assert_eq!(fs::read_to_string(two.join("gate.onnx")).unwrap(), "two");
    // A file that was broken in the cache is fetched again.
    fs::write(two.join("gate.onnx"), "bad").unwrap();
    registry.fetch_active("demo", &cache).await.unwrap();
    assert_eq!(fs::read_to_string(two.join("gate.onnx")).unwrap(), "two");

    only_wanted_files_are_fetched(&registry, &active, home.path()).await;

    let back = registry.rollback("demo", Timestamp(4)).await.unwrap();
    assert!(
        matches!(&back, Activated::Done(a) if a.version == "1" && a.history.is_empty()),
        "{back:?}"
    );
    assert_eq!(
        registry.rollback("demo", Timestamp(5)).await.unwrap(),
        Activated::NothingBefore
    );
}

/// Triage fetches what it runs first, and the rest of the same version later.
async fn only_wanted_files_are_fetched(registry: &BundleRegistry, active: &Active, home: &Path) {
    let cache = home.join("other-cache");
    let is_network = |name: &str| name.ends_with(".onnx");
    let is_other = |name: &str| !is_network(name);
    let folder = registry.fetch("demo", active, &cache, &is_other).await.unwrap();
    assert!(!folder.join("gate.onnx").exists(), "nobody asked for it");
    let whole = registry.fetch("demo", active, &cache, &is_network).await.unwrap();
    assert_eq!(whole, folder);
    assert_eq!(fs::read_to_string(folder.join("gate.onnx")).unwrap(), "two");
    let bytes: u64 = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(
        registry.bytes_of(BundleId::new("demo", "2")).await.unwrap(),
        Some(bytes)
    );
    assert_eq!(registry.bytes_of(BundleId::new("demo", "9")).await.unwrap(), None);
}

/// Others put things beside the bundles: the console makes an object for a folder, people make folders of any name.
async fn names_skip_what_is_no_bundle(aws: &Aws, registry: &BundleRegistry, folder: &Path) {
    for key in [
        "bundles/",
        "bundles/a b/x",
        "bundles/loose",
        "bundles/demo/z/~",
        "other/x/y",
    ] {
        let put = aws.s3.put_object().bucket(BUCKET).key(key);
        put.send().await.unwrap();
    }
    for name in ["demo-2", "demo0", "first"] {
        registry.push(BundleId::new(name, "1"), folder).await.unwrap();
    }
    let found = registry.names().await.unwrap();
    assert_eq!(found.names, ["demo-2", "demo", "demo0", "first"]);
    assert!(!found.more);
}

/// Eight people activate at once, from one state: what stands is one of theirs, and every loser knows.
async fn activation_has_one_winner(aws: &Aws) {
    let registry = BundleRegistry::new(aws.s3.clone(), BUCKET);
    let home = tempfile::tempdir().unwrap();
    for version in 0..8 {
        bundle(home.path(), &format!("weights {version}"));
        registry
            .push(BundleId::new("race", &version.to_string()), home.path())
            .await
            .unwrap();
    }
    let mut racers = tokio::task::JoinSet::new();
    for version in 0..8_u64 {
        let registry = registry.clone();
        racers.spawn(async move {
            registry
                .activate(BundleId::new("race", &version.to_string()), Timestamp(version))
                .await
                .unwrap()
        });
    }
    let outcomes = racers.join_all().await;
    let done = outcomes
        .iter()
        .filter(|o| matches!(o, Activated::Done(_)))
        .count();
    let active = registry.active("race").await.unwrap().unwrap();
    // Each winner built on the one before: nobody's activation was overwritten unseen.
    assert_eq!(active.history.len() + 1, done, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, Activated::Done(_) | Activated::Raced)),
        "{outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ministack() {
    let emulator = Ministack::start();
    let aws = common::aws(emulator.endpoint()).await;
    keeps_its_words(&aws).await;
    activation_has_one_winner(&aws).await;
    // Someone who writes past the registry is found out.
    let blobs = walkaround_aws::S3Blobs::new(aws.s3.clone());
    let at = BlobAddress {
        bucket: BUCKET.into(),
        key: "bundles/demo/versions/1/files.json".into(),
    };
    aws.s3
        .delete_object()
        .bucket(&at.bucket)
        .key(&at.key)
        .send()
        .await
        .unwrap();
    blobs
        .put_if_absent(&at, b"{\"files\": []}", "application/json")
        .await
        .unwrap();
    let registry = BundleRegistry::new(aws.s3.clone(), BUCKET);
    let error = registry
        .fetch_active("demo", tempfile::tempdir().unwrap().path())
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let emulator = Moto::start();
    let aws = common::aws(emulator.endpoint()).await;
    keeps_its_words(&aws).await;
}
