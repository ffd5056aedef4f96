//! What people change in a file comes back as reviews: nothing where nothing was changed, one where one outline was moved.

use super::{Bench, annotation_of, edit_json};
use serde_json::json as document;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of each format below an export.
const FILES: [(&str, &str); 4] = [
    ("coco", "coco/all.json"),
    ("cvat", "cvat/all.xml"),
    ("label-studio", "label-studio/all.json"),
    ("yolo", "data.yaml"),
];

/// A stack on which people have decided about a photo, in every way there is.
fn reviewed() -> Bench {
    let bench = Bench::new();
    bench.decide(
        "plain",
        r#"{"kind": "findings", "findings": [
            {"finding": 0, "decision": "reject", "why": "dirt"},
            {"finding": 1, "decision": "reclassify", "class": "crack"},
            {"finding": 2, "decision": "reshape", "polygons": [
                {"outer": [[0, 0], [17.3, 0], [17.3, 11.7], [0, 11.7]], "holes": []}]}],
          "added": [{"class": "dent", "polygons": [{"outer": [[70, 110], [100, 112], [80, 140.5]], "holes": []}]}]}"#,
    );
    bench.decide("single", r#"{"kind": "confirm"}"#);
    bench
}

fn export(bench: &Bench) -> PathBuf {
    let options = FILES.map(|(format, _)| ["--format", format]).concat();
    bench.export("set", &options)
}

/// Changes the text of a file.
fn edit(path: &Path, change: impl Fn(&str) -> String) {
    let before = fs::read_to_string(path).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "{}: nothing was changed", path.display());
    fs::write(path, after).unwrap();
}

#[test]
fn a_file_that_nobody_touched_makes_no_review() {
    let bench = reviewed();
    let folder = export(&bench);
    let before = bench.reviews();
    for (format, file) in FILES {
        let said = bench.import(&folder.join(file), &[]);
        let last = said.last().unwrap();
        assert_eq!(said.len(), 1, "{format}: {said:?}");
        assert_eq!(
            (&last["reviewed"], &last["already"], &last["refused"]),
            (&0.into(), &0.into(), &0.into()),
            "{format}: {last}"
        );
        let unchanged = last["unchanged"].as_u64().unwrap();
        // Predictions that nobody has accepted are not part of what comes back from Label Studio.
        let expected = if format == "label-studio" {
            2
        } else {
            bench.cases.len()
        };
        assert_eq!(unchanged, expected as u64, "{format}");
    }
    assert_eq!(bench.reviews(), before);
}

