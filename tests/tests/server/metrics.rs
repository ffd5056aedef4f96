//! What `/metrics` says, read by a strict reader of the Prometheus text format.

use crate::bench::Bench;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::{Timestamp, Verdict};
use walkaround_messages::{HeartbeatDocument, WorkerState, heartbeat_body};
use walkaround_ports::{Heartbeat, OutEvent, OutMessage};

#[allow(clippy::too_many_lines, reason = "one world, counted once")]
pub(crate) async fn metrics_parse_and_count(bench: Bench) {
    bench.store("a", "1", Some((Verdict::Damaged, b"x"))).await;
    bench.store("b", "1", None).await;
    let message = || {
        vec![OutMessage {
            body: "{}".to_owned(),
            ..OutMessage::default()
        }]
    };
    bench.intake.send(message()).await.unwrap();
    bench.segmentation_dead.send(message()).await.unwrap();
    let beat = heartbeat("w \"1\"\\\n", bench.site.clock.now());
    bench.site.records.put_heartbeat(&beat).await.unwrap();

    for _ in 0..3 {
        let event = OutEvent {
            id: "e".to_owned(),
            body: "{}".to_owned(),
            attributes: BTreeMap::new(),
        };
        if let Some(publisher) = &bench.publisher {
            publisher.publish(&event).await.unwrap();
        }
    }
    let figures = figures(&bench).await;
    let expect = [
        (r#"walkaround_queue_messages{queue="intake",state="ready"}"#, 1.0),
        (
            r#"walkaround_queue_messages{queue="segmentation",state="leased"}"#,
            0.0,
        ),
        (
            r#"walkaround_queue_oldest_age_seconds{queue="segmentation"}"#,
            0.0,
        ),
        (r#"walkaround_parked_messages{queue="intake"}"#, 0.0),
        (r#"walkaround_parked_messages{queue="segmentation"}"#, 1.0),
        (r#"walkaround_inspections{phase="accepted",verdict=""}"#, 1.0),
        (r#"walkaround_inspections{phase="done",verdict="damaged"}"#, 1.0),
        (r#"walkaround_inspections{phase="done",verdict="clean"}"#, 0.0),
        (r#"walkaround_workers{state="working"}"#, 1.0),
        (r#"walkaround_workers{state="idle"}"#, 0.0),
        (r#"walkaround_worker_jobs{state="running"}"#, 0.0),
        (r#"walkaround_review_tasks{reason="asked"}"#, 0.0),
        (r#"walkaround_reviews_total{decision="confirm"}"#, 0.0),
        ("walkaround_reviews_last_day", 0.0),
        ("walkaround_worker_start_failures", 0.0),
        ("walkaround_gpu_lane_awaited_seconds", 0.0),
        (
            r#"walkaround_worker_photos_per_second{worker="w \"1\"\\\n",device="cpu"}"#,
            2.5,
        ),
        (
            r#"walkaround_worker_photos_total{worker="w \"1\"\\\n",device="cpu",result="failed"}"#,
            3.0,
        ),
    ];
    for (series, value) in expect {
        assert_eq!(figures.get(series), Some(&value), "{series}");
    }
    // What only a stack that counts them can tell.
    let counted = bench.publisher.is_some();
    for (series, value) in [
        ("walkaround_events_published_total", 3.0),
        (
            r#"walkaround_inspections_finished_last_minute{phase="done",verdict="damaged"}"#,
            1.0,
        ),
    ] {
        assert_eq!(figures.get(series), counted.then_some(&value), "{series}");
    }
}

pub(crate) async fn figures(bench: &Bench) -> BTreeMap<String, f64> {
    let (status, headers, body) = bench.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    parse(&String::from_utf8(body).unwrap()).unwrap()
}

fn heartbeat(worker: &str, at: Timestamp) -> Heartbeat {
    let document = HeartbeatDocument {
        worker: worker.to_owned(),
        at,
        started_at: at,
        state: WorkerState::Working,
        device: "cpu".to_owned(),
        host: "h".to_owned(),
        bundle: walkaround_domain::BundleId::new("demo", "1"),
        photos_done: 7,
        photos_failed: 3,
        photos_per_second: 2.5,
        memory_bytes: 1 << 30,
        in_flight: 2,
        progressed_at: None,
    };
    Heartbeat {
        worker: worker.to_owned(),
        at,
        body: heartbeat_body(&document),
    }
}

/// A small strict reader of the text format: series (as written) to value.
fn parse(text: &str) -> Result<BTreeMap<String, f64>, String> {
    if !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut series = BTreeMap::new();
    let (mut helped, mut family, mut seen) = (String::new(), String::new(), BTreeSet::new());
    for line in text.lines() {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped = rest.split_once(' ').ok_or_else(|| wrong("no help"))?.0.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let counts = name.ends_with("_total");
            if name != helped || !seen.insert(name.to_owned()) || !name.starts_with("walkaround_") {
                return Err(wrong("a family out of order"));
            }
            if kind != if counts { "counter" } else { "gauge" } {
                return Err(wrong("the type does not fit the name"));
            }
            family = name.to_owned();
        } else {
            let (labelled, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
            let rest = labelled
                .strip_prefix(&family)
                .ok_or_else(|| wrong("outside its family"))?;
            labels(rest).ok_or_else(|| wrong("malformed labels"))?;
            let value = value.parse().map_err(|_| wrong("no number"))?;
            if series.insert(labelled.to_owned(), value).is_some() {
                return Err(wrong("twice"));
            }
        }
    }
    Ok(series)
}

/// `{name="text",...}`, or nothing.
fn labels(text: &str) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let mut rest = text.strip_prefix('{')?;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return None;
        }
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (i, '"') => break i,
                (_, '\\') => match chars.next()?.1 {
                    '\\' | '"' | 'n' => {}
                    _ => return None,
                },
                _ => {}
            }
        };
        rest = &after[end + 1..];
        if rest == "}" {
            return Some(());
        }
        rest = rest.strip_prefix(',')?;
    }
}

#[test]
fn the_reader_of_metrics_can_fail() {
    let head = "# HELP walkaround_x Words.\n# TYPE walkaround_x gauge\n";
    let whole = |line: &str| parse(&format!("{head}{line}\n"));
    assert_eq!(whole(r#"walkaround_x{a="b\"c"} 1"#).unwrap().len(), 1);
    for line in [
        r#"walkaround_x{a="b"c"} 1"#,
        r#"walkaround_x{a="b\c"} 1"#,
        r#"walkaround_x{a="b" 1"#,
        "walkaround_x one",
        "walkaround_y 1",
        "walkaround_x 1\nwalkaround_x 1",
        "# TYPE walkaround_x gauge",
    ] {
        assert!(whole(line).is_err(), "{line}");
    }
}
