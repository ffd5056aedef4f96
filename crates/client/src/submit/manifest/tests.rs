//! What manifests say, and what is wrong with some.

use super::*;
use crate::inputs::FileNames;
use crate::submit::item::{About, Naming};
use std::collections::BTreeMap;
use std::path::PathBuf;
use walkaround_domain::{Occasion, PhotoRef, Timestamp};
use walkaround_messages::has_base_id;

/// As a file of this content is read.
fn csv(text: &[u8], reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    table::read(&decode(text).unwrap().text, reading)
}

fn json_lines(text: &[u8], reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    json::read(&decode(text).unwrap().text, reading)
}

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
            names: &FileNames::default(),
            by_path,
        },
        about: &about,
        now: Timestamp(1_000_000),
        notice: &|_| Ok(()),
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
    let request = &items[0].request;
    assert!(has_base_id(request) && request.content.is_some());
    let before = request.id.clone();
    std::fs::write(folder.0.join("a b.jpg"), b"other bytes, and more of them").unwrap();
    assert_ne!(
        read("photo\na b.jpg\n")[0].request.id,
        before,
        "a file that changed is another photo"
    );
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
            "photo,vehicle_id\n\na b.jpg,x,y\n",
            "list, line 3: 3 fields, expected 2 as in the header",
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
            "list, line 2: not a request for a photo",
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

/// A folder with the photos that the lists of [`forms`] name.
fn photos(name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::create_dir_all(folder.0.join("photos")).unwrap();
    for name in ["front left.jpg", "Kotfl\u{fc}gel.jpg", "Tu\u{308}r.jpg"] {
        std::fs::write(folder.0.join("photos").join(name), "picture").unwrap();
    }
    folder
}

fn read_as(folder: &Folder, file: &str, bytes: &[u8]) -> Result<Vec<Item>, Failure> {
    with(folder, false, |reading| {
        let text = decode(bytes).map_err(Failure::usage)?;
        let file = Path::new(file);
        items(&text, Reading { file, ..reading })
    })
}

/// File, vehicle by photo.
fn vehicles(items: &[Item]) -> Vec<(String, Option<&str>)> {
    let name = |item: &Item| {
        let file = item.local.as_deref().unwrap();
        file.file_name().unwrap().to_str().unwrap().to_owned()
    };
    items
        .iter()
        .map(|item| (name(item), item.request.vehicle_id.as_deref()))
        .collect()
}

/// One table as programs write it: (file, bytes).
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let rows = "photos/front left.jpg,B-WA 1234\r\nphotos/Kotfl\u{fc}gel.jpg,B-\u{dc} 7\r\n";
    let plain = format!("photo,vehicle_id\r\n{rows}");
    let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    };
    let with = |delimiter: &str| plain.replace(',', delimiter).into_bytes();
    let quoted = "\u{feff}\"photo\";\"vehicle_id\"\r\n\"photos/front left.jpg\";\"B-WA 1234\"\r\n\
                  \"photos\\Kotfl\u{fc}gel.jpg\";\"B-\u{dc} 7\"";
    vec![
        ("plain.csv", plain.clone().into_bytes()),
        ("bom.csv", format!("\u{feff}{plain}").into_bytes()),
        ("semicolon.csv", with(";")),
        ("tab.csv", with("\t")),
        ("tab.tsv", with("\t")),
        ("bar.txt", with("|")),
        ("comma.tsv", plain.clone().into_bytes()),
        ("comma.txt", plain.clone().into_bytes()),
        ("no-suffix", plain.clone().into_bytes()),
        (
            "sep.csv",
            format!("sep=;\r\n{}", plain.replace(',', ";")).into_bytes(),
        ),
        (
            "sep-bom.csv",
            format!("\u{feff}\"SEP=|\"\r\n{}", plain.replace(',', "|")).into_bytes(),
        ),
        (
            "sep-tab.csv",
            format!("sep=\t\r\n{}", plain.replace(',', "\t")).into_bytes(),
        ),
        ("le.csv", utf_16(&plain.replace(',', "\t"), u16::to_le_bytes)),
        ("be.csv", utf_16(&plain.replace(',', ";"), u16::to_be_bytes)),
        ("mac.csv", plain.replace("\r\n", "\r").into_bytes()),
        ("unix.csv", plain.replace("\r\n", "\n").into_bytes()),
        (
            "upper.csv",
            plain
                .replacen("photo,vehicle_id", "PHOTO,Vehicle ID", 1)
                .into_bytes(),
        ),
        (
            "camel.csv",
            plain.replacen("vehicle_id", " vehicleId", 1).into_bytes(),
        ),
        ("commas.csv", plain.replace("\r\n", ",,\r\n").into_bytes()),
        (
            "empty-rows.csv",
            format!(",\r\n{plain},\r\n\r\n , \r\n").into_bytes(),
        ),
        ("backslash.csv", plain.replace('/', "\\").into_bytes()),
        ("quoted.csv", quoted.as_bytes().to_vec()),
        ("1252.csv", plain.chars().map(|c| c as u8).collect()),
    ]
}

