//! A canary: a good bundle is promoted, a bad one is rolled back, and no photo is lost by either.

use crate::support::{BOUND, GATE_OPEN, photos, run, stop, variant};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use walkaround_domain::InspectionRequest;
use walkaround_tests::running::{Running, until};
use walkaround_tests::stack::{TestStack, ids, tail};

/// Photos that are submitted at once; the shadow, which sees those of the canary, has room for 32.
const CHUNK: usize = 40;
/// Photos in all, after which a canary must be decided.
const PHOTOS_MAX: usize = 1000;

/// Requests of vehicles with two photos each: one is damaged, one clean.
fn requests(stack: &TestStack, numbers: std::ops::Range<usize>) -> Vec<InspectionRequest> {
    let first = numbers.start;
    let with_vehicle = |(number, mut request): (usize, InspectionRequest)| {
        request.vehicle_id = Some(format!("B-WA {}", (first + number) / 2));
        request
    };
    photos(stack, numbers)
        .into_iter()
        .enumerate()
        .map(with_vehicle)
        .collect()
}

fn json(stack: &TestStack, arguments: &[&str]) -> Value {
    let ran = run(stack, &[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn rollout(stack: &TestStack) -> Value {
    json(stack, &["bundle", "rollout"])
}

fn start_canary(stack: &TestStack, folder: &Path) {
    let folder = folder.display().to_string();
    let started = json(
        stack,
        &[
            "bundle",
            "canary",
            "2.0.0",
            "--share",
            "0.5",
            "--bundle",
            &folder,
            "--photos-min",
            "100",
        ],
    );
    assert_eq!(started["canary"]["state"], "running", "{started}");
    assert_eq!(started["answers"], "trivial 1.0.0", "{started}");
}

/// A stack in use, whose photos come chunk by chunk.
struct Fleet<'a> {
    stack: &'a TestStack,
    submitted: usize,
}

impl Fleet<'_> {
    /// The next photos, inspected.
    fn chunk(&mut self) -> BTreeSet<String> {
        let requests = requests(self.stack, self.submitted..self.submitted + CHUNK);
        self.submitted += CHUNK;
        self.stack.submit(&requests);
        let ids = ids(&requests);
        self.stack.until_all_final(&ids, BOUND);
        ids
    }

    /// Photos until the canary is decided; the rollout then.
    fn until_decided(&mut self) -> Value {
        while self.submitted < PHOTOS_MAX {
            self.chunk();
            let now = rollout(self.stack);
            if now["canary"]["state"] != "running" {
                return now;
            }
        }
        panic!("{}\n{}", rollout(self.stack), tail(&self.stack.logs(), 40));
    }

    /// The bundles that the next photos were answered by.
    fn answering(&mut self) -> BTreeSet<String> {
        let ids = self.chunk();
        let all = self.stack.inspections();
        ids.iter()
            .filter_map(|id| Some(all[id].outcome.as_ref()?.bundle.to_string()))
            .collect()
    }
}

/// A stack that is up and has answered for its first photos.
fn fleet(stack: &TestStack) -> (Running, Fleet<'_>) {
    let (up, mut fleet) = (stack.start(&["up"], "up"), Fleet { stack, submitted: 0 });
    fleet.chunk();
    (up, fleet)
}

/// Every photo has a result, and nothing is parked.
fn nothing_is_lost(stack: &TestStack, photos: usize) {
    let all = stack.inspections();
    assert_eq!(all.len(), photos);
    assert!(all.values().all(|inspection| inspection.outcome.is_some()));
    assert!(stack.parked().is_empty());
}

fn only(bundle: &str) -> BTreeSet<String> {
    BTreeSet::from([bundle.to_owned()])
}

#[test]
fn a_good_canary_is_promoted_and_answers_from_then_on() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let same = variant(&stack, "trivial", "2.0.0", &[]);
    let (up, mut fleet) = fleet(&stack);
    start_canary(&stack, &same);
    let is_loaded = || {
        stack
            .logs()
            .contains("a canary answers for a share of the vehicles")
    };
    assert!(until(BOUND, is_loaded), "{}", tail(&stack.logs(), 40));
    let both = fleet.answering();
    assert_eq!(
        both,
        BTreeSet::from(["trivial 1.0.0".to_owned(), "trivial 2.0.0".to_owned()])
    );
    let decided = fleet.until_decided();
    assert_eq!(decided["canary"]["state"], "promoted", "{decided}");
    assert_eq!(decided["answers"], "trivial 2.0.0", "{decided}");
    assert_eq!(decided["evidence"]["flips"], 0, "{decided}");
    assert!(
        until(BOUND, || fleet.answering() == only("trivial 2.0.0")),
        "{}",
        tail(&stack.logs(), 40)
    );
    stop(up);

    // After a restart, too, until another version is promoted by hand: here the one that is configured.
    let up = stack.start(&["up"], "again");
    assert_eq!(fleet.answering(), only("trivial 2.0.0"));
    let back = json(&stack, &["bundle", "promote", "1.0.0", "--reason", "to compare"]);
    assert_eq!(back["answers"], "trivial 1.0.0", "{back}");
    assert!(
        until(BOUND, || fleet.answering() == only("trivial 1.0.0")),
        "{}",
        tail(&stack.logs(), 40)
    );
    stop(up);
    nothing_is_lost(&stack, fleet.submitted);
}