#[test]
fn a_moved_outline_is_one_review_once() {
    let bench = Bench::new();
    let folder = export(&bench);
    let file = folder.join("coco/all.json");
    let digest = bench.case("single").digest();
    edit_json(&file, |coco| {
        let annotation = annotation_of(coco, &digest);
        annotation["segmentation"] = document!([[35.5, 44, 95.5, 44, 95.5, 69, 35.5, 69]]);
        annotation["bbox"] = document!([35.5, 44, 60, 25]);
    });
    let dry = bench.import(&file, &["--dry-run", "--by", "kim"]);
    assert_eq!(
        (&dry[0]["state"], &dry[0]["detail"]),
        (&"would_review".into(), &"1 reshaped".into())
    );
    assert_eq!(bench.reviews(), 0, "a dry run stores nothing");
    for (state, reviewed) in [("reviewed", 1), ("already", 0)] {
        let said = bench.import(&file, &["--by", "kim"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(
            (&said[0]["state"], &said[0]["revision"]),
            (&state.into(), &1.into())
        );
        assert_eq!(said[1]["reviewed"], reviewed);
        let history = bench.history("single");
        assert_eq!((bench.reviews(), history.len()), (1, 1));
        assert_eq!(history[0]["by"], "import:kim");
        let points = [[35.5, 44.0], [95.5, 44.0], [95.5, 69.0], [35.5, 69.0]];
        let expected = document!({"kind": "findings", "findings": [
            {"finding": 0, "decision": "reshape", "polygons": [{"outer": points, "holes": []}]}]});
        assert_eq!(history[0]["decision"], expected);
    }
    let events = bench
        .stack
        .wait_for(bench.stack.local().events_since(0, 10))
        .unwrap();
    let events: Vec<&str> = events.iter().map(|event| event.event.id.as_str()).collect();
    assert_eq!(events, ["single.reviewed.1"], "published as any decision");
}

#[test]
fn corrections_in_cvat_keep_what_was_decided_before() {
    let bench = reviewed();
    let folder = export(&bench);
    let file = folder.join("cvat/all.xml");
    // What a person drew is a polygon, and can be moved; the reclassified one changes its class back.
    edit(&file, |xml| {
        let moved = xml.replace(
            "70.00,110.00;100.00,112.00;80.00,140.50",
            "72.00,108.00;100.00,112.00;80.00,140.50",
        );
        moved.replacen(
            "label=\"crack\" source=\"manual\"",
            "label=\"scratch\" source=\"manual\"",
            1,
        )
    });
    let said = bench.import(&file, &[]);
    assert_eq!(said[0]["detail"], "1 reshaped, 1 reclassified");
    let history = bench.history("plain");
    assert_eq!((history.len(), &history[1]["by"]), (2, &"import".into()));
    let decision = &history[1]["decision"];
    assert_eq!(
        decision["findings"][0],
        document!({"finding": 0, "decision": "reject", "why": "dirt"})
    );
    assert_eq!(
        decision["findings"][1],
        document!({"finding": 1, "decision": "reclassify", "class": "scratch"})
    );
    assert_eq!(decision["findings"][2]["decision"], "reshape");
    assert_eq!(
        decision["added"][0]["polygons"][0]["outer"][0],
        document!([72.0, 108.0])
    );
    assert_eq!(decision["added"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_taken_away_is_rejected_and_what_is_drawn_is_added() {
    let bench = reviewed();
    let folder = export(&bench);
    let file = folder.join("label-studio/all.json");
    edit_json(&file, |tasks| {
        let digest = bench.case("single").digest();
        let mut tasks = tasks.as_array_mut().unwrap().iter_mut();
        let task = tasks
            .find(|task| task["data"]["photo_sha256"] == digest.as_str())
            .unwrap();
        let size = bench.case("single").size();
        task["annotations"][0]["result"] = document!([{
            "id": "q8Xw", "type": "rectanglelabels", "from_name": "box", "to_name": "image",
            "original_width": size.width, "original_height": size.height, "image_rotation": 0,
            "value": {"x": 0, "y": 50, "width": 10, "height": 25, "rotation": 0, "rectanglelabels": ["crack"]},
        }]);
    });
    let said = bench.import(&file, &[]);
    assert_eq!(said[0]["detail"], "1 removed, 1 added");
    let decision = bench.history("single")[1]["decision"].clone();
    assert_eq!(
        decision["findings"],
        document!([{"finding": 0, "decision": "reject", "why": "other"}])
    );
    assert_eq!(decision["added"][0]["class"], "crack");
    let corners = [[0.0, 64.0], [16.0, 64.0], [16.0, 96.0], [0.0, 96.0]];
    assert_eq!(decision["added"][0]["polygons"][0]["outer"], document!(corners));
}

#[test]
fn yolo_comes_back_though_it_has_no_holes() {
    let bench = Bench::new();
    let folder = export(&bench);
    let label = |id: &str| {
        folder
            .join("labels")
            .join(format!("{}.txt", bench.case(id).digest()))
    };
    // The second part of the scratch is gone, and so is the one finding of another photo; of a third there is no file.
    edit(&label("plain"), |text| {
        let lines: Vec<&str> = text.lines().collect();
        [&lines[..2], &lines[3..]].concat().join("\n")
    });
    fs::write(label("single"), "").unwrap();
    fs::remove_file(label("odd")).unwrap();
    let said = bench.import(&folder.join("data.yaml"), &[]);
    let of = |id: &str| said.iter().find(|line| line["inspection_id"] == id).unwrap()["detail"].clone();
    assert_eq!(
        (of("plain"), of("single")),
        ("1 reshaped".into(), "1 removed".into())
    );
    assert_eq!(
        (&said[2]["reviewed"], &said[2]["unchanged"]),
        (&2.into(), &4.into())
    );
    let decision = bench.history("plain")[0]["decision"].clone();
    let findings = decision["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &findings[0]["finding"]), (1, &1.into()));
    assert_eq!(findings[0]["polygons"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mask_that_was_painted_comes_back_with_its_hole() {
    let bench = Bench::new();
    let folder = export(&bench);
    let file = folder.join("cvat/all.xml");
    let xml = fs::read_to_string(&file).unwrap();
    // The finding of one ring, as CVAT's brush makes a frame of it: 60 x 25 pixels with a hole of 20 x 5.
    let row = |hole: bool| if hole { "20, 20, 20" } else { "60" };
    let rows: Vec<&str> = (0..25).map(|y| row((10..15).contains(&y))).collect();
    let mut runs = vec![0_usize];
    for (inside, length) in rows.iter().flat_map(|row| {
        let lengths: Vec<usize> = row.split(", ").map(|length| length.parse().unwrap()).collect();
        lengths
            .into_iter()
            .enumerate()
            .map(|(at, length)| (at % 2 == 0, length))
    }) {
        // Runs begin with background: odd places are inside.
        if inside == (runs.len() % 2 == 0) {
            *runs.last_mut().unwrap() += length;
        } else {
            runs.push(length);
        }
    }
    let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
    let before = "rle=\"0, 1500\" left=\"30\" top=\"40\" width=\"60\" height=\"25\"";
    assert!(xml.contains(before), "{xml}");
    let after = before.replace("0, 1500", &runs.join(", "));
    fs::write(&file, xml.replace(before, &after)).unwrap();
    let said = bench.import(&file, &[]);
    assert_eq!(said[0]["detail"], "1 reshaped", "{said:?}");
    let polygons = bench.history("single")[0]["decision"]["findings"][0]["polygons"].clone();
    assert_eq!(polygons.as_array().unwrap().len(), 1);
    assert_eq!(polygons[0]["outer"].as_array().unwrap().len(), 4);
    assert_eq!(polygons[0]["holes"][0].as_array().unwrap().len(), 4);
}