#[test]
fn tables_are_read_as_excel_and_editors_write_them() {
    let folder = photos("forms");
    let expected = [
        ("front left.jpg".to_owned(), Some("B-WA 1234")),
        ("Kotfl\u{fc}gel.jpg".to_owned(), Some("B-\u{dc} 7")),
    ];
    for (file, bytes) in forms() {
        let items = read_as(&folder, file, &bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(vehicles(&items), expected, "{file}");
    }
}

#[test]
fn lists_and_json_are_read_by_their_content() {
    let folder = photos("lists");
    let both = ["front left.jpg", "Tu\u{308}r.jpg"];
    let forms = [
        (
            "a.txt",
            "\u{feff}photos/front left.jpg\r\nphotos\\T\u{fc}r.jpg\r\n",
        ),
        ("a", "\"photos/front left.jpg\"\n\nphotos/T\u{fc}r.jpg"),
        (
            "a.json",
            r#"[{"photo":{"file":"photos/front left.jpg"}}, "photos/Tür.jpg"]"#,
        ),
        (
            "a.txt",
            "[\n\"photos/front left.jpg\",\n{\"Photo\": \"photos/T\u{fc}r.jpg\", \"photo\": \"photos/T\u{fc}r.jpg\"}\n]\n",
        ),
        (
            "a.jsonl",
            "\u{feff}{\"photo\":{\"file\":\"photos/front left.jpg\"}}\r\n\u{feff}{\"photo\":\"photos/T\u{fc}r.jpg\"}",
        ),
        (
            "a.json",
            "{\n \"photo\": {\"file\": \"photos/front left.jpg\"}\n}\n{\n \"photo\": \"photos/T\u{fc}r.jpg\"\n}",
        ),
        ("a.csv", "photo\nphotos/front left.jpg\nphotos/T\u{fc}r.jpg\n"),
    ];
    for (file, text) in forms {
        let items = read_as(&folder, file, text.as_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
        let names: Vec<_> = vehicles(&items).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, both, "{file}: {text}");
    }
}

/// (File, its text, how the line about it begins.)
const CAUSES: [(&str, &str, &str); 12] = [
    (
        "a.csv",
        "photo,vehicle_id\nphotos/front left.jpg,1E+05\n",
        "a.csv, line 2: vehicle_id: `1E+05` is what a spreadsheet",
    ),
    (
        "a.csv",
        "photo;label.order\nphotos/front left.jpg;1,23457E+11\n",
        "a.csv, line 2: label.order: `1,23457E+11` is",
    ),
    (
        "a.csv",
        "photo,vehicle_id\nphotos/front left.jpg,#NAME?\n",
        "a.csv, line 2: vehicle_id: `#NAME?` is",
    ),
    (
        "a.csv",
        "photo,vehicle_id,\nphotos/front left.jpg,x,y\n",
        "a.csv, line 2: a value in column 3",
    ),
    (
        "a.csv",
        "photo,Photo\n",
        "a.csv, line 1: the header has two columns `photo`",
    ),
    (
        "a.csv",
        "sep=;\nphoto,vehicle_id\n",
        "a.csv, line 2: the header has no column `photo`: it reads `photo,vehicle_id`",
    ),
    (
        "a.csv",
        "photos/front left.jpg\n",
        "a.csv, line 1: the header has no column `photo`: it reads `photos/front left.jpg`",
    ),
    (
        "a.csv",
        "photo\nC:\\photos\\a.jpg\n",
        "a.csv, line 2: photo: cannot open",
    ),
    (
        "a.txt",
        "photos/front left.jpg\ns3://photos/in/\n",
        "a.txt, line 2: photo: a prefix",
    ),
    (
        "a.json",
        "[{\"photo\":\"photos/front left.jpg\"},\n{\"photo\":",
        "a.json, line 2: not JSON: it ends too early",
    ),
    (
        "a.json",
        "[\"photos/front left.jpg\"\n\"b\"]",
        "a.json, line 2: not JSON: expected `,` or `]`",
    ),
    (
        "a.jsonl",
        "\"photos/front left.jpg\"\n7\n",
        "a.jsonl, line 2: JSON of an unknown form",
    ),
];

#[test]
fn what_cannot_be_read_names_its_cause() {
    let folder = photos("causes");
    for (file, text, start) in CAUSES {
        let line = usage(read_as(&folder, file, text.as_bytes()));
        assert!(line.starts_with(start), "{text:?}: {line}");
        assert!(!line.contains('\n'), "{line}");
    }
    // What Excel leaves as it is stays as it is.
    let kept = "photo,vehicle_id,reservation_id\nphotos/front left.jpg,1E5,00123\n";
    let items = read_as(&folder, "a.csv", kept.as_bytes()).unwrap();
    assert_eq!(items[0].request.vehicle_id.as_deref(), Some("1E5"));
    assert_eq!(items[0].request.reservation_id.as_deref(), Some("00123"));
}

#[test]
fn a_manifest_is_told_from_a_photo_by_its_content() {
    let folder = Folder::new("told");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (name, bytes) in [
        ("a.csv", &b"photo\n"[..]),
        ("a.LST", b"a.jpg"),
        ("list", b"a.jpg\n\xc3\xbc.jpg\n"),
        ("utf16", b"\xff\xfea\0.\0"),
    ] {
        assert!(is_manifest(&put(name, bytes)).unwrap(), "{name}");
    }
    for (name, bytes) in [
        ("b.txt", &b"\xff\xd8\xff\xe0"[..]),
        ("b.jpg", b"text"),
        ("photo", b"\x89PNG\r\n\x1a\n"),
        ("other", b"\x01\x02\x03"),
        ("empty", b""),
    ] {
        assert!(!is_manifest(&put(name, bytes)).unwrap(), "{name}");
    }
    let line = usage(is_manifest(&put("Book1.xlsx", b"PK\x03\x04")));
    assert!(line.contains("save it as CSV UTF-8"), "{line}");
}
