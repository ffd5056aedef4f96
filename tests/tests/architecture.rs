//! The rules of the workspace that a compiler does not check: which crate may name which, and how files are kept.
//!
//! The arrows are read from `cargo metadata`, as declared in the manifests, so that a forbidden dependency
//! fails even before anything uses it. The rules are the tables below; the tests only compare.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};
use walkaround_tests::places::root;

/// Package names are `walkaround-<folder>`; the tables use the folder.
const PREFIX: &str = "walkaround-";

/// Crate → the crates of the workspace it may name. A crate may stand here before it exists.
const ARROWS: &[(&str, &str)] = &[
    // The core.
    ("domain", ""),
    ("messages", "domain"),
    ("vision", "domain"),
    ("inference", "domain vision"),
    ("ports", "domain"),
    ("pipeline", "domain inference messages ports vision"),
    // Adapters: each sees the ports, never another adapter, never the pipeline.
    ("local", "domain messages ports"),
    ("aws", "domain messages ports"),
    ("fetch", "domain ports"),
    ("settings", "domain"),
    ("samples", "domain vision"),
    // What a bundle found against what is annotated; it runs no network and prints nothing.
    ("evaluation", "domain messages vision"),
    // Data sets in the formats of others, written and read; pure.
    ("formats", "domain evaluation messages vision"),
    // A day simulated with the shipped routing and scaling; pure.
    ("planning", "domain"),
    // Binaries wire everything; what they wire the same way is in `bootstrap`, with the adapters of AWS behind a feature.
    (
        "bootstrap",
        "aws domain fetch inference messages pipeline ports settings vision",
    ),
    ("server", "domain messages pipeline ports"),
    // The provider of identities, for the server: it knows no stack.
    ("sign-in", "domain server settings"),
    // A stack as whoever talks to it sees it, on one machine and on AWS; it knows no command line and prints nothing.
    (
        "client",
        "aws bootstrap domain evaluation formats local messages pipeline ports settings vision",
    ),
    // From what is to be seen of a stack to causes; it prints nothing.
    (
        "doctor",
        "aws bootstrap client domain inference local messages pipeline ports settings",
    ),
    (
        "cli",
        "aws bootstrap client doctor domain evaluation formats inference local messages pipeline planning ports samples server settings \
         sign-in vision",
    ),
    (
        "console",
        "aws bootstrap domain pipeline ports server settings sign-in",
    ),
    ("triage", EVERYTHING),
    ("scaler", EVERYTHING),
    ("notifier", EVERYTHING),
    ("monitor", EVERYTHING),
    ("gpu-batch", EVERYTHING),
    // Never shipped.
    ("conformance", "domain messages ports"),
    ("emulators", ""),
    (
        "simulation",
        "conformance domain inference messages pipeline ports vision",
    ),
    (
        "tests",
        "aws bootstrap cli console domain evaluation local emulators fetch gpu-batch inference messages monitor notifier pipeline ports samples scaler \
         server settings sign-in triage vision",
    ),
    ("benches", EVERYTHING),
];
const EVERYTHING: &str =
    "aws bootstrap cli domain fetch inference local messages pipeline ports samples server settings vision";

/// Any crate may name these for its own tests.
const TEST_HELPERS: &str = "conformance emulators samples";

/// Crates that only a binary, or a crate that is never shipped, may name.
const ADAPTERS: &str = "aws local";
/// Libraries of binaries only: what several of them wire the same way, what a client of either stack is, what is wrong with one.
const WIRING: &str = "bootstrap client doctor";
const NEVER_SHIPPED: &str = "conformance emulators simulation tests benches";

/// Outside crate → the only crates of the workspace that may name it, in their tests too.
const OWNERS: &[(&str, &str)] = &[
    // `benches` holds the bare ONNX Runtime loop that `inspect` is compared with.
    ("ort", "inference benches"),
    // `benches` times the bare decode that vision's is compared with.
    ("turbojpeg", "vision benches"),
];

/// Data enters and leaves in these crates; all others, domain and vision above all, have no wire form.
const SPEAKS_SERDE: &str = "messages evaluation formats inference samples server settings sign-in cli triage scaler notifier monitor gpu-batch tests benches";

/// These turn documents that `messages` defines, or plain maps, to JSON text and back to store them, or read requests
/// from it: they may name `serde_json`, but not `serde`, so that none of their own types gets a wire form.
const STORES_JSON: &str = "aws client console local pipeline";

/// Files longer than this hold a second idea.
const FILE_LINES_MAX: usize = 450;

#[test]
fn crates_name_only_the_crates_they_may() {
    let metadata = metadata();
    let faults: Vec<String> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(arrow_faults)
        .collect();
    assert!(faults.is_empty(), "forbidden arrows:\n{}", faults.join("\n"));
}

#[test]
fn domain_depends_on_nothing() {
    let metadata = metadata();
    let domain = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| folder(package) == Some("domain"));
    let names: Vec<&str> = shipped(domain.expect("the workspace has a domain crate")).collect();
    assert!(
        names.is_empty(),
        "domain is pure, it must not depend on {}",
        names.join(", ")
    );
}

