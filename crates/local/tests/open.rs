//! Roots that cannot be opened say why in one line.

use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use walkaround_local::{DeadLetter, LocalStack, OpenError, Options, QueueOptions, SystemClock};

fn open(root: &Path) -> Result<LocalStack, OpenError> {
    LocalStack::open(root, Options::default(), Arc::new(SystemClock::new()))
}

fn refusal(root: &Path) -> OpenError {
    match open(root) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let database = Connection::open(folder.path().join("walkaround.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    let error = refusal(folder.path());
    assert!(
        matches!(error, OpenError::NewerSchema { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer version"), "{error}");
    let version: i64 = database
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_root_that_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("root"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("file/root"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("walkaround.db"), "not a database ".repeat(100)).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(error.to_string().contains("walkaround.db"), "{error}");
}

#[test]
fn contradicting_queues_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let alone = |dead: &str, receives_max| Options {
        queues: vec![QueueOptions {
            name: "intake".to_owned(),
            dead_letter: Some(DeadLetter {
                queue: dead.to_owned(),
                receives_max,
            }),
        }],
        ..Options::default()
    };
    for options in [alone("missing", 5), alone("intake", 5)] {
        let opened = LocalStack::open(folder.path(), options, Arc::new(SystemClock::new()));
        assert!(matches!(opened.err(), Some(OpenError::Options(_))));
    }
}

#[test]
fn an_unknown_queue_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path()).unwrap();
    let error = local.queue("intak").err().unwrap();
    assert!(error.to_string().contains("intake, intake-dead"), "{error}");
}

#[test]
fn the_same_root_opens_many_times_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/er");
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let root = root.clone();
            std::thread::spawn(move || open(&root).map(drop))
        })
        .collect();
    for opener in openers {
        opener.join().unwrap().unwrap();
    }
}
