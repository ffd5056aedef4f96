//! Causes planted in a local stack.

use crate::aws_client::Names;
use crate::{fails, findings};
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use walkaround_domain::lane::LaneState;
use walkaround_local::{INTAKE_DEAD, LocalStack, Options, SEGMENTATION, WorkerOptions};
use walkaround_messages::{LANE_STATE, lane_state_body};
use walkaround_ports::{Clock, GpuCapacity, Heartbeat, OutMessage, SystemClock, WorkerJobState};
use walkaround_tests::places;

/// A local stack, with settings under which nothing is wrong.
struct Local {
    folder: TempDir,
    local: LocalStack,
    runtime: Runtime,
    names: Names,
}

impl Local {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let root = folder.path().join("root");
        let local = {
            let _inside = runtime.enter();
            LocalStack::open(&root, Options::default(), Arc::new(SystemClock::new())).unwrap()
        };
        let variables = [
            ("WALKAROUND_ROOT", root.display().to_string()),
            ("WALKAROUND_BUNDLE", places::seven().display().to_string()),
            ("WALKAROUND_LISTEN", " ".to_owned()),
            ("WALKAROUND_STACK", "local".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            folder,
            local,
            runtime,
            names: Names {
                variables: variables.into(),
            },
        }
    }

    fn send(&self, queue: &str, reason: Option<&str>) {
        let attributes = reason.map(|r| ("parked_reason".to_owned(), r.to_owned()));
        let message = OutMessage {
            body: "{}".to_owned(),
            attributes: attributes.into_iter().collect(),
            delay: Duration::ZERO,
        };
        let queue = self.local.queue(queue).unwrap();
        let sent = self.runtime.block_on(queue.send(vec![message])).unwrap();
        assert!(sent.iter().all(Result::is_ok));
    }

    /// Starts workers that are this shell line.
    fn workers(&self, line: &str, count: u32) -> walkaround_local::LocalCapacity {
        self.runtime.block_on(async {
            let options = WorkerOptions {
                command: vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()],
                workers_max: count,
                ..WorkerOptions::default()
            };
            let capacity = self.local.capacity(options).await.unwrap();
            assert_eq!(capacity.start(count).await.unwrap().len(), count as usize);
            capacity
        })
    }
}

#[test]
fn a_sound_stack_has_nothing_to_tell() {
    let local = Local::new();
    let (code, found) = findings(&local.names, &[]);
    assert!(
        found.values().all(|(level, ..)| level == "ok") && code == 0,
        "{found:#?}"
    );
    for check in [
        "settings",
        "root",
        "bundle",
        "ONNX Runtime",
        "device",
        "self-test",
        "gpu lane",
        "clock",
        "up",
        "workers",
    ] {
        assert!(found.contains_key(check), "no check {check}: {found:#?}");
    }
    let table = local.names.run(&["doctor"]).succeeded().stdout;
    assert!(table.contains("no problem found in"), "{table}");
}

#[test]
fn a_lane_without_a_scaler_is_named_where_photos_wait_for_it() {
    let local = Local::new();
    // As an `up` of yesterday left it.
    let state = LaneState {
        at: SystemClock::new().now() - Duration::from_secs(86_400),
        workers_max: 2,
        ..LaneState::default()
    };
    let store = local.local.state();
    let body = lane_state_body(&state);
    let written = store.write(LANE_STATE, &body, Duration::from_secs(3600));
    local.runtime.block_on(written).unwrap();
    let lane = || findings(&local.names, &[]).1["gpu lane"].clone();
    assert_eq!(lane().0, "ok", "{:?}", lane());
    local.send(SEGMENTATION, None);
    let (level, what, fix) = lane();
    assert!(
        level == "warn" && what.contains("its scaler last ran") && fix.contains("walkaround up"),
        "{what}: {fix}"
    );
}

