//! `walkaround replay`: what it says, what it leaves alone, and that a kill costs no more than what was in flight.

use crate::support::{BOUND, GATE_OPEN, compared, inspected, lines, photos, run, variant};
use std::collections::BTreeSet;
use std::path::Path;
use walkaround_evaluation::comparison::ReplayLine;
use walkaround_ports::{Clock, SystemClock};
use walkaround_tests::reviews::{inspection, store};
use walkaround_tests::running::until;
use walkaround_tests::stack::TestStack;

fn replay(stack: &TestStack, bundle: &Path, out: &Path, more: &[&str]) -> walkaround_tests::program::Ran {
    let (bundle, out) = (bundle.display().to_string(), out.display().to_string());
    run(
        stack,
        &[&["replay", &out, "--bundle", &bundle][..], more].concat(),
    )
}

#[test]
fn photos_of_the_past_are_inspected_again_and_no_record_is_touched() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let open = variant(&stack, "trivial", "2.0.0", &[GATE_OPEN]);
    inspected(&stack, &photos(&stack, 0..40));
    // A record whose photo is nowhere.
    let gone = inspection("i-gone", SystemClock::new().now());
    stack.wait_for(store(stack.local(), &gone)).unwrap();
    let (records, events) = (stack.inspections(), stack.events());

    let out = stack.folder().join("replay.jsonl");
    let ran = replay(&stack, &open, &out, &["--since", "7d"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout
            .contains("40 photos replayed with trivial 2.0.0: 20 with another verdict"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("i-gone (i-gone): gone: "), "{ran:?}");
    let (header, all) = lines(&out);
    assert_eq!((header.bundle.version.as_str(), header.max), ("2.0.0", 10_000));
    let photos = compared(&all);
    assert_eq!((all.len(), photos.len()), (41, 40));
    for photo in photos {
        let (old, new) = (&photo.old, &photo.new);
        assert_eq!(
            (old.bundle.version.as_str(), new.bundle.version.as_str()),
            ("1.0.0", "2.0.0")
        );
        assert_eq!(new.verdict, "damaged", "{photo:?}");
        assert!(old.gate.is_some() && old.gate == new.gate, "{photo:?}");
        assert!(
            new.networks_ms().is_some() && old.networks_ms().is_some(),
            "{photo:?}"
        );
        let [finding] = &photo.findings[..] else {
            panic!("one mark: {photo:?}")
        };
        match old.verdict.as_str() {
            "damaged" => {
                assert_eq!((finding.iou, photo.iou), (Some(1.0), Some(1.0)));
                assert_eq!(finding.old, finding.new);
            }
            _ => assert_eq!((finding.old, finding.iou, photo.iou), (None, None, Some(0.0))),
        }
    }
    assert_eq!(stack.inspections(), records);
    assert_eq!(stack.events(), events);

    // Once more: there is nothing left to do.
    for more in [&["--format", "json", "--since", "7d"][..], &["--format", "json"]] {
        let again = replay(&stack, &open, &out, more);
        assert_eq!(again.code, 0, "{again:?}");
        assert_eq!(lines(&out).1, all);
    }
}

#[test]
fn thresholds_classes_and_bounds_are_as_asked_and_another_replay_needs_another_file() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let bundle = variant(&stack, "trivial", "1.0.0", &[]);
    inspected(&stack, &photos(&stack, 0..10));
    let out = stack.folder().join("replay.jsonl");
    let ran = replay(&stack, &bundle, &out, &["--threshold", "gate=0"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout
            .contains("10 photos replayed with trivial 1.0.0: 5 with another verdict"),
        "{ran:?}"
    );
    let shown = run(
        &stack,
        &["bundle", "compare", "--replay", &out.display().to_string()],
    );
    assert!(
        shown
            .stdout
            .starts_with("trivial 1.0.0 and trivial 1.0.0 gate=0 on 10 photos"),
        "{shown:?}"
    );
    for (more, words) in [
        (&["--threshold", "gate=0.1"][..], "is of another replay"),
        (
            &["--threshold", "marks=0.1"],
            "the classes mark and the gates gate",
        ),
        (&["--threshold", "gate=2"], "expected 0 to 1"),
        (&["--since", "yesterday"], "--since: expected a day"),
    ] {
        let ran = replay(&stack, &bundle, &out, more);
        assert!(ran.one_line(2).contains(words), "{more:?}: {ran:?}");
    }
    for (file, more, photos) in [
        ("class.jsonl", &["--class", "mark"][..], 5),
        ("other.jsonl", &["--class", "dent"], 0),
        ("max.jsonl", &["--max", "3"], 3),
        ("until.jsonl", &["--until", "1d"], 0),
    ] {
        let out = stack.folder().join(file);
        let ran = replay(&stack, &bundle, &out, more);
        assert_eq!((ran.code, lines(&out).1.len()), (0, photos), "{more:?}: {ran:?}");
    }
}

/// Photos in flight: two for the one engine.
const BATCH: usize = 2;

#[test]
fn a_killed_replay_goes_on_without_doing_more_again_than_was_in_flight() {
    let stack = walkaround_tests::stack!("trivial", &[]);
    let slow = variant(&stack, "slow", "2.0.0", &[GATE_OPEN]);
    inspected(&stack, &photos(&stack, 0..60));
    let out = stack.folder().join("replay.jsonl");
    let arguments = [
        "replay",
        &out.display().to_string(),
        "--bundle",
        &slow.display().to_string(),
        "--jobs",
        "1",
    ];
    let done = || std::fs::read_to_string(&out).map_or(0, |text| text.lines().count().saturating_sub(1));
    let mut kept: Vec<ReplayLine> = Vec::new();
    // Killed twice, each time in the middle of its work.
    for _ in 0..2 {
        let before = done();
        let mut running = stack.start(&arguments, "replay");
        assert!(until(BOUND, || done() >= before + 10), "{}", stack.logs());
        // SIGKILL.
        running.kill();
        assert!(done() < 60, "it was to be killed before its end");
        kept = whole_lines(&out);
    }
    let ended = run(&stack, &arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("already"), "{ended:?}");
    let (_, all) = lines(&out);
    assert_eq!(all[..kept.len()], kept[..], "what was written stays");
    let ids: BTreeSet<&str> = all.iter().map(ReplayLine::inspection_id).collect();
    // Nothing that was written was done again, so at most what was in flight at each kill was.
    assert_eq!((all.len(), ids.len()), (60, 60));
    assert!(kept.len() >= 20 && kept.len() < 60 + BATCH, "{}", kept.len());
}

fn whole_lines(file: &Path) -> Vec<ReplayLine> {
    let text = std::fs::read_to_string(file).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let photos = whole.lines().skip(1);
    photos.map(|line| serde_json::from_str(line).unwrap()).collect()
}
