//! What manifests say, and what is wrong with some.

use super::*;
use std::path::PathBuf;

/// A folder with one photo, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("walkaround-manifest-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("a b.jpg"), "picture").unwrap();
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn with<T>(folder: &Folder, by_path: bool, read: impl Fn(Reading<'_>) -> T) -> T {
    let about = About {
        viewpoint: Some("front".into()),
        labels: BTreeMap::from([("depot".into(), "ber".into()), ("app".into(), "7".into())]),
        ..About::default()
    };
    read(Reading {
        file: Path::new("list"),
        naming: Naming {
            base: &folder.0,
            by_path,
        },
        about: &about,
        now: Timestamp(1_000_000),
    })
}

fn usage<T>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(Failure::Usage(line)) => line,
        Err(Failure::Failed(error) | Failure::Coded(_, error)) => panic!("not a usage failure: {error}"),
        Ok(_) => panic!("was read"),
    }
}

#[test]
fn csv_gives_requests() {
    let folder = Folder::new("csv");
    let text = "photo, vehicle_id, occasion, viewpoint, taken_at, deadline, inspection_id, label.depot\n\
                a b.jpg, B-WA 1, pick-up, rear, 1970-01-01T00:00:07Z, 5m, mine-1, muc\n\
                \n\
                s3://photos/in/1.jpg,,return,,,,,\n\
                https://cdn.example/2.jpg?x=1,,,,,,,\n";
    let items = with(&folder, false, |reading| csv(text.as_bytes(), reading)).unwrap();
    assert_eq!(items.len(), 3);
    let first = &items[0];
    assert_eq!(first.local.as_deref(), Some(folder.0.join("a b.jpg").as_path()));
    assert!(first.id_given && first.request.id.as_str() == "mine-1");
    assert_eq!(first.request.vehicle_id.as_deref(), Some("B-WA 1"));
    assert_eq!(first.request.occasion, Some(Occasion::PickUp));
    assert_eq!(first.request.viewpoint.as_deref(), Some("rear"));
    assert_eq!(first.request.taken_at, Some(Timestamp(7000)));
    assert_eq!(first.request.deadline, Some(Timestamp(1_300_000)));
    assert_eq!(first.request.labels["depot"], "muc");
    assert_eq!(first.request.labels["app"], "7");
    let second = &items[1];
    assert_eq!(second.request.photo.to_string(), "s3://photos/in/1.jpg");
    assert_eq!(second.request.occasion, Some(Occasion::Return));
    assert_eq!(second.request.viewpoint.as_deref(), Some("front"));
    assert_eq!(second.request.labels["depot"], "ber");
    assert!(!second.id_given && second.local.is_none());
    assert_eq!(
        items[2].request.photo,
        PhotoRef::Url("https://cdn.example/2.jpg?x=1".into())
    );
}

#[test]
fn photos_by_path_are_not_copied() {
    let folder = Folder::new("by-path");
    let read = |text: &str| with(&folder, true, |reading| csv(text.as_bytes(), reading)).unwrap();
    let items = read("photo\na b.jpg\n");
    let path = folder.0.join("a b.jpg").display().to_string();
    assert_eq!(items[0].local, None);
    assert_eq!(items[0].request.photo, PhotoRef::File(path));
    assert_eq!(items[0].request.id, derived_id(&items[0].request.photo));
}

#[test]
fn the_first_wrong_line_of_csv_is_named() {
    let folder = Folder::new("csv-wrong");
    let cases = [
        (
            "vehicle_id\nx\n",
            "list, line 1: the header has no column `photo`",
        ),
        ("photo,colour\n", "list, line 1: no column is called `colour`"),
        (
            "photo\na b.jpg\nmissing.jpg\n",
            "list, line 3: photo: cannot open",
        ),
        (
            "photo,occasion\na b.jpg,lunch\n",
            "list, line 2: occasion: expected pick_up or return",
        ),
        (
            "photo,taken_at\na b.jpg,then\n",
            "list, line 2: taken_at: expected RFC 3339",
        ),
        (
            "photo,inspection_id\na b.jpg,../x\n",
            "list, line 2: inspection_id: ",
        ),
        (
            "photo,vehicle_id\n\na b.jpg\n",
            "list, line 3: 1 fields, expected 2 as in the header",
        ),
        ("photo,vehicle_id\n,x\n", "list, line 2: photo: empty"),
        (
            "photo\ns3://-bad bucket/x.jpg\n",
            "list, line 2: photo.s3.bucket: ",
        ),
    ];
    for (text, start) in cases {
        let line = usage(with(&folder, false, |reading| csv(text.as_bytes(), reading)));
        assert!(line.starts_with(start), "{text:?}: {line}");
    }
    let long = format!("photo,viewpoint\na b.jpg,{}\n", "x".repeat(257));
    let line = usage(with(&folder, false, |reading| csv(long.as_bytes(), reading)));
    assert!(line.starts_with("list, line 2: viewpoint: 257 bytes"), "{line}");
}

#[test]
fn json_lines_give_requests() {
    let folder = Folder::new("jsonl");
    let text = r#"{"photo": {"file": "a b.jpg"}, "occasion": "return", "labels": {"depot": "muc"}}

{"photo": {"url": "https://cdn.example/2.jpg"}, "inspection_id": "mine-2"}
"#;
    let items = with(&folder, false, |reading| json_lines(text.as_bytes(), reading)).unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        items[0].local.as_deref(),
        Some(folder.0.join("a b.jpg").as_path())
    );
    assert!(!items[0].id_given);
    assert_eq!(items[0].request.labels["depot"], "muc");
    assert_eq!(items[0].request.viewpoint.as_deref(), Some("front"));
    assert!(items[1].id_given && items[1].local.is_none());
}

#[test]
fn the_first_wrong_json_line_is_named() {
    let folder = Folder::new("jsonl-wrong");
    let good = r#"{"photo": {"file": "a b.jpg"}}"#;
    let cases = [
        ("{", "list, line 2: not JSON"),
        (
            r#"{"photo": {"file": "none.jpg"}}"#,
            "list, line 2: photo.file: cannot open",
        ),
        (r#"{"photo": {}}"#, "list, line 2: photo: expected one of"),
        (
            r#"{"Event": "s3:TestEvent"}"#,
            "list, line 2: no request for a photo",
        ),
        (
            r#"{"version": 2, "photo": {"url": "https://x"}}"#,
            "list, line 2: version 2",
        ),
    ];
    for (wrong, start) in cases {
        let text = format!("{good}\n{wrong}\n");
        let line = usage(with(&folder, false, |reading| {
            json_lines(text.as_bytes(), reading)
        }));
        assert!(line.starts_with(start), "{wrong}: {line}");
    }
}
