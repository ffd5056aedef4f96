//! Data out and back on the local stack: `walkaround export`, `import` and `sample`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests fail and speak as tests do"
)]

mod corrections;
mod folders;
mod photos;
mod readers;
mod refusals;
mod sampling;
mod twice;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use walkaround_domain::Timestamp;
use walkaround_tests::dataset::{Case, cases, store};
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::stack::TestStack;

/// 2026-11-20T08:00:00Z: when every photo was accepted.
const ACCEPTED: Timestamp = Timestamp(1_795_161_600_000);
/// The time that has them all.
const DAYS: [&str; 4] = ["--since", "2026-11-19", "--until", "2026-11-21"];

const COCO: [&str; 2] = ["--format", "coco"];

/// A stack with the photos of every case.
struct Bench {
    stack: TestStack,
    cases: Vec<Case>,
}

impl Bench {
    fn new() -> Self {
        Self::of(cases())
    }

    fn of(cases: Vec<Case>) -> Self {
        let stack = walkaround_tests::stack!("trivial", &[]);
        let local = stack.local();
        for case in &cases {
            stack.wait_for(store(&*local.records(), &*local.blobs(), case, ACCEPTED));
        }
        Self { stack, cases }
    }

    /// Stores another inspection of the photo of a case, accepted later.
    fn inspect_again(&mut self, id: &str, again: &'static str, unusable: bool) {
        let case = Case {
            id: again,
            unusable,
            ..self.case(id).clone()
        };
        let local = self.stack.local();
        let later = Timestamp(ACCEPTED.0 + 60_000);
        self.stack
            .wait_for(store(&*local.records(), &*local.blobs(), &case, later));
        self.cases.push(case);
    }

    /// Removes the photo of a case as `prune` does: the store does not know of it any more.
    fn remove_photo(&self, id: &str) {
        let root = self.stack.local().root();
        let mut removed = 0;
        for entry in root.join("blobs/photos/cases").read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_file() && name.contains(id) {
                fs::remove_file(path).unwrap();
                removed += 1;
            }
        }
        let database = rusqlite::Connection::open(root.join("walkaround.db")).unwrap();
        let forgotten = database
            .execute(
                "DELETE FROM blobs WHERE key = CAST(?1 AS BLOB)",
                [format!("cases/{id}")],
            )
            .unwrap();
        assert_eq!((removed, forgotten), (1, 1), "{id}");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let root = self.stack.local().root().display().to_string();
        let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
        program.run([arguments, &["--root", &root]].concat())
    }

    /// Exports into a folder of this name, with these options beside the days.
    fn export(&self, name: &str, options: &[&str]) -> PathBuf {
        let into = self.stack.folder().join(name);
        let ran = self.run_export(&into, options);
        assert_eq!(ran.code, 0, "{ran:?}");
        into
    }

    fn run_export(&self, into: &Path, options: &[&str]) -> Ran {
        let into = into.display().to_string();
        self.run(&[&["export", &into], &DAYS[..], options].concat())
    }

    /// Imports a file; what it says of each photo, and the counts at the end.
    fn import(&self, file: &Path, options: &[&str]) -> Vec<Value> {
        let file = file.display().to_string();
        let ran = self.run(&[&["import", &file, "--summary", "json"], options].concat());
        assert!(ran.code == 0 || ran.code == 1, "{ran:?}");
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
        ran.stdout.lines().map(read).collect()
    }

    fn case(&self, id: &str) -> &Case {
        self.cases.iter().find(|case| case.id == id).unwrap()
    }

    /// Decides about an inspection as a reviewer does, from a document.
    fn decide(&self, id: &str, decision: &str) {
        let file = self.stack.folder().join("decision.json");
        fs::write(&file, decision).unwrap();
        let file = file.display().to_string();
        let ran = self.run(&["review", "decide", id, "--by", "ann", "--file", &file]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// The reviews of an inspection.
    fn history(&self, id: &str) -> Vec<Value> {
        let ran = self.run(&["review", "history", id, "--format", "json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn reviews(&self) -> usize {
        self.cases.iter().map(|case| self.history(case.id).len()).sum()
    }
}

/// The lines of a manifest.
fn manifest(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The line of an inspection.
fn line_of<'a>(lines: &'a [Value], id: &str) -> &'a Value {
    lines.iter().find(|line| line["inspection_id"] == id).unwrap()
}

/// Changes a JSON document in a file.
fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = json(path);
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// The first annotation of a photo in a COCO file.
fn annotation_of<'a>(coco: &'a mut Value, digest: &str) -> &'a mut Value {
    let images = coco["images"].as_array().unwrap();
    let of = |image: &&Value| image["file_name"].as_str().unwrap().starts_with(digest);
    let image = images.iter().find(of).unwrap()["id"].clone();
    let annotations = coco["annotations"].as_array_mut().unwrap();
    annotations.iter_mut().find(|it| it["image_id"] == image).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