#[test]
fn settings_library_device_and_bundle_are_named() {
    let local = Local::new();
    let names = |name: &str, value: &str| local.names.with(name, value);
    fails(
        &names("WALKAROUND_LEASE_S", "long"),
        "settings",
        "WALKAROUND_LEASE_S",
    );
    fails(&names("WALKAROUND_DEVICE", "cuda"), "device", "cuda");
    fails(
        &names("WALKAROUND_BUNDLE", "nowhere"),
        "bundle",
        "no folder `nowhere`",
    );

    let altered = places::edited_seven(&[]);
    let file = altered.path().join("gate.onnx");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let folder = altered.path().to_str().unwrap();
    fails(&names("WALKAROUND_BUNDLE", folder), "bundle", "SHA-256");

    let other = places::edited_seven(&[("gate = 1.0", "gate = 0.0")]);
    let folder = other.path().to_str().unwrap();
    fails(&names("WALKAROUND_BUNDLE", folder), "self-test", "gate is");
}

#[test]
fn a_library_that_is_not_there_is_named() {
    let local = Local::new();
    let nowhere = local.folder.path().join("libonnxruntime.so");
    let names = local
        .names
        .with("WALKAROUND_ONNXRUNTIME", nowhere.to_str().unwrap());
    fails(&names, "ONNX Runtime", "cannot load ONNX Runtime");
}

#[test]
fn a_root_that_cannot_be_used_is_named() {
    let local = Local::new();
    let empty = local.folder.path().join("empty");
    let names = local.names.with("WALKAROUND_ROOT", empty.to_str().unwrap());
    fails(&names, "root", "no stack in");
    assert!(!empty.exists(), "looking makes no stack");

    std::fs::create_dir(&empty).unwrap();
    std::fs::write(
        empty.join("walkaround.db"),
        "this is no database at all".repeat(100),
    )
    .unwrap();
    fails(&names, "root", "cannot use");
}

#[test]
fn a_taken_port_is_named() {
    let local = Local::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // Whoever is there says something else, and hangs up.
    let other = std::thread::spawn(move || {
        let (mut stream, _) = taken.accept().unwrap();
        let _ = stream.write_all(b"220 hello\r\n");
    });
    fails(
        &local.names.with("WALKAROUND_LISTEN", &address),
        "HTTP address",
        "used by another program",
    );
    other.join().unwrap();
}

#[test]
fn workers_that_crash_are_silent_or_missing_are_named() {
    let local = Local::new();
    local.send(SEGMENTATION, None);
    fails(
        &local.names,
        "workers",
        "1 message for the GPU lane, but no worker runs",
    );

    let capacity = local.workers("exit 78", 3);
    local.runtime.block_on(async {
        let over = |jobs: &[walkaround_ports::WorkerJob]| {
            jobs.iter()
                .all(|job| matches!(job.state, WorkerJobState::Ended { exit: Some(78) }))
        };
        // A process that exits at once is reaped soon.
        for _ in 0..1000 {
            if over(&capacity.fleet().await.unwrap()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the workers do not end");
    });
    fails(&local.names, "worker exits", "code 78: the bundle cannot be used");

    let capacity = local.workers("sleep 600", 1);
    let worker = local.runtime.block_on(async {
        let fleet = capacity.fleet().await.unwrap();
        let running = fleet
            .iter()
            .find(|j| !matches!(j.state, WorkerJobState::Ended { .. }));
        let worker = running.unwrap().id.clone();
        let beat = Heartbeat {
            worker: worker.clone(),
            at: SystemClock::new().now() - Duration::from_secs(600),
            body: "{}".to_owned(),
        };
        local.local.records().put_heartbeat(&beat).await.unwrap();
        worker
    });
    // As long as the scaler lets a worker load its networks, it is not silent: here the shortest that there is.
    std::thread::sleep(Duration::from_millis(1100));
    let names = local.names.with("WALKAROUND_START_GRACE_S", "1");
    fails(&names, "workers", &format!("no heartbeat: {worker}"));
    let left = local.runtime.block_on(capacity.end_all("the test is over"));
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn parked_messages_are_told_with_their_reasons() {
    let local = Local::new();
    local.send(INTAKE_DEAD, Some("not a request"));
    let (code, found) = findings(&local.names, &[]);
    let (level, what, _) = &found["intake parked"];
    assert!(
        level == "warn" && what.contains("1 message parked: 1 × not a request"),
        "{found:#?}"
    );
    assert_eq!(code, 0, "a warning is no failure");
}
