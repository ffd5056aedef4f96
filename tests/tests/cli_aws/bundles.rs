//! The registry of bundles, from the command line.

use crate::Bench;
use walkaround_tests::places;

/// Name and version of the active ones.
fn active(documents: Vec<serde_json::Value>) -> Vec<String> {
    let active = documents.into_iter().filter(|d| d["active"] == true);
    active
        .map(|d| format!("{} {}", d["name"], d["version"]).replace('"', ""))
        .collect()
}

#[test]
fn bundles_are_pushed_listed_activated_and_rolled_back() {
    let bench = Bench::new();
    let names = &bench.names;
    let seven = places::seven();
    let seven = seven.to_str().unwrap();
    assert_eq!(names.documents(&["bundle", "push", seven])[0]["state"], "new");
    assert_eq!(
        names.documents(&["bundle", "push", seven])[0]["state"],
        "already_there"
    );
    let next = places::edited_seven(&[("version = \"1.0.0\"", "version = \"2\"")]);
    let next = names.documents(&["bundle", "push", next.path().to_str().unwrap()]);
    assert_eq!(
        (&next[0]["version"], &next[0]["state"]),
        (&"2".into(), &"new".into())
    );
    // Records state what the manifest says: the registry knows a version by no other name.
    let renamed = names.run(&["bundle", "push", seven, "--version", "3"]);
    assert!(
        renamed.code == 2 && renamed.stderr.contains("--version"),
        "{renamed:?}"
    );
    let other = places::edited_seven(&[("description = \"", "description = \"changed ")]);
    let refused = names.run(&["bundle", "push", other.path().to_str().unwrap()]);
    assert!(
        refused.one_line(1).contains("change `version` in bundle.toml"),
        "{refused:?}"
    );
    let broken = places::edited_seven(&[
        ("gate = ", "gate = 0.0 #"),
        ("version = \"1.0.0\"", "version = \"3\""),
    ]);
    let broken = names.run(&["bundle", "push", broken.path().to_str().unwrap()]);
    assert!(broken.one_line(1).contains("self-test"), "{broken:?}");

    let nothing = names.run(&["bundle", "rollback", "seven"]);
    assert!(nothing.one_line(1).contains("no version before"), "{nothing:?}");
    let missing = names.run(&["bundle", "activate", "seven", "9"]);
    assert!(missing.one_line(1).contains("no such version"), "{missing:?}");
    names.run(&["bundle", "activate", "seven", "1.0.0"]).succeeded();
    let now = names.documents(&["bundle", "activate", "seven", "2"]);
    assert_eq!(
        (&now[0]["version"], &now[0]["before"][0]),
        (&"2".into(), &"1.0.0".into())
    );
    assert_eq!(active(names.documents(&["bundle", "list"])), ["seven 2"]);
    names.run(&["bundle", "rollback", "seven"]).succeeded();
    assert_eq!(
        active(names.documents(&["bundle", "list", "seven"])),
        ["seven 1.0.0"]
    );
    let folder = names.with("WALKAROUND_BUNDLE", "bundles/demo");
    let no_bucket = folder.run(&["bundle", "list"]);
    assert!(no_bucket.one_line(2).contains("--bucket"), "{no_bucket:?}");
    assert_eq!(
        folder.documents(&["bundle", "list", "--bucket", "bundles"]).len(),
        2
    );
}