/// Runs a fleet with a canary until it is decided, and says why.
fn rolled_back(stack: &TestStack, folder: &Path, then: impl FnOnce()) -> String {
    let (up, mut fleet) = fleet(stack);
    start_canary(stack, folder);
    then();
    let decided = fleet.until_decided();
    assert_eq!(decided["canary"]["state"], "rolled_back", "{decided}");
    assert_eq!(decided["answers"], "trivial 1.0.0", "{decided}");
    assert!(
        until(BOUND, || fleet.answering() == only("trivial 1.0.0")),
        "{}",
        tail(&stack.logs(), 40)
    );
    stop(up);
    nothing_is_lost(stack, fleet.submitted);
    assert!(
        stack.logs().contains("the canary is rolled back"),
        "{}",
        tail(&stack.logs(), 40)
    );
    decided["canary"]["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_canary_that_finds_damage_everywhere_is_rolled_back() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let open = variant(&stack, "trivial", "2.0.0", &[GATE_OPEN]);
    let why = rolled_back(&stack, &open, || {});
    assert!(
        why.contains("another verdict than before") || why.contains("damaged"),
        "{why}"
    );
}

#[test]
fn a_canary_that_finds_no_damage_is_rolled_back() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let blind = (
        "[classes.mask]\nthreshold = 0.5",
        "[classes.mask]\nthreshold = 0.9999",
    );
    // Its self-test would say so.
    let checked = "[self_test]\npicture = \"self_test.png\"\ntolerance = 0.004\ngate = 1.0000\n[self_test.classes]\nmark = 0.0648\n";
    let blind = variant(&stack, "trivial", "2.0.0", &[blind, (checked, "")]);
    let why = rolled_back(&stack, &blind, || {});
    assert!(
        why.contains("another verdict than before") || why.contains("damaged"),
        "{why}"
    );
}

#[test]
fn a_slow_canary_is_rolled_back() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let slow = variant(
        &stack,
        "slow",
        "2.0.0",
        &[("name = \"slow\"", "name = \"trivial\"")],
    );
    let why = rolled_back(&stack, &slow, || {});
    assert!(why.contains("times as long"), "{why}");
}

#[test]
fn a_canary_that_cannot_be_loaded_is_rolled_back() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let gone = variant(&stack, "trivial", "2.0.0", &[]);
    let folder = gone.clone();
    let why = rolled_back(&stack, &gone, || {
        std::fs::remove_file(folder.join("marks.onnx")).unwrap();
    });
    assert!(why.starts_with("it failed on "), "{why}");
}

#[test]
fn a_canary_is_shown_and_ended_and_what_cannot_be_one_is_one_line() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let (up, _) = fleet(&stack);
    stop(up);
    let show = |arguments: &[&str]| run(&stack, &[&["bundle", "canary"][..], arguments].concat());
    assert_eq!(show(&[]).stdout, "trivial 1.0.0 answers\nno shadow\nno canary\n");
    let two = variant(&stack, "trivial", "2.0.0", &[]);
    let folder = two.display().to_string();
    for (arguments, words) in [
        (
            &["3.0.0", "--bundle", &folder][..],
            "has trivial 2.0.0, not trivial 3.0.0",
        ),
        (&["2.0.0", "--bundle", &folder, "--share", "0.6"], "at most 0.5"),
        (&["1.0.0"], "the bundle that answers"),
        (&["9"], "has trivial 9"),
        (&["2.0.0", "--flips-max", "2"], "from 0 to 1"),
        (&["--off"], "no canary is running"),
    ] {
        let ran = show(arguments);
        assert!(
            ran.code == 2 && ran.stderr.contains(words),
            "{arguments:?}: {ran:?}"
        );
    }
    start_canary(&stack, &two);
    let running = show(&[]).stdout;
    assert!(
        running.contains("canary trivial 2.0.0 answers for 50 % of the vehicles since "),
        "{running}"
    );
    assert!(running.contains("goes on: "), "{running}");
    let other = show(&["2.0.0", "--bundle", &folder, "--share", "0.1"]);
    assert!(
        other.one_line(2).contains("another canary is running"),
        "{other:?}"
    );
    let ended = show(&["--off", "--reason", "not today"]).stdout;
    assert!(
        ended.contains("canary trivial 2.0.0 stopped ") && ended.contains(": not today"),
        "{ended}"
    );
}
