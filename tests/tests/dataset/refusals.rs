//! What an import refuses, photo by photo, while everything else is stored.

use super::{Bench, COCO, annotation_of, edit_json, json};
use serde_json::{Value, json as document};
use std::fs;
use std::path::PathBuf;

/// Moves the one finding of a photo, in the annotations of an export.
fn moved(bench: &Bench, id: &str) -> (PathBuf, Value) {
    let file = bench.export("set", &COCO).join("coco/all.json");
    let digest = bench.case(id).digest();
    edit_json(&file, |coco| {
        annotation_of(coco, &digest)["segmentation"] = document!([[31, 41, 91, 41, 91, 66, 31, 66]]);
    });
    let coco = json(&file);
    (file, coco)
}

fn refused(said: &[Value]) -> Vec<String> {
    let refused = said.iter().filter(|line| line["state"] == "refused");
    refused
        .map(|line| line["detail"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_photo_that_nobody_exported_is_refused_alone() {
    let bench = Bench::new();
    let (file, mut coco) = moved(&bench, "single");
    let other = "0".repeat(64);
    coco["images"].as_array_mut().unwrap().extend([
        document!({"id": 90, "file_name": format!("{other}.jpg"), "width": 10, "height": 10}),
        document!({"id": 91, "file_name": "front.jpg", "width": 10, "height": 10}),
    ]);
    fs::write(&file, coco.to_string()).unwrap();
    let said = bench.import(&file, &[]);
    assert_eq!(
        refused(&said),
        [
            "the manifest has no such photo",
            "its name has no digest: expected the name of an exported photo"
        ]
    );
    assert_eq!(said.last().unwrap()["reviewed"], 1);
    assert_eq!(bench.history("single").len(), 1);
    let file = file.display().to_string();
    let table = bench.run(&["import", &file]);
    assert_eq!(table.code, 1, "{table:?}");
    assert!(
        table
            .stdout
            .contains("6 unchanged, 0 reviews stored, 1 stored before, 2 refused"),
        "{table:?}"
    );
}

#[test]
fn where_somebody_decided_meanwhile_nothing_is_overwritten() {
    let bench = Bench::new();
    let (file, _) = moved(&bench, "single");
    bench.decide("single", r#"{"kind": "confirm"}"#);
    let said = bench.import(&file, &[]);
    let why = "revision 0 was exported, and 1 by ann is the last now: export it again";
    assert_eq!(refused(&said), [why]);
    assert_eq!(bench.history("single").len(), 1);
    // An import by somebody else is such a decision, too.
    let bench = Bench::new();
    let (file, _) = moved(&bench, "single");
    assert_eq!(bench.import(&file, &["--by", "kim"])[0]["state"], "reviewed");
    assert_eq!(refused(&bench.import(&file, &["--by", "lee"])).len(), 1);
    assert_eq!(bench.history("single").len(), 1);
}

#[test]
fn a_photo_that_cannot_be_read_is_refused_alone() {
    let bench = Bench::new();
    let folder = bench.export("set", &["--format", "cvat"]);
    let file = folder.join("cvat/all.xml");
    let xml = fs::read_to_string(&file).unwrap();
    let broken = xml.replacen("rle=\"0, ", "rle=\"7, ", 1);
    fs::write(&file, broken).unwrap();
    let said = bench.import(&file, &[]);
    assert_eq!(refused(&said).len(), 1, "{said:?}");
    assert!(refused(&said)[0].contains("run lengths"), "{said:?}");
    assert_eq!(said.last().unwrap()["unchanged"], 6);
}

#[test]
fn what_is_no_file_of_a_data_set_is_one_line() {
    let bench = Bench::new();
    let folder = bench.export("set", &COCO);
    let lost = bench.stack.folder().join("lost.json");
    fs::copy(folder.join("coco/all.json"), &lost).unwrap();
    let odd = folder.join("odd.txt");
    fs::write(&odd, "what").unwrap();
    let broken = folder.join("broken.xml");
    fs::write(&broken, "<annotations>").unwrap();
    let nowhere = folder.join("nowhere.json").display().to_string();
    let manifest = folder.join("manifest.jsonl").display().to_string();
    let long = folder.join("long.jsonl").display().to_string();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&long, format!("{text}{}", "x".repeat(70_000))).unwrap();
    let alone = folder.join("alone/data.yaml");
    fs::create_dir(folder.join("alone")).unwrap();
    fs::write(&alone, "names:\n  0: dent\n").unwrap();
    let coco = folder.join("coco/all.json").display().to_string();
    let cases: [(&[&str], &str); 10] = [
        (&["import", &nowhere], "nowhere.json: no such file"),
        (
            &["import", &nowhere, "--manifest", &manifest],
            "nowhere.json: no such file",
        ),
        (
            &["import", &folder.display().to_string()],
            "set: no file, but a folder",
        ),
        (
            &["import", &coco, "--manifest", &long],
            "long.jsonl: line 8: more than 65536 bytes",
        ),
        (
            &["import", &alone.display().to_string()],
            "labels: no such folder",
        ),
        (
            &["import", &lost.display().to_string()],
            "name that of the export with --manifest",
        ),
        (&["import", &odd.display().to_string()], "of which format?"),
        (&["import", &broken.display().to_string()], "not XML"),
        (
            &["export", "x", "--format", "voc"],
            "expected one of coco, cvat, label-studio, yolo",
        ),
        (
            &["export", "x", "--format", "coco", "--since", "soon"],
            "--since: expected a day",
        ),
    ];
    for (arguments, words) in cases {
        let ran = bench.run(arguments);
        assert!(
            ran.code == 2 && ran.stderr.contains(words),
            "{arguments:?}: {ran:?}"
        );
    }
    let said = bench.import(&lost, &["--manifest", &manifest]);
    assert_eq!(said.last().unwrap()["unchanged"], 7);
}
