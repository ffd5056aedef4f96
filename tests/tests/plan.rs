//! `walkaround plan`: its tables, its document, its page, and what it refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use serde_json::Value;
use std::fs;
use std::path::Path;
use walkaround_domain::{Event, Inspection, Lane, Outcome, Timestamp, Verdict};
use walkaround_messages::record_body;
use walkaround_ports::{IndexKeys, Precondition, StoredRecord};
use walkaround_tests::program::{Program, Ran};
use walkaround_tests::stack::{TestStack, request};

fn plan(arguments: &[&str]) -> Ran {
    let program = Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    program.run([&["plan"], arguments].concat())
}

fn document(arguments: &[&str]) -> Value {
    let ran = plan(&[arguments, &["--format", "json"]].concat()).succeeded();
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn the_tables_have_every_hour_and_every_figure() {
    let ran = plan(&["--photos", "5000"]).succeeded();
    for line in ["evening: 80,000 photos with evening peaks", "as deployed"] {
        assert!(
            ran.stdout.lines().any(|found| found.trim() == line),
            "{line}: {}",
            ran.stdout
        );
    }
    let hours = ran.stdout.lines().filter(|line| {
        let first = line.split_whitespace().next().unwrap_or_default();
        first.len() == 2 && first.parse::<u8>().is_ok_and(|hour| hour < 24)
    });
    assert_eq!(hours.count(), 24, "{}", ran.stdout);
    for figure in [
        "time to verdict, p99",
        "GPU instance hours",
        "Lambda seconds",
        "DynamoDB write units",
        "USD a day",
    ] {
        assert!(ran.stdout.contains(figure), "{figure}: {}", ran.stdout);
    }
    assert_eq!(
        plan(&["--photos", "5000"]).stdout,
        ran.stdout,
        "the same command prints the same"
    );
}

#[test]
fn a_comparison_is_of_one_day_under_two_policies() {
    let both = document(&["evening", "--photos", "20000", "--compare", "inline_drain_s=0"]);
    let [deployed, compared] = [&both["plans"][0], &both["plans"][1]];
    assert_eq!([&deployed["photos"], &compared["photos"]], [20_000, 20_000]);
    assert_eq!(
        (&deployed["on_gpu"], deployed["usage"]["gpu_busy_hours"].as_f64()),
        (&0.into(), Some(0.0))
    );
    assert!(compared["on_gpu"].as_u64().unwrap() > 5_000, "{compared}");
    assert_eq!(compared["assumptions"]["inline_drain_s"], 0.0);
    assert_eq!(both["arrivals"].as_array().unwrap().len(), 1_440);
    let hours = deployed["hours"].as_array().unwrap();
    assert_eq!(
        hours
            .iter()
            .map(|hour| hour["photos"].as_u64().unwrap())
            .sum::<u64>(),
        20_000
    );
    let table = plan(&["evening", "--photos", "20000", "--compare", "inline_drain_s=0"]).succeeded();
    assert!(table.stdout.contains("with inline_drain_s=0"), "{}", table.stdout);
}

#[test]
fn arrivals_come_from_a_csv() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tuesday.csv");
    fs::write(&file, "minute,photos\n08:00,30\n08:01,10\n").unwrap();
    let day = document(&["--arrivals", file.to_str().unwrap(), "--set", "suspects=0"]);
    assert_eq!(
        (&day["name"], &day["plans"][0]["photos"]),
        (&"tuesday.csv".into(), &40.into())
    );
    assert_eq!(
        (&day["arrivals"][480], &day["arrivals"][481]),
        (&30.into(), &10.into())
    );
    assert_eq!(day["plans"][0]["hours"][8]["photos"], 40);
}

