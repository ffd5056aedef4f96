//! A stack that has inspected photos, and bundles that see them otherwise.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use walkaround_domain::InspectionRequest;
use walkaround_evaluation::comparison::{ComparedPhoto, ReplayHeader, ReplayLine};
use walkaround_tests::places;
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::running::Running;
use walkaround_tests::stack::{TestStack, clean, damaged, ids, request};

pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// A copy of a bundle of tests/bundles, under another version, whose manifest has each `from` replaced by its `to`.
pub(crate) fn variant(stack: &TestStack, of: &str, version: &str, edits: &[(&str, &str)]) -> PathBuf {
    let from = places::root().join("tests/bundles").join(of);
    let to = stack.folder().join("bundles").join(format!("{of}-{version}"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = to.join("bundle.toml");
    let mut text = std::fs::read_to_string(&manifest).unwrap();
    let version = format!("version = \"{version}\"");
    for (from, to) in [("version = \"1.0.0\"", version.as_str())].iter().chain(edits) {
        assert!(text.contains(from), "the manifest has no `{from}`");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(&manifest, text).unwrap();
    to
}

/// Dark photos are no longer stopped by the gate: those with a mark become damaged.
pub(crate) const GATE_OPEN: (&str, &str) = (
    "positive = [0]\nthreshold = 0.5",
    "positive = [0]\nthreshold = 0.0",
);

/// Requests for stored photos: the even ones damaged, the odd ones clean to the bundles of the tests.
pub(crate) fn photos(stack: &TestStack, numbers: std::ops::Range<usize>) -> Vec<InspectionRequest> {
    let (damaged, clean) = (damaged(), clean());
    let key = |number: usize| format!("photo-{number:04}.jpg");
    stack.store(numbers.clone().map(|number| {
        let picture: &[u8] = if number % 2 == 0 { &damaged } else { &clean };
        (key(number), picture)
    }));
    numbers.map(|number| request(&key(number))).collect()
}

/// Starts `up`, submits requests, waits until all are final, and stops it.
pub(crate) fn inspected(stack: &TestStack, requests: &[InspectionRequest]) {
    let up = stack.start(&["up"], "up");
    stack.submit(requests);
    let ids: BTreeSet<String> = ids(requests);
    stack.until_all_final(&ids, BOUND);
    stop(up);
}

/// Stops `up` in order.
pub(crate) fn stop(mut up: Running) {
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0);
}

/// A command on this stack.
pub(crate) fn run(stack: &TestStack, arguments: &[&str]) -> Ran {
    let root = stack.local().root().display().to_string();
    let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    program.run([arguments, &["--root", &root]].concat())
}

/// The file of a replay: its header, and all its lines.
pub(crate) fn lines(file: &Path) -> (ReplayHeader, Vec<ReplayLine>) {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header = serde_json::from_str(lines.next().unwrap()).unwrap();
    let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    (header, lines.map(read).collect())
}

/// The photos of a replay that were compared.
pub(crate) fn compared(lines: &[ReplayLine]) -> Vec<&ComparedPhoto> {
    let compared = lines.iter().filter_map(|line| match line {
        ReplayLine::Compared(photo) => Some(&**photo),
        _ => None,
    });
    compared.collect()
}