#[test]
fn outside_crates_are_named_by_their_owners_only() {
    let metadata = metadata();
    let faults: Vec<String> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(owner_faults)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_binaries_name_adapters() {
    let metadata = metadata();
    let faults: Vec<String> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(adapter_faults)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn source_files_are_short_and_say_what_they_are() {
    let metadata = metadata();
    let mut sources = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .expect("a manifest lies in a folder");
        collect_rust_files(&folder.join("src").into_std_path_buf(), &mut sources);
    }
    assert!(
        sources.len() > 10,
        "found only {} source files: the search is broken",
        sources.len()
    );

    let faults: Vec<String> = sources.iter().flat_map(|path| file_faults(path)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn tables_name_only_crates_of_the_house() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let right_sides = ARROWS.iter().chain(OWNERS).map(|(_, names)| *names);
    let lists = [
        TEST_HELPERS,
        ADAPTERS,
        WIRING,
        NEVER_SHIPPED,
        SPEAKS_SERDE,
        STORES_JSON,
    ];
    let unknown: Vec<&str> = right_sides
        .chain(lists)
        .flat_map(str::split_whitespace)
        .filter(|name| !known.contains(name))
        .collect();
    assert!(unknown.is_empty(), "not a crate of ARROWS: {unknown:?}");
}

#[test]
fn the_demonstration_compiles_no_crate_of_aws() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let features = makefile
        .lines()
        .find_map(|line| line.strip_prefix("DEMO_FEATURES = "))
        .expect("DEMO_FEATURES");
    assert_eq!(crates_of_aws(features), Vec::<String>::new());
    assert!(
        crates_of_aws("--all-features")
            .iter()
            .any(|name| name == "aws-sdk-s3")
    );
}

/// Crates of AWS that the command is compiled with.
fn crates_of_aws(features: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--package",
            "walkaround-cli",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(features.split(' '))
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout);
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| name.starts_with("aws"))
        .map(str::to_owned)
        .collect()
}

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .expect("cargo describes this workspace")
}

/// The name that the tables use, or nothing for a package that is not named as the workspace names them.
fn folder(package: &Package) -> Option<&str> {
    package.name.strip_prefix(PREFIX)
}

/// Is the crate one of a table's space-separated names?
fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|it| it == name)
}

/// Names of the dependencies that end up in, or build, the crate itself.
fn shipped(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|it| it.kind != DependencyKind::Development)
        .map(|it| it.name.as_str())
}

fn arrow_faults(package: &Package) -> Vec<String> {
    let Some(name) = folder(package) else {
        return vec![format!("{}: packages are named {PREFIX}<folder>", package.name)];
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![format!("{name}: add it to ARROWS in tests/tests/architecture.rs")];
    };
    let mut faults = Vec::new();
    for dependency in &package.dependencies {
        let Some(target) = dependency.name.strip_prefix(PREFIX) else {
            continue;
        };
        let in_own_tests = dependency.kind == DependencyKind::Development && has(TEST_HELPERS, target);
        if !has(allowed, target) && !in_own_tests {
            faults.push(format!("{name} → {target} (it may name: {allowed})"));
        }
    }
    faults
}

fn owner_faults(package: &Package) -> Vec<String> {
    let name = folder(package).unwrap_or(package.name.as_str());
    let mut faults = Vec::new();
    for (outside, owners) in OWNERS {
        let named = package
            .dependencies
            .iter()
            .any(|dependency| dependency.name == *outside);
        if named && !has(owners, name) {
            faults.push(format!("{name} names {outside}, which only these may: {owners}"));
        }
    }
    for serde in shipped(package).filter(|dependency| dependency.starts_with("serde")) {
        let stores_only = serde == "serde_json" && has(STORES_JSON, name);
        if !has(SPEAKS_SERDE, name) && !stores_only {
            faults.push(format!(
                "{name} names {serde}, which only these may: {SPEAKS_SERDE}"
            ));
        }
    }
    faults
}

fn adapter_faults(package: &Package) -> Vec<String> {
    let name = folder(package).unwrap_or(package.name.as_str());
    let is_binary = package
        .targets
        .iter()
        .any(|target| target.kind.contains(&TargetKind::Bin));
    if is_binary || has(NEVER_SHIPPED, name) || has(WIRING, name) {
        return Vec::new();
    }
    shipped(package)
        .filter_map(|dependency| dependency.strip_prefix(PREFIX))
        .filter(|target| has(ADAPTERS, target))
        .map(|target| format!("{name} names {target}, which only a binary may"))
        .collect()
}

fn collect_rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    // A package of test targets only has no `src`.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder of this checkout can be listed").path();
        if path.is_dir() {
            collect_rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn file_faults(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source file of this checkout is UTF-8");
    let lines = text.lines().count();
    let mut faults = Vec::new();
    if lines > FILE_LINES_MAX {
        faults.push(format!(
            "{}: {lines} lines, at most {FILE_LINES_MAX}",
            path.display()
        ));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{}: does not open with `//!`", path.display()));
    }
    faults
}