#[test]
fn what_cannot_be_planned_is_one_line_and_usage() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let fault = write("fault.csv", b"08:00,1\n25:00,1\n");
    let empty = write("empty.csv", b"");
    let binary = write("binary.csv", &[0xff, 0xfe, 0, 1]);
    let long = write("long.csv", &vec![b'\n'; (1 << 20) + 1]);
    let missing = folder.path().join("none.csv").display().to_string();
    let at = |file: &str| ["--arrivals".to_owned(), file.to_owned()];
    for (arguments, expected) in [
        (
            at(&fault),
            format!("{fault}, line 2: minute 25:00, expected 00:00 to 23:59, or 0 to 1439"),
        ),
        (at(&empty), format!("{empty}: 0 photos, expected 1 to 4000000")),
        (at(&binary), format!("{binary}: not UTF-8, expected CSV")),
        (
            at(&long),
            format!("{long}: longer than 1048576 bytes, expected a line for each minute of a day"),
        ),
        (at(&missing), format!("{missing}: no such file")),
        (
            ["--set".into(), "suspect=1".into()],
            "suspect: no such assumption; `--list` prints their names".into(),
        ),
        (
            ["--compare".into(), "suspects=2".into()],
            "suspects: 2, expected 0 to 1 (of all photos)".into(),
        ),
    ] {
        let ran = plan(&arguments.each_ref().map(String::as_str));
        assert!(ran.one_line(2).ends_with(&expected), "{expected}: {ran:?}");
        assert_eq!(ran.stdout, "");
    }
    for arguments in [
        &["tuesday"][..],
        &["--photos", "0"],
        &["--photos", "4000001"],
        &["--drought", "20-16"],
        &["--from-stack"],
        &["--day", "2026-11-22"],
        &["evening", "--from-stack", "--day", "2026-11-22"],
    ] {
        let ran = plan(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn the_page_works_from_disk_and_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.html");
    let name = file.to_str().unwrap();
    plan(&[
        "gpu-drought",
        "--photos",
        "9000",
        "--compare",
        "workers_max=0",
        "--html",
        name,
    ])
    .succeeded();
    let page = fs::read_to_string(&file).unwrap();
    for outside in ["http:", "https:", "src=", "href=", "url(", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("color-scheme: light dark"));
    // Arrivals, and four charts for each of the two plans.
    assert_eq!(page.matches("<svg ").count(), 9);
    assert!(page.contains("class=\"out\""), "the drought is shaded");
    for unfilled in ["{{", "NaN", ">inf<", "inf ", "inf\""] {
        assert!(!page.contains(unfilled), "{unfilled}");
    }
    balanced(&page);
    let missing = folder.path().join("none/plan.html");
    let ran = plan(&["--photos", "10", "--html", missing.to_str().unwrap()]);
    assert!(ran.one_line(1).contains("cannot write"), "{ran:?}");
}

/// Every element that is opened is closed, in order; attributes have quotes.
fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag
            .split_once('>')
            .unwrap_or_else(|| panic!("<{tag:.40}: no end"));
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{tag}>");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let name = tag.split([' ', '/']).next().unwrap();
        let is_void = tag.ends_with('/') || ["!doctype", "meta"].contains(&name);
        if !is_void {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_assumption_is_listed() {
    let ran = plan(&["--list"]).succeeded();
    for name in ["suspects", "workers_max", "spot_hour"] {
        assert!(
            ran.stdout.lines().any(|line| line.trim().starts_with(name)),
            "{name}: {}",
            ran.stdout
        );
    }
    let set = plan(&["--list", "--set", "suspects=0.125", "--format", "json"]).succeeded();
    let rows: Vec<Value> = serde_json::from_str(&set.stdout).unwrap();
    let suspects = rows.iter().find(|row| row["name"] == "suspects").unwrap();
    assert_eq!(suspects["value"], 0.125);
}

/// Stores an inspection that took some time, segmented in a lane or nowhere.
fn store(stack: &TestStack, key: &str, accepted: Timestamp, took_ms: u64, lane: Option<Lane>) {
    let mut inspection = Inspection::accepted(request(key), accepted);
    let verdict = if lane.is_some() {
        Verdict::Damaged
    } else {
        Verdict::Clean
    };
    let finished = accepted + std::time::Duration::from_millis(took_ms);
    inspection = inspection
        .advance(&Event::Complete { verdict }, finished)
        .unwrap()
        .unwrap();
    inspection.route = lane.map(|lane| (lane, "a test".to_owned()));
    inspection.outcome = Some(Outcome {
        timings_ms: [
            ("screening".to_owned(), 100.0),
            ("total".to_owned(), took_ms as f64),
        ]
        .into(),
        worker: "worker-1 (cpu)".to_owned(),
        ..Outcome::default()
    });
    let record = StoredRecord {
        id: inspection.request.id.clone(),
        version: 0,
        updated_at: finished,
        keys: IndexKeys {
            phase: "done".to_owned(),
            verdict: Some(verdict.as_str().to_owned()),
            day: walkaround_messages::utc_day(accepted),
            ..IndexKeys::default()
        },
        body: record_body(&inspection),
    };
    let records = stack.local().records();
    stack
        .wait_for(records.write(&record, Precondition::Absent))
        .unwrap();
}

#[test]
fn a_day_of_a_stack_is_predicted_beside_what_happened() {
    let stack = walkaround_tests::stack!("slow", &[]);
    let midnight = walkaround_messages::parse_rfc3339("2026-11-20T00:00:00Z").unwrap();
    for n in 0..20u64 {
        let at = midnight + std::time::Duration::from_secs(36_000 + 10 * n);
        store(&stack, &format!("clean-{n}.jpg"), at, 200, None);
        store(
            &stack,
            &format!("inline-{n}.jpg"),
            at + std::time::Duration::from_secs(5),
            700,
            Some(Lane::Inline),
        );
    }
    let root = stack.local().root().display().to_string();
    let from =
        |day: &str, format: &str| plan(&["--from-stack", "--day", day, "--root", &root, "--format", format]);
    let day: Value = serde_json::from_str(&from("2026-11-20", "json").succeeded().stdout).unwrap();
    let observed = &day["observed"];
    assert_eq!(
        (&observed["photos"], &observed["segmented inline"]),
        (&"40".into(), &"20".into())
    );
    assert_eq!(
        (
            &observed["time to verdict, p50"],
            &observed["time to verdict, p95"]
        ),
        (&"0.2 s".into(), &"0.7 s".into())
    );
    let planned = &day["plans"][0];
    assert_eq!(
        (&planned["photos"], &planned["assumptions"]["suspects"]),
        (&40.into(), &0.5.into())
    );
    assert_eq!(planned["assumptions"]["screening_s"], 0.2);
    assert_eq!(planned["hours"][10]["photos"], 40);
    let table = from("2026-11-20", "table").succeeded();
    assert!(table.stdout.contains("what happened"), "{}", table.stdout);
    let nothing = from("2026-11-19", "table");
    assert!(
        nothing.one_line(2).contains("--day 2026-11-19: 0 photos"),
        "{nothing:?}"
    );
    assert!(
        from("yesterday", "table").one_line(2).contains("--day yesterday"),
        "a day"
    );
    assert!(Path::new(&root).exists());
}
